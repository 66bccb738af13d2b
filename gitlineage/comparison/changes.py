"""What differs between two executions. Pure: knows records and manifests, reads no git, no files.

Fields that records have are compared as they come, so that one that is added to the environment,
the place or the image is compared as well.
"""

from __future__ import annotations

from gitlineage.artifacts import is_inside
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from gitlineage.records.artifact import Artifact
    from gitlineage.records.execution import Execution

    Manifests = Callable[[str], Sequence[Mapping[str, Any]] | None]
    """Looks up a directory's manifest by the hex of its digest."""

SECTIONS = (
    "code",
    "command",
    "parameters",
    "inputs",
    "environment",
    "packages",
    "image",
    "status",
    "outputs",
    "metadata",
)
"""What is compared, in the order in which it is told."""

OF_FILES = ("code", "inputs", "outputs")
"""Sections whose names are paths."""

CHANGES_AT_MOST = 10_000
"""Files of one directory that are told apart."""

_DEEPEST = 64

_PASSING = ("boot", "container.id", "packages", "packages_count")
"""Fields that differ each time, or are told in another section."""

_OF_LAUNCH = {
    "command": ("command", "directory", "step", "template", "interpolated", "configuration"),
    "image": ("image", "declared_image"),
}
_OF_END = ("status", "exit_code", "signal")


class Change(Record):
    """One thing in which two executions differ."""

    section: str
    name: str
    """A path, a parameter, a field."""
    change: str
    """`added`, `removed`, `changed`."""
    before: Any = None
    after: Any = None
    files: tuple[Change, ...] = ()
    """Of a directory: which of its files, with their digests."""


class Comparison(Record):
    """Two executions, and in what they differ."""

    before: Execution
    after: Execution
    changes: tuple[Change, ...]
    equal: tuple[str, ...]
    """Sections in which there is something, the same in both."""

    def of(self, section: str) -> tuple[Change, ...]:
        """Return the changes of one section."""
        return tuple(each for each in self.changes if each.section == section)


