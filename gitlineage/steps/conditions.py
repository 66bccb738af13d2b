"""The condition of a step that ends it: Valohai's expressions over the last value of each key.

Knows that language, through the package that checks it too; nothing of where values come from.
"""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from leval.excs import EvaluatorError, NoSuchValue
from leval.rewriter_evaluator import RewriterEvaluator
from leval.universe.default import EvaluationUniverse
from leval.universe.verifier import VerifierUniverse

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 8
"""How deep an expression may be nested: what Valohai's own check allows."""


class Condition:
    """An expression such as `accuracy >= 0.99 and epoch > 3`, or `metadata.accuracy >= 0.99`."""

    def __init__(self, text: str) -> None:
        """Read it. Raises ValueError."""
        self._values: Mapping[str, Any] = {}
        self._evaluator = _Evaluator(_Universe(self), max_depth=DEEPEST)
        try:
            _Evaluator(VerifierUniverse(), max_depth=DEEPEST).evaluate_expression(text)
            self._tree = self._evaluator.parse(text)
        except (EvaluatorError, SyntaxError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(str(getattr(error, "msg", None) or error)) from error

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Tell whether it is so; it is not where a value is missing, or cannot be compared."""
        self._values = values
        self._evaluator.depth, self._evaluator.start_time = 0, 0.0
        try:
            return bool(self._evaluator.visit(self._tree))  # type: ignore[no-untyped-call]
        except (EvaluatorError, TypeError, ValueError, ArithmeticError):
            return False

    def value(self, name: str | tuple[str, ...]) -> Any:
        """Return the last value of a key; nested ones are named with points between."""
        parts = [name] if isinstance(name, str) else list(name)
        if len(parts) > 1 and parts[0] == "metadata" and "metadata" not in self._values:
            del parts[0]
        found: Any = self._values
        for part in parts:
            plain = part.removeprefix("_")
            key = plain if keyword.iskeyword(plain) else part
            if not isinstance(found, dict) or key not in found:
                raise NoSuchValue(f"no value {part}")
            found = found[key]
        return found


class _Evaluator(RewriterEvaluator):
    def rewrite_keyword(self, kw: str) -> str:
        return f"_{kw}"


class _Universe(EvaluationUniverse):
    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def get_value(self, name: str | tuple[str, ...]) -> Any:
        return self._condition.value(name)

    def evaluate_function(self, name: str, arg_getters: Any) -> Any:
        raise NoSuchValue(f"there is no function {name}")
