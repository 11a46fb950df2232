"""Mode serve: matching and retrieval over HTTP, until the process is told to stop."""

import logging
from dataclasses import dataclass
from typing import Any

from toolkit.build.exported import exported_model
from toolkit.config.schema import Config
from toolkit.errors import import_optional
from toolkit.progress import stopwatch
from toolkit.serving.json_log import log_as_json
from toolkit.serving.opening import limits_of, open_service, raise_descriptor_limit, tokens_of

_LOG = logging.getLogger(__name__)
_PACKAGES = ("fastapi", "uvicorn", "httptools", "prometheus_client", "python_multipart")


@dataclass(frozen=True)
class ServeReport:
    """The outcome of a service that was stopped.

    Attributes:
        model_name: what computed the features.
        address: where it listened.
        records: in the databases that were open at its end.
        root: where they are.
        seconds: how long it answered.
    """

    model_name: str
    address: str
    records: int
    root: str
    seconds: float

    @property
    def passed(self) -> bool:
        """A service that was told to stop has done its work."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns the facts."""
        return {
            "model_name": self.model_name,
            "address": self.address,
            "records": self.records,
            "root": self.root,
            "seconds": round(self.seconds, 3),
        }

    def summary(self) -> str:
        """Returns where it was, how long, and where the databases are."""
        return (
            f"{self.model_name} answered on {self.address} for {self.seconds:.0f} s and has "
            f"stopped; {self.records:,} records are safe in\n  {self.root}"
        )


def run(config: Config) -> ServeReport:
    """Serves until SIGTERM or SIGINT.

    Raises:
        ConfigError: there is no root or token, or the address is taken.
        ExtraError: a package of the extra ``service`` is not installed.
        ToolkitError: the model or the root cannot be used.
    """
    for package in _PACKAGES:
        import_optional(package, purpose="Mode serve")
    from toolkit.serving.metrics import Metrics
    from toolkit.serving.web.app import build_application
    from toolkit.serving.web.server import listen, run_server

    section, metrics = config.Serve, Metrics()
    tokens, limits = tokens_of(section), limits_of(section, raise_descriptor_limit())
    opened = listen(section.host, section.port)
    export = exported_model(config, section.model_dir, engine=section.engine)
    service = open_service(section, export, config.Global.device, metrics.batch)
    application = build_application(
        service,
        metrics,
        services=section.services,
        tokens=tokens,
        limits=limits,
        open_metrics=section.open_metrics,
        page=section.page,
    )
    log_as_json()
    address = f"http://{section.host}:{opened.getsockname()[1]}"
    try:
        with stopwatch() as watch:
            run_server(application, opened, limits, lambda: _LOG.info("Ready: %s", address))
    finally:
        records = sum(
            database.facts.count
            for databases in service.folders.all()
            for database in databases.opened().values()
        )
        service.close()
    return ServeReport(
        service.embedder.model_name, address, records, str(service.folders.root), watch["seconds"]
    )
