"""The language of `log --where`: from text to a tree of conditions. Knows the grammar, no SQL.

accuracy > 0.9 and (lr < 0.01 or not tag = 'sweep') and host in ('a', 'b')

    either: both ("or" both)*
    both: unless ("and" unless)*
    unless: "not" unless | "(" either ")"
          | name OPERATOR value | name "in" "(" value ("," value)* ")"
    name: WORD ("." (WORD | QUOTED))? | QUOTED
    value: NUMBER | TEXT | "true" | "false"

A parser of libraries' cost 60 ms at each start; the tests compare this one with theirs.
"""

from __future__ import annotations

import re

from gitlineage.errors import InvalidCondition
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

FIELDS = (
    "step", "title", "status", "author", "host", "branch", "command", "tag", "exit_code",
    "duration", "verdict",
)  # fmt: skip
"""What an execution has itself, `duration` in seconds; other names are metadata or parameters."""

SCOPES = ("metadata", "parameter")
"""What a name with a dot begins with, to say which of both it is."""

DEEPEST = 50
"""Conditions inside one another at most."""


class Comparison(Record):
    """A name, how it is compared, and with what."""

    scope: str | None
    """`field`, `metadata`, `parameter`; None where metadata and parameters are meant."""
    name: str
    operator: str
    """=, !=, <, <=, >, >=, ~ (has this text in it), in."""
    values: tuple[str | int | float | bool, ...]
    """One, or those of `in`."""


class Junction(Record):
    """Conditions of which all, one, or none are to hold."""

    kind: str
    """`and`, `or`, `not`."""
    parts: tuple[Any, ...]


_TERMINALS = {
    "word": r"(?!(?:and|or|not|in|true|false)\b)[A-Za-z_][\w\/-]*",
    "quoted": r'"[^"]+"',
    "operator": r"!=|<=|>=|==|=|<|>|~",
    "number": r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?",
    "text": r"'(?:[^']|'')*'",
    **{each: each for each in ("and", "or", "not", "in", "true", "false", ",")},
    **{each: re.escape(each) for each in "()."},
}

_WANTED = {
    "operator": "a comparison such as >", "number": "a number", "text": "text in '...'",
    "word": "a name", "quoted": "a name in \"...\"", ".": "a dot", "": "the end",
}  # fmt: skip


def parse(text: str) -> Comparison | Junction:
    """Return what a condition says. Raises InvalidCondition with the place of the mistake."""
    if text.count("(") + text.lower().count("not") > DEEPEST:
        raise InvalidCondition(text=text, place=1, reason="nested too deeply")
    parser = _Parser(text)
    found = parser.either()
    parser.end()
    return found


def names_in(condition: Comparison | Junction) -> list[str]:
    """Return the names of metadata and parameters that a condition asks for, each once."""
    if isinstance(condition, Junction):
        return list(dict.fromkeys(name for each in condition.parts for name in names_in(each)))
    return [] if condition.scope == "field" else [condition.name]


class _Parser:
    """Reads on from a place in the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._sought: list[str] = []
        """What would have been taken at this place."""

    def either(self) -> Comparison | Junction:
        return self._joined("or", self._both)

    def end(self) -> None:
        """Raise InvalidCondition where there is more."""
        self._skip()
        if self._at < len(self._text):
            self._fail("")

    def _both(self) -> Comparison | Junction:
        return self._joined("and", self._unless)

    def _joined(self, kind: str, part: Callable[[], Any]) -> Comparison | Junction:
        parts = [part()]
        while self._take(kind):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(kind=kind, parts=tuple(parts))

    def _unless(self) -> Comparison | Junction:
        if (name := self._name()) is not None:
            return self._comparison(*name)
        if self._take("not"):
            return Junction(kind="not", parts=(self._unless(),))
        if not self._take("("):
            self._fail()
        found = self.either()
        if not self._take(")"):
            self._fail()
        return found

    def _comparison(self, scope: str | None, name: str) -> Comparison:
        if operator := self._take("operator"):
            operator = "=" if operator == "==" else operator
            return Comparison(scope=scope, name=name, operator=operator, values=(self._value(),))
        if not (self._take("in") and self._take("(")):
            self._fail()
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if not self._take(")"):
            self._fail()
        return Comparison(scope=scope, name=name, operator="in", values=tuple(values))

    def _name(self) -> tuple[str | None, str] | None:
        if first := self._take("word"):
            place = self._at - len(first)
            if self._take("."):
                rest = self._take("word") or self._take("quoted") or self._fail()
                return self._scope(first, place, rest.strip('"')), rest.strip('"')
            if first.lower() in FIELDS:
                return "field", first.lower()
            return None, first
        quoted = self._take("quoted")
        return (None, quoted.strip('"')) if quoted else None

    def _scope(self, word: str, place: int, name: str) -> str:
        if word.lower() not in SCOPES:
            import difflib  # 8 ms: where there is a mistake

            close = difflib.get_close_matches(word.lower(), SCOPES, 1)
            meant = f"; did you mean {close[0]}.{name}?" if close else ""
            raise InvalidCondition(
                text=self._text,
                place=place + 1,
                reason=f"{word} is neither metadata nor parameter{meant}",
            )
        return word.lower()

    def _value(self) -> str | int | float | bool:
        if number := self._take("number"):
            try:
                found = int(number)
                return found if -(1 << 63) <= found < 1 << 63 else float(found)
            except ValueError:
                return float(number)
        if text := self._take("text"):
            return text[1:-1].replace("''", "'")
        if self._take("true"):
            return True
        return False if self._take("false") else self._fail()

    def _take(self, terminal: str) -> str:
        """Return what stands here, if it is that, and go behind it."""
        self._skip()
        found = re.compile(_TERMINALS[terminal], re.IGNORECASE).match(self._text, self._at)
        if found is None:
            self._sought.append(terminal)
            return ""
        self._at = found.end()
        self._sought.clear()
        return found[0]

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _fail(self, *more: str) -> NoReturn:
        words = sorted({_WANTED.get(each, each) for each in (*self._sought, *more)})
        reason = f"expected {' or '.join(words)}"
        raise InvalidCondition(text=self._text, place=self._at + 1, reason=reason)
