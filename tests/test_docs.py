"""The pages say what is so: transcripts are executed, lists compared with the code, links followed.

A transcript is a fenced block whose language is `console`: lines that begin with `$ ` are commands
(`> ` continues one), the others are what a terminal shows of it. Commands of one page run one
after another in one folder. Words after the language:

    fail        the last command ends with another status than 0
    stderr      only what goes to stderr is shown
    file=NAME   (any language) not a transcript: the block is the content of this file

What differs each time is matched by its form, and as strictly as can be:

    3f07c1d2          an id of as many digits; the same id on the whole page is the same id,
                      another one is another, in commands too
    0.969             a fraction; bound in the same way, but two may be equal
    2026-11-23 14:02  a time; `2026-11-23` a day, `2026-11` this month
    12.3 s            a duration
    1.2 MiB           a size
    Host: ...         what follows Host, System, Hardware and Python at the start of a line
    [..]              anything, within a line
    ...               alone on a line: any lines
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", DOCS / "tutorial.md", DOCS / "python.md",
         *sorted((ROOT / "tests/transcripts").glob("*.md"))]  # fmt: skip

FORMS = {
    "id": r"(?<![\w.])(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}(?!\w)",
    "moment": r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?Z?)?",
    "day": r"\b\d{4}-\d\d-\d\d\b",
    "month": r"(?<![\w-])20\d\d-\d\d(?![\w-])",
    "duration": r"(?<![\w.])(?:\d+ m \d\d s|\d+\.\d s|\d+ ms)\b",
    "machine": r"^(?:Host|System|Hardware|Python): .*$",
    "size": r"(?<![\w.])[\d.]+ (?:[KMGT]i)?B\b",
    "fraction": r"(?<![\w.])[01]\.\d+(?![\w.])",
    "rest": r"\[\.\.\]",
    "lines": r"^\.\.\.$",
    "gap": r" {2,}",
}
ANY = {
    "moment": FORMS["moment"], "day": FORMS["day"], "duration": FORMS["duration"],
    "size": FORMS["size"], "fraction": r"[01]\.\d+|[01]", "rest": ".*",
    "lines": r"(?:.*\n)*?.*", "gap": " +",
}  # fmt: skip
VOLATILE = re.compile("|".join(f"(?P<{name}>{form})" for name, form in FORMS.items()), re.MULTILINE)


class Block(NamedTuple):
    line: int
    words: list[str]
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, those in comments too."""
    found = re.finditer(r"^```(\S.*)\n((?:.*\n)*?)```$", page.read_text(), re.MULTILINE)
    for match in found:
        line = page.read_text()[: match.start()].count("\n") + 2
        yield Block(line, match[1].split(), match[2])


def turns(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a transcript, each with what is shown of it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        count = next((n for n, each in enumerate(lines) if n and not each.startswith("> ")),
                     len(lines))  # fmt: skip
        command = lines[0] + "".join(each[2:] for each in lines[1:count])
        yield command.rstrip("\n"), "".join(lines[count:])


class Reader:
    """Runs the transcripts of one page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: dict[str, str] = {}
        self.fractions: dict[str, str] = {}

    def run(self, page: Path) -> None:
        for block in blocks(page):
            named = [word[5:] for word in block.words if word.startswith("file=")]
            if named:
                (self.folder / named[0]).write_text(block.text)
            elif block.words[0] == "console":
                commands = list(turns(block.text))
                for number, (command, expected) in enumerate(commands, 1):
                    is_failing = "fail" in block.words and number == len(commands)
                    shown, status = self.execute(command, "stderr" in block.words)
                    where = f"{page.name}:{block.line}: $ {command}"
                    assert bool(status) == is_failing, f"{where}\nstatus {status}\n{shown}"
                    if not self.matches(expected, shown):
                        lines = [text.splitlines() for text in (expected, shown)]
                        difference = difflib.unified_diff(*lines, "page", "shown", lineterm="")
                        pytest.fail("\n".join([where, *difference, shown]), pytrace=False)

    def execute(self, command: str, is_stderr: bool = False) -> tuple[str, int]:
        """Run a command where the last one ended; return what it shows, and its status."""
        command = re.sub(FORMS["id"], lambda match: self.actual(match[0]), command)
        last = self.folder.parent / "last"
        done = subprocess.run(
            ["bash", "-c", f"{command}\nstatus=$?; pwd >'{last}'; exit $status"],
            cwd=self.folder, stdin=subprocess.DEVNULL, text=True, timeout=120,
            env={**os.environ, "DEMO": str(DOCS / "demo")},
            stdout=subprocess.DEVNULL if is_stderr else subprocess.PIPE,
            stderr=subprocess.PIPE if is_stderr else subprocess.STDOUT,
        )  # fmt: skip
        self.folder = Path(last.read_text().strip())
        shown = done.stderr if is_stderr else done.stdout
        return re.sub(r" +$", "", shown, flags=re.MULTILINE), done.returncode

    def actual(self, id: str) -> str:
        found = (meant for known, meant in self.ids.items() if known.startswith(id))
        return next(found, id)[: len(id)]

    def matches(self, expected: str, shown: str) -> bool:
        """Tell whether a text is what was expected; learn what its ids and fractions are."""
        pattern, end, learnt = "", 0, []
        for match in VOLATILE.finditer(expected):
            name, text = match.lastgroup or "", match[0]
            pattern += re.escape(expected[end : match.start()])
            if name == "id":
                pattern += f"([0-9a-f]{{{len(text)}}})"
            elif name == "fraction":
                pattern += f"({ANY[name]})"
            elif name == "machine":
                pattern += text.partition(" ")[0] + " +.+"
            elif name == "month":
                pattern += time.strftime("%Y-%m", time.gmtime())
            else:
                pattern += f"(?:{ANY[name]})"
            if name in ("id", "fraction"):
                learnt.append((name, text))
            end = match.end()
        found = re.fullmatch(pattern + re.escape(expected[end:]), shown)
        return found is not None and all(
            self.learn(name, text, actual)
            for (name, text), actual in zip(learnt, found.groups(), strict=True)
        )

    def learn(self, name: str, text: str, actual: str) -> bool:
        if name == "fraction":
            return self.fractions.setdefault(text, actual) == actual
        for known, meant in self.ids.items():  # the beginning of an id stands for it
            size = min(len(known), len(text))
            if (known[:size] == text[:size]) != (meant[:size] == actual[:size]):
                return False
        self.ids[text] = actual
        return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_transcripts_are_what_happens(page: Path, isolated: Path) -> None:
    pytest.importorskip("sklearn")
    folder = isolated / "work"
    folder.mkdir()
    Reader(folder).run(page)
