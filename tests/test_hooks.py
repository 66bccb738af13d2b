"""The hooks of others, by the programs themselves: before ours, after it, and without it again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sharing import commit, git, hook, record
from test_wiring import push, shared, state, wiring

Tool = Callable[[Path], object]

CONFIG = """\
repos:
  - repo: local
    hooks:
      - id: look
        name: look
        entry: sh -c 'echo pre-commit >>"$SEEN"; exit $CODE'
        language: system
        always_run: true
        pass_filenames: false
        stages: [pre-push]
"""


def run(clone: Path, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, cwd=clone, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)  # fmt: skip
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def ours(clone_pair: tuple[Path, Path], isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone with a record that is not pushed; what hooks saw goes into `seen`."""
    clone, _ = clone_pair
    monkeypatch.setenv("SEEN", str(isolated / "seen"))
    monkeypatch.setenv("CODE", "0")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(isolated / "pre-commit"))
    git(clone, "config", "remote.origin.lineage", "true")
    (clone / ".pre-commit-config.yaml").write_text(CONFIG)
    git(clone, "add", ".")
    commit(clone, "code.py", "print(2)\n")
    record(clone, "a")
    return clone


def seen(isolated: Path) -> list[str]:
    path = isolated / "seen"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def pre_commit(clone: Path) -> None:
    run(clone, sys.executable, "-m", "pre_commit", "install", "--hook-type", "pre-push")


def plain(clone: Path) -> None:
    hook(clone, "pre-push", 'read a; echo "plain $1 ${a%% *}" >>"$SEEN"; exit $CODE\n')


