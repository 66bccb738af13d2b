"""Real remotes: a path, `git daemon`, `git http-backend` behind nginx, `sshd`, and silent ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import servers
from executions import until
from sharing import Trace, commit, git, members, record, refs, steps, sync, tag, trees

Lineage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def http(bare_remote: Path, isolated: Path) -> Iterator[str]:
    """Serve the remote over HTTP to those who know the password; return its URL."""
    yield from _served(servers.http(bare_remote.parent, isolated / "server"), bare_remote)


@pytest.fixture
def daemon(bare_remote: Path) -> Iterator[str]:
    """Serve the remote by git's own daemon; return its URL."""
    yield from _served(servers.daemon(bare_remote.parent), bare_remote)


@pytest.fixture
def ssh(bare_remote: Path, isolated: Path) -> Iterator[str]:
    """Serve the remote by an sshd; return its URL."""
    yield from _served(servers.ssh(bare_remote.parent, isolated / "sshd"), bare_remote)


def _served(server: AbstractContextManager[str], remote: Path) -> Iterator[str]:
    try:
        with server as url:
            yield url + remote.name
    except servers.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["path", "daemon", "http", "ssh"])
def url(request: pytest.FixtureRequest, bare_remote: Path) -> str:
    return str(bare_remote) if request.param == "path" else request.getfixturevalue(request.param)


def test_a_team_of_two(url: str, bare_remote: Path, isolated: Path, lineage: Lineage) -> None:
    ours, theirs = isolated / "ours", isolated / "theirs"
    git(bare_remote, "config", "receive.fsckObjects", "true")
    git(isolated, "clone", "-q", url, ours)
    commit(ours, "code.py", "print(1)\n")
    git(ours, "config", "remote.origin.lineage", "true")
    lineage("init", cwd=ours)
    git(ours, "push", "-q", "-u", "origin", "main")
    (ours / "code.py").write_text("print(2)\n")
    made = "python3 code.py >model"
    lineage("run", "-q", "-t", "prod", "--step", "train", "--", "sh", "-c", made, cwd=ours)
    done = subprocess.run(["git", "push"], cwd=ours, capture_output=True, text=True)
    assert done.stderr == "lineage: sent 1 record and 1 tag to origin\nEverything up-to-date\n"

    git(isolated, "clone", "-q", url, theirs)
    assert lineage("init", cwd=theirs).stderr.endswith("\nlineage: 1 new record from origin\n")
    assert steps(theirs) == ["train"]
    assert lineage("tag", cwd=theirs).stdout == lineage("tag", cwd=ours).stdout != ""
    shown = [lineage("show", "prod", cwd=each).stdout for each in (ours, theirs)]
    # Which files of the code differ is known where the code is; it comes when it is asked for.
    told = ("modified: code.py", "which: not known here")
    known, unknown = ([each for each in page.splitlines() if not any(t in each for t in told)]
                      for page in shown)  # fmt: skip
    assert known == unknown != []
    shutil.copy(ours / "model", theirs / "model")
    traced = [lineage("trace", "model", cwd=each).stdout for each in (ours, theirs)]
    assert traced[0] == traced[1] != ""
    assert not refs(theirs, "refs/lineage/code")
    assert lineage("code", "prod", "-o", theirs / "ran", cwd=theirs).returncode == 0
    assert (theirs / "ran/code.py").read_text() == "print(2)\n"

    # Both record and push by plain git; both end up with everything.
    tag(theirs, "good", record(theirs, "theirs"))
    record(ours, "ours")
    for clone in (theirs, ours):
        git(clone, "push", "-q", "origin", "HEAD")
    git(theirs, "pull", "-q")
    assert steps(ours) == steps(theirs) == ["ours", "theirs", "train"]
    assert members(ours) == members(theirs)
    assert trees(bare_remote) == trees(ours)
    assert git(bare_remote, "fsck", "--strict", "--no-dangling") == ""


