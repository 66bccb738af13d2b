"""NVIDIA's processors: the real bindings on a driver's library that is made here, or on none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from executions import python

from gitlineage import gpus

LIBRARY = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
int nvmlInit_v2(void) { return RESULT; }
int nvmlInitWithFlags(unsigned flags) { return RESULT; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *to, unsigned size) { strcpy(to, "535.129.03"); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned at, void **device) {
    *device = (void *)(unsigned long)(at + 1); return 0; }
int nvmlDeviceGetName(void *device, char *to, unsigned size) {
    strcpy(to, "NVIDIA A100-SXM4-40GB"); return 0; }
int nvmlDeviceGetUUID(void *device, char *to, unsigned size) {
    strcpy(to, device == (void *)1 ? "GPU-1" : "GPU-2"); return 0; }
int nvmlDeviceGetMemoryInfo(void *device, memory_t *to) {
    to->total = 42949672960ULL; to->free = to->used = 0; return MEMORY; }
typedef struct { unsigned gpu, memory; } rates_t;
int nvmlDeviceGetUtilizationRates(void *device, rates_t *to) {
    to->gpu = device == (void *)1 ? 93 : 40; to->memory = 1; return MEMORY; }
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process_t;
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_t *to) {
    if (*count < 2) { *count = 2; return 7; }
    memset(to, 0, 2 * sizeof *to);
    to[0].pid = device == (void *)1 ? 100 : 300; to[0].used = 8ULL << 30;
    to[1].pid = 200; to[1].used = 1ULL << 30;
    *count = 2; return 0; }
"""

ASK = "from gitlineage import gpus; print(gpus.find(('/',)))"


def library(folder: Path, result: int = 0, memory: int = 0) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder.mkdir()
    (folder / "nvml.c").write_text(LIBRARY)
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-DRESULT={result}", f"-DMEMORY={memory}",
         "-o", folder / "libnvidia-ml.so.1", folder / "nvml.c"], check=True)  # fmt: skip
    return folder


def test_processors(isolated: Path) -> None:
    done = python(ASK, LD_LIBRARY_PATH=str(library(isolated / "driver")))
    gpu = (
        "Gpu(name='NVIDIA A100-SXM4-40GB', memory=42949672960, driver='535.129.03', uuid='GPU-{}')"
    )
    assert done.stdout == f"({gpu.format(1)}, {gpu.format(2)})\n", done.stderr


def test_a_driver_that_does_not_answer(isolated: Path) -> None:
    refusing = library(isolated / "refusing", result=9)
    assert python(ASK, LD_LIBRARY_PATH=str(refusing)).stdout == "()\n"
    losing = library(isolated / "losing", memory=15)
    assert python(ASK, LD_LIBRARY_PATH=str(losing)).stdout == "()\n"


def test_what_processes_use(isolated: Path) -> None:
    ask = (
        "from gitlineage import gpus; meter = gpus.Meter(('/',)); "
        "print(*(meter.read(each) for each in ({100, 7}, {200}, {7}, ())), sep='\\n'); "
        "meter.close()"
    )
    driver = library(isolated / "driver")
    done = python(ask, LD_LIBRARY_PATH=str(driver))
    alone, shared = {"gpu": 93, "gpu_memory": 8 << 30}, {"gpu": 133, "gpu_memory": 2 << 30}
    assert done.stdout == f"{alone}\n{shared}\n{{}}\n{{}}\n", done.stderr
    losing = library(isolated / "losing", memory=15)
    assert python(ask, LD_LIBRARY_PATH=str(losing)).stdout == "{}\n" * 4
    meter = gpus.Meter(("/no/such/device",))
    assert meter.read({100}) == {}
    meter.close()


def test_without_driver_or_library() -> None:
    assert gpus.find(("/no/such/device",)) == ()
    assert python(ASK).stdout in ("()\n",) or gpus.find()
    done = python("import sys; sys.modules['pynvml'] = None; " + ASK)
    assert done.stdout == "()\n", done.stderr
    done = python("import sys; from gitlineage import gpus; gpus.find(('/no/such/device',)); "
                  "print('pynvml' in sys.modules)")  # fmt: skip
    assert done.stdout == "False\n"
