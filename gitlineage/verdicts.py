"""Whether the same came out again: outputs by content, metadata by value, and on what it ran.

Pure over records; knows no files and no git.
"""

from __future__ import annotations

import math

from gitlineage.records.end import Compared, Comparison

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gitlineage.records.artifact import Artifact
    from gitlineage.records.end import End, Environment
    from gitlineage.records.execution import Execution
    from gitlineage.records.parts import Packages

IDENTICAL, DIFFERENT, NOT_POSSIBLE = "identical", "different", "not possible"


def compare(
    first: Execution, end: End, read: Callable[[str], bytes | None], tolerance: float | None
) -> Comparison:
    """Return how a reproduction came out beside the first execution.

    `read` tells what is at an output's path now: its blake3, or None.
    """
    assert first.end is not None
    outputs = _outputs(first.outputs, end.outputs, read)
    then, now = first.end.metadata, end.metadata  # not what was added later
    metadata = tuple(
        sorted(
            name
            for name in {**then, **now}
            if name not in then or name not in now or not is_close(then[name], now[name], tolerance)
        )
    )
    reason = None
    if (end.status, end.exit_code) != (first.end.status, first.end.exit_code):
        reason = f"it {_ended(end)}, and the first {_ended(first.end)}"
    is_same = reason is None and not metadata and all(e.verdict == IDENTICAL for e in outputs)
    verdict = IDENTICAL if is_same else DIFFERENT
    if end.status == "stopped" and first.end.status != "stopped":
        verdict, reason = NOT_POSSIBLE, "it was stopped"
    return Comparison(
        verdict=verdict,
        reason=reason,
        outputs=outputs,
        metadata=metadata,
        tolerance=None if tolerance is None else str(tolerance),
    )


def is_close(one: Any, other: Any, tolerance: float | None) -> bool:
    """Tell whether two values are the same, numbers within a relative tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            is_close(one[key], other[key], tolerance) for key in one
        )
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(
            is_close(*both, tolerance) for both in zip(one, other, strict=True)
        )
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if one == other or (one != one and other != other):
            return True
        return tolerance is not None and math.isclose(one, other, rel_tol=tolerance)
    return bool(one == other)


def of_environment(
    then: Environment | None, now: Environment, packages: tuple[Packages | None, Packages | None]
) -> list[tuple[str, str, str]]:
    """Return how an environment differs from another one: what, then, now."""
    if then is None:
        return []
    both = [
        ("system", then.distribution or then.system, now.distribution or now.system),
        ("processor", then.machine, now.machine),
        ("processors", then.cpu_count, now.cpu_count),
        ("GPUs", _gpus(then), _gpus(now)),
        ("Python", then.python, now.python),
    ]
    found = [(name, str(one), str(other)) for name, one, other in both if one != other]
    if then.packages != now.packages and packages[0] and packages[1]:
        one, other = _versions(packages[0]), _versions(packages[1])
        for name in sorted({**one, **other}, key=str.lower):
            if one.get(name) != other.get(name):
                found.append((name, one.get(name, "none"), other.get(name, "none")))
    return found


def _outputs(
    first: tuple[Artifact, ...],
    now: tuple[Artifact, ...],
    read: Callable[[str], bytes | None],
) -> tuple[Compared, ...]:
    verdicts: dict[str, str] = {}
    for each in first:
        expected = each.digests.get("blake3")
        if expected is None and each.change != "deleted":
            continue  # a device or a pipe
        found = read(each.path)
        same = DIFFERENT if found is not None else "missing"
        verdicts[each.path] = IDENTICAL if found == expected else same
    for each in now:
        verdicts.setdefault(each.path, "additional")
    return tuple(Compared(path=path, verdict=verdict) for path, verdict in sorted(verdicts.items()))


def _ended(end: End) -> str:
    if end.status == "failed" and end.exit_code is not None:
        return f"failed with exit code {end.exit_code}"
    return {"stopped": "was stopped", "interrupted": "was interrupted"}.get(end.status, end.status)


def _gpus(environment: Environment) -> str:
    return ", ".join(sorted(each.name for each in environment.gpus)) or "none"


def _versions(packages: Packages) -> Mapping[str, str]:
    return {each.name: each.version for each in (*packages.conda, *packages.python)}
