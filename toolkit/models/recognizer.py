"""The network of a recognition model: backbone, then neck, then head.

The state's prefixes ``backbone.``, ``neck.`` and ``head.`` are those of PaddleClas's RecModel, so
official weights load as they are. No output is normalised here: the exported graph gives the
neck's output, and whoever compares embeddings scales them to length 1.
"""

import paddle
from paddle import Tensor, amp, nn


class Recognizer(nn.Layer):
    """Backbone, neck and head as one network.

    Args:
        backbone: maps images [b, 3, h, w] to [b, d0]; has ``out_features``, and ``maps`` where the
            neck reads maps.
        neck: maps what its ``reads`` says (the feature, when it says nothing) to the embedding
            [b, d]; without one the backbone's feature is the embedding.
        head: maps embeddings and labels to logits [b, c]; only training needs it.

    Attributes:
        out_features: length of the embedding.
        output_sizes: lengths of ``features`` and ``backbone`` in what `forward` gives.
        outputs: names of all that `forward` gives.
    """

    def __init__(
        self, backbone: nn.Layer, neck: nn.Layer | None = None, head: nn.Layer | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        last: nn.Layer = backbone if neck is None else neck
        self.out_features: int = last.out_features
        pooled = getattr(neck, "reads", "feature") != "feature"
        width: int = backbone.map_channels[-1] if pooled else backbone.out_features
        self.output_sizes = {"features": self.out_features, "backbone": width}
        self.outputs = ("backbone", "features", *(() if head is None else ("logits",)))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Computes everything that a loss may read.

        Args:
            images: float32 [b, 3, h, w].
            labels: class indices [b], int64, for heads with a margin.

        Returns:
            ``backbone``: the backbone's feature or, with a neck that reads maps, the mean of the
            last map over its places (what follows the maps in the backbone is not run then);
            ``features``: the embedding, not normalised; ``logits``, if there is a head.
        """
        return self.outputs_of(self.read(images), labels)

    def embed(self, images: Tensor) -> Tensor:
        """Returns the embeddings [b, out_features], not normalised, without running the head."""
        return self.embedding_of(self.read(images))

    def read(self, images: Tensor) -> Tensor | list[Tensor]:
        """Runs the backbone, once, up to what the neck reads."""
        reads = getattr(self.neck, "reads", "feature")
        result: Tensor | list[Tensor]
        if reads == "feature":
            result = self.backbone(images)
            return result
        result = self.backbone.maps(images)
        return result[-1] if reads == "last_map" else result

    def embedding_of(self, read: Tensor | list[Tensor]) -> Tensor:
        """Returns the embeddings of what `read` gave."""
        embedding: Tensor = _pooled(read) if self.neck is None else self.neck(read)
        return embedding

    def outputs_of(
        self, read: Tensor | list[Tensor], labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Returns what `forward` gives, of what `read` gave."""
        features = self.embedding_of(read)
        outputs = {"backbone": _pooled(read), "features": features}
        if self.head is not None:
            # Logits are scaled cosines, or go into an exponential: 16 bits are too few for either.
            with amp.auto_cast(enable=False):
                outputs["logits"] = self.head(_in_float32(features), labels)
        return outputs

    def re_parameterize(self) -> None:
        """Fuses in place what the backbone can fuse for deployment; the embeddings stay.

        A fused network cannot be trained any more, so a run that goes on fuses a copy.
        """
        fuse = getattr(self.backbone, "re_parameterize", None)
        if fuse is not None:
            fuse()


def _in_float32(values: Tensor) -> Tensor:
    """Returns values as they are where they are float32 already, else in float32."""
    return values if values.dtype == paddle.float32 else values.astype("float32")


def _pooled(read: Tensor | list[Tensor]) -> Tensor:
    """Returns what a neck read as one feature: itself, or the mean of the last map."""
    last = read[-1] if isinstance(read, list) else read
    return last.mean([2, 3]) if last.ndim == 4 else last
