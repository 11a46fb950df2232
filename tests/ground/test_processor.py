import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import processor

WIDE = "avx512f avx512vl"


@pytest.mark.parametrize(
    ("maker", "flags", "core"),
    [
        ("AuthenticAMD", f"sse avx2 {WIDE} avx512_bf16", "Cooperlake"),
        ("AuthenticAMD", f"sse avx2 {WIDE}", "SkylakeX"),
        ("AuthenticAMD", "sse avx2 avx512f", None),
        ("AuthenticAMD", "sse avx2", None),
        ("GenuineIntel", f"sse avx2 {WIDE} avx512_bf16", None),
    ],
)
def test_amd_processors_are_named_by_what_they_can_do(
    maker: str, flags: str, core: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = tmp_path / "cpuinfo"
    information.write_text(f"vendor_id\t: {maker}\nflags\t\t: {flags}\n", encoding="utf-8")
    monkeypatch.setattr(processor, "_INFORMATION", information)
    environment: dict[str, str] = {}
    processor.name_processor(environment)
    assert environment.get("OPENBLAS_CORETYPE") == core
    assert environment.get("MKL_DEBUG_CPU_TYPE") == ("5" if maker == "AuthenticAMD" else None)


def test_what_is_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = tmp_path / "cpuinfo"
    information.write_text(f"vendor_id : AuthenticAMD\nflags : {WIDE}\n", encoding="utf-8")
    monkeypatch.setattr(processor, "_INFORMATION", information)
    before = {"OPENBLAS_CORETYPE": "Zen", "MKL_DEBUG_CPU_TYPE": "4"}
    environment = dict(before)
    processor.name_processor(environment)
    assert environment == before


def test_other_systems_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_INFORMATION", tmp_path / "missing")
    environment: dict[str, str] = {}
    processor.name_processor(environment)
    assert environment == {}


def test_the_toolkit_names_it_before_numpy_is_loaded() -> None:
    code = "import sys, toolkit.processor; print('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