@pytest.fixture(scope="session")
def husky(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """Return what installs husky into a clone, by the package itself."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: `make system`")
    folder = tmp_path_factory.mktemp("husky")
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "husky@9"]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": str(folder)})  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip("husky cannot be had from npm: no answer within 60 s")
    if done.returncode:
        pytest.skip(f"husky cannot be had from npm: {done.stderr.strip()[:200]}")

    def install(clone: Path) -> None:
        run(clone, "node", folder / "node_modules/husky/bin.js")

    return install


def with_script(install: Tool) -> Tool:
    """Return what installs husky, and a script of the user's that it runs."""

    def both(clone: Path) -> None:
        install(clone)
        script = clone / ".husky/pre-push"
        script.write_text('read a || :; echo "husky $1 ${a%% *}" >>"$SEEN"; exit $CODE\n')

    return both


TOOLS = {"pre-commit": pre_commit, "plain": plain}
SAYS = {"pre-commit": "pre-commit", "plain": "plain origin refs/heads/main"}


@pytest.mark.parametrize(
    ("names", "at"),
    [(("pre-commit",), 0), (("pre-commit",), 1), (("plain",), 1), (("plain", "pre-commit"), 1),
     (("plain", "pre-commit"), 2)],
)  # fmt: skip
def test_in_any_order(
    ours: Path, bare_remote: Path, isolated: Path, names: tuple[str, ...], at: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Installed before, between and after others; with their refusal; and taken out again."""
    for name in names[:at]:
        TOOLS[name](ours)
    wiring(ours).connect("origin")
    for name in names[at:]:
        TOOLS[name](ours)
    assert wiring(ours).connect("origin") == []
    expected = [SAYS[each] for each in names]
    monkeypatch.setenv("CODE", "1")
    assert push(ours).returncode == 1
    assert seen(isolated)[0] == expected[0]
    assert shared(bare_remote) == (at == 0)
    monkeypatch.setenv("CODE", "0")
    done = push(ours)
    assert (done.returncode, shared(bare_remote)) == (0, True), done.stderr
    assert seen(isolated) == expected

    wiring(ours).disconnect(None)
    with_ours = state(ours / ".git/hooks")
    shutil.rmtree(ours / ".git/hooks")
    shutil.copytree(Path(subprocess.check_output(["git", "--exec-path"], text=True).strip())
                    / "../../share/git-core/templates/hooks", ours / ".git/hooks")  # fmt: skip
    for name in names:
        TOOLS[name](ours)
    assert with_ours == state(ours / ".git/hooks")
    assert wiring(ours).disconnect(None) == []


def test_pre_commit_that_has_replaced_ours(ours: Path, bare_remote: Path) -> None:
    plain(ours)
    wiring(ours).connect("origin")
    run(ours, sys.executable, "-m", "pre_commit", "install", "-f", "--hook-type", "pre-push")
    kept = ours / ".git/hooks/pre-push.before-lineage"
    before = kept.read_bytes()
    assert wiring(ours).disconnect(None)[-1] == (
        f"another program has replaced ours; the hook before it is still {kept}"
    )
    assert kept.read_bytes() == before
    wiring(ours).connect("origin")
    assert push(ours).returncode == 0
    assert shared(bare_remote)


# -- husky -----------------------------------------------------------------------------------


@pytest.mark.parametrize("has_script", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
def test_husky(
    ours: Path, bare_remote: Path, isolated: Path, husky: Tool, has_script: bool, is_first: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    install = with_script(husky) if has_script else husky
    hooks = state(ours / ".git/hooks")
    if not is_first:
        wiring(ours).connect("origin")
    install(ours)
    before, config = state(ours / ".husky"), (ours / ".git/config").read_bytes()
    status = git(ours, "status", "-s")
    said = wiring(ours).connect("origin")
    assert any(each.startswith("pushes carry lineage") for each in said)
    assert any("add the line" in each for each in said) == has_script
    assert git(ours, "status", "-s") == status
    expected = ["husky origin refs/heads/main"] if has_script else []
    if has_script:
        monkeypatch.setenv("CODE", "1")
        assert push(ours).returncode == 1
        assert (seen(isolated), shared(bare_remote)) == (expected, False)
        monkeypatch.setenv("CODE", "0")
    assert push(ours).returncode == 0
    assert (seen(isolated), shared(bare_remote)) == (expected, True)

    husky(ours)  # as `npm install` does each time
    record(ours, "b")
    assert push(ours).returncode == 0
    assert (sent(ours, bare_remote) == []) == (not has_script)
    wiring(ours).disconnect(None)
    assert state(ours / ".husky") == before
    assert state(ours / ".git/hooks") == hooks
    assert git(ours, "status", "-s") == status
    if is_first:
        assert (ours / ".git/config").read_bytes() == config


def sent(clone: Path, remote: Path) -> list[str]:
    """Return what a remote lacks of the ledger."""
    tips = git(remote, "for-each-ref", "--format=^%(objectname)", "refs/lineage/ledger").split()
    return git(clone, "rev-list", "--glob=refs/lineage/ledger", *tips).split()


def test_the_line_in_huskys_script(ours: Path, bare_remote: Path, husky: Tool) -> None:
    husky(ours)
    (ours / ".husky/pre-push").write_text('git lineage pre-push "$@" </dev/null || true\n')
    assert not any("pushes" in each for each in wiring(ours).connect("origin"))
    push(ours)
    assert shared(bare_remote)


# -- git-lfs ---------------------------------------------------------------------------------


@pytest.fixture
def lfs(ours: Path, bare_remote: Path) -> Callable[[], int]:
    """Return what counts the files that the remote has of a clone in which LFS has some."""
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed: `make system`")
    git(ours, "config", "filter.lfs.process", "git-lfs filter-process")
    git(ours, "config", "filter.lfs.required", "true")

    def count() -> int:
        return sum(each.is_file() for each in (bare_remote / "lfs").rglob("*"))

    return count


def track(clone: Path) -> None:
    git(clone, "lfs", "track", "*.bin")
    (clone / "a.bin").write_bytes(b"a\0b" * 100)
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "Large")


@pytest.mark.parametrize("before", ["lfs", "ours", "plain, ours", "pre-commit, ours"])
def test_git_lfs(
    ours: Path, bare_remote: Path, isolated: Path, lfs: Callable[[], int], before: str
) -> None:
    if before == "lfs":
        git(ours, "lfs", "install", "--local")
    elif "," in before:
        TOOLS[before.partition(",")[0]](ours)
    hooks = state(ours / ".git/hooks")
    wiring(ours).connect("origin")
    track(ours)
    done = push(ours)
    assert (done.returncode, lfs(), shared(bare_remote)) == (0, 1, True), done.stderr
    expected = [SAYS[name] for name in ("plain", "pre-commit") if name in before]
    assert seen(isolated) == expected
    wiring(ours).disconnect(None)
    left = {name: each for name, each in state(ours / ".git/hooks").items() if name in hooks}
    assert left == hooks


def test_git_lfs_that_fails_stops_the_push_as_ever(
    ours: Path, bare_remote: Path, lfs: Callable[[], int]
) -> None:
    wiring(ours).connect("origin")
    track(ours)
    shutil.rmtree(ours / ".git/lfs/objects")
    (ours / ".git/lfs/objects").mkdir()
    assert push(ours).returncode != 0
    assert "a.bin" not in git(bare_remote, "ls-tree", "--name-only", "main")


# -- going round -----------------------------------------------------------------------------


def test_hooks_that_call_each_other_end(ours: Path, bare_remote: Path) -> None:
    """Ours, put in front of what runs it, is entered once for each push."""
    wiring(ours).connect("origin")
    folder = ours / ".git/hooks"
    (folder / "pre-push").rename(folder / "again")
    hook(ours, "pre-push", 'exec "${0%/*}/again" "$@"\n')
    wiring(ours).connect("origin")
    (folder / "again").write_text((folder / "pre-push").read_text())
    done = subprocess.run(["git", "push", "origin", "main"], cwd=ours, capture_output=True,
                          text=True, timeout=30, stdin=subprocess.DEVNULL)  # fmt: skip
    assert (done.returncode, shared(bare_remote)) == (0, True)


def test_a_push_by_a_hook_carries_lineage_too(
    ours: Path, bare_remote: Path, isolated: Path
) -> None:
    backup = isolated / "backup.git"
    git(ours, "init", "-q", "--bare", backup)
    git(ours, "remote", "add", "backup", backup)
    git(ours, "config", "remote.backup.lineage", "true")
    hook(ours, "pre-push", '[ "$1" = backup ] || git push -q backup main\n')
    wiring(ours).connect("origin")
    wiring(ours).connect("backup")
    assert push(ours).returncode == 0
    assert shared(bare_remote) and shared(backup)


# -- undo ------------------------------------------------------------------------------------


def test_undo_after_a_remote_was_renamed(ours: Path) -> None:
    config, hooks = (ours / ".git/config").read_text(), state(ours / ".git/hooks")
    wiring(ours).connect("origin")
    git(ours, "remote", "rename", "origin", "up")
    assert wiring(ours).disconnect(None)[0] == "fetches of up bring no lineage"
    git(ours, "remote", "rename", "up", "origin")
    assert "lineage-remotes" not in (ours / ".git/config").read_text()
    assert sorted((ours / ".git/config").read_text()) == sorted(config)
    assert state(ours / ".git/hooks") == hooks


def test_undo_after_the_hooks_folder_moved(ours: Path) -> None:
    plain(ours)
    hooks = state(ours / ".git/hooks")
    wiring(ours).connect("origin")
    git(ours, "config", "core.hooksPath", "elsewhere")
    assert wiring(ours).disconnect(None)[-1] == "pushes carry no lineage"
    assert state(ours / ".git/hooks") == hooks
    assert not (ours / "elsewhere").exists()
