"""What is stored, as immutable values that do nothing. Knows no bytes, no files and no git.

`launch` and `end` are the two halves of an execution, `artifact` is what goes in and comes out,
`parts` has the lists beside them; `deployment`, `alias` and `metadata` are the other kinds of
records, and `execution` is what readers are given. The class that a field's annotation names is
looked up where the field stands, so those are imported there, not for type checkers alone.

Times are microseconds since 1970 in UTC, durations microseconds, sizes bytes, git ids hexadecimal
text. `None` is a fact that could not be had; it is never a guess.
"""

from __future__ import annotations

# typing and dataclasses would cost 32 ms at every start, of the 60 ms that a recorded command may
# be delayed (docs/decisions/0003): type checkers see a dataclass, the interpreter a plain class.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        """Stand in for typing's marker of the same name at run time."""
        return lambda decorated: decorated


FORMAT = 1
"""The format that this version writes. 1: the first."""

LONGEST_POINT = 32 << 20
"""Bytes of a line that is still looked at as a point of metadata: 1,000,000 keys fit."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record:
    """Base of all values here: keyword-only, frozen, compared by value."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()
    _defaults: Mapping[str, Any] = {}
    _allowed: frozenset[str] = frozenset()
    _needed: frozenset[str] = frozenset()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._fields = tuple(n for n in cls.__annotations__ if not n.startswith("_"))
        cls._defaults = {n: cls.__dict__[n] for n in cls._fields if n in cls.__dict__}
        cls._allowed = frozenset(cls._fields)
        cls._needed = cls._allowed - cls._defaults.keys()

    def __init__(self, **values: Any) -> None:
        if not self._needed <= values.keys() <= self._allowed:
            for name in self._fields:
                if name not in values and name not in self._defaults:
                    raise TypeError(f"{type(self).__name__} needs {name}")
            others = [name for name in values if name not in self._allowed]
            raise TypeError(f"{type(self).__name__} has no {', '.join(others)}")
        self.__dict__.update(values)  # at a third of the time that an attribute each takes

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, n) == getattr(other, n) for n in self._fields
        )

    def __hash__(self) -> int:
        # Maps are left out: equal ones may differ in order, and 1 equals 1.0 and True.
        values = (getattr(self, n) for n in self._fields)
        return hash((type(self), *(v for v in values if not isinstance(v, dict))))

    def __repr__(self) -> str:
        shown = (f"{n}={getattr(self, n)!r}" for n in self._fields)
        return f"{type(self).__name__}({', '.join(shown)})"

    def replace(self: Self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return type(self)(**{**{n: getattr(self, n) for n in self._fields}, **changes})
