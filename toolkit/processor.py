"""Names the processor to matrix libraries that do not know it.

Both libraries choose the code for a processor when they are loaded, by maker and family, and fall
back to code for older processors where the family is newer than they are, whatever instructions
it has. What they are told here they read from the environment, once, so it is said by
``import toolkit``, before numpy is loaded; what is set already stays.
"""

from collections.abc import MutableMapping
from pathlib import Path

_INFORMATION = Path("/proc/cpuinfo")
# The first processor's lines; there are as many again for each of the others.
_BYTES = 1 << 13
# The oldest processors with these instructions, by OpenBLAS's names of them, best first.
_CORES = {
    "Cooperlake": {"avx512f", "avx512vl", "avx512_bf16"},
    "SkylakeX": {"avx512f", "avx512vl"},
}


def name_processor(environment: MutableMapping[str, str]) -> None:
    """Sets what OpenBLAS (numpy) and MKL (Paddle) have to be told on AMD processors.

    OpenBLAS takes its AVX2 code on AMD families that came out after it: on a Zen 5 that makes a
    float64 product 1.5 times as slow as with AVX-512. MKL takes its slowest code on AMD unless told
    that AVX2 is there; a training step then takes 1.6 to 1.9 times as long.

    Args:
        environment: where the variables go: ``os.environ``.
    """
    try:
        with _INFORMATION.open(encoding="utf-8", errors="replace") as file:
            information = file.read(_BYTES)
    except OSError:  # not Linux
        return
    if "AuthenticAMD" not in information:
        return
    environment.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    has = set(information.split())
    core = next((name for name, needs in _CORES.items() if needs <= has), None)
    if core is not None:
        environment.setdefault("OPENBLAS_CORETYPE", core)
