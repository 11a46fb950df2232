"""One side of the inference benchmark: a process that turns lists of pictures into features.

    python -m benchmarks.inference_worker SIDE MODEL_DIR [--threads N] [--exact] \
        [--first PICTURE]

SIDE is ``toolkit`` or ``paddlex``, and the interpreter one that has it. With --first it opens the
model, computes one feature, says so and ends; that is the cold start. Otherwise it waits for
orders, one JSON object a line, and answers each with one:

    {"list": file, "batch_size": 16, "features": file or null, "apart": false}
    {"seconds": wall time, "images": number of features, "peak_mib": most memory held so far}

With "apart" each picture is a call of its own: nobody knows that another one comes.

The answers go to the standard output it was started with; whatever a library prints goes to the
standard error.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

from benchmarks.peak_memory import peak_mib

Predict = Callable[[list[str], int], Iterator[Any]]


def main() -> int:
    """Opens the model and obeys."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("side", choices=("toolkit", "paddlex"))
    parser.add_argument("model_dir")
    parser.add_argument("--threads", type=int, help="CPU threads; without it the side's default")
    parser.add_argument("--exact", action="store_true", help="decode every pixel (toolkit)")
    parser.add_argument("--first", help="compute the feature of this picture only")
    arguments = parser.parse_args()
    answers = _answers()
    if arguments.side == "toolkit":
        predict = _open_toolkit(arguments.model_dir, arguments.threads, exact=arguments.exact)
    else:
        predict = _open_paddlex(arguments.model_dir, arguments.threads)
    if arguments.first is not None:
        feature = next(predict([arguments.first], 1))
        _answer(answers, {"values": len(feature)})
        return 0
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        _answer(answers, _obey(predict, json.loads(line)))
    return 0


def _obey(predict: Predict, order: dict[str, Any]) -> dict[str, float]:
    paths = Path(order["list"]).read_text(encoding="utf-8").splitlines()
    keep = order["features"] is not None
    kept, images = [], 0
    started = time.perf_counter()
    calls = [[path] for path in paths] if order["apart"] else [paths]
    for feature in (one for call in calls for one in predict(call, order["batch_size"])):
        images += 1
        if keep:
            kept.append(feature)
    taken = time.perf_counter() - started
    if keep:
        import numpy as np

        np.save(order["features"], np.stack(kept).astype(np.float32))
    return {"seconds": taken, "images": images, "peak_mib": peak_mib()}


def _open_toolkit(model_dir: str, threads: int | None, *, exact: bool) -> Predict:
    from toolkit import create_model

    decode: Literal["exact", "fast"] = "exact" if exact else "fast"
    model = create_model(model_dir=model_dir, device="cpu", threads=threads, decode=decode)

    def predict(paths: list[str], batch_size: int) -> Iterator[Any]:
        for result in model.predict(paths, batch_size=batch_size):
            yield result["feature"]

    return predict


def _open_paddlex(model_dir: str, threads: int | None) -> Predict:
    import paddlex

    engine_config = None if threads is None else {"cpu_threads": threads}
    model = paddlex.create_model(
        "PP-ShiTuV2_rec", model_dir=model_dir, device="cpu", engine_config=engine_config
    )

    def predict(paths: list[str], batch_size: int) -> Iterator[Any]:
        for place, result in enumerate(model.predict(paths, batch_size=batch_size)):
            # Since 3.5 a result's feature is the matrix of its whole batch.
            yield result["feature"][place % batch_size]

    return predict


def _answers() -> TextIO:
    """Keeps the standard output for the answers alone."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _answer(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


if __name__ == "__main__":
    raise SystemExit(main())
