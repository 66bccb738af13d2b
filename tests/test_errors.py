"""Every error says what happened and what to do, from the facts that it is raised with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import gitlineage
from gitlineage import errors
from gitlineage.errors import LineageError

PACKAGE = Path(gitlineage.__file__).parent


def classes(root: type[LineageError] = LineageError) -> Iterator[type[LineageError]]:
    yield root
    for finer in root.__subclasses__():
        if finer.__module__ == errors.__name__:
            yield from classes(finer)


CLASSES = list(classes())


def facts_of(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def raised() -> Iterator[tuple[str, type[LineageError], set[str]]]:
    """Yield where each error is made in the package, and the facts that it is given."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            made = getattr(errors, name, None)
            if made is not None and issubclass(made, LineageError):
                given = {each.arg for each in node.keywords if each.arg}
                is_whole = all(each.arg for each in node.keywords)
                where = f"{path.relative_to(PACKAGE)}:{node.lineno} {name}"
                yield where, made, given if is_whole else given | facts_of(made.message)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_message_and_hint_are_made_of_facts(kind: type[LineageError]) -> None:
    facts = {name: f"<{name}>" for name in facts_of(kind.message) | facts_of(kind.hint)}
    error = kind(**facts)
    assert str(error) == kind.message.replace("{", "<").replace("}", ">")
    assert error.advice() == kind.hint.replace("{", "<").replace("}", ">")
    assert error.facts == facts


def test_facts_with_braces_are_only_text() -> None:
    assert str(errors.NotFound(what="{0} {what}")) == "{0} {what} not found"


def test_every_place_that_raises_gives_all_the_facts() -> None:
    found = list(raised())
    lacking = [
        f"{where} lacks {', '.join(sorted(facts))}"
        for where, kind, given in found
        if (facts := (facts_of(kind.message) | facts_of(kind.hint)) - given)
    ]
    assert len(found) > 30
    assert lacking == []


def test_every_error_is_raised_somewhere_or_has_finer_ones() -> None:
    made = {kind for _, kind, _ in raised()}
    assert [
        kind.__name__ for kind in CLASSES if kind not in made and not kind.__subclasses__()
    ] == []


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    drawn: dict[str, tuple[str | None, int]] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        indent = len(line) - len(line.lstrip())
        listed = re.findall(r"\b([A-Z][a-z]+[A-Z]\w+|Damaged|Refused)\b(?: +(\d+)\b)?", line)
        if indent < 4 or not listed:
            continue
        above = [each for each in above if each[0] < indent]
        parent = above[-1][1] if above else None
        for name, code in listed:
            inherited = drawn[parent][1] if parent else 1
            drawn[name] = parent, int(code) if code else inherited
        above.append((indent, listed[-1][0]))
    real = {
        kind.__name__: (
            None if kind is LineageError else kind.__mro__[1].__name__,
            kind.exit_code,
        )
        for kind in CLASSES
    }
    assert drawn == real


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_says_when_it_is_raised(kind: type[LineageError]) -> None:
    assert re.match(r"[A-Z][^\n]*\.$", (kind.__doc__ or "").splitlines()[0])
    assert kind.__doc__ != kind.__mro__[1].__doc__


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_sentences_are_in_the_dialect_of_git(kind: type[LineageError]) -> None:
    for sentence in (kind.message, kind.hint):
        assert not sentence.endswith(".")
        assert "\n" not in sentence
        assert sentence[:1] == sentence[:1].lower()


def test_every_hinted_verb_exists() -> None:
    import click

    from gitlineage.cli.group import group

    texts = [sentence for kind in CLASSES for sentence in (kind.message, kind.hint)]
    texts += [
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    hinted = {verb for text in texts for verb in re.findall(r"`git lineage ([a-z][a-z-]*)", text)}
    context = click.Context(group)
    assert {"log", "run"} <= hinted
    assert sorted(hinted - set(group.list_commands(context))) == []


def test_exit_codes_are_those_that_are_promised() -> None:
    assert {kind.exit_code for kind in CLASSES} == {1, 2, 3, 4, 125, 126, 127}
