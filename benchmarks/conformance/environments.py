"""Virtual environments for the peers, made once and kept under output/."""

import os
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# What toolkit.models imports besides Paddle.
TOOLKIT_MODULES = ("annotated-types", "numpy")


def python_of(
    name: str,
    wanted: Sequence[str],
    *,
    without_their_pins: Sequence[str] = (),
    constrained: bool = True,
    room: str = "conformance",
) -> Path:
    """Returns the interpreter of an environment, made and filled when it is not there.

    Args:
        name: folder of the environment below output/<room>.
        wanted: requirements.
        without_their_pins: requirements installed after them, alone.
        constrained: keep `wanted` within this repository's constraints.
        room: folder below output.
    """
    environment = REPOSITORY / "output" / room / name
    folder = "Scripts" if os.name == "nt" else "bin"
    python = environment / folder / ("python.exe" if os.name == "nt" else "python")
    finished = environment / "installed"
    listed = "\n".join([*wanted, *without_their_pins])
    if finished.exists() and finished.read_text(encoding="utf-8") == listed:
        return python
    print(f"making the environment {environment.relative_to(REPOSITORY)} ...", flush=True)
    venv.create(environment, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet"]
    constraints = ["--constraint", str(REPOSITORY / "constraints.txt")] if constrained else []
    subprocess.run([*install, *constraints, *wanted], check=True)
    for requirement in without_their_pins:
        subprocess.run([*install, "--no-deps", requirement], check=True)
    finished.write_text(listed, encoding="utf-8")
    return python


def run_inside(python: Path, module: str, arguments: Sequence[str]) -> int:
    """Runs a module of this repository with an environment's interpreter; returns its exit code."""
    command = [str(python), "-W", "ignore", "-m", module, "--inside", *arguments]
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, env=variables, cwd=REPOSITORY, check=False).returncode
