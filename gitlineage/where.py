"""The language of `log --where`: from text to a tree of conditions. Knows the grammar, no SQL.

accuracy > 0.9 and (lr < 0.01 or not tag = 'sweep') and host in ('a', 'b')
"""

from __future__ import annotations

import lark

from gitlineage.errors import InvalidCondition
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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


_GRAMMAR = r"""
?start: either
?either: both ("or"i both)*
?both: unless ("and"i unless)*
?unless: "not"i unless -> negated
       | "(" either ")"
       | name OPERATOR value -> comparison
       | name "in"i "(" value ("," value)* ")" -> membership
name: WORD ("." (WORD | QUOTED))? | QUOTED
?value: NUMBER -> number | TEXT -> text | "true"i -> true | "false"i -> false
OPERATOR: "!=" | "<=" | ">=" | "==" | "=" | "<" | ">" | "~"
WORD: /(?!(and|or|not|in|true|false)\b)[A-Za-z_][\w\/-]*/i
QUOTED: /"[^"]+"/
TEXT: /'([^']|'')*'/
NUMBER: /[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?/
%ignore /\s+/
"""

_WANTED = {
    "OPERATOR": "a comparison", "NUMBER": "a number", "TEXT": "text in '...'", "WORD": "a name",
    "QUOTED": "a name in \"...\"", "LPAR": "(", "RPAR": ")", "COMMA": ",", "$END": "the end",
}  # fmt: skip


def parse(text: str) -> Comparison | Junction:
    """Return what a condition says. Raises InvalidCondition with the place of the mistake."""
    if text.count("(") + text.lower().count("not") > DEEPEST:
        raise InvalidCondition(text=text, place=1, reason="nested too deeply")
    try:
        tree = lark.Lark(_GRAMMAR, parser="lalr").parse(text)
        found: Comparison | Junction = _Reader(text).transform(tree)
        return found
    except lark.exceptions.VisitError as error:
        raise error.orig_exc from None
    except lark.exceptions.UnexpectedInput as error:
        raise _mistake(text, error) from error


def names_in(condition: Comparison | Junction) -> list[str]:
    """Return the names of metadata and parameters that a condition asks for, each once."""
    if isinstance(condition, Junction):
        return list(dict.fromkeys(name for each in condition.parts for name in names_in(each)))
    return [] if condition.scope == "field" else [condition.name]


def _mistake(text: str, error: Any) -> InvalidCondition:
    place = len(text) + 1 if error.column < 0 else error.pos_in_stream + 1
    if getattr(error, "token", None) is not None and error.token.type == "$END":
        place = len(text) + 1
    wanted = getattr(error, "accepts", None) or getattr(error, "allowed", None) or ()
    words = sorted({_WANTED.get(each, each.lower()) for each in wanted})
    return InvalidCondition(text=text, place=place, reason=f"expected {' or '.join(words)}")


class _Reader(lark.Transformer):  # type: ignore[type-arg]
    """Makes conditions of the parser's tree."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def name(self, words: list[Any]) -> tuple[str | None, str]:
        first, *rest = words
        if rest:
            if first.lower() not in SCOPES:
                import difflib  # 8 ms: where there is a mistake

                close = difflib.get_close_matches(first.lower(), SCOPES, 1)
                meant = f"; did you mean {close[0]}.{rest[0]}?" if close else ""
                raise InvalidCondition(
                    text=self._text,
                    place=first.start_pos + 1,
                    reason=f"{first} is neither metadata nor parameter{meant}",
                )
            return first.lower(), rest[0].strip('"')
        if first.type == "WORD" and first.lower() in FIELDS:
            return "field", first.lower()
        return None, first.strip('"')

    def comparison(self, parts: list[Any]) -> Comparison:
        (scope, name), operator, value = parts
        operator = "=" if operator == "==" else str(operator)
        return Comparison(scope=scope, name=name, operator=operator, values=(value,))

    def membership(self, parts: list[Any]) -> Comparison:
        (scope, name), *values = parts
        return Comparison(scope=scope, name=name, operator="in", values=tuple(values))

    def either(self, parts: list[Any]) -> Junction:
        return Junction(kind="or", parts=tuple(parts))

    def both(self, parts: list[Any]) -> Junction:
        return Junction(kind="and", parts=tuple(parts))

    def negated(self, parts: list[Any]) -> Junction:
        return Junction(kind="not", parts=tuple(parts))

    def number(self, parts: list[Any]) -> int | float:
        try:
            found = int(parts[0])
            return found if -(1 << 63) <= found < 1 << 63 else float(found)
        except ValueError:
            return float(parts[0])

    def text(self, parts: list[Any]) -> str:
        return str(parts[0][1:-1]).replace("''", "'")

    def true(self, _: list[Any]) -> bool:
        return True

    def false(self, _: list[Any]) -> bool:
        return False
