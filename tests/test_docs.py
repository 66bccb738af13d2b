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
    Executor: ...     what follows Environment, system, python, packages, variables, Image,
                      Executor at the start of a line
    [..]              anything, within a line
    ...               alone on a line: any lines
"""

from __future__ import annotations

import difflib
import fcntl
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from conftest import SCRIPTS

import gitlineage
from gitlineage import errors
from gitlineage.cli import VERBS
from gitlineage.cli.group import HIDDEN
from gitlineage.records.end import STATUSES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", DOCS / "tutorial.md", DOCS / "python.md", DOCS / "environment.md",
         DOCS / "steps.md", DOCS / "notebooks.md",
         DOCS / "secrets.md",
         DOCS / "privacy.md",
         DOCS / "retention.md",
         DOCS / "verify.md", DOCS / "hooks.md",
         DOCS / "cost.md", DOCS / "observation.md", DOCS / "remote.md",
         DOCS / "metadata.md",
         DOCS / "reproduce.md",
         DOCS / "comparing.md",
         DOCS / "import.md",
         DOCS / "sql.md",
         DOCS / "traces.md",
         DOCS / "files.md",
         DOCS / "challenge.md",
         DOCS / "deployments.md",
         *sorted((ROOT / "tests/transcripts").glob("*.md"))]  # fmt: skip

FORMS = {
    "id": r"(?<![\w.])(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}(?!\w)",
    "moment": r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?Z?)?",
    "day": r"\b\d{4}-\d\d-\d\d\b",
    "month": r"(?<![\w-])20\d\d-\d\d(?![\w-])",
    "duration": r"(?<![\w.])(?:\d+ m \d\d s|\d+\.\d s|<?\d+ ms)\b",
    "machine": r"^(?:Environment|  (?:system|python|packages|variables)|Image|Executor): .*$",
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
                    if "  used: " not in expected:  # it takes a slow machine to be there
                        shown = re.sub(r"^  used: .*\n", "", shown, flags=re.MULTILINE)
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
                pattern += text.partition(":")[0] + ": +.+"
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
    # As with git where nobody has set it: a page that pushes main has to say so.
    with open(isolated / "home/.gitconfig", "a") as file:
        file.write("[init]\n    defaultBranch = master\n")
    folder = isolated / "work"
    folder.mkdir()
    Reader(folder).run(page)


def test_tutorial_shows_the_scripts_of_the_demo() -> None:
    shown = {each.words[1][5:]: each.text for each in blocks(DOCS / "tutorial.md")
             if each.words[0] == "python"}  # fmt: skip
    for script in (DOCS / "demo").glob("*.py"):
        assert shown[script.name] == script.read_text()


# What the code lists, the pages must have.


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in HIDDEN])
def test_verb_is_described_and_shown(verb: str) -> None:
    assert f"\n## {verb}\n" in (DOCS / "cli.md").read_text(), "run `make docs`"
    commands = [command for page in PAGES for block in blocks(page)
                if block.words[0] == "console" for command, _ in turns(block.text)]  # fmt: skip
    assert any(re.search(rf"git lineage {verb}\b", command) for command in commands)


def test_every_error_is_described() -> None:
    named = {
        name for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.LineageError)
    }  # fmt: skip
    listed = re.findall(r"^\| `(\w+)` \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(named), "run `make docs`"


def test_package_exports_what_it_says_and_the_page_describes_it() -> None:
    exported = {name for name in dir(gitlineage) if not name.startswith("_")}
    modules = {name for name in exported if isinstance(getattr(gitlineage, name), type(os))}
    declared = {*gitlineage.__all__, "TYPE_CHECKING", "annotations"}
    assert exported - modules <= declared
    page = (DOCS / "python.md").read_text()
    for name in gitlineage.__all__:
        assert getattr(gitlineage, name) is not None
        assert f"### `gitlineage.{name}" in page
    methods = {name for name in vars(gitlineage.Lineage) if not name.startswith("_")}
    (table,) = re.findall(r"\| method \|.*\n((?:\|.*\n)+)", page)
    described = {name for row in table.splitlines() for name in re.findall(r"`(\w+)\(", row)}
    assert methods <= described


def test_glossary_defines_each_word_once() -> None:
    page = (DOCS / "glossary.md").read_text()
    words = re.findall(r"^- \*\*(.+?)\*\*:", page, re.MULTILINE)
    assert sorted(words) == sorted(set(words))
    rows = re.findall(r"^\| ([a-z][a-z ]+) \|", page, re.MULTILINE)[1:]
    assert rows
    assert [row for row in rows if row not in words] == []
    assert len(rows) == len(set(rows))
    for name in (*STATUSES, "running", "created", "overwritten", "appended", "renamed"):
        assert page.count(f"`{name}`") == 1, name
    for name in ("declared", "observed", "argument", "detected"):
        assert words.count(name) == 1, name


def test_architecture_has_every_room_on_its_floor() -> None:
    page = (DOCS / "architecture.md").read_text()
    floors: list[set[str]] = []
    for floor, room in re.findall(r"^\| ([a-z]*) *\| `(\w+)` \|", page, re.MULTILINE):
        if floor:
            floors.append(set())
        floors[-1].add(room)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = (each for each in project["tool"]["importlinter"]["contracts"]
                   if each["name"] == "one direction")  # fmt: skip
    assert floors == [set(re.findall(r"\w+", line)) for line in contract["layers"]]
    package = ROOT / "gitlineage"
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert set().union(*floors) == modules
    for library, rooms in re.findall(r"(\w+) in ((?:`\w+`(?: and )?)+)", page):
        (contract,) = (each for each in project["tool"]["importlinter"]["contracts"]
                       if each["name"].startswith(f"{library} lives in"))  # fmt: skip
        assert re.findall(r"\w+", contract["name"].partition(" in ")[2].replace(" and ", " ")) == (
            re.findall(r"`(\w+)`", rooms)
        )


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *DOCS.rglob("*.md")]
    broken = []
    for page in pages:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        text = re.sub(r"`[^`\n]*`", "", text)
        targets = re.findall(r"\]\(([^)\s]+)\)|^\[[^]]+\]: (\S+)", text, re.MULTILINE)
        for target in filter(None, (one or other for one, other in targets)):
            path, _, heading = target.partition("#")
            if "://" in target:
                continue
            found = page.parent / path if path else page
            if not found.exists() or (heading and heading not in headings(found)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def headings(page: Path) -> list[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


# The demo, run once for all.

DRAWN = ["data/train.csv", "data/test.csv", "models/*.pkl x 4", "reports/*.json x 4",
         "models/best.pkl"]  # fmt: skip
"""The files of the demo as a trace draws them: what is alike as one."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the repository that the demo made, and what it printed; without any identity."""
    pytest.importorskip("sklearn")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, printed = shared / "demo", shared / "demo.printed"
    with open(shared / "demo.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            (home := shared / "demo.home").mkdir()
            kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
            kept["PATH"] = os.pathsep.join((SCRIPTS, kept["PATH"]))
            done = subprocess.run(
                ["bash", DOCS / "demo/demo.sh", folder], cwd=home, text=True, timeout=300,
                env={**kept, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "TZ": "UTC"},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout
            printed.write_text(done.stdout)
    return folder, printed.read_text()


def test_demo_records_all_that_it_runs(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    assert "error:" not in printed
    assert "warning:" not in printed
    listed = re.findall(r"^[0-9a-f]{8} .{16} succeeded .*? m?s (\w+)", printed, re.MULTILINE)
    assert listed == ["choose", *["evaluate", "train"] * 4, "prepare"]
    tree = printed[printed.index("trace models/best.pkl --format tree") :]
    assert [name for name in DRAWN if name not in tree] == []
    assert tree.count("ad-hoc") == 1
    assert f"cd {folder}\n" in printed


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_demo_draws_its_trace(demo: tuple[Path, str]) -> None:
    drawn = words_of(demo[0] / "trace.svg")
    steps = ["prepare", "train x 4", "evaluate x 4", "choose"]
    assert [each for each in sorted(drawn) if each in steps] == sorted(steps)
    assert sorted(each for each in drawn if "/" in each) == sorted(DRAWN)
    # The picture in README is what the demo draws: `make demo DIR=x; cp x/trace.svg docs/images/`.
    assert sorted(words_of(DOCS / "images/trace.svg")) == sorted(drawn)


def words_of(picture: Path) -> list[str]:
    """Return the texts of an SVG picture; what differs each time is left out."""
    texts = (each.text or "" for each in ElementTree.parse(picture).iter()
             if each.tag.endswith("}text"))  # fmt: skip
    plain = (re.sub(r"[\d.]+ (s|ms|[KMGT]?i?B)\b|\b[0-9a-f]{8}\b|\b[01]\.\d+", "", text)
             for text in texts)  # fmt: skip
    return [" ".join(each.split()) for each in plain]
