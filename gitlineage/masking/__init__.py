"""Masks what looks like a secret before anything is written. Knows records and bytes, no files.

`look` says in no time whether there may be one, `rules` what is one: they, and the library that
they use, are imported when the first look has found something. The values of variables with a
secret's name are looked for wherever they occur.
"""

from __future__ import annotations

import os

from gitlineage.masking import look, names
from gitlineage.masking.stream import Stream
from gitlineage.records import Record
from gitlineage.records.launch import Masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from gitlineage.records.end import End
    from gitlineage.records.launch import Launch

    R = TypeVar("R", bound=Record)

BEFORE, BEHIND = 1 << 10, 1 << 13
"""Bytes around what the first look points at that the rules look at, in one line."""

WHERE = {
    "command": "the command", "template": "the command", "interpolated": "the command",
    "parameters": "the parameters", "inputs": "the inputs", "title": "the title",
    "variables": "the variables", "metadata": "the metadata", "values": "the metadata",
}  # fmt: skip
"""Where that is, for people; anything else is in the record."""

VARIABLE = "GIT_LINEAGE_MASK"
"""Environment variable with the names of secrets that the configuration adds."""

_OFF = "-"
_NEVER = {"format", "kind", "nonce"}


class Masking:
    """What is secret in one execution, and what of it was found and where."""

    def __init__(
        self, variables: Mapping[str, str], patterns: Iterable[str] = (), *, is_on: bool = True
    ) -> None:
        self._patterns = tuple(patterns)
        self._is_on = is_on
        self._known = names.known(variables, self._patterns) if is_on else {}
        self._words = [
            word
            for each in self._patterns
            if len(word := max(each.lower().split("*"), key=len).encode("latin-1", "replace")) > 1
        ]
        self._found: dict[tuple[str, str], set[int]] = {}

    @classmethod
    def told_by(cls, variables: Mapping[str, str]) -> Masking:
        """Return what a process masks that an execution runs; `told` has told it."""
        told = variables.get(VARIABLE, "")
        return cls(variables, told.split(), is_on=told != _OFF)

    def told(self) -> dict[str, str]:
        """Return the variable that tells other processes what to mask."""
        return {VARIABLE: " ".join(self._patterns) if self._is_on else _OFF}

    def found(self) -> tuple[Masked, ...]:
        """Return what was masked since this was last asked."""
        found = tuple(
            Masked(kind=kind, where=where, count=len(values))
            for (kind, where), values in self._found.items()
        )
        self._found.clear()
        return found

    def mask(self, content: bytes, where: str, *, is_code: bool = False) -> bytes:
        """Return bytes with `***(KIND)` in the place of each secret.

        In code, what stands behind a secret's name is one only in quotes; in a command it ends
        where the next command may begin.
        """
        is_shell = where == "the command"
        if not self._is_on:
            return content
        places = look.places(content, tuple(self._known), self._words, self._patterns)
        windows = _windows(content, places)
        if not windows:
            return content
        from gitlineage.masking import rules

        masked, end = [], 0
        for first, last in windows:
            text = content[first:last].decode("latin-1")
            for start, stop, kind in rules.find(
                text, self._known, self._patterns, is_code=is_code, is_shell=is_shell
            ):
                masked += [
                    content[end : first + start],
                    self._replace(text[start:stop], kind, where),
                ]
                end = first + stop
        return b"".join(masked) + content[end:]

    def text(self, value: str, where: str) -> str:
        """Return text with `***(KIND)` in the place of each secret."""
        return os.fsdecode(self.mask(os.fsencode(value), where)) if value else value

    def stream(self, sink: Callable[[bytes], None]) -> Stream:
        """Return what takes an output of a command and hands it on, masked."""
        return Stream(lambda content: self.mask(content, "the log"), sink)

    def record(self, record: R) -> R:
        """Return a record with all that is secret in it masked."""
        if not self._is_on:
            return record
        changed = {}
        for name in record._fields:
            value = getattr(record, name)
            if name not in _NEVER and value:
                where = WHERE.get(name, "the record")
                masked = self._words_of(value) if name == "command" else self._any(value, where)
                if masked != value:
                    changed[name] = masked
        return record.replace(**changed) if changed else record

    def launch(self, launch: Launch, content: bytes) -> Launch:
        """Return a launch with its secrets masked, and said; `content` is its encoding."""
        words = (each for each in launch.command if each[:1] == "-" or "=" in each)
        named = [*launch.parameters, *words]
        if self.is_suspect(named, content):
            masked = self.record(launch)
            launch = masked.replace(masked=(*launch.masked, *self.found()))
        return launch

    def end(self, end: End, content: bytes) -> End:
        """Return an end with its secrets masked; `content` is its encoding."""
        return self.record(end) if self.is_suspect(end.metadata, content) else end

    def is_suspect(self, names: Iterable[str], content: bytes) -> bool:
        """Tell whether there may be a secret in what has these names and this encoding."""
        return self._is_on and (any(map(self._is_secret, names)) or self._may_have(content))

    def recognize(self, content: bytes, where: str) -> None:
        """Note what others have masked before: whoever logs points, a recorder that is dead."""
        for each in content.split(b"***(")[1:]:
            kind, found, _ = each[:60].partition(b")")
            if found:
                self._found.setdefault((kind.decode("latin-1"), where), set()).add(0)

    def _may_have(self, content: bytes) -> bool:
        places = look.places(content, tuple(self._known), self._words, self._patterns)
        return self._is_on and next(iter(places), None) is not None

    def _is_secret(self, name: str) -> bool:
        return names.is_secret(name.partition("=")[0], self._patterns)

    def _is_option(self, name: str) -> bool:
        return names.is_name(name) and self._is_secret(name.lstrip("-"))

    def _any(self, value: Any, where: str, name: str = "") -> Any:
        if isinstance(value, str):
            if name and names.is_secret(name, self._patterns) and names.is_value(name, value):
                return os.fsdecode(self._replace(value, name, where))
            return self.text(value, where)
        if isinstance(value, Record):
            return self.record(value) if where == "the record" else self._inside(value, where)
        if isinstance(value, (tuple, list)):
            return type(value)(self._any(each, where, name) for each in value)
        if isinstance(value, dict):
            return {key: self._any(each, where, str(key)) for key, each in value.items()}
        if name and type(value) in (int, float) and self._is_number(name, str(value), where):
            return os.fsdecode(self._replace(str(value), name, where))
        return value

    def _is_number(self, name: str, value: str, where: str) -> bool:
        """Tell whether a number is secret: of what is measured, those of passwords are."""
        if where == "the parameters" and names.is_secret(name, self._patterns):
            return names.is_value(name, value)
        return name.lower().endswith(names.PASSWORDS)

    def _inside(self, record: R, where: str) -> R:
        changes = {name: self._any(getattr(record, name), where) for name in record._fields}
        return record.replace(**changes)

    def _words_of(self, command: Sequence[str]) -> tuple[str, ...]:
        """Return a command with its secrets masked: an option's value may be a word of its own."""
        masked = []
        name = before = ""
        is_program = is_handed_on = False
        for word in command:
            is_text = is_program and before[:1] == "-" != before[1:2] and before[-1:] == "c"
            is_text = is_text or (is_handed_on and word[:1] != "-")
            option, separator, value = word.partition("=")
            if name and not word.startswith("-") and names.is_value(name, word):
                masked.append(self._any(word, "the command", name))
            elif separator and not is_text and self._is_option(option):
                masked.append(f"{option}={self._any(value, 'the command', option.lstrip('-'))}")
            else:
                masked.append(self.text(word, "the command"))
            is_option = word.startswith("-") and not separator
            name = word.lstrip("-") if is_option and self._is_secret(word.lstrip("-")) else ""
            is_program = is_program or names.takes_text(word)
            is_handed_on = is_handed_on or names.hands_on(word)
            before = word
        return tuple(masked)

    def _replace(self, value: str, kind: str, where: str) -> bytes:
        self._found.setdefault((kind, where), set()).add(hash(value))
        return f"***({kind})".encode("latin-1", "replace")


