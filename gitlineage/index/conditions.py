"""Conditions of others as SQL: every name and value is bound, none is pasted.

Knows the tables; must not know how a condition was written.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
from gitlineage.index.spelling import bound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.index.rows import Filters

_FIELDS = {
    "step": "SELECT text FROM text WHERE id = r.step",
    "title": "SELECT r.title",
    "status": "SELECT text FROM text WHERE id = r.status",
    "author": "SELECT name FROM agent WHERE id = r.agent"
    " UNION ALL SELECT email FROM agent WHERE id = r.agent",
    "host": "SELECT text FROM text WHERE id = r.host",
    "branch": "SELECT text FROM text WHERE id = r.branch",
    "command": "SELECT r.command",
    "tag": "SELECT tag FROM tagged WHERE member = lower(hex(r.name))",
    "exit_code": "SELECT r.exit_code",
    "duration": "SELECT r.duration / 1e6",
    "verdict": "SELECT r.verdict",
}

_PARAMETER = "SELECT value FROM json_each(r.parameters) WHERE key = ?"

# What was said later counts, the last of it.
_METADATA = """SELECT coalesce(
  (SELECT e.value FROM said s, json_each(s."values") e WHERE s.subject = r.name AND e.key = ?
   ORDER BY s.said_at DESC, s.record DESC LIMIT 1),
  (SELECT value FROM json_each(r.metadata) WHERE key = ?))"""

_INDEXED = ("step", "status", "tag")

_OPERATORS = {each: each for each in ("=", "!=", "<", "<=", ">", ">=")}


def as_sql(condition: Any) -> tuple[str, list[Any]]:
    """Return a condition on `record r` in SQL, and the values to bind."""
    if hasattr(condition, "parts"):
        made = [as_sql(each) for each in condition.parts]
        values = [value for _, bounds in made for value in bounds]
        if condition.kind == "not":
            return f"NOT ({made[0][0]})", values
        joint = " AND " if condition.kind == "and" else " OR "
        return "(" + joint.join(text for text, _ in made) + ")", values
    return _compared(condition)


def narrowed(filters: Filters) -> Filters:
    """Return filters that also ask by themselves what their condition asks of what has an index."""
    found = {
        each.name: each.values[0]
        for each in _all_of(filters.where)
        if each.scope == "field" and each.operator == "=" and each.name in _INDEXED
    }
    asked = {name: text for name, text in found.items() if getattr(filters, name) is None}
    return filters.replace(**asked) if asked else filters


def _all_of(condition: Any) -> list[Any]:
    """Return the comparisons that must all be true."""
    if not hasattr(condition, "parts"):
        return [condition]
    parts = condition.parts if condition.kind == "and" else ()
    return [found for each in parts for found in _all_of(each)]


def _compared(condition: Any) -> tuple[str, list[Any]]:
    name, scope = bound(condition.name), condition.scope
    if scope == "field":
        found, values = _FIELDS[condition.name], []
    elif scope == "parameter":
        found, values = _PARAMETER, [name]
    elif scope == "metadata":
        found, values = _METADATA, [name, name]
    else:
        found, values = f"{_METADATA} UNION ALL {_PARAMETER}", [name] * 3
    wanted = [bound(each) if isinstance(each, str) else each for each in condition.values]
    if condition.operator == "in":
        test = f"v IN ({', '.join('?' * len(wanted))})"
    elif condition.operator == "~":
        test = "instr(lower(v), lower(?)) > 0"
    else:
        # Text is neither below nor above a number, though SQLite says so.
        kinds = "('text', 'blob')" if isinstance(wanted[0], (str, bytes)) else "('integer', 'real')"
        test = f"v {_OPERATORS[condition.operator]} ? AND typeof(v) IN {kinds}"
    select = f"EXISTS (SELECT 1 FROM (SELECT NULL AS v WHERE FALSE UNION ALL {found}) WHERE {test})"
    return select, [*values, *wanted]
