"""The page about the format is true: its tables, its vector, its commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage

from gitlineage.records import Record
from gitlineage.records.alias import Alias
from gitlineage.records.deployment import Deployment, Retirement
from gitlineage.records.end import End
from gitlineage.records.launch import Launch
from gitlineage.records.metadata import Metadata
from gitlineage.records.parts import Cells, Packages
from gitlineage.records.redaction import Redaction

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/format.md"


@pytest.fixture
def page() -> str:
    return PAGE.read_text()


def commands() -> list[str]:
    """Return the blocks of shell commands on the page."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_what_is_generated_is_up_to_date() -> None:
    command = [sys.executable, "-m", "cogapp", "--check", "-I", "docs", "docs/format.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_stored_class_and_field_is_on_the_page(page: str) -> None:
    waiting: list[type[Record]] = [
        Launch,
        End,
        Deployment,
        Retirement,
        Alias,
        Metadata,
        Redaction,
        Packages,
        Cells,
    ]
    seen = set()
    while waiting:
        kind = waiting.pop()
        seen.add(kind)
        section = page.partition(f"### {kind.__name__}\n")[2].partition("\n### ")[0]
        found = re.findall(r"^\| `(\w+)` \| .* \| (?:always)? \| (.*) \|$", section, re.MULTILINE)
        assert [field for field, _ in found] == [f for f in kind._fields if f != "extra"]
        assert [field for field, meaning in found if not meaning.endswith(".")] == []
        used = " ".join(kind.__annotations__.values())
        room = vars(sys.modules[kind.__module__])
        held = [room[each] for each in re.findall(r"\b[A-Z]\w+", used) if each in room]
        waiting += [each for each in held if each not in seen and each not in waiting]
    assert len(seen) == 35


def test_links_on_the_page_lead_somewhere(page: str) -> None:
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (PAGE.parent / target).exists(), target


def test_every_command_on_the_page_works(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / "train.sh").write_text("echo training\necho model > model.bin\n")
    git("add", ".")
    git("commit", "-q", "-m", "Train")
    lineage("run", "-q", "-t", "best", "--step", "train", "--", "sh", "train.sh")
    script = "set -e\ncount=0\n"
    lines = [line for block in commands() for line in block.splitlines()]
    for line in lines:
        script += line if "=$(" in line else f"echo '{MARK}'\n{line}"
        script += "\n"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script.replace("python3", sys.executable)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answers = [each.strip() for each in done.stdout.split(f"{MARK}\n")[1:]]
    asked = [line for line in lines if "=$(" not in line]
    assert len(answers) == len(asked) > 10
    assert [line for line, answer in zip(asked, answers, strict=True) if not answer] == []
    by_line = dict(zip(asked, answers, strict=True))
    (trailer,) = re.findall(r"Lineage-Execution: (\w+)", by_line[asked[0]])
    (id,) = [answer for line, answer in by_line.items() if "blake3" in line]
    assert id == trailer
    assert by_line["git cat-file blob $commit:log"] == "training"
    assert (
        f"blob {git('rev-parse', 'refs/lineage/tags/best:' + id)}\t{id}"
        in (by_line["git ls-tree refs/lineage/tags/best"])
    )
    (code,) = re.findall(r"^code (\w+): \w+ (\w+)$", "\n".join(answers), re.MULTILINE)
    assert git("rev-parse", f"{code[1]}^{{tree}}") == code[0] == git("rev-parse", "HEAD^{tree}")


MARK = "-- next --"


def test_what_the_page_says_of_a_record_is_so(
    repo: Path, lineage: Lineage, git: Git, page: str
) -> None:
    (repo / "data").mkdir()
    (repo / "data/a").write_text("a")
    script = "echo '{\"n\": 1}'; echo '{\"n\": 2}'; touch out"
    program = f"#!{sys.executable}\nimport os, time; os.system({script!r})\n"
    program += "while time.process_time() < 1.5: pass\n"  # for a sample of what it uses
    Path("script").write_text(program)
    Path("script").chmod(0o755)
    lineage("run", "-q", "-i", "data", "--", "./script")
    commit = git("rev-list", "-1", "--glob=refs/lineage/ledger/*")
    parts = git("ls-tree", "--name-only", commit).split()
    said = page.partition("### Parts\n")[2].partition("### Fields")[0]
    listed = re.findall(r"^\| `(\w+)", said, re.MULTILINE)
    assert parts == sorted(listed) == [
        "environment", "launch", "log", "manifests", "metadata", "record", "usage"
    ]  # fmt: skip
    trailers = git("log", "-1", "--format=%(trailers:only,unfold)", commit).split("\n")
    names = {line.partition(":")[0] for line in trailers if line}
    assert names | {"Lineage-Forgets"} == set(re.findall(r"`(Lineage-\w+)`", page))
