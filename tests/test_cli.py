"""The command line as people see it: whole outputs, one success and one failure for every verb."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import Git, Lineage
from executions import POWERLESS, everything, last, start, until
from test_comparison import on_terminal

import gitlineage
from gitlineage.cli import VERBS


def scrub(text: str) -> str:
    """Put words for what differs from run to run: ids, times, sizes of processes, the machine."""
    for number, each in enumerate(reversed(everything()) if Path(".git").is_dir() else ()):
        text = text.replace(each.id, f"<id {number}>").replace(each.id[:8], f"<{number}>")
    text = re.sub(r"<\d>[0-9a-f]{4}\b", lambda found: found[0][:3], text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "<date>", text)
    text = re.sub(r"(?:<1|\b\d+(?:\.\d)?) (?:ms|s)\b", "<time>", text)
    text = re.sub(r" +<time>", " <time>", text)
    text = re.sub(r"[\d.]+ [KMG]iB at the peak", "<size> at the peak", text)
    text = re.sub(r"^(Environment|  system):( +).*", r"\1:\2<machine>", text, flags=re.MULTILINE)
    text = text.replace(str(Path.cwd().parent), "<world>")
    return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "<host>", text)


@pytest.fixture
def said(lineage: Lineage):
    """Run a `git lineage` and return all it said, scrubbed: outputs and, if not 0, exit code."""

    def run(*words: str) -> str:
        done = lineage(*words, check=False)
        told = done.stdout
        if done.stderr:
            told += "".join(f"! {line}\n" for line in done.stderr.splitlines())
        if done.returncode:
            told += f"[{done.returncode}]\n"
        return scrub(told)

    return run


def text(content: str) -> str:
    return dedent(content).removeprefix("\n")


TODAY, YEAR = time.strftime("%Y-%m-%d"), time.strftime("%Y")
UNKNOWN = """\
! error: no execution or tag is called nope
! hint: run `git lineage log` to see what there is, or `git lineage fetch` to get the team's
[3]
"""


@pytest.fixture
def two(repo: Path, lineage: Lineage) -> Path:
    """Return a repository with two executions: one makes a file, one uses it and fails."""
    lineage("run", "-t", "base", "--title", "Get data", "--", "sh", "-c", "echo raw > raw.csv")
    lineage("run", "-p", "rate=0.1", "--step", "fit", "--", "sh", "-c",
            "echo '{\"loss\": 0.5}'; exit 3", "sh", "raw.csv", check=False)  # fmt: skip
    return repo


def test_run(repo: Path, said) -> None:
    assert said("run", "--", "sh", "-c", "echo out; echo m > made") == text(
        """
        out
        ! lineage: <0> sh succeeded in <time>, 1 output
        """
    )
    assert said("run", "-q", "--", "sh", "-c", "exit 4") == "[4]\n"


@pytest.mark.parametrize(("words", "expected"), [
    (["--", "no-such"], """
        ! error: no-such: command not found
        ! hint: nothing was run; is it installed, and on PATH?
        [127]
        """),
    (["--", "./README.md"], """
        ! error: ./README.md: permission denied
        ! hint: nothing was run; make it executable with `chmod +x ./README.md`
        [126]
        """),
    (["-i", "no-such", "--", "true"], """
        ! error: input no-such: no such file or directory
        ! hint: inputs are relative to the folder you are in; nothing was run
        [125]
        """),
    (["-i", "", "--", "true"], """
        ! error: input '': a path or a URI is needed
        ! hint: inputs are relative to the folder you are in; nothing was run
        [125]
        """),
    ([], """
        ! error: missing argument '[--] [COMMAND...]'
        ! hint: git lineage run -h
        [2]
        """),
    (["--no-such", "--", "true"], """
        ! error: no such option '--no-such'.
        ! hint: git lineage run -h
        [2]
        """),
])  # fmt: skip
def test_run_that_is_refused(repo: Path, said, words: list[str], expected: str) -> None:
    told = said("run", *words)
    if "--no-such" in words:
        told = re.sub(r"(?<=--no-such').*", ".", told)  # click may guess what was meant
    assert told == text(expected)
    assert everything() == []
    assert not list((repo / ".git/lineage/running").glob("*"))


@pytest.mark.parametrize(("words", "code"), [
    (["-p", "x", "--", "true"], 2), (["-p", "=x", "--", "true"], 2),
    (["-t", "a\nb", "--", "true"], 125), (["-t", "", "--", "true"], 125),
    (["-t", "x" * 300, "--", "true"], 125), (["--", "/"], 126), (["--", ""], 127),
])  # fmt: skip
def test_run_that_is_refused_in_other_words(
    repo: Path, lineage: Lineage, words: list[str], code: int
) -> None:
    done = lineage("run", *words, check=False)
    one_error(done, code)
    assert everything() == []


def one_error(done: subprocess.CompletedProcess[str], code: int) -> None:
    """Check for exactly one line `error:`, at most one line `hint:` and no other word."""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: ") and not first.endswith(".")
    assert len(rest) <= 1 and all(line.startswith("hint: ") for line in rest), done.stderr
    assert (done.stdout, done.returncode) == ("", code)


def test_log(two: Path, said, git: Git) -> None:
    commit = git("rev-parse", "HEAD")[:12]
    assert said("log") == text(
        f"""
        execution <id 1>
        Agent:   Ada Lovelace <ada@example.org>
        Date:    <date> on <host>
        Status:  failed in <time>
        Code:    {commit}

            fit
            $ sh -c 'echo '"'"'{{"loss": 0.5}}'"'"'; exit 3' sh raw.csv
            loss=0.5  rate=0.1

        execution <id 0> (base)
        Agent:   Ada Lovelace <ada@example.org>
        Date:    <date> on <host>
        Status:  succeeded in <time>
        Code:    {commit}

            Get data
            $ sh -c 'echo raw > raw.csv'

        """
    )
    assert said("log", "--oneline") == text(
        """
        <1> <date> failed <time> fit loss=0.5 rate=0.1
        <0> <date> succeeded <time> sh 'Get data' (base)
        """
    )
    assert said("log", "--since", "garbage") == (
        "! error: not a date: garbage\n! hint: a date is anything that git reads: "
        "2026-03-01, '1 May 14:00', yesterday, 2.weeks.ago\n[2]\n"
    )
    assert said("log", "--commit", "zzz").startswith("! error: no commit is called zzz\n! hint: ")


def test_log_says_on_a_terminal_what_is_running(two: Path, lineage: Lineage) -> None:
    os.mkfifo(two.parent / "go")
    with start("git", "lineage", "run", "-q", "--step", "long", "--", "cat",
               two.parent / "go") as process:  # fmt: skip
        with gitlineage.open() as here:
            until(here.running, "the execution")
            (found,) = here.running()
        said = scrub(on_terminal("log", "--oneline", columns=80))
        told = f"lineage: {found.id[:8]} long is running since <date>"
        assert said.splitlines()[-1] == told
        assert told not in scrub(on_terminal("log", "--json", columns=80))
        assert lineage("log").stderr == ""
        (two.parent / "go").write_text("")
        process.communicate(timeout=60)
    assert "is running" not in on_terminal("log", columns=80)


@pytest.mark.parametrize(("words", "steps"), [
    (["-n", "1"], ["fit"]), (["-1"], ["fit"]), (["-n0"], []), (["--step", "sh"], ["sh"]),
    (["-t", "base"], ["sh"]),
    (["--status", "failed"], ["fit"]), (["--author", "ada"], ["fit", "sh"]),
    (["--author", "grace"], []), (["--since", "1.hour.ago"], ["fit", "sh"]),
    (["--until", "1.hour.ago"], []), (["--until", "now"], ["fit", "sh"]),
    (["--since", "2001-01-01"], ["fit", "sh"]), (["--since", TODAY], ["fit", "sh"]),
    (["--until", TODAY], ["fit", "sh"]), (["--until", "2001"], []),
    (["--since", YEAR, "--until", YEAR], ["fit", "sh"]), (["--commit", "HEAD"], ["fit", "sh"]),
    (["--uses", "raw.csv"], ["fit"]), (["--produces", "raw.csv"], ["sh"]),
    (["--uses", "code.py"], []),
])  # fmt: skip
def test_log_that_selects(two: Path, lineage: Lineage, words: list[str], steps: list[str]) -> None:
    told = lineage("log", "--json", *words).stdout
    assert [json.loads(line)["step"] for line in told.splitlines()] == steps


def test_show(two: Path, said, git: Git) -> None:
    commit = git("rev-parse", "HEAD")[:12]
    assert said("show") == text(
        f"""
        execution <id 1>
        Status:       failed, exit code 3

        Environment:  <machine>
          system:     <machine>
          variables:  LC_ALL=C.UTF-8 TZ=UTC
        Commit:       {commit} on main
        Step:         fit
        Image:        none
        Command:      sh -c 'echo '"'"'{{"loss": 0.5}}'"'"'; exit 3' sh raw.csv
          directory:  .
        Inputs:       raw.csv  4 B, blake3:7f50268a, argument  from sh <0>
        Parameters:   rate = 0.1
        Created:      <date> by Ada Lovelace <ada@example.org>
        Executor:     <host>, account {getpass.getuser()}
        Duration: <time>, <time> of CPU, <size> at the peak

        Log:          14 B: git lineage output <1>
        Metadata:     loss = 0.5
        """
    )
    assert said("show", "base").splitlines()[:2] == ["execution <id 0>", "Status:       succeeded"]
    assert said("show", "nope") == UNKNOWN


def test_show_as_json(two: Path, lineage: Lineage, git: Git) -> None:
    found = json.loads(lineage("show", "--json").stdout)
    identity = found["id"]
    for name in ("id", "commit", "started_at", "finished_at", "duration_seconds", "cpu_seconds",
                 "peak_memory_bytes", "environment", "place"):  # fmt: skip
        assert found.pop(name), name
    assert found.pop("agent").pop("login")
    assert found.pop("software") == {"name": "git-lineage", "version": gitlineage.__version__}
    snapshot = found["code"].pop("snapshot")
    assert git("rev-parse", f"{snapshot}^{{tree}}") == git("rev-parse", "HEAD^{tree}")
    assert found["code"].pop("committed_as") == []
    (used,) = found.pop("inputs")
    blake3 = "7f50268a4ac620f9b5439ecfdc9bf41fafc5c76b868abea892770884093b31f6"
    assert used.pop("digests") == {"blake3": blake3,
                                   "sha256": hashlib.sha256(b"raw\n").hexdigest()}  # fmt: skip
    assert used == {
        "path": "raw.csv", "type": "file", "how": "argument", "size": 4, "is_executable": False,
        "digest": "blake3:" + blake3,
    }  # fmt: skip
    assert found == {
        "kind": "execution", "step": "fit", "title": None, "status": "failed", "exit_code": 3,
        "signal": None, "directory": ".", "image": None, "outputs": [], "cost": None, "usage": None,
        "command": ["sh", "-c", "echo '{\"loss\": 0.5}'; exit 3", "sh", "raw.csv"],
        "code": {"commit": git("rev-parse", "HEAD"), "tree": git("rev-parse", "HEAD^{tree}"),
                 "branch": "main", "is_adhoc": False, "differs_count": 0, "remotes": {},
                 "left_out": [], "submodules": [], "notebook": None},
        "parameters": {"rate": 0.1}, "variables": {"LC_ALL": "C.UTF-8", "TZ": "UTC"},
        "variable_names": [], "masked": [], "metadata": {"loss": 0.5},
        "points_count": 1, "tags": [], "deployed_by": [],
        "parent": None, "root": None, "warnings": [], "queued_at": None,
        "reproduces": None, "comparison": None, "reproduced_by": [], "code_read": None,
        "template": [], "interpolated": [], "configuration": None, "declared_image": None,
    }  # fmt: skip
    done = lineage("show", "--json", "nope", check=False)
    assert (done.returncode, done.stderr) == (3, "")
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["asked"]) == ("UnknownId", "nope")
    assert json.loads(lineage("log", "--json", "-n1").stdout)["id"] == identity


def test_trace(two: Path, said) -> None:
    assert said("trace", "--format", "tree", "raw.csv") == text(
        """
        raw.csv  4 B  blake3:7f50268a

        How it was made
        \u2514\u2500 sh <0>  "Get data"  succeeded <time>  <date>  [base]  detected

        What relies on it
        \u2514\u2500 fit <1>  failed <time>  <date>  loss=0.5  rate=0.1
        """
    )
    assert said("trace", "nope") == text(
        """
        ! error: no execution knows nope
        ! hint: record the command that makes it: `git lineage run -- COMMAND`
        [3]
        """
    )
    Path("raw.csv").write_text("edited")
    assert said("trace", "raw.csv") == text(
        """
        ! error: raw.csv was changed since execution <0> made it
        ! hint: see what it was then: `git lineage trace <0>:raw.csv`
        [3]
        """
    )


def test_output(two: Path, said) -> None:
    assert said("output") == '{"loss": 0.5}\n'
    assert said("output", "base") == ""
    assert said("output", "nope") == UNKNOWN


def test_code(two: Path, said) -> None:
    assert said("code") == "README.md\ncode.py\n"
    assert said("code", "-z") == "README.md\0code.py\0"
    assert said("code", "-o", "../taken") == "! code of <1> is in ../taken\n"
    assert sorted(os.listdir("../taken")) == ["README.md", "code.py"]
    assert said("code", "-o", "../taken") == (
        "! error: ../taken is there already; give a new or an empty folder\n[1]\n"
    )
    assert said("code", "nope") == UNKNOWN


def test_tag(two: Path, said) -> None:
    assert said("tag", "-m", "Good", "best", "@", "base") == "! tagged <1>, <0> as best\n"
    assert said("tag") == "base  1\nbest  2\n"
    listed = said("tag", "-l", "best").splitlines()
    assert sorted(listed) == [
        f"<{n}>  <date>  Ada Lovelace <ada@example.org>  Good" for n in (0, 1)
    ]
    assert said("tag", "-d", "best", "base") == "! removed best from <0>\n"
    assert said("tag", "-d", "base") == "! removed base from <0>\n"
    assert said("tag") == "best  1\n"
    assert said("tag", "-d", "nope") == text(
        """
        ! error: no tag is called nope
        ! hint: run `git lineage tag` to see what there is, or `git lineage fetch` to get the team's
        [3]
        """
    )
    assert said("tag", "-d", "best", "base") == text(
        """
        ! error: no execution or tag is called base
        ! hint: run `git lineage log` to see what there is, or `git lineage fetch` to get the team's
        [3]
        """
    )
    assert said("tag", "more", "@~1").startswith("! tagged ")
    assert said("tag", "-d", "more", "@").startswith("! error: <1> has no tag more\n! hint: ")
    for name in ("@x", "-x"):
        for words in (("tag", "--", name), ("run", f"-t{name}", "--", "touch", "../ran")):
            refused = f"! error: not a tag name: {name}\n! hint: a tag is one short line of text"
            assert said(*words).startswith(refused)
    assert said("tag") == "best  1\nmore  1\n"
    assert not Path("../ran").exists()
    assert said("tag", "a\nb").startswith("! error: not a tag name: a\\nb\n! hint: a tag is ")


def test_init_and_sharing(two: Path, said, git: Git, bare_remote: Path) -> None:
    none = ("! error: there is no remote to share lineage with; add one with "
            "`git remote add origin URL`\n[1]\n")  # fmt: skip
    for verb in ("fetch", "push", "sync"):
        assert said(verb) == none
    git("remote", "add", "origin", bare_remote)
    hook = "<world>/repo/.git/hooks/pre-push"
    assert said("init") == text(
        f"""
        ! lineage: fetches of origin bring refs/lineage/ledger/*
        ! lineage: fetches of origin bring refs/lineage/tags/*
        ! lineage: pushes carry lineage ({hook})
        ! lineage: `git log` shows executions as notes on commits
        ! lineage: 0 new records from origin
        """
    )
    # Each time a little different: a nonce does not compress.
    introduced, last = said("push").rsplit("!", 1)
    assert re.sub(r"[\d.]+ (B|KiB)", "SIZE", introduced) == text(
        """
        ! lineage: for the first time, origin (<world>/remote.git) gets
        !   2 records, SIZE
        !   in these SIZE of logs: what commands printed
        !   1 tag
        !   1 snapshot of code that is not published, SIZE
        """
    )
    assert last == " lineage: sent 2 records and 1 tag to origin\n"
    assert said("push") == "! lineage: origin is up to date\n"
    assert said("fetch") == "! lineage: 0 new records from origin\n"
    assert said("sync") == (
        "! lineage: 0 new records from origin\n! lineage: origin is up to date\n"
    )
    for words in (
        ("fetch", "nope"),
        ("push", "nope"),
        ("sync", "nope"),
        ("doctor", "nope"),
        ("init", "--remote", "nope"),
    ):
        assert said(*words) == (
            "! error: there is no remote called nope\n! hint: `git remote -v` lists them\n[3]\n"
        )
    assert said("init", "--undo") == text(
        """
        ! lineage: fetches of origin bring no lineage
        ! lineage: `git log` shows no notes of executions
        ! lineage: pushes carry no lineage
        """
    )
    assert said("pre-push", "nope", "url") == ""


def test_a_file_where_an_execution_is_expected(two: Path, said) -> None:
    Path("models").mkdir()
    Path("raw.csv").unlink()  # it is known from its record
    for verb in ("show", "output", "reproduce", "diff", "code", "export", "forget"):
        for name, type_ in (("raw.csv", "file"), ("code.py", "file"), ("models", "folder")):
            assert said(verb, name) == (
                f"! error: {name} is a {type_}, no execution\n! hint: what made it: "
                f"`git lineage trace {name}`, or `git lineage log --produces {name}`\n[3]\n"
            )


def test_import_of_no_file(two: Path, said) -> None:
    assert said("import", "nofile") == "! error: file nofile not found\n[3]\n"
    assert said("import", ".") == "! error: .: is a directory\n[1]\n"
    assert said("import", "-") == said("import") == "! lineage: 0 executions imported\n"


def test_forget_looks_for_it_before_it_asks_why(two: Path, said) -> None:
    assert said("forget", "nope") == UNKNOWN
    assert said("forget", "@") == "! error: say why, with -m\n! hint: git lineage forget -h\n[2]\n"


# --- errors of no verb in particular --------------------------------------------------------------


def test_help_and_usage(isolated: Path, lineage: Lineage) -> None:
    done = lineage("-h")
    assert done.stdout.startswith("Usage: git lineage [OPTIONS] COMMAND [ARGS]...\n")
    for verb in VERBS:
        if verb != "pre-push":
            assert f"\n  {verb} " in done.stdout
            told = lineage(verb, "-h")
            assert told.stdout.startswith(f"Usage: git lineage {verb} ")
            assert told.stderr == ""
    none = lineage(check=False)
    assert (none.stdout, none.returncode) == ("", 2)
    assert none.stderr.startswith("Usage: git lineage [OPTIONS] COMMAND [ARGS]...\n")
    one_error(lineage("nope", check=False), 2)
    one_error(lineage("log", "--status", "nope", check=False), 2)
    one_error(lineage("log", "-n", "x", check=False), 2)


@pytest.mark.parametrize("verb", [each for each in VERBS if each != "pre-push"])
def test_outside_of_a_repository(isolated: Path, lineage: Lineage, verb: str) -> None:
    words = {"run": ["--", "true"], "trace": ["x"], "metadata": ["show"],
             "sql": ["SELECT 1"], "archive": ["--before", "today", "x"]}.get(verb, [])  # fmt: skip
    done = lineage(verb, *words, check=False)
    assert done.stderr == (
        f"error: not a git repository: {Path.cwd()}\n"
        "hint: go into a repository, or make one with `git init`\n"
    )
    assert (done.stdout, done.returncode) == ("", 125 if verb == "run" else 3)


def test_bare_repository(bare_remote: Path, lineage: Lineage) -> None:
    done = lineage("run", "--", "true", cwd=bare_remote, check=False)
    assert done.stderr == (
        f"error: this repository has no work tree: {bare_remote}\n"
        "hint: run the command in its work tree, or in a clone of it\n"
    )
    assert done.returncode == 125
    assert lineage("log", cwd=bare_remote).stdout == ""


@pytest.mark.parametrize(
    "name", ["@~2", "@nope", "@~x", "@~-1", "abc", "f" * 40, "f" * 64, "", "-"]
)
def test_names_of_nothing(two: Path, lineage: Lineage, name: str) -> None:
    done = lineage("show", "--", name, check=False)
    one_error(done, 3)
    assert done.stderr.startswith(f"error: no execution or tag is called {name}")


def test_names_as_git_has_them(two: Path, lineage: Lineage) -> None:
    assert last("@~").id == last("@~1").id != last("@").id == last("@~0").id
    assert last("@sh~0").id == last("@sh").id
    done = lineage("show", last().id[:2], check=False)
    one_error(done, 3)
    assert "is too short for the beginning of an id: at least 4 digits" in done.stderr


def test_repository_that_cannot_be_written_to(two: Path, isolated: Path) -> None:
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root can write everywhere, and there is no setpriv to take that away")
    subprocess.run(["chmod", "-R", "a-w", two], check=True)
    command = [*POWERLESS, "git", "lineage"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    try:
        one_error(run("run", "--", "touch", "../ran"), 125)
        assert not Path("../ran").exists()
        (two / "code.py").chmod(0o666)
        (two / "code.py").write_text("changed\n")
        one_error(run("run", "--", "true"), 125)
        one_error(run("tag", "x"), 1)
        done = run("log", "--oneline")
        assert (len(done.stdout.splitlines()), done.stderr, done.returncode) == (2, "", 0)
        assert run("show").returncode == 0
        folder = isolated / "secret"
        folder.mkdir()
        folder.chmod(0)
        done = run("run", "-i", str(folder), "--", "true")
        one_error(done, 125)
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", isolated], check=True)


def test_bug_is_one_line_and_a_file(repo: Path, isolated: Path) -> None:
    code = ("import sys\nfrom gitlineage import cli\n"
            "def fail(words): raise ZeroDivisionError('oh')\n"
            "cli._click = fail\nsys.exit(cli.main(['log']))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "TMPDIR": str(isolated)})  # fmt: skip
    first, second = done.stderr.splitlines()
    assert first == "error: this is a bug in git-lineage: ZeroDivisionError: oh"
    log = Path(second.rpartition(" ")[2])
    assert second == f"hint: please report it with {log}"
    assert log.parent == isolated
    assert "Traceback" in log.read_text()
    assert (done.stdout, done.returncode) == ("", 70)


def test_reader_that_goes_away(two: Path) -> None:
    done = subprocess.run("git lineage log | true", shell=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_show_says_why_code_is_adhoc(repo: Path, git: Git, said) -> None:
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo), "sub")
    git("commit", "-q", "-m", "Submodule")
    (repo / "sub/code.py").write_text("changed there\n")
    (repo / "code.py").write_text("changed here\n")
    (repo / "README.md").unlink()
    (repo / ".env").write_text("KEY=x\n")
    for number in range(11):
        (repo / f"new-{number:02d}.py").write_text("x = 1\n")
    said("run", "-q", "--", "true")
    page = said("show")
    shown = page[page.index("Commit:") : page.index("Step:")]
    assert re.sub(r"\b[0-9a-f]{12}\b", "<commit>", shown) == text(
        """
        Commit:       ad-hoc: <commit> on main, 14 files differ
                      deleted: README.md
                      modified: code.py
                      new: new-00.py
                      new: new-01.py
                      new: new-02.py
                      new: new-03.py
                      new: new-04.py
                      new: new-05.py
                      new: new-06.py
                      new: new-07.py
                      and 3 more
                      submodule sub at <commit>: has changes of its own, which are not kept
          all of it:  git lineage code <0> -o FOLDER
          left out:   .env (named like a secret, 6 B)
        """
    )


def test_python_starts_it_as_a_module(two: Path, lineage: Lineage) -> None:
    for words, code in ((["log", "--json"], 0), (["nope"], 2)):
        done = subprocess.run([sys.executable, "-m", "gitlineage", *words], capture_output=True,
                              text=True)  # fmt: skip
        same = lineage(*words, check=False)
        assert (done.returncode, done.stdout) == (code, same.stdout)
        assert done.stderr == same.stderr


@pytest.mark.parametrize("words", ["log", "show", "log --json", "status", "trace @", "-h"])
def test_a_reader_that_has_gone(two: Path, words: str) -> None:
    """As git does, which SIGPIPE ends: without a word, and the status of that signal."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(["git-lineage", *words.split()], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(("words", "said"), [
    (("log", "--step", "nope"), "no execution is of step nope"),
    (("log", "--tag", "nope", "--step", "one"), "no execution has tag nope"),
    (("log", "--uses", "nope"), "no execution used nope"),
    (("log", "--author", "nope"), "no execution is by nope"),
    (("tag", "-l", "nope"), "nothing has tag nope"),
    (("deploy", "--list", "--at", "2020-01-01"), "no deployment was in use at 2020-01-01"),
    (("deploy", "--list"), "no deployment is recorded"),
])  # fmt: skip
def test_a_terminal_hears_why_nothing_is_listed(
    repo: Path, lineage: Lineage, words: tuple[str, ...], said: str
) -> None:
    lineage("run", "-q", "--step", "one", "--", "true")
    assert f"lineage: {said}\r\n" in on_terminal(*words, columns=80)
    done = lineage(*words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # as git


def test_a_terminal_is_told_of_no_filter_that_fits_alone(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--step", "one", "-t", "good", "--", "true")
    lineage("run", "-q", "--step", "two", "--", "true")
    said = on_terminal("log", "--step", "two", "--tag", "good", columns=80)
    assert "lineage:" not in said


def test_mistyped_verbs(repo: Path, lineage: Lineage) -> None:
    for verb, near in (("lgo", " (did you mean log?)"), ("xyzzy", ""),
                       ("rerun", " (did you mean reproduce?)")):  # fmt: skip
        done = lineage(verb, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (
            2, "", f"error: no such command {verb!r}{near}\nhint: git lineage -h\n",
        )  # fmt: skip