def _windows(content: bytes, places: Iterable[int]) -> list[tuple[int, int]]:
    """Return what the rules look at: the lines that the places are in, or the parts around them."""
    windows: list[tuple[int, int]] = []
    for place in sorted(places):
        if windows and place + 256 < windows[-1][1]:
            continue
        first = max(content.rfind(b"\n", 0, place) + 1, place - BEFORE)
        last = content.find(b"\n", place, place + BEHIND)
        if last < 0:
            last = min(len(content), place + BEHIND)
        begins = content.find(b"-----BEGIN ", first, last)
        if begins >= 0 and b"PRIVATE KEY" in content[begins : begins + 64]:
            ends = content.find(b"-----END ", begins)
            last = max(last, ends + 64 if ends >= 0 else min(len(content), begins + BEHIND))
        if windows and first < windows[-1][1]:
            windows[-1] = (windows[-1][0], max(windows[-1][1], last))
        else:
            windows.append((first, last))
    return windows


def sentence(found: Iterable[Masked]) -> str | None:
    """Return what was masked, as one sentence; None where nothing was."""
    found = list(found)
    if not found:
        return None
    count = sum(each.count for each in found)
    values = "1 value was" if count == 1 else f"{count} values were"
    return f"{values} masked: " + ", ".join(f"{each.kind} in {each.where}" for each in found)