def compare(
    before: Execution,
    after: Execution,
    *,
    code: Sequence[tuple[str, str]] | None = (),
    packages: tuple[Mapping[str, str] | None, Mapping[str, str] | None] = (None, None),
    manifests: Manifests = lambda _digest: None,
    paths: Sequence[str] = (),
) -> Comparison:
    """Return in what two executions differ.

    `code` are git's letters and paths of the files that differ; None where that cannot be had.
    With `paths`, only code, inputs and outputs that these are or hold are compared.
    """
    both = (before, after)
    held: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        "command": _pair(_launch(each, "command") for each in both),
        "parameters": _pair(each.launch.parameters if each.launch else {} for each in both),
        "inputs": _pair(_by_path(each.inputs) for each in both),
        "environment": _pair(_machine(each) for each in both),
        "packages": (packages[0] or {}, packages[1] or {}),
        "image": _pair(_launch(each, "image") for each in both),
        "status": _pair(_fields(each.end, _OF_END) for each in both),
        "outputs": _pair(_by_path(each.outputs) for each in both),
        "metadata": _pair(each.metadata for each in both),
    }
    changes: list[Change] = []
    equal: list[str] = []
    for section in SECTIONS if not paths else OF_FILES:
        if section == "code":
            found = list(_code(before, after, code))
            is_there = any(each.launch and each.launch.code.tree for each in both)
        else:
            one, other = held[section]
            if section in OF_FILES:
                one, other = _limited(one, paths), _limited(other, paths)
            found = list(_changes(section, one, other, manifests))
            # What was not looked at in one of them is not known to differ.
            if section == "environment" and not (one and other):
                continue
            if section == "packages" and None in packages:
                continue
            is_there = bool(one or other)
        changes += found
        if is_there and not found:
            equal.append(section)
    return Comparison(before=before, after=after, changes=tuple(changes), equal=tuple(equal))


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the facts of a record, of records in it too: dotted name to value, no None."""
    if isinstance(value, Record):
        value = {each: getattr(value, each) for each in value._fields}
    elif isinstance(value, tuple) and any(isinstance(each, Record) for each in value):
        value = {str(number): each for number, each in enumerate(value)}
    if not isinstance(value, dict):
        return {} if value is None else {name: value}
    found: dict[str, Any] = {}
    for key, each in value.items():
        found.update(flat(each, f"{name}.{key}" if name else key))
    return found


def _pair(values: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    one, other = values
    return one, other


def _launch(execution: Execution, section: str) -> Mapping[str, Any]:
    return _fields(execution.launch, _OF_LAUNCH[section])


def _fields(record: Record | None, names: Iterable[str]) -> Mapping[str, Any]:
    held = {each: getattr(record, each, None) for each in names}
    return {name: value for name, value in flat(held).items() if value != ()}


def _machine(execution: Execution) -> Mapping[str, Any]:
    end, launch = execution.end, execution.launch
    if end is None or end.environment is None:
        return {}
    place = getattr(execution, "place", None) or (launch.place if launch else None)
    found = {**flat(place), **flat(end.environment)}
    return {name: value for name, value in found.items() if name not in _PASSING}


def _code(
    before: Execution, after: Execution, files: Sequence[tuple[str, str]] | None
) -> Iterator[Change]:
    one, other = (each.launch.code if each.launch else None for each in (before, after))
    if files is None:
        trees = (each.tree if each else None for each in (one, other))
        yield Change(section="code", name="", change="changed", **_ends(*trees))
    for letter, path in files or ():
        change = {"A": "added", "D": "removed"}.get(letter, "changed")
        yield Change(section="code", name=path, change=change)
    dirty, other_dirty = (
        {each.path for each in code.submodules if each.is_dirty} if code else set()
        for code in (one, other)
    )
    for path in sorted(dirty ^ other_dirty):  # their commits are in the trees
        yield Change(section="code", name=path, change="changed")


def _ends(before: Any, after: Any) -> dict[str, Any]:
    return {"before": before, "after": after}


def _by_path(artifacts: Iterable[Artifact]) -> Mapping[str, Artifact]:
    return {each.path: each for each in artifacts}


def _limited(held: Mapping[str, Any], paths: Sequence[str]) -> Mapping[str, Any]:
    if not paths:
        return held
    return {name: e for name, e in held.items() if any(is_inside(name, path) for path in paths)}


def _changes(
    section: str, one: Mapping[str, Any], other: Mapping[str, Any], manifests: Manifests
) -> Iterator[Change]:
    for name in {**one, **other}:
        before, after = one.get(name), other.get(name)
        if name not in one or name not in other:
            change = "added" if name in other else "removed"
            yield Change(section=section, name=name, change=change, **_ends(before, after))
        elif section in OF_FILES:
            if _content(before) != _content(after):
                yield _changed_artifact(section, before, after, manifests)
        elif not _is_same(before, after):
            yield Change(section=section, name=name, change="changed", **_ends(before, after))


def _is_same(one: Any, other: Any) -> bool:
    # Not a number is the same as itself here; 1 and True are not.
    return isinstance(one, bool) == isinstance(other, bool) and (
        one == other or one != one != other
    )


def _content(artifact: Any) -> tuple[Any, ...]:
    return (artifact.type, artifact.digest, artifact.change == "deleted")


def _changed_artifact(section: str, before: Any, after: Any, manifests: Manifests) -> Change:
    files: tuple[Change, ...] = ()
    if before.type == after.type == "directory":
        found = _inside(section, before.digest, after.digest, "", manifests)
        files = tuple(each for each, _ in zip(found, range(CHANGES_AT_MOST), strict=False))
    return Change(
        section=section, name=before.path, change="changed", files=files, **_ends(before, after)
    )


def _inside(
    section: str, before: str | None, after: str | None, folder: str, manifests: Manifests
) -> Iterator[Change]:
    """Yield the files that differ between two directories."""
    if folder.count("/") > _DEEPEST:
        return
    one, other = (_entries(each, manifests) for each in (before, after))
    if one is None or other is None:
        return
    for name in sorted({**one, **other}):
        mine, theirs = one.get(name, {}), other.get(name, {})
        if mine == theirs:
            continue
        path = folder + name
        if _is_folder(mine) or _is_folder(theirs):
            yield from _inside(section, _folder(mine), _folder(theirs), path + "/", manifests)
        if not all(_is_folder(each) for each in (mine, theirs) if each):
            change = "changed" if mine and theirs else "added" if theirs else "removed"
            ends = _ends(_file(mine), _file(theirs))
            yield Change(section=section, name=path, change=change, **ends)


def _is_folder(entry: Mapping[str, Any]) -> bool:
    return entry.get("type") == "directory"


def _folder(entry: Mapping[str, Any]) -> str | None:
    return _digest(entry) if _is_folder(entry) else None


def _file(entry: Mapping[str, Any]) -> str | None:
    return None if _is_folder(entry) else _digest(entry)


def _entries(digest: str | None, manifests: Manifests) -> dict[str, Mapping[str, Any]] | None:
    if digest is None:
        return {}
    found = manifests(digest.removeprefix("blake3:"))
    return None if found is None else {str(each["name"]): each for each in found}


def _digest(entry: Mapping[str, Any]) -> str | None:
    return f"blake3:{entry['digest'].hex()}" if entry else None
