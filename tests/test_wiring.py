"""What `git lineage init` changes and takes back, and the hook that must never be in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sharing import commit, git, hook, record, refs, steps, sync

from gitlineage.repository import Repository
from gitlineage.wiring import Push, Wiring

Lineage = Callable[..., subprocess.CompletedProcess[str]]
Pair = tuple[Path, Path]


def state(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return what is in a folder: names, kinds, permissions and contents."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        name, mode = str(path.relative_to(folder)), path.lstat().st_mode
        if path.is_symlink():
            found[name] = (mode, os.readlink(path))
        else:
            found[name] = (mode, None if path.is_dir() else path.read_bytes())
    return found


def wiring(clone: Path) -> Wiring:
    return Wiring(Repository.discover(str(clone)))


def push(clone: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `git push`, whatever comes out."""
    return subprocess.run(["git", "push", *(arguments or ("origin", "main"))], cwd=clone,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)  # fmt: skip


def shared(remote: Path) -> bool:
    """Tell whether a remote has any lineage."""
    return bool(refs(remote, "refs/lineage"))


# -- init and undo ---------------------------------------------------------------------------


def test_init_says_what_it_changes_once_and_takes_all_of_it_back(
    clone_pair: Pair, lineage: Lineage
) -> None:
    ours, _ = clone_pair
    config = (ours / ".git/config").read_bytes()
    hooks = state(ours / ".git/hooks")
    info = state(ours / ".git/info")
    assert lineage("init", cwd=ours).stderr == (
        "lineage: fetches of origin bring refs/lineage/ledger/*\n"
        "lineage: fetches of origin bring refs/lineage/tags/*\n"
        f"lineage: pushes carry lineage ({ours}/.git/hooks/pre-push)\n"
        "lineage: `git log` shows executions as notes on commits\n"
        "lineage: 0 new records from origin\n"
    )
    assert git(ours, "config", "--get-all", "remote.origin.fetch").splitlines() == [
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/lineage/ledger/*:refs/lineage-remotes/origin/ledger/*",
        "+refs/lineage/tags/*:refs/lineage-remotes/origin/tags/*",
    ]
    wired = (ours / ".git/config").read_bytes(), state(ours / ".git/hooks")
    assert lineage("init", cwd=ours).stderr == (
        "lineage: nothing to change\nlineage: 0 new records from origin\n"
    )
    assert ((ours / ".git/config").read_bytes(), state(ours / ".git/hooks")) == wired
    assert lineage("init", "--undo", cwd=ours).stderr == (
        "lineage: fetches of origin bring no lineage\n"
        "lineage: `git log` shows no notes of executions\n"
        "lineage: pushes carry no lineage\n"
    )
    assert (ours / ".git/config").read_bytes() == config
    assert (state(ours / ".git/hooks"), state(ours / ".git/info")) == (hooks, info)
    assert lineage("init", "--undo", cwd=ours).stderr == "lineage: nothing to change\n"


def test_init_without_a_remote(repo: Path, lineage: Lineage) -> None:
    assert lineage("init").stderr == (
        "lineage: `git log` shows executions as notes on commits\n"
        "lineage: there is no remote yet; after `git remote add` do this again\n"
    )


def test_init_where_it_is_not_clear_which_remote(repo: Path, lineage: Lineage) -> None:
    git(repo, "remote", "add", "one", "nowhere")
    git(repo, "remote", "add", "two", "nowhere")
    config = (repo / ".git/config").read_bytes()
    done = lineage("init", check=False)
    assert (done.returncode, done.stderr) == (
        1, "error: there are several remotes, name one: one two\n"
    )  # fmt: skip
    assert (repo / ".git/config").read_bytes() == config


def test_init_with_a_remote_that_cannot_be_reached(repo: Path, lineage: Lineage) -> None:
    git(repo, "remote", "add", "origin", repo.parent / "nowhere")
    done = lineage("init")
    assert done.stderr.splitlines()[-1] == (
        f"warning: not fetched: git fetch failed: '{repo.parent}/nowhere' does not appear to be a "
        "git repository"
    )
    assert git(repo, "config", "--get-all", "remote.origin.fetch").count("lineage") == 4


def test_undo_leaves_what_was_there_before(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    git(ours, "config", "notes.displayRef", "refs/notes/lineage")
    git(ours, "config", "--add", "remote.origin.fetch",
        "+refs/lineage/tags/*:refs/lineage-remotes/origin/tags/*")  # fmt: skip
    shutil.rmtree(ours / ".git/hooks")
    config = (ours / ".git/config").read_bytes()
    assert len(wiring(ours).connect("origin")) == 2
    assert wiring(ours).disconnect(None) == ["fetches of origin bring no lineage",
                                             "pushes carry no lineage"]  # fmt: skip
    assert (ours / ".git/config").read_bytes() == config
    assert not (ours / ".git/hooks").exists()


def test_undo_for_one_of_two_remotes(clone_pair: Pair, bare_remote: Path) -> None:
    ours, _ = clone_pair
    before = (ours / ".git/config").read_bytes()
    git(ours, "remote", "add", "other", bare_remote)
    wiring(ours).connect("origin")
    wiring(ours).connect("other")
    assert wiring(ours).disconnect("other") == ["fetches of other bring no lineage"]
    assert sync(ours).is_shared("origin")
    assert (ours / ".git/hooks/pre-push").exists()
    wiring(ours).disconnect(None)
    git(ours, "remote", "remove", "other")
    assert (ours / ".git/config").read_bytes() == before


def test_a_remote_that_was_renamed_gets_its_own_tracking_refs(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    wiring(ours).connect("origin")
    git(ours, "remote", "rename", "origin", "up")
    assert wiring(ours).connect("up") == [
        "fetches of up no longer write refs/lineage-remotes/origin/ledger/*",
        "fetches of up no longer write refs/lineage-remotes/origin/tags/*",
        "fetches of up bring refs/lineage/ledger/*",
        "fetches of up bring refs/lineage/tags/*",
    ]


def test_a_remote_that_has_lost_its_refspecs_is_noticed(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    wiring(ours).connect("origin")
    record(ours, "a")
    git(ours, "remote", "set-branches", "origin", "main")
    assert push(ours).stderr == (
        "warning: lineage was not sent: origin has lost its fetch refspecs\n"
        "hint: put them back with `git lineage init --remote origin`\n"
        "Everything up-to-date\n"
    )
    wiring(ours).connect("origin")
    push(ours)
    assert shared(bare_remote)


# -- what a plain push and a plain fetch carry -----------------------------------------------


def test_plain_push_and_pull(clone_pair: Pair, bare_remote: Path, lineage: Lineage) -> None:
    ours, theirs = clone_pair
    for clone in (ours, theirs):
        lineage("init", cwd=clone)
    commit(ours, "code.py", "print(2)\n")
    lineage("run", "-q", "-t", "prod", "--", "sh", "-c", "echo 1 >model", cwd=ours)
    done = push(ours)
    assert "lineage: sent 1 record and 1 tag to origin\n" in done.stderr
    kinds = {name.rpartition("/")[0] for name in refs(bare_remote)}
    assert kinds == {"refs/heads", "refs/notes", "refs/lineage/ledger", "refs/lineage/code",
                     "refs/lineage/tags"}  # fmt: skip
    # Nothing new, also for lineage: nothing is said.
    done = push(ours)
    assert (done.stdout, done.stderr) == ("", "Everything up-to-date\n")
    # The code is up to date and lineage is not; another branch is pushed; quietly.
    lineage("run", "-q", "--", "true", cwd=ours)
    assert push(ours).stderr == "lineage: sent 1 record to origin\nEverything up-to-date\n"
    lineage("run", "-q", "--", "true", cwd=ours)
    git(ours, "branch", "other")
    assert "lineage: sent 1 record to origin\n" in push(ours, "origin", "other").stderr
    lineage("run", "-q", "--", "true", cwd=ours)
    assert push(ours, "-q", "origin", "other").stderr == ""
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")
    git(theirs, "pull", "-q")
    assert steps(theirs) == ["sh", "true", "true", "true"]
    assert refs(theirs, "refs/lineage/ledger", "refs/lineage/tags") == refs(
        ours, "refs/lineage/ledger", "refs/lineage/tags")  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [["--dry-run", "origin", "main"], ["-n", "origin", "main"], ["-vn", "origin", "HEAD:new"],
     ["--dry", "origin", "main"], ["--no-verify", "origin", "main"]],
    ids=" ".join,
)  # fmt: skip
def test_pushes_that_send_nothing(
    clone_pair: Pair, bare_remote: Path, arguments: list[str]
) -> None:
    ours, _ = clone_pair
    wiring(ours).connect("origin")
    record(ours, "a")
    assert push(ours, *arguments).returncode == 0
    assert not shared(bare_remote)


def test_a_dry_run_is_seen_behind_an_alias_and_another_hook(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    wiring(ours).connect("origin")
    record(ours, "a")
    git(ours, "config", "alias.try", "push --dry-run")
    git(ours, "try", "origin", "main")
    own = hook(ours, "pre-push", 'sh -c "git lineage pre-push $1 $2 </dev/null" || true\n')
    git(ours, "try", "origin", "main")
    assert not shared(bare_remote)
    assert wiring(ours).connect("origin") == []
    assert "lineage pre-push" in own.read_text()
    push(ours)
    assert shared(bare_remote)


@pytest.mark.parametrize(
    ("words", "is_dry_run", "is_quiet"),
    [
        ("origin main", False, False),
        ("--dry-run", True, False),
        ("--dry origin", True, False),
        ("--d", False, False),
        ("--delete origin x", False, False),
        ("-fnq", True, True),
        ("-q -onotify", False, True),
        ("-- -n", False, False),
        ("--quiet", False, True),
    ],
)
def test_what_a_push_was_asked(words: str, is_dry_run: bool, is_quiet: bool) -> None:
    asked = Push(words.split())
    assert (asked.is_dry_run, asked.is_quiet) == (is_dry_run, is_quiet)


def test_a_push_to_a_url_or_another_remote_carries_none(
    clone_pair: Pair, bare_remote: Path, isolated: Path
) -> None:
    ours, _ = clone_pair
    other = isolated / "other.git"
    git(ours, "init", "-q", "--bare", other)
    git(ours, "remote", "add", "other", other)
    wiring(ours).connect("origin")
    record(ours, "a")
    for target in (str(bare_remote), bare_remote.as_uri(), "other"):
        done = push(ours, target, "main")
        assert (done.returncode, "lineage" in done.stderr) == (0, False)
    git(ours, "config", "remote.origin.lineage", "false")
    assert "lineage" not in push(ours).stderr
    assert not shared(bare_remote)
    assert not shared(other)


# -- hooks that were there -------------------------------------------------------------------

CHECK = 'read local sha remote rest; echo "$1|$2|$local|$remote|$rest" >>"$SEEN"\nexit $CODE\n'


@pytest.mark.parametrize("kind", ["script", "link", "broken link", "not executable", "deaf"])
@pytest.mark.parametrize("where", ["repo", 'it\'s a "repo" $HOME'])
def test_a_hook_that_was_there(
    isolated: Path, bare_remote: Path, monkeypatch: pytest.MonkeyPatch, kind: str, where: str
) -> None:
    ours, seen = isolated / where, isolated / "seen"
    git(isolated, "clone", "-q", bare_remote, ours)
    commit(ours, "code.py", "1\n")
    path = hook(ours, "pre-push", CHECK)
    if kind == "deaf":
        hook(ours, "pre-push", 'echo >>"$SEEN"; exit $CODE\n')
    elif kind == "not executable":
        path.chmod(0o644)
    elif kind != "script":
        path.rename(ours / ".git/hook.sh")
        path.symlink_to("../hook.sh" if kind == "link" else "../gone.sh")
    hooks = state(ours / ".git/hooks")
    monkeypatch.setenv("SEEN", str(seen))
    expected = {"script": 1, "link": 1, "deaf": 1}.get(kind, 0)

    monkeypatch.setenv("CODE", "3")
    before = push(ours)
    assert before.returncode == (1 if expected else 0)
    git(bare_remote, "update-ref", "-d", "refs/heads/main")
    git(ours, "update-ref", "-d", "refs/remotes/origin/main")
    said_before = seen.read_text() if expected else ""
    seen.unlink(missing_ok=True)

    wiring(ours).connect("origin")
    record(ours, "a")
    after = push(ours)
    assert after.returncode == before.returncode
    assert (seen.read_text() if expected else "") == said_before
    assert shared(bare_remote) != bool(expected)

    monkeypatch.setenv("CODE", "0")
    assert push(ours).returncode == 0
    assert shared(bare_remote)
    assert len(seen.read_text().splitlines() if expected else ()) == 2 * expected
    wiring(ours).disconnect(None)
    assert state(ours / ".git/hooks") == hooks


def test_a_hook_that_has_replaced_ours_is_kept_and_so_is_the_first(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    folder = ours / ".git/hooks"
    hook(ours, "pre-push", "# first\n")
    wiring(ours).connect("origin")
    hook(ours, "pre-push", "# second\n")
    assert wiring(ours).connect("origin") == [
        f"the hook that was before ours is now {folder}/pre-push.before-lineage.1",
        f"pushes carry lineage ({folder}/pre-push, after your own hook)",
    ]
    wiring(ours).disconnect(None)
    assert (folder / "pre-push").read_text() == "#!/bin/sh\n# second\n"
    assert (folder / "pre-push.before-lineage.1").read_text() == "#!/bin/sh\n# first\n"


@pytest.mark.parametrize("is_ignored", [False, True])
def test_hooks_in_the_work_tree(clone_pair: Pair, bare_remote: Path, is_ignored: bool) -> None:
    ours, _ = clone_pair
    git(ours, "config", "core.hooksPath", ".githooks")
    (ours / ".githooks").mkdir()
    (ours / ".githooks/commit-msg").write_text("#!/bin/sh\n")
    if is_ignored:  # as husky has it
        (ours / ".githooks/.gitignore").write_text("*\n")
        (ours / ".githooks/pre-push").write_text("#!/bin/sh\n")
        (ours / ".githooks/pre-push").chmod(0o755)
    else:
        git(ours, "add", ".githooks")
        git(ours, "commit", "-q", "-m", "Hooks")
    before = state(ours / ".githooks"), state(ours / ".git/info"), git(ours, "status", "-s")
    wiring(ours).connect("origin")
    assert git(ours, "status", "-s") == before[2]
    record(ours, "a")
    assert push(ours).returncode == 0
    assert shared(bare_remote)
    wiring(ours).disconnect(None)
    assert (state(ours / ".githooks"), state(ours / ".git/info"),
            git(ours, "status", "-s")) == before  # fmt: skip


def test_a_tracked_hook_is_not_touched(clone_pair: Pair, bare_remote: Path) -> None:
    ours, _ = clone_pair
    git(ours, "config", "core.hooksPath", ".githooks")
    own = ours / ".githooks/pre-push"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    git(ours, "add", ".githooks")
    git(ours, "commit", "-q", "-m", "Hooks")
    said = wiring(ours).connect("origin")
    line = 'git lineage pre-push "$@" </dev/null || true'
    assert said[2] == (f"left {own} alone, which is part of the work tree: add the line "
                       f"`{line}` to it yourself")  # fmt: skip
    assert git(ours, "status", "-s") == ""
    own.write_text(f"#!/bin/sh\n{line}\n")
    assert wiring(ours).connect("origin") == []
    record(ours, "a")
    assert push(ours).returncode == 0
    assert shared(bare_remote)
    wiring(ours).disconnect(None)
    assert own.read_text() == f"#!/bin/sh\n{line}\n"


def test_hooks_that_several_repositories_share(clone_pair: Pair, isolated: Path) -> None:
    ours, theirs = clone_pair
    folder = isolated / "all hooks"
    git(ours, "config", "--global", "core.hooksPath", str(folder))
    wiring(ours).connect("origin")
    said = wiring(theirs).connect("origin")
    assert said[2] == (f"pushes carry lineage ({folder}/pre-push, in all repositories that use "
                       "that folder and have lineage)")  # fmt: skip
    assert wiring(theirs).connect("origin") == []
    record(ours, "a")
    assert "sent 1 record" in push(ours).stderr
    assert (
        wiring(ours).disconnect(None)[-1]
        == f"pushes from here carry no lineage; others use {folder}/pre-push"
    )
    record(theirs, "b")
    assert "sent 1 record" in push(theirs).stderr
    wiring(theirs).disconnect(None)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_hooks_path_that_is_no_folder(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    git(ours, "config", "core.hooksPath", "/dev/null")
    assert wiring(ours).connect("origin")[2] == (
        "no hook, so that a plain push sends nothing: /dev/null: File exists"
    )
    assert sync(ours).is_shared("origin")
    wiring(ours).disconnect(None)


def test_a_linked_work_tree(clone_pair: Pair, bare_remote: Path, lineage: Lineage) -> None:
    ours, _ = clone_pair
    linked = ours.parent / "linked"
    git(ours, "worktree", "add", "-q", linked, "-b", "topic")
    lineage("init", cwd=linked)
    lineage("run", "-q", "--", "true", cwd=linked)
    (linked / "folder").mkdir()
    done = push(linked / "folder", "origin", "topic")
    assert "lineage: sent 1 record to origin\n" in done.stderr
    assert shared(bare_remote)
    lineage("run", "-q", "--", "true", cwd=ours)
    assert "lineage: sent 1 record to origin\n" in push(ours).stderr
    lineage("init", "--undo", cwd=ours)
    assert not (ours / ".git/hooks/pre-push").exists()


# -- never in the way ------------------------------------------------------------------------


@pytest.fixture
def wired(clone_pair: Pair) -> Path:
    """Return a clone with one record and one commit that are not pushed."""
    ours, _ = clone_pair
    wiring(ours).connect("origin")
    git(ours, "config", "remote.origin.lineage", "true")  # agreed
    record(ours, "a")
    commit(ours, "code.py", "print(2)\n")
    return ours


def test_a_remote_that_rejects_lineage(wired: Path, bare_remote: Path) -> None:
    hook(bare_remote, "pre-receive", "! grep -q refs/lineage\n")
    done = push(wired)
    assert done.returncode == 0
    assert done.stderr.splitlines()[:2] == [
        "warning: lineage was not sent: origin did not take lineage: [remote rejected] "
        "(pre-receive hook declined); not there yet: 1 record",
        "hint: the code goes on its way; later `git lineage push origin`",
    ]
    assert refs(bare_remote)["refs/heads/main"] == refs(wired)["refs/heads/main"]


def test_a_remote_that_hides_lineage(wired: Path, bare_remote: Path) -> None:
    git(bare_remote, "config", "transfer.hideRefs", "refs/lineage")
    done = push(wired)
    assert (done.returncode, "deny updating a hidden ref" in done.stderr) == (0, True)


def test_a_remote_that_cannot_be_reached_fails_as_it_would_without(
    wired: Path, bare_remote: Path
) -> None:
    bare_remote.rename(bare_remote.parent / "away")
    with_hook, without = push(wired), push(wired, "--no-verify", "origin", "main")
    assert (with_hook.returncode, with_hook.stderr) == (without.returncode, without.stderr)


@pytest.mark.parametrize("how", ["missing", "gone", "broken", "not ours"])
def test_without_the_program(
    wired: Path, bare_remote: Path, monkeypatch: pytest.MonkeyPatch, isolated: Path, how: str
) -> None:
    programs = isolated / "bin"
    programs.mkdir()
    installed = wired / ".git/hooks/pre-push"
    if how in ("missing", "gone"):
        # Neither on PATH nor where it was when the hook was installed.
        there = f"program='{shutil.which('git-lineage')}'"
        assert there in installed.read_text()
        installed.write_text(installed.read_text().replace(there, "program='/nowhere'"))
    if how != "missing":
        script = {"gone": "#!/nowhere/python\n", "broken": "#!/bin/sh\nexit 70\n",
                  "not ours": "#!/bin/sh\nkill -9 $$\n"}[how]  # fmt: skip
        (programs / "git-lineage").write_text(script)
        (programs / "git-lineage").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    done = push(wired)
    assert done.returncode == 0
    assert refs(bare_remote)["refs/heads/main"] == refs(wired)["refs/heads/main"]
    assert not shared(bare_remote)


def test_the_program_is_found_where_it_was_installed_from(
    wired: Path, bare_remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert push(wired).returncode == 0
    assert shared(bare_remote)


def test_a_bug_does_not_stop_a_push(wired: Path, bare_remote: Path) -> None:
    (wired / ".git/lineage/running").mkdir(exist_ok=True)
    (wired / ".git/lineage/running" / ("0" * 40)).mkdir()  # no entry is a folder
    (wired / ".git/lineage/seen").mkdir()
    assert push(wired).returncode == 0
    assert refs(bare_remote)["refs/heads/main"] == refs(wired)["refs/heads/main"]


def test_a_repository_that_cannot_be_written_to(wired: Path, bare_remote: Path) -> None:
    before = state(wired)
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" || exit 99\n' \
             "git push origin main"  # fmt: skip
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", wired],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)  # fmt: skip
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no file system can be made read-only here: {done.stderr}")
    assert done.stderr.splitlines()[0] == "lineage: sent 1 record to origin"
    assert refs(bare_remote)["refs/heads/main"] == refs(wired)["refs/heads/main"]
    assert shared(bare_remote)
    assert state(wired) == before


def test_a_push_of_ours_does_not_come_back(
    wired: Path, bare_remote: Path, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(isolated / "trace"))
    assert push(wired).returncode == 0
    traced = (isolated / "trace").read_text()
    assert traced.count('"hook_name":"pre-push"') == 1


def test_what_a_hook_costs_when_there_is_nothing_to_send(
    wired: Path, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    push(wired)
    programs = isolated / "bin"
    programs.mkdir()
    (programs / "git-lineage").write_text(f"#!/bin/sh\ntouch '{isolated}/started'\n")
    (programs / "git-lineage").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    push(wired)
    assert not (isolated / "started").exists()
    record(wired, "b")
    push(wired)
    assert (isolated / "started").exists()
