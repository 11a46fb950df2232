"""Which databases a client of PAI's functions has initialised; everything else asks here first."""

import hashlib
import secrets
from threading import Lock

from toolkit.serving.databases import Databases, Quota
from toolkit.serving.names import oss_folder, relative_path
from toolkit.serving.pai.parameters import Parameters
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client

_PUBLIC, _ELASTICSEARCH = "public", "elasticsearch"
_PUBLIC_QUOTA = Quota(databases=5, records=5000)
_BACKENDS = {"oss": "oss", "elasticsearch": _ELASTICSEARCH, "es": _ELASTICSEARCH}


class Sessions:
    """What each client has initialised, for each service; gone when the process ends.

    Args:
        service: whose databases they are.
    """

    def __init__(self, service: Service) -> None:
        self._service, self._changing = service, Lock()
        self._databases: dict[tuple[str, str], Databases] = {}

    def databases(self, service_name: str, client: Client) -> Databases:
        """Returns the databases that a client has initialised.

        Raises:
            Problem: it has not.
        """
        found = self._databases.get((service_name, client.name))
        if found is None:
            raise Problem(
                Kind.NOT_INITIALISED,
                "The service is not initialised for this token; call init first.",
            )
        return found

    def open(self, service_name: str, client: Client, parameters: Parameters) -> dict[str, object]:
        """Initialises, and returns what is told of it.

        Raises:
            Problem: the parameters name no folder.
        """
        if "uid" in parameters or "uid_key" in parameters:
            answer, databases = self._public(client, parameters)
        else:
            answer, databases = self._private(client, parameters)
        with self._changing:
            self._databases[service_name, client.name] = databases
        return answer

    def _private(
        self, client: Client, parameters: Parameters
    ) -> tuple[dict[str, object], Databases]:
        said = parameters.text("backend")
        backend = _BACKENDS.get(said.lower())
        if backend is None:
            known = ", ".join(_BACKENDS)
            raise Problem(Kind.NO_BACKEND, f"backend is {said[:80]!r}; known: {known}.")
        # Keys of the cloud's store open nothing here; they are not looked at, kept or logged.
        parameters.optional("oss_io_config")
        parameters.optional("es_config")
        home, info = self._service.home(client), "init db success."
        if backend == _ELASTICSEARCH:
            default = f"oss://{_ELASTICSEARCH}"
            info += " Records are kept by this service; no Elasticsearch is asked."
            folder = oss_folder(parameters.text("root_path", default), home)
        else:
            folder = oss_folder(parameters.text("root_path"), home)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(
                Kind.NO_BACKEND, f"root_path cannot be written to: {error.strerror}."
            ) from error
        return {"info": info}, self._service.folders.at(folder)

    def _public(
        self, client: Client, parameters: Parameters
    ) -> tuple[dict[str, object], Databases]:
        """A few small databases without a store of one's own, under a key that is given out."""
        key = parameters.text("uid_key", "")
        if not key:
            uid = str(parameters.required("uid"))
            key = hashlib.sha256(f"{client.name}/{uid}".encode()).hexdigest()[:32]
        home = self._service.home(client)
        folder = home / f".{_PUBLIC}" / relative_path(key, "uid_key")
        databases = self._service.folders.at(folder, _PUBLIC_QUOTA)
        return {"info": "init db success.", "uid_key": key}, databases


def request_id() -> str:
    """Returns a name for a request, for the answer and the log."""
    return secrets.token_hex(16)