def test_a_push_over_http_is_one_conversation(http: str, isolated: Path, tmp_path: Path) -> None:
    ours = isolated / "ours"
    git(isolated, "clone", "-q", http, ours)
    record(ours, "a")
    with Trace(tmp_path / "trace") as trace:
        assert sync(ours).push("origin").rounds == 1
    assert [each for each in trace.started() if each in ("push", "fetch")] == ["push"]


def test_a_wrong_password_is_told(http: str, isolated: Path) -> None:
    ours = isolated / "ours"
    git(isolated, "clone", "-q", http, ours)
    git(ours, "config", "remote.origin.lineage", "true")
    git(ours, "config", "--global", "credential.helper", "!f() { echo username=a; "
        "echo password=b; }; f")  # fmt: skip
    record(ours, "a")
    script = "from gitlineage.cli import main; import sys; sys.exit(main(['push']))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ours, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (
        1, "", f"error: origin did not take lineage: Authentication failed for '{http}/'; not there"
        " yet: 1 record\nhint: what is unpushed stays here; try `git lineage push origin` again\n",
    )  # fmt: skip


# -- a server that does not answer -----------------------------------------------------------


def test_a_silent_server_keeps_no_push_waiting(
    clone_pair: tuple[Path, Path],
    bare_remote: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    git(ours, "remote", "set-url", "origin", f"ssh://nowhere{bare_remote}")
    (tmp_path / "ssh").write_text(f"#!/bin/sh\necho $$ $PPID >'{tmp_path}/pids'\nexec sleep 600\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(tmp_path / "ssh"))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    # As the hook does it, with less patience.
    script = (
        "import sys, gitlineage.cli.hook as hook\n"
        "from gitlineage.cli import main\n"
        "hook.PATIENCE = 1.0\n"
        "sys.exit(main(['pre-push', 'origin', 'url']))\n"
    )
    git(ours, "config", "remote.origin.lineage", "true")
    git(ours, "config", "--add", "remote.origin.fetch",
        "+refs/lineage/ledger/*:refs/lineage-remotes/origin/ledger/*")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], cwd=ours, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "", "warning: lineage was not sent: no answer within 1 s\n"
        "hint: the code goes on its way; later `git lineage push origin`\n",
    )  # fmt: skip
    ssh, push = map(int, (tmp_path / "pids").read_text().split())
    try:
        until(lambda: not _is_alive(push), "the end of git push", 10)
    finally:
        if _is_alive(ssh):
            os.kill(ssh, signal.SIGKILL)


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_code_push_goes_on_when_lineage_hangs(
    clone_pair: tuple[Path, Path],
    bare_remote: Path,
    tmp_path: Path,
    lineage: Lineage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server answers the push of the code, and not the second connection, of lineage."""
    ours, _ = clone_pair
    lineage("init", cwd=ours)
    record(ours, "a")
    commit(ours, "code.py", "print(2)\n")
    git(ours, "remote", "set-url", "origin", f"ssh://nowhere{bare_remote}")
    (tmp_path / "ssh").write_text(
        f"#!/bin/sh\nif mkdir '{tmp_path}/first' 2>/dev/null; then exec sh -c \"$2\"; fi\n"
        f"echo $$ >'{tmp_path}/pid'; exec sleep 600\n"
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(tmp_path / "ssh"))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    (tmp_path / "patience.py").write_text(
        "import sys, gitlineage.cli.hook as hook\n"
        "from gitlineage.cli import main\n"
        "hook.PATIENCE = 1.0\n"
        "sys.exit(main())\n"
    )
    program = tmp_path / "bin/git-lineage"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{tmp_path}/patience.py' \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    done = subprocess.run(["git", "push", "origin", "main"], cwd=ours, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert done.returncode == 0
    assert "no answer within 1 s" in done.stderr
    assert refs(bare_remote)["refs/heads/main"] == refs(ours)["refs/heads/main"]
