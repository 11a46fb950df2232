"""Search with a picture over HTTP beside the same model in this process: what the service costs.

    python -m benchmarks.run [--quick] service

Both sides run PP-ShiTuV2_rec on the same JPEGs, each in a process of its own with its defaults. In
the process, pictures become features, in a call each or in batches of 16. Over HTTP a request sends
a picture, which is decoded, embedded and searched for among 2,000 vectors, and gets ten neighbours
as JSON; 1, 4 and 16 clients wait for one answer before they send the next picture. The clients
share the cores with the server; how much of them they take is told.

Beside PaddleX's server: the same requests of the form that it has, a picture in base64 for
``/shitu-infer``, to both, over an index that both have built of the same pictures.
"""

import base64
import json
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answering import Answering
from benchmarks.measure import Comparison, Details, Options, Table, all_in_turn
from benchmarks.models import NAME, exported_models
from benchmarks.pictures import SmallPictures, photographs_of
from benchmarks.servers import PADDLEX, TOKEN, paddlex_server, posted, toolkit_server
from benchmarks.worker_process import Side, Worker
from toolkit.inference.model_fingerprint import model_fingerprint
from toolkit.runtime import cores_allowed

AREA = "service"
BATCH, RECORDS = 16, 2000
# Share of the rate in the process that is promised, by clients.
REQUIRED = {1: 0.85, 4: 0.9, 16: 0.9}
_PICTURES, _QUICK_PICTURES = 640, 160
_CALIBRATION_PICTURES, _WARM_UP_PICTURES = 64, 48
_FIGURES = "service_clients.json"


def measure(options: Options) -> list[Comparison]:
    """Times searches of 1, 4 and 16 clients, and features in the process, in turn."""
    count = _QUICK_PICTURES if options.quick else _PICTURES
    folder, models = options.workspace / "service", options.workspace / "models"
    pictures = SmallPictures(count).build(
        photographs_of(options.dataset), options.workspace / "pictures" / "small"
    )
    listed = _listed(folder / "list.txt", pictures)
    warm_up = _listed(folder / "warm_up.txt", pictures[:_WARM_UP_PICTURES])
    calibration = _listed(folder / "calibration.txt", pictures[:_CALIBRATION_PICTURES])
    exported_models(models, calibration)
    model, told = models / "fp32", dict[int, list[dict[str, Any]]]()
    shutil.rmtree(folder / "root", ignore_errors=True)
    _write_database(folder / "root" / "default" / "pictures", model)
    with ExitStack() as stack:
        address = stack.enter_context(toolkit_server(model, folder / "root", folder))
        worker = stack.enter_context(
            closing(Worker(Side("toolkit", Path(sys.executable), model), folder / "predict.log"))
        )
        command = [sys.executable, "-m", "benchmarks.service_clients", TOKEN]
        clients = stack.enter_context(closing(Answering(command, {}, folder / "clients.log")))
        ask = partial(_searches, clients, {"address": address, "index": None})
        sides: dict[str, Callable[[], float]] = {
            str(number): partial(ask, listed, number, told) for number in REQUIRED
        }
        sides["one by one"] = partial(worker.images_apart_per_second, listed)
        sides["in batches"] = partial(worker.images_per_second, listed, BATCH)
        worker.images_per_second(warm_up, BATCH)
        for number in REQUIRED:
            ask(warm_up, number, {})
        figures = all_in_turn(sides, options.repeats)
        beside = _beside_paddlex(stack, clients, address, warm_up, options)
    (folder / _FIGURES).write_text(json.dumps(_latencies(told)), encoding="utf-8")
    return [*(_row(number, figures, told[number]) for number in REQUIRED), *beside]


def _beside_paddlex(
    stack: ExitStack, clients: Answering, ours: str, listed: Path, options: Options
) -> list[Comparison]:
    """Times PaddleX's own requests at both servers, with as many clients each."""
    folder, model = options.workspace / "service", options.workspace / "models" / "fp32"
    sides: dict[str, Callable[[], float]] = {}
    told: dict[str, dict[int, list[dict[str, Any]]]] = {"ours": {}, "theirs": {}}
    theirs = stack.enter_context(paddlex_server(model, folder))
    for name, address in (("ours", ours), ("theirs", theirs)):
        asked = {"address": address, "index": _built(address, listed)}
        for number in REQUIRED:
            ask = partial(_searches, clients, asked, listed, number)
            ask({})
            sides[f"{name}, {number}"] = partial(ask, told[name])
    figures = all_in_turn(sides, options.repeats)
    return [
        Comparison(
            AREA, f"shitu-infer, {_clients(number)}", "images/s",
            figures[f"ours, {number}"], figures[f"theirs, {number}"],
            f"PaddleX {PADDLEX}'s server of PP-ShiTuV2, a detector that finds nothing",
            note=f"p95 {_p95(told['ours'][number]):.1f} ms, "
            f"theirs {_p95(told['theirs'][number]):.1f} ms.",
        )
        for number in REQUIRED
    ]  # fmt: skip


