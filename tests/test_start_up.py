"""What a start costs: modules that are not imported, git processes that are not started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context
from conftest import Git, Lineage
from executions import python
from test_bulk import made

import gitlineage
from gitlineage.cli.group import ABOUT, group
from gitlineage.writing import LIBRARY_AFTER

# Runs a command line and tells which modules there were when the recorded command started, which
# does not see them, and at the end.
PROBE = """
import os, sys
found = {}
def keep(when):
    found[when] = sorted(sys.modules)
spawn = os.posix_spawn
def watched(path, *arguments, **options):
    if os.path.basename(path) == "true":
        keep("start")
    return spawn(path, *arguments, **options)
os.posix_spawn = watched
from gitlineage.cli import main
code = main(sys.argv[1:])
keep("end")
import json
os.write(2, b"\\n" + json.dumps(found).encode())
sys.exit(code)
"""

SLOW_TO_IMPORT = {"click", "typing", "re", "dataclasses", "subprocess", "json", "sqlite3", "pygit2",
                  "threading", "docker", "graphviz", "msgpack.fallback", "logging", "inspect",
                  "pathlib", "shutil", "tempfile", "hashlib", "signal", "random"}  # fmt: skip


def modules(*words: str) -> dict[str, set[str]]:
    # Without site-packages' .pth files, which may import anything at all (coverage does).
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n" + PROBE, *words],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {when: set(names) for when, names in json.loads(done.stderr.splitlines()[-1]).items()}


def test_modules_before_the_command_starts(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", "true")  # the first of a month makes a segment, which takes more
    assert modules("run", "--", "true")["start"] & SLOW_TO_IMPORT == set()
    Path("code.py").write_text("changed\n")
    Path("new.py").write_text("new\n")
    words = ("run", "-q", "-p", "rate=0.1", "-t", "tag", "--title", "t", "--", "true", "code.py")
    assert modules(*words)["start"] & (SLOW_TO_IMPORT - {"random"}) == set()


@pytest.mark.parametrize("words", [("-h",), ("--version",), ("log", "-h"), ("run", "-h")])
def test_modules_of_help(isolated: Path, words: tuple[str, ...]) -> None:
    slow = {"pygit2", "docker", "graphviz", "sqlite3"}
    assert modules(*words)["end"] & slow == set()


def test_help_lists_verbs_without_their_modules(isolated: Path) -> None:
    loaded = modules("-h")["end"]
    assert {each for each in loaded if each.startswith("gitlineage.cli.")} == {
        "gitlineage.cli.group"
    }
    assert list(ABOUT) == group.list_commands(Context(group))
    for verb, about in ABOUT.items():
        command = group.get_command(Context(group), verb)
        assert command is not None and command.get_short_help_str(100) == about
    found = group.shell_complete(Context(group), "se") + group.shell_complete(Context(group), "s")
    assert [(each.value, each.help) for each in found] == [
        (verb, ABOUT[verb]) for verb in ABOUT if verb.startswith("s")
    ]


@pytest.mark.parametrize("words", [("log",), ("log", "--oneline"), ("log", "--json"), ("show",),
                                   ("show", "--json"), ("output",), ("tag",), ("files",),
                                   ("files", "made", "--json"), ("files", "-z", "--used-by", "@"),
                                   ("trace", "made", "--format", "tree", "--same-content"),
                                   ("trace", "--why", "@~1", "made", "--json")])  # fmt: skip
def test_modules_of_reading(
    repo: Path, lineage: Lineage, isolated: Path, words: tuple[str, ...]
) -> None:
    lineage("run", "-q", "--", "sh", "-c", "echo >between")
    lineage("run", "-q", "-i", "between", "--", "sh", "-c", "echo made >made")
    lineage("log")
    assert modules(*words)["end"] & {"pygit2", "docker", "graphviz"} == set()
    if words[0] in ("files", "trace"):
        assert len(processes(isolated, *words)) <= 1


def processes(tmp: Path, *words: str) -> list[str]:
    """Return the git commands that a `git lineage` starts, in order, and where `true` came."""
    log, tools = tmp / "git.log", tmp / "tools"
    tools.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    real = subprocess.check_output(["sh", "-c", "command -v git"], text=True).strip()
    for name, rest in (("git", f'exec {real} "$@"'), ("marked", ":")):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n{rest}\n')
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from gitlineage.cli import main; sys.exit(main())",
         *words],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return log.read_text().splitlines() if log.exists() else []


def test_git_processes_of_a_plain_run(repo: Path, lineage: Lineage, isolated: Path) -> None:
    lineage("run", "-q", "--", "true")  # the code is in the chain from now on
    lineage("log")
    started = processes(isolated, "run", "-q", "--", "marked")
    at = started.index("marked ")
    before, after = started[:at], started[at + 1 :]
    # The repository; status, configuration, the code that is kept, others (ignored ones).
    assert len(before) <= 5, before
    # While it runs: is the run before kept, twice; what the record and the note go behind.
    # Afterwards: written files, twice; the refs.
    assert len(after) <= 7, after
    # What takes longest in a large work tree begins first, before and after; of two that start
    # together either may be the first to say so.
    assert {each.split()[3] for each in before[:2]} == {"status", "ls-files"}, before
    assert {each.split()[3] for each in after[-3:-1]} == {"diff-files", "ls-files"}, after
    assert not [each for each in before + after if " gc" in each or "maintenance" in each]


def test_a_push_of_one_record(repo: Path, lineage: Lineage, git: Git, isolated: Path) -> None:
    git("init", "-q", "--bare", "../remote.git")
    git("remote", "add", "origin", "../remote.git")
    lineage("init")
    lineage("run", "-q", "--", "true")
    lineage("push")
    lineage("run", "-q", "--", "true")
    assert modules("push")["end"] & (SLOW_TO_IMPORT | {"ast", "collections"}) == set()
    lineage("run", "-q", "--", "true")
    started = processes(isolated, "push")
    verbs = [
        verb for each in started for verb in ("for-each-ref", "config", "push") if verb in each
    ]
    assert len(started) == 3 and sorted(verbs) == ["config", "for-each-ref", "push"]


def test_git_processes_of_a_run_with_changed_code(
    repo: Path, lineage: Lineage, isolated: Path
) -> None:
    lineage("run", "-q", "--", "true")
    lineage("log")
    Path("code.py").write_text("changed\n")
    for most in (15, 8):  # the second time it is in the chain
        started = processes(isolated, "run", "-q", "--", "marked")
        before = started[: started.index("marked ")]
        assert len(before) <= most, before


@pytest.mark.parametrize(("words", "most"), [
    (("log",), 2), (("log", "--json"), 3), (("log", "--oneline", "-n1"), 2), (("tag",), 2),
    (("-h",), 0), (("show",), 5),
])  # fmt: skip
def test_git_processes_of_reading(
    repo: Path, lineage: Lineage, isolated: Path, words: tuple[str, ...], most: int
) -> None:
    lineage("run", "-q", "-t", "x", "--", "true")
    lineage("log")
    started = processes(isolated, *words)
    assert len(started) <= most, started


def test_git_processes_of_appending_many_one_at_a_time(
    repo: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    spawn = os.posix_spawnp
    monkeypatch.setattr(
        os, "posix_spawnp", lambda *told, **how: started.append(told[1]) or spawn(*told, **how)
    )
    counts = []
    with gitlineage.open() as held:
        for launch, end in made(40):
            held.append(launch, end)
            counts.append(len(started))
    assert counts[LIBRARY_AFTER] <= 3 * (LIBRARY_AFTER + 1), started
    # From then on there is one to come when a thousand more are to be packed, and no other.
    assert counts[-1] == counts[LIBRARY_AFTER], started[counts[LIBRARY_AFTER] :]
    assert lineage("log", "--oneline", "-n", "50").stdout.count("\n") == 40


def test_importing_the_package_is_light(isolated: Path) -> None:
    done = python("import sys; before = set(sys.modules); import gitlineage\n"
                  "print(sorted(each for each in set(sys.modules) - before - {'__future__'}\n"
                  "             if not each.startswith('gitlineage')))")  # fmt: skip
    assert done.stdout == "[]\n"
