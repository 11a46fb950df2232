"""From the section Serve to a service that is ready."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from toolkit.config.serve_section import ServeSection
from toolkit.errors import ConfigError
from toolkit.inference.detection.detector import Detector, open_detector
from toolkit.inference.directory import find_export, open_predictor
from toolkit.inference.model_fingerprint import model_fingerprint
from toolkit.runtime import cores_allowed
from toolkit.serving.databases import Folders, Model, Quota
from toolkit.serving.decoding import Decoder
from toolkit.serving.embedding import Embedder
from toolkit.serving.limits import Limits
from toolkit.serving.pictures import PictureReader
from toolkit.serving.service import Service
from toolkit.serving.tokens import Tokens

_LOG = logging.getLogger(__name__)
_WARM_UP_SIDE = 64


def limits_of(section: ServeSection, descriptors: int | None = None) -> Limits:
    """Returns the limits of requests.

    Args:
        section: Serve.
        descriptors: files that may be open; half of them is for connections at most, so that
            databases can be read and written whoever comes. None for any number.
    """
    connections = section.max_connections
    if descriptors is not None and connections > descriptors // 2:
        connections = max(1, descriptors // 2)
        _LOG.warning(
            "%s files may be open: %s connections are taken and not %s (Serve.max_connections). "
            "Raise the limit (ulimit -n, LimitNOFILE).",
            descriptors,
            connections,
            section.max_connections,
        )
    return Limits(
        max_requests=section.max_requests,
        max_body_bytes=section.max_body_bytes,
        max_buffered_bytes=section.max_buffered_bytes,
        read_timeout=section.read_timeout,
        timeout=section.timeout,
        rate=section.rate,
        workers=section.workers,
        max_connections=connections,
        stop_timeout=section.stop_timeout,
    )


def tokens_of(section: ServeSection) -> Tokens | None:
    """Returns who may come in; None for everybody.

    Raises:
        ConfigError: there is no token.
    """
    return None if section.without_token else Tokens.given(section.token_file)


def open_service(
    section: ServeSection, export: Path, device: str, on_batch: Callable[[int], None]
) -> Service:
    """Opens the model, and the databases of ``/v1``; others open when they are asked for.

    Args:
        section: Serve.
        export: folder of the model, or of its training run.
        device: ``auto | cpu | gpu | gpu:0``.
        on_batch: told the size of each forward pass.

    Raises:
        ToolkitError: the model or the root cannot be used.
    """
    if section.root is None:
        raise ConfigError("Serve.root is null; give the folder for all databases.")
    root = Path(section.root).absolute()
    export = find_export(export)
    predictor = open_predictor(
        export,
        device=device,
        engine=section.engine,
        threads=section.threads,
        decode=section.decode,
    )
    embedder = Embedder(
        predictor,
        fingerprint=model_fingerprint(export),
        batch_size=section.batch_size,
        wait=section.batch_wait,
        queue_size=section.queue_size,
        max_pixels=section.max_pixels,
        timeout=section.timeout,
        on_batch=on_batch,
    )
    detector = _detector(section, device)
    model = Model(embedder.dimension, embedder.fingerprint, section.index_kind)
    folders = Folders(root, model, Quota(section.max_databases, section.max_records))
    service = Service(
        embedder,
        folders,
        _reader(section, root),
        Decoder(section.max_pixels),
        section.default_folder,
        section.max_topk,
        detector,
    )
    folders.at(root / section.default_folder)
    return service


def _detector(section: ServeSection, device: str) -> Detector | None:
    if section.detector_dir is None:
        return None
    threads = section.threads or cores_allowed()
    detector = open_detector(Path(section.detector_dir), device=device, threads=threads)
    # Whatever is wrong with it is told now, and not to the first client.
    noise = np.random.default_rng(0).integers(0, 256, (_WARM_UP_SIDE,) * 2 + (3,), np.uint8)
    detector.detect(noise, 0.0)
    return detector


def _reader(section: ServeSection, root: Path) -> PictureReader:
    fetch = None
    if section.fetch_urls:
        from toolkit.serving.public_fetch import PublicFetch

        fetch = PublicFetch(section.fetch_timeout, section.max_body_bytes)
    store: dict[str, object] | None = None
    if section.oss_endpoint is not None:
        # OSS takes the bucket in the name of the host only; that is S3's "virtual" addressing.
        store = {
            "endpoint_url": section.oss_endpoint,
            "config_kwargs": {"s3": {"addressing_style": "virtual"}},
        }
    buckets = None if section.oss_buckets is None else tuple(section.oss_buckets)
    return PictureReader(root, section.max_body_bytes, store, buckets, fetch)


def raise_descriptor_limit() -> int | None:
    """Lets this process open as many files as the system allows, and returns how many.

    Connections are files; with none left no database can be written. None where there is no limit
    to raise (Windows).
    """
    if os.name == "nt":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else soft
