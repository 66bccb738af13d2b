"""Which environment variables are recorded: those on a list, and no others. Knows names only."""

from __future__ import annotations

from gitlineage.masking.names import fits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALLOWED = (
    # Which processors, and how many threads.
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM", "KMP_AFFINITY",
    # What makes numbers come out otherwise.
    "PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC", "TF_ENABLE_ONEDNN_OPTS", "MKL_CBWR", "XLA_FLAGS", "JAX_PLATFORMS",
    "JAX_ENABLE_X64", "PYTORCH_CUDA_ALLOC_CONF", "CUDA_LAUNCH_BLOCKING",
    # Which part of a job that runs on many machines.
    "RANK", "LOCAL_RANK", "WORLD_SIZE",
    # What code is found.
    "PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONUTF8", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "R_LIBS", "JULIA_PROJECT", "CONDA_DEFAULT_ENV",
    # How text and times are written.
    "LANG", "LC_ALL", "LC_NUMERIC", "LC_COLLATE", "TZ", "SOURCE_DATE_EPOCH",
)  # fmt: skip
"""What decides how a command computes, and is nobody's secret."""


def chosen(variables: Mapping[str, str], patterns: Sequence[str]) -> dict[str, str]:
    """Return the variables that are allowed: those above, and those that fit a pattern."""
    found = {name: variables[name] for name in ALLOWED if name in variables}
    if patterns:
        for name, value in variables.items():
            if any(fits(name, each) for each in patterns):
                found[name] = value
    return found
