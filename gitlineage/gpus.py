"""NVIDIA's graphics processors, as its management library knows them. Knows that library only.

The library is an extra, `git-lineage[gpu]`: without it, or without a driver, there is nothing to
tell, which is no error.
"""

from __future__ import annotations

import os

from gitlineage.records.end import Gpu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version")
"""What is there where there is a driver: without one the library is not even imported."""


def find(devices: tuple[str, ...] = DEVICES) -> tuple[Gpu, ...]:
    """Return the processors, as the driver counts them."""
    pynvml = _open(devices)
    if pynvml is None:
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


class Meter:
    """What processes use of the graphics processors; to be closed."""

    def __init__(self, devices: tuple[str, ...] = DEVICES) -> None:
        self._pynvml = _open(devices)

    def read(self, pids: Collection[int]) -> dict[str, int]:
        """Return percent of one processor, of those that the processes use, and bytes of theirs.

        Empty where they use none, as far as the driver tells.
        """
        pynvml = self._pynvml
        if pynvml is None:
            return {}
        used, memory = [], 0
        try:
            for number in range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(number)
                running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
                if ours := [each for each in running if each.pid in pids]:
                    used.append(int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu))
                    memory += sum(each.usedGpuMemory or 0 for each in ours)
        except pynvml.NVMLError:
            return {}
        return {"gpu": sum(used), "gpu_memory": memory} if used else {}

    def close(self) -> None:
        """Let go of the driver."""
        if self._pynvml is None:
            return
        try:
            self._pynvml.nvmlShutdown()
        except self._pynvml.NVMLError:
            return  # the driver has gone


def _open(devices: tuple[str, ...]) -> Any:
    """Return the library, begun; None where there is no driver, or no library."""
    if not any(os.path.exists(each) for each in devices):
        return None
    try:
        import pynvml as untyped
    except ImportError:
        return None
    pynvml: Any = untyped
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _text(found: str | bytes) -> str:
    return found.decode(errors="replace") if isinstance(found, bytes) else found
