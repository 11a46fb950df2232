"""Which GPUs there are, and who can use them, without a framework that need not be there."""

import ctypes
import logging

from toolkit.errors import import_optional
from toolkit.runtime import Device, resolve_device

_LOG = logging.getLogger(__name__)
_CUDA_DRIVERS = ("libcuda.so.1", "nvcuda.dll")


def machine_device(text: str) -> Device:
    """Turns a device string into a device that is in this machine, whoever will use it.

    Raises:
        DeviceError: the text is malformed.
    """
    return resolve_device(text, gpus_of_driver)


def gpus_of_driver() -> int:
    """Returns how many GPUs the CUDA driver of this machine offers; 0 without a driver.

    Source:
        CUDA Driver API: cuInit, cuDeviceGetCount; both return 0 when all is well.
    """
    for name in _CUDA_DRIVERS:
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int()
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0


def onnxruntime_has_cuda() -> bool:
    """Tells whether the installed build of ONNX Runtime can use CUDA."""
    runtime = import_optional("onnxruntime", purpose="The engine onnxruntime")
    return "CUDAExecutionProvider" in runtime.get_available_providers()


def usable_device(device: Device, engine: str, *, has_gpu: bool) -> Device:
    """Returns the device, or the CPU, with a warning, when the engine cannot use the GPU."""
    if device.kind == "cpu" or has_gpu:
        return device
    _LOG.warning("The engine %s, as it is installed, cannot use a GPU; using the CPU.", engine)
    return Device("cpu")
