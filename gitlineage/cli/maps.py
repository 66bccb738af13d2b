"""Executions as `--json` prints them: promised names. Prints nothing itself."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gitlineage.index import Row
    from gitlineage.records.artifact import Artifact
    from gitlineage.records.end import Environment, Usage
    from gitlineage.records.execution import Execution
    from gitlineage.records.launch import Code
    from gitlineage.records.parts import Packages
    from gitlineage.series import Series
    from gitlineage.signatures import Signature


def json_line(value: object) -> str:
    """Return a value as one line of JSON; what JSON lacks is text."""
    import json

    return json.dumps(wording.plain(value), ensure_ascii=False, allow_nan=False)


def execution_map(
    execution: Execution,
    packages: Packages | None = None,
    reproduced_by: Sequence[Row] | None = None,
    samples: Series | None = None,
    deployed: Sequence[Row] = (),
    signature: Signature | None = None,
    committed: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return an execution as `--json` prints it: promised names, flat at the top."""
    launch, end = execution.launch, execution.end
    code, agent = (launch.code, launch.agent) if launch else (None, None)
    place, machine = execution.place, end.environment if end else None
    found: dict[str, Any] = {
        "id": execution.id,
        "kind": "execution",
        "step": launch.step if launch else None,
        "title": launch.title if launch else None,
        "status": execution.status,
        "exit_code": end.exit_code if end else None,
        "signal": end.signal if end else None,
        "command": list(launch.command) if launch else [],
        "template": list(launch.template) if launch else [],
        "interpolated": list(launch.interpolated) if launch else [],
        "configuration": launch.configuration if launch else None,
        "declared_image": launch.declared_image if launch else None,
        "directory": launch.directory if launch else None,
        "queued_at": (
            wording.isoformat(launch.queued_at) if launch and launch.queued_at is not None else None
        ),
        "started_at": wording.isoformat(launch.started_at) if launch else None,
        "finished_at": wording.isoformat(end.finished_at) if end and end.finished_at else None,
        "duration_seconds": _seconds(end.duration if end else None),
        "cpu_seconds": _seconds(end.cpu_time if end else None),
        "peak_memory_bytes": end.peak_memory if end else None,
        "usage": _usage_map(end.usage, samples) if end and end.usage else None,
        "code": _code_map(code, committed) if code else None,
        "agent": _fields(agent) if agent else None,
        "software": _fields(launch.software) if launch else None,
        "environment": _environment_map(machine, packages) if machine else None,
        "place": _fields(place) if place else None,
        "image": _fields(launch.image) if launch and launch.image else None,
        "inputs": [artifact_map(each) for each in execution.inputs],
        "outputs": [artifact_map(each) for each in execution.outputs],
        "code_read": list(end.code_read) if end and end.code_read is not None else None,
        "parameters": dict(launch.parameters) if launch else {},
        "variables": dict(launch.variables) if launch else {},
        "variable_names": list(launch.variable_names) if launch else [],
        "masked": [_fields(each) for half in (launch, end) if half for each in half.masked],
        "metadata": dict(execution.metadata),
        "points_count": end.points_count if end else 0,
        "tags": list(execution.tags),
        "deployed_by": [{"id": e.id, "name": e.step, "standing": e.standing} for e in deployed],
        "cost": _fields(end.cost) if end and end.cost else None,
        "parent": launch.parent if launch else None,
        "root": launch.root if launch else None,
        "reproduces": launch.reproduces if launch else None,
        "comparison": _fields(end.comparison) if end and end.comparison else None,
        "warnings": list(end.warnings) if end else [],
        "commit": execution.commit,
    }
    if signature is not None:
        found["signature"] = signature_map(signature)
    if reproduced_by is not None:
        found["reproduced_by"] = [{"id": e.id, "verdict": e.verdict} for e in reproduced_by]
    for half in (launch, end):
        for name, value in (half.extra if half else {}).items():
            found.setdefault(name, value)  # of a later version
    return found


def signature_map(signature: Signature | None) -> dict[str, Any] | None:
    """Return what git says of a signature as `--json` prints it."""
    return _fields(signature) if signature else None


def artifact_map(artifact: Artifact) -> dict[str, Any]:
    """Return an artifact as `--json` prints it."""
    found = _fields(artifact)
    found.pop("digests")
    found["digest"] = artifact.digest
    found["digests"] = {name: value.hex() for name, value in artifact.digests.items()}
    if artifact.previous:
        found["previous"] = "blake3:" + artifact.previous.hex()
    return {name: value for name, value in found.items() if value is not None}


def _environment_map(environment: Environment, packages: Packages | None) -> dict[str, Any]:
    found = _fields(environment)
    found["lock_files"] = {
        name: "blake3:" + content.hex() for name, content in environment.lock_files.items()
    }
    if environment.packages is not None:
        found["packages_digest"] = "blake3:" + environment.packages.hex()
    found["packages"] = None
    if packages:
        kinds = {"python": packages.python, "conda": packages.conda}
        found["packages"] = {kind: [_fields(e) for e in held] for kind, held in kinds.items()}
    return found


def _usage_map(used: Usage, samples: Series | None) -> dict[str, Any]:
    found = {
        "samples_count": used.samples_count,
        "interval_seconds": _seconds(used.interval),
        "cpu_mean_percent": used.cpu_mean,
        "cpu_peak_percent": used.cpu_peak,
        "memory_mean_bytes": used.memory_mean,
        "memory_peak_bytes": used.memory_peak,
        "gpu_peak_percent": used.gpu_peak,
        "gpu_memory_peak_bytes": used.gpu_memory_peak,
    }
    if samples is not None:
        listed = ({"_time": wording.isoformat(at), **each} for at, each in samples.points())
        return {**found, "samples": list(listed)}
    return found


def _code_map(code: Code, committed: Sequence[str] | None) -> dict[str, Any]:
    # In a list of executions git is not asked what has become of each one's code.
    return _fields(code) | ({"committed_as": list(committed)} if committed is not None else {})


def _fields(record: Any) -> dict[str, Any]:
    from gitlineage.records import Record

    found = {}
    for name in record._fields:
        value = getattr(record, name)
        if isinstance(value, tuple):
            value = [_fields(e) if isinstance(e, Record) else e for e in value]
        elif isinstance(value, Record):
            value = _fields(value)
        found[name] = dict(value) if isinstance(value, dict) else value
    return found


def _seconds(microseconds: int | None) -> float | None:
    return microseconds / 1_000_000 if microseconds is not None else None