def _built(address: str, listed: Path) -> str:
    """Has a server build an index of pictures, and returns its key."""
    pairs = [
        {"image": base64.b64encode(Path(name).read_bytes()).decode(), "label": str(number)}
        for number, name in enumerate(listed.read_text(encoding="utf-8").splitlines())
    ]
    return str(posted(f"{address}/shitu-index-build", {"imageLabelPairs": pairs})["indexKey"])


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Returns latencies, and what the clients took from the server."""
    del comparisons
    file = options.workspace / "service" / _FIGURES
    rows = json.loads(file.read_text(encoding="utf-8"))
    header = ["clients", "median ms", "p95 ms", "p99 ms", "cores of the clients"]
    return Details(
        parameters={"model": NAME, "records": f"{RECORDS:,}", "cores": str(cores_allowed())},
        tables=[Table("A search with a picture over HTTP", header, rows)],
    )


def _row(clients: int, figures: dict[str, list[float]], told: list[dict[str, Any]]) -> Comparison:
    peer = "one by one" if clients == 1 else "in batches"
    latencies = [1000 * value for one in told for value in one["latencies"]]
    cpu = sum(one["cpu"] for one in told) / sum(one["seconds"] for one in told)
    return Comparison(
        AREA, f"search with a JPEG of 348 px, {_clients(clients)}",
        "images/s", figures[str(clients)], figures[peer],
        f"predict in a process, {peer if clients == 1 else f'{peer} of {BATCH}'}",
        required=REQUIRED[clients],
        note=f"p95 {_p95(told):.1f} ms, median "
        f"{statistics.median(latencies):.1f} ms; the clients took {cpu:.2f} of "
        f"{cores_allowed()} cores.",
    )  # fmt: skip


def _clients(number: int) -> str:
    return f"{number} client{'s' if number > 1 else ''}"


def _p95(told: list[dict[str, Any]]) -> float:
    """Returns milliseconds."""
    values = [value for one in told for value in one["latencies"]]
    return 1000 * float(np.percentile(values, 95))


def _latencies(told: dict[int, list[dict[str, Any]]]) -> list[list[str]]:
    rows = []
    for clients, answers in told.items():
        values = [1000 * value for one in answers for value in one["latencies"]]
        cpu = sum(one["cpu"] for one in answers) / sum(one["seconds"] for one in answers)
        points = [f"{np.percentile(values, at):.1f}" for at in (50, 95, 99)]
        rows.append([str(clients), *points, f"{cpu:.2f}"])
    return rows


def _searches(
    clients: Answering,
    asked: dict[str, Any],
    listed: Path,
    number: int,
    told: dict[int, list[dict[str, Any]]],
) -> float:
    """Returns searches a second."""
    answer = clients.ask(json.dumps({**asked, "list": str(listed), "clients": number}))
    told.setdefault(number, []).append(answer)
    return float(answer["searches"] / answer["seconds"])


def _write_database(folder: Path, model: Path) -> None:
    """Writes random vectors, which take as long to compare as any."""
    from toolkit.index.interface import VectorIndex
    from toolkit.serving.database_folder import create_database
    from toolkit.serving.picture_records import PictureRecord

    dimension = 512
    vectors = np.random.default_rng(0).standard_normal((RECORDS, dimension), dtype=np.float32)

    def fill(index: VectorIndex, _: Path) -> None:
        records = [PictureRecord(str(at // 10), at % 10) for at in range(RECORDS)]
        ids = [record.key for record in records]
        index.add(ids, vectors, [record.kept() for record in records])

    create_database(
        folder, dimension=dimension, metric="cosine", kind="flat", feature="feature",
        fingerprint=model_fingerprint(model), fill=fill,
    )  # fmt: skip


def _listed(file: Path, paths: Sequence[Path]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{path.resolve()}\n" for path in paths), encoding="utf-8")
    return file
