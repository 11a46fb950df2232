"""The machine, the packages and the commit that a figure belongs to."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.conformance.environments import REPOSITORY
from toolkit.runtime import cores_allowed

# What decides how fast matrix products and eight-bit products are.
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx_vnni", "avx512_vnni", "amx_bf16", "amx_int8")
_PACKAGES = (
    *("numpy", "opencv-python-headless", "pillow", "simplejpeg", "PyTurboJPEG"),
    *("paddlepaddle", "paddle2onnx", "onnx", "onnxruntime", "openvino", "numba"),
)
_PRODUCT_SIDE = 2048
_PRODUCT_SECONDS = 2.0


class OtherLoad:
    """How much of the cores other processes had since this was made; a busy machine shows here.

    Processes of ours count as ours once they have ended and been waited for.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._busy, self._ours = _busy_seconds(), _our_seconds()

    def share(self) -> float | None:
        """Returns the share of all cores in [0, 1]; None where the system does not tell."""
        busy = _busy_seconds()
        if busy is None or self._busy is None:
            return None
        others = busy - self._busy - (_our_seconds() - self._ours)
        cores = os.cpu_count() or 1
        return min(1.0, max(0.0, others / cores / (time.monotonic() - self._started)))


def machine() -> dict[str, str | int | float]:
    """Returns processor, its instructions, cores allowed, memory in GiB and system."""
    information = _processor()
    flags = information.get("flags", "").split()
    return {
        "processor": information.get("model name", platform.processor() or platform.machine()),
        "instructions": " ".join(flag for flag in _FLAGS if flag in flags),
        "cores": cores_allowed(),
        "memory_gib": round(_memory() / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Returns the version of every package that this toolkit's side may use and that is there."""
    there = {name.lower(): str(item.version) for item in metadata.distributions()
             if (name := item.metadata["Name"])}  # fmt: skip
    return {name: there[name.lower()] for name in _PACKAGES if name.lower() in there}


def versions_of(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Returns the versions of packages in another environment.

    Args:
        python: its interpreter.
        packages: names of distributions that are installed there.
    """
    program = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [str(python), "-c", program, *packages], check=True, capture_output=True, text=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def commit() -> str:
    """Returns the commit of the working tree, with ``+ changes`` when files differ from it."""
    if not (REPOSITORY / ".git").exists():
        return "unknown"
    revision = _git("rev-parse", "--short", "HEAD")
    code = ("toolkit", "benchmarks", ":!benchmarks/results.json")  # which every area adds to
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *code)
    return f"{revision} + changes" if changed else revision


def matrix_product_rates() -> dict[str, float]:
    """Returns the float32 matrix products of this machine in GFLOP/s by library: the medians.

    Products of square matrices of side 2048 with all cores, for two seconds each. The
    network is computed by another library than numpy, so OpenVINO's product stands beside it.
    """
    left, right = np.random.default_rng(0).random((2, _PRODUCT_SIDE, _PRODUCT_SIDE), np.float32)
    result = np.empty_like(left)
    products: dict[str, Callable[[], object]] = {
        "numpy": lambda: np.matmul(left, right, out=result),
        **_openvino_product(left, right),
    }
    return {name: _product_rate(product) for name, product in products.items()}


def _product_rate(product: Callable[[], object]) -> float:
    product()
    taken: list[float] = []
    while sum(taken) < _PRODUCT_SECONDS:
        started = time.perf_counter()
        product()
        taken.append(time.perf_counter() - started)
    return 2 * _PRODUCT_SIDE**3 / float(np.median(taken)) / 1e9


def _openvino_product(
    left: NDArray[np.float32], right: NDArray[np.float32]
) -> dict[str, Callable[[], object]]:
    if find_spec("openvino") is None:
        return {}
    openvino = import_module("openvino")
    operators = import_module("openvino.opset13")
    given = operators.parameter(list(left.shape), np.float32)
    product = operators.matmul(given, operators.constant(right), False, False)  # noqa: FBT003
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": cores_allowed()}
    model = openvino.Model([product], [given])
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    return {"OpenVINO": lambda: request.infer([left], share_inputs=True)}


def _busy_seconds() -> float | None:
    """Returns the processor time of the whole machine that was not idle, since it started."""
    file = Path("/proc/stat")
    if not file.is_file():
        return None
    # user nice system idle iowait irq softirq steal; the guests after them are in user already.
    ticks = [int(word) for word in file.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _our_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _processor() -> dict[str, str]:
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return {}
    first = file.read_text(encoding="utf-8").split("\n\n")[0]
    lines = [line.partition(":") for line in first.splitlines()]
    return {name.strip(): value.strip() for name, _, value in lines}


def _memory() -> int:
    if not hasattr(os, "sysconf"):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
