"""NVIDIA's graphics processors, as its management library knows them. Knows that library only.

The library is an extra, `git-lineage[gpu]`: without it, or without a driver, there is nothing to
tell, which is no error.
"""

from __future__ import annotations

import os

from gitlineage.records import Gpu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version")
"""What is there where there is a driver: without one the library is not even imported."""


def find(devices: tuple[str, ...] = DEVICES) -> tuple[Gpu, ...]:
    """Return the processors, as the driver counts them."""
    if not any(os.path.exists(each) for each in devices):
        return ()
    try:
        import pynvml as untyped
    except ImportError:
        return ()
    pynvml: Any = untyped
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return tuple(
            Gpu(
                name=_text(pynvml.nvmlDeviceGetName(each)),
                memory=int(pynvml.nvmlDeviceGetMemoryInfo(each).total),
                driver=driver,
                uuid=_text(pynvml.nvmlDeviceGetUUID(each)),
            )
            for each in handles
        )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _text(found: str | bytes) -> str:
    return found.decode(errors="replace") if isinstance(found, bytes) else found
