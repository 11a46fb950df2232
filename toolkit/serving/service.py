"""What every front of the service stands on: the model, the databases, the reader of pictures."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.inference.detection.detector import Detector
from toolkit.serving.databases import Databases, Folders
from toolkit.serving.decoding import Decoder
from toolkit.serving.embedding import Embedder
from toolkit.serving.pictures import PictureReader
from toolkit.serving.tokens import Client


@dataclass(frozen=True)
class Service:
    """A service without its wires.

    Attributes:
        embedder: the model.
        folders: all databases.
        reader: reads pictures that clients name.
        decoder: of pictures whose pixels a request needs itself.
        default_folder: whose databases ``/v1`` shows, below a client's home.
        max_topk: neighbours that may be asked for.
        detector: says what a picture shows where; None where there is none.
    """

    embedder: Embedder
    folders: Folders
    reader: PictureReader
    decoder: Decoder
    default_folder: str = "default"
    max_topk: int = 1000
    detector: Detector | None = None

    def home(self, client: Client) -> Path:
        """Returns the folder that is everything to a client."""
        return self.folders.root / client.home if client.home else self.folders.root

    def databases(self, client: Client) -> Databases:
        """Returns the databases of ``/v1``."""
        return self.folders.at(self.home(client) / self.default_folder)

    def close(self) -> None:
        """Answers who waits, saves, and ends."""
        self.embedder.close()
        self.folders.close()
