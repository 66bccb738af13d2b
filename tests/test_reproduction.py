"""Executions that are run again: inputs by content, work trees that leave nothing, verdicts."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Git, Lineage
from executions import everything, last, of, start, until
from test_no_harm import dirty, state

import gitlineage
from gitlineage.errors import ContentMissing, NotConfirmed, NotPossible

UPPER = "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())"


def left(repo: Path) -> list[str]:
    folder = repo / ".git/lineage/scratch"
    return os.listdir(folder) if folder.exists() else []


def reproduce(name: str = "@", **options: Any) -> Any:
    with gitlineage.open() as lineage:
        return lineage.reproduce(name, is_quiet=True, **options)


def ignore(repo: Path, git: Git, *patterns: str) -> None:
    (repo / ".gitignore").write_text("\n".join(patterns) + "\n")
    git("add", ".gitignore")
    git("commit", "-q", "-m", "Ignore data")


@pytest.fixture
def upper(repo: Path, git: Git, lineage: Lineage) -> Path:
    """Return a repository where `code.py raw.txt big.txt` was recorded."""
    (repo / "code.py").write_text(UPPER)
    git("commit", "-q", "-am", "Make it big")
    ignore(repo, git, "*.txt")
    (repo / "raw.txt").write_text("content\n")
    lineage("run", "-q", "-i", "raw.txt", "-o", "big.txt", "--", "python", "code.py", "raw.txt",
            "big.txt")  # fmt: skip
    return repo


# -- what comes out ----------------------------------------------------------------------------


def test_the_same_comes_out(upper: Path, lineage: Lineage) -> None:
    first = last()
    done = lineage("reproduce")
    second = last()
    assert second.id != first.id
    assert second.launch is not None and first.launch is not None and second.end is not None
    assert second.launch.reproduces == first.id
    assert second.launch.code.tree == first.launch.code.tree
    assert second.launch.command == first.launch.command
    assert [each.path for each in second.inputs] == ["raw.txt"]
    assert [each.digest for each in second.inputs] == [each.digest for each in first.inputs]
    assert of(second.outputs, "big.txt").how == "declared"
    assert second.end.comparison is not None
    assert second.end.comparison.verdict == "identical"
    assert done.stdout.splitlines()[1:] == ["  identical  big.txt"]
    assert done.stdout.startswith(f"{second.id[:8]} reproduces code {first.id[:8]} in ")
    assert left(upper) == []
    shown = lineage("show", second.id).stdout
    assert f"  reproduces: {first.id[:8]}: identical\n" in shown
    assert f"Reproduced:   identical: {second.id[:8]} by Ada" in lineage("show", first.id).stdout


def test_what_fails_for_want_of_unknown_inputs_is_said(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    (repo / "code.py").write_text("open('out.txt', 'w').write(open('raw.txt').read())\n")
    git("commit", "-q", "-am", "Open it there")
    ignore(repo, git, "*.txt")
    (repo / "raw.txt").write_text("content\n")
    lineage("run", "-q", "--", "python", "code.py")
    first = last()
    done = lineage("reproduce", "-y", check=False)
    assert done.returncode == 1
    hint = (
        f"hint: no inputs are known of code {first.id[:8]}, so none were put there; declare what "
        "it reads with -i, or run it with --observe\n"
    )
    assert done.stderr.endswith(hint)
    assert "hint:" not in lineage("reproduce", "-y", "--json", first.id, check=False).stderr
    lineage("run", "-q", "-i", "raw.txt", "--", "python", "code.py")
    assert "hint:" not in lineage("reproduce", "-y").stderr


def test_the_log_marks_it(upper: Path, lineage: Lineage) -> None:
    first = last().id
    lineage("reproduce")
    again = last().id
    marked, other = lineage("log", "--oneline").stdout.splitlines()
    assert marked.startswith(again[:8])
    assert marked.endswith(f" code reproduces {first[:8]}: identical")
    assert other.startswith(first[:8]) and other.endswith(" code")
    assert f"\nRepeats: {first[:8]}: identical\n" in lineage("log", "-n1").stdout
    assert "Repeats" not in lineage("show", first).stdout


def test_reproducing_a_reproduction_repeats_the_first(upper: Path) -> None:
    first = last()
    reproduce()
    reproduce()
    again = last().launch
    assert again is not None and again.reproduces == first.id
    assert len(everything()) == 3


def test_uncommitted_code_runs_again(repo: Path, lineage: Lineage) -> None:
    (repo / "code.py").write_text("import helping\n")
    (repo / "helping.py").write_text("open('out.bin', 'w').write('new')\n")
    lineage("run", "-q", "--", "python", "code.py")
    first = last()
    (repo / "code.py").write_text("raise SystemExit(1)\n")
    (repo / "helping.py").unlink()
    (done,) = reproduce()
    assert done.comparison.verdict == "identical"
    second = last()
    assert second.launch is not None and first.launch is not None
    assert second.launch.code.tree == first.launch.code.tree
    assert second.launch.code.is_adhoc
    assert (repo / "code.py").read_text() == "raise SystemExit(1)\n"


def test_code_without_a_commit_runs_again(isolated: Path, git: Git, lineage: Lineage) -> None:
    repo = isolated / "unborn"
    git("init", "-q", repo)
    os.chdir(repo)
    (repo / "code.py").write_text("open('out', 'w').write('1')\n")
    lineage("run", "-q", "--", "python", "code.py")
    (done,) = reproduce()
    assert done.comparison.verdict == "identical"
    assert git("for-each-ref", "refs/heads", "refs/worktree") == ""


def test_random_output_is_different_and_named(repo: Path, lineage: Lineage) -> None:
    (repo / "code.py").write_text(
        "import os\nopen('same', 'w').write('1')\nopen('other', 'wb').write(os.urandom(8))\n"
        "open(f'name{os.getpid()}', 'w').write('1')\n"
    )
    lineage("run", "-q", "--", "python", "code.py")
    done = lineage("reproduce", check=False)
    assert done.returncode == 1
    words = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert sorted(words) == ["additional", "different", "identical", "missing"]
    assert "(" in lineage("show").stdout.partition("  reproduces:")[2].splitlines()[0]


def test_a_command_that_fails_now_is_different(repo: Path, lineage: Lineage) -> None:
    (repo / "code.py").write_text("import os\nraise SystemExit(os.environ.get('WRONG'))\n")
    lineage("run", "-q", "--", "python", "code.py")
    done = lineage("reproduce", check=False, env={"WRONG": "yes"})
    assert done.returncode == 1
    assert "  it failed with exit code 1, and the first succeeded\n" in done.stdout


def test_one_that_failed_and_fails_again_is_identical(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", "sh", "-c", "echo part > out; exit 3", check=False)
    assert lineage("reproduce").stdout.endswith("identical\n  identical  out\n")


def test_numbers_may_differ_within_a_tolerance(repo: Path, lineage: Lineage) -> None:
    (repo / "code.py").write_text(
        'import os\nprint(\'{"loss": %s, "name": "a"}\' % os.environ[\'LOSS\'])\n'
    )
    lineage("run", "-q", "--", "python", "code.py", env={"LOSS": "0.5"})
    changed = {"LOSS": "0.5000001"}
    done = lineage("reproduce", env=changed, check=False)
    assert done.returncode == 1
    assert "  different  loss: 0.5 -> 0.5000001\n" in done.stdout
    told = json.loads(lineage("reproduce", "--json", env=changed, check=False).stdout)
    assert told["metadata"] == [{"name": "loss", "first": 0.5, "second": 0.5000001}]
    assert lineage("reproduce", "--tolerance", "1e-6", env=changed).returncode == 0
    assert lineage("reproduce", "--tolerance", "1e-9", env=changed, check=False).returncode == 1


def test_metadata_in_a_file_is_compared_and_what_was_added_later_is_not(
    repo: Path, lineage: Lineage
) -> None:
    command = "echo '{\"loss\": 0.5}' >scores.json"
    lineage("run", "-q", "--metrics", "scores.json", "--", "sh", "-c", command)
    lineage("metadata", "set", "@", "note=good")
    assert last().metadata == {"loss": 0.5, "note": "good"}
    assert reproduce()[-1].comparison.verdict == "identical"
    assert last().metadata == {"loss": 0.5}


def test_directories_streams_names_and_parameters_are_as_they_were(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    ignore(repo, git, "data", "made", "*.log")
    (repo / "sub").mkdir()
    (repo / "sub/work.sh").write_text('cat > ../made/all; cat ../data/*/* ; wc -c < "$1"\n')
    (repo / "data/deep").mkdir(parents=True)
    (repo / "made").mkdir()
    (repo / "data/deep/one").write_text("1\n")
    (repo / "data/deep/two").write_text("2\n")
    os.symlink("deep/one", repo / "data/link")
    (repo / "in.log").write_text("piped\n")
    os.chdir(repo / "sub")
    subprocess.run(
        "git lineage run -q -i data=../data -o ../made -p rate=0.5 --title Title"
        " -- sh work.sh ../in.log <../in.log >../out.log",
        shell=True, check=True,
    )  # fmt: skip
    first = last()
    assert {each.role for each in first.inputs} == {"data", "stdin", None}
    (repo / "data/deep/one").rename(repo / "moved")  # and found there
    (done,) = reproduce()
    assert done.comparison.verdict == "identical", done.comparison
    second = last()
    assert second.launch is not None and first.launch is not None
    for name in ("directory", "parameters", "title", "step", "command", "inputs"):
        assert getattr(second.launch, name) == getattr(first.launch, name), name
    found = [
        {(each.path, each.digest, each.role, each.how) for each in execution.outputs}
        for execution in (first, second)
    ]
    assert found[0] == found[1] and len(found[0]) == 3
    assert left(repo) == []


def test_programs_that_ask_git_are_answered(repo: Path, git: Git, lineage: Lineage) -> None:
    ignore(repo, git, "out")
    (repo / "new.py").write_text("")
    command = "git rev-parse HEAD >out; git status --short >>out; git log --oneline >>out"
    lineage("run", "-q", "-o", "out", "--", "sh", "-c", command)
    assert reproduce()[-1].comparison.verdict == "identical"


def test_a_commit_that_the_command_makes_moves_no_branch(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    command = "echo 1 >>code.py; git commit -q -am again; echo 1 >out"
    lineage("run", "-q", "--", "sh", "-c", command)
    before = git("for-each-ref", "refs/heads"), git("rev-parse", "HEAD")
    lineage("reproduce", check=False)
    assert (git("for-each-ref", "refs/heads"), git("rev-parse", "HEAD")) == before


def test_paths_of_the_work_tree_in_the_command_mean_the_other_one(
    upper: Path, lineage: Lineage
) -> None:
    made = upper / "made.txt"
    lineage("run", "-q", "-o", made, "--", "python", upper / "code.py", upper / "raw.txt", made)
    made.write_text("mine now")
    (done,) = reproduce()
    assert done.comparison.verdict == "identical"
    assert made.read_text() == "mine now"


def test_installed_packages_are_borrowed(repo: Path, git: Git, lineage: Lineage) -> None:
    ignore(repo, git, ".venv")
    (repo / ".venv/bin").mkdir(parents=True)
    (repo / ".venv/bin/tool").write_text("#!/bin/sh\necho made >out\n")
    (repo / ".venv/bin/tool").chmod(0o755)
    lineage("run", "-q", "--", ".venv/bin/tool")
    (done,) = reproduce()
    assert done.comparison.verdict == "identical"
    assert [each.path for each in last().outputs] == ["out"]


def test_what_was_not_kept_is_taken_as_it_is_and_that_is_said(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    git("config", "lineage.snapshotLimit", "1k")
    (repo / "large").write_text("x" * 2000)
    lineage("run", "-q", "--", "sh", "-c", "wc -c <large >out")
    done = lineage("reproduce")
    assert "lineage: large (large) was not kept: taken as it is here now\n" in done.stderr
    (repo / "large").unlink()
    done = lineage("reproduce", check=False)
    assert "lineage: large (large) was not kept, and is not here\n" in done.stderr
    assert done.returncode == 1


def test_submodules_are_checked_out_as_they_were(
    repo: Path, git: Git, lineage: Lineage, isolated: Path
) -> None:
    other = isolated / "other"
    git("init", "-q", other)
    (other / "one").write_text("1")
    git("add", ".", cwd=other)
    git("commit", "-q", "-m", "One", cwd=other)
    git("submodule", "--quiet", "add", str(other), "lib")
    git("commit", "-q", "-m", "Add lib")
    lineage("run", "-q", "--", "sh", "-c", "cat lib/one >out")
    (repo / "lib/one").write_text("2")
    git("commit", "-q", "-am", "Two", cwd=repo / "lib")
    assert reproduce()[-1].comparison.verdict == "identical"
    git("submodule", "deinit", "-q", "-f", "lib")
    with pytest.raises(NotPossible, match="submodule lib at"):
        reproduce("@~1")


def test_folders_are_there_as_they_were(repo: Path, git: Git, lineage: Lineage) -> None:
    ignore(repo, git, "models", "new")
    (repo / "models").mkdir()
    lineage("run", "-q", "-o", "models/a", "-o", "new", "--", "sh", "-c",
            "mkdir new && echo 1 >new/x && echo 1 >models/a")  # fmt: skip
    assert reproduce()[-1].comparison.verdict == "identical"


def test_a_nested_execution_makes_its_outputs_again(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", "sh", "-c", "git lineage run -q -- sh -c 'echo 1 >in'; echo 2 >out")
    outer = next(each for each in everything() if each.launch and not each.launch.parent)
    (done,) = reproduce(outer.id)
    assert done.comparison.verdict == "identical"
    assert len(everything()) == 4


def test_how_the_environment_differs_is_said_before_it_runs(upper: Path, lineage: Lineage) -> None:
    assert " now" not in lineage("reproduce").stderr
    first = last("@~1")
    assert first.launch is not None and first.end is not None and first.end.environment is not None
    elsewhere = first.end.environment.replace(python="3.9.1")
    with gitlineage.open() as opened:
        launch = first.launch.replace(nonce=b"3" * 16)
        made = opened.append(launch, first.end.replace(environment=elsewhere))
    now = ".".join(map(str, sys.version_info[:3]))
    done = lineage("reproduce", made.id)
    assert done.stderr == f"lineage: Python: 3.9.1 then, {now} now\n"
    told = json.loads(lineage("reproduce", "--json", made.id).stdout)["environment"]
    assert told == [{"name": "Python", "first": "3.9.1", "second": now}]


def test_the_work_tree_can_be_kept(upper: Path, lineage: Lineage, isolated: Path) -> None:
    lineage("reproduce", "--keep", isolated / "kept")
    kept = isolated / "kept"
    assert sorted(os.listdir(kept)) == [".gitignore", "README.md", "big.txt", "code.py", "raw.txt"]
    done = lineage("reproduce", "--keep", kept, check=False)
    assert done.returncode == 3
    assert "is there already; give a new or an empty folder" in done.stderr
    assert left(upper) == []


# -- where inputs are found --------------------------------------------------------------------


def by_another_name(repo: Path, git: Git) -> None:
    (repo / "raw.txt").rename(repo / "elsewhere.csv")


def in_history(repo: Path, git: Git) -> None:
    git("add", "-f", "raw.txt")
    git("commit", "-q", "-m", "Keep it")
    (repo / "raw.txt").write_text("replaced\n")
    git("commit", "-q", "-am", "Change it")


def in_the_store_of_lfs(repo: Path, git: Git) -> None:
    import hashlib

    name = hashlib.sha256((repo / "raw.txt").read_bytes()).hexdigest()
    folder = repo / ".git/lfs/objects" / name[:2] / name[2:4]
    folder.mkdir(parents=True)
    (repo / "raw.txt").rename(folder / name)


@pytest.mark.parametrize("hide", [by_another_name, in_history, in_the_store_of_lfs])
def test_an_input_is_found_by_its_content(
    hide: Callable[[Path, Git], None], upper: Path, git: Git
) -> None:
    hide(upper, git)
    assert reproduce()[-1].comparison.verdict == "identical"


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed")
def test_what_lfs_has_elsewhere_is_fetched_by_it(
    repo: Path, lineage: Lineage, git: Git, isolated: Path
) -> None:
    git("lfs", "install", "--local")
    git("lfs", "track", "*.bin")
    for content in ("first", "second"):
        (repo / "raw.bin").write_text(content)
        git("add", ".")
        git("commit", "-q", "-m", content)
        if content == "first":
            lineage("run", "-q", "-i", "raw.bin", "--", "wc", "raw.bin")
    git("init", "-q", "--bare", str(isolated / "hub"))
    git("remote", "add", "origin", str(isolated / "hub"))
    git("push", "-q", "origin", "main")
    shutil.rmtree(repo / ".git/lfs/objects")
    done = lineage("reproduce", check=False)
    assert done.returncode == 3
    remedy = "`git lfs fetch --all`"
    assert done.stderr.endswith(f"\nhint: {remedy} brings it, where it was pushed\n")
    git(*remedy.strip("`").split()[1:])
    assert reproduce()[-1].comparison.verdict == "identical"


def test_content_of_the_same_size_is_not_enough(upper: Path, lineage: Lineage) -> None:
    (upper / "raw.txt").write_text("CONTENT\n")
    done = lineage("reproduce", check=False)
    assert done.returncode == 3
    assert "input raw.txt (blake3:" in done.stderr
    assert "is not here, and no execution made it" in done.stderr
    assert len(everything()) == 1
    assert left(upper) == []


def test_a_missing_input_is_named_with_what_made_it(upper: Path, lineage: Lineage) -> None:
    made = last().id[:8]
    lineage("run", "-q", "-i", "big.txt", "--", "sh", "-c", "wc -c <big.txt >count")
    (upper / "big.txt").unlink()
    done = lineage("reproduce", "@sh", check=False)
    assert done.returncode == 3
    assert "input big.txt (blake3:" in done.stderr
    assert f"hint: code {made} made it; `git lineage reproduce --chain" in done.stderr
    told = json.loads(lineage("reproduce", "@sh", "--json", check=False).stdout)
    assert told["error"]["kind"] == "ContentMissing"
    with pytest.raises(ContentMissing):
        reproduce("@sh")


def test_an_input_outside_is_used_where_it_is(
    repo: Path, git: Git, lineage: Lineage, isolated: Path
) -> None:
    outside = isolated / "outside.csv"
    outside.write_text("a")
    lineage("run", "-q", "--", "sh", "-c", 'cat "$1" >out', "sh", outside)
    assert reproduce()[-1].comparison.verdict == "identical"
    outside.write_text("b")
    with pytest.raises(NotPossible, match="is not what it was, and lies outside of here"):
        reproduce()


def test_what_an_output_was_appended_to_is_there_again(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    ignore(repo, git, "out")
    for _ in range(2):
        lineage("run", "-q", "-o", "out", "--", "sh", "-c", "echo 1 >>out")
    (repo / "before").write_text("1\n")
    assert reproduce()[-1].comparison.verdict == "identical"


# -- chains ------------------------------------------------------------------------------------


@pytest.fixture
def chain(repo: Path, git: Git, lineage: Lineage) -> Path:
    """Return a repository with three executions, `one` to `three`, each using the last's file."""
    ignore(repo, git, "*.out")
    for before, name in (("README.md", "one"), ("one.out", "two"), ("two.out", "three")):
        lineage("run", "-q", "--step", name, "-i", before, "-o", f"{name}.out", "--",
                "sh", "-c", f"cat {before} >{name}.out; echo {name} >>{name}.out")  # fmt: skip
    return repo


def test_what_is_missing_in_the_middle_is_made_again(chain: Path, lineage: Lineage) -> None:
    (chain / "two.out").unlink()
    done = reproduce("@three", chain=True)
    assert [each.first.launch.step for each in done] == ["two", "three"]
    assert {each.comparison.verdict for each in done} == {"identical"}
    (chain / "one.out").unlink()
    told = json.loads(lineage("reproduce", "--chain", "--json", "@three").stdout)
    assert [each["verdict"] for each in told["chain"]] == ["identical"] * 2
    assert not (chain / "two.out").exists()
    assert left(chain) == []


def test_a_chain_whose_beginning_is_lost_is_not_possible(chain: Path, git: Git) -> None:
    readme = (chain / "README.md").read_text()
    for name in ("one.out", "two.out"):
        (chain / name).unlink()
    # The input was tracked: it comes with the code, and the chain holds.
    assert len(reproduce("@three", chain=True)) == 3
    assert (chain / "README.md").read_text() == readme


def test_a_chain_that_comes_out_different_says_where(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    ignore(repo, git, "*.out")
    lineage("run", "-q", "--step", "one", "-o", "one.out", "--", "sh", "-c",
            "cat /proc/sys/kernel/random/uuid >one.out")  # fmt: skip
    lineage("run", "-q", "--step", "two", "-i", "one.out", "--", "sh", "-c", "cat one.out >x")
    (repo / "one.out").unlink()
    (repo / "x").unlink()
    done = lineage("reproduce", "--chain", "@two", check=False)
    assert done.returncode == 3
    assert "came out different\n" in done.stderr
    assert "input one.out did not come out as it was\n" in done.stderr
    assert left(repo) == []


# -- records of others -------------------------------------------------------------------------


@pytest.fixture
def fetched(clone_pair: tuple[Path, Path], git: Git, lineage: Lineage) -> Path:
    """Return a clone that has fetched a record which another clone has made under our name."""
    ours, theirs = clone_pair
    lineage("run", "-q", "--", "sh", "-c", "echo 1 >made", cwd=theirs)
    lineage("push", "origin", cwd=theirs)
    lineage("fetch", "origin", cwd=ours)
    os.chdir(ours)
    return ours


def test_a_record_of_others_is_refused_without_a_terminal(fetched: Path, lineage: Lineage) -> None:
    done = lineage("reproduce", check=False)
    assert done.returncode == 3
    assert "Command:   sh -c 'echo 1 >made'\n" in done.stderr
    assert "was not run: it was not recorded in this clone\n" in done.stderr
    assert len(everything()) == 1
    with pytest.raises(NotConfirmed):
        reproduce()
    done = lineage("reproduce", "--yes")
    assert done.stdout.endswith("identical\n  identical  made\n")
    assert lineage("reproduce", "@~1", check=False).returncode == 3  # its first is still theirs


def test_a_record_under_another_name_is_refused(upper: Path, git: Git) -> None:
    git("config", "user.email", "grace@example.org")
    with pytest.raises(NotConfirmed, match=r"ada@example\.org> ran it"):
        reproduce()
    asked = []
    assert reproduce(confirm=lambda found: not asked.append(found))
    assert len(asked) == 1


def test_ones_own_record_is_not_asked_about_after_a_push(
    clone_pair: tuple[Path, Path], lineage: Lineage
) -> None:
    os.chdir(clone_pair[0])
    lineage("run", "-q", "--", "sh", "-c", "echo 1 >made")
    lineage("push", "origin")
    lineage("fetch", "origin")
    assert reproduce()[-1].comparison.verdict == "identical"


def test_what_writes_outside_is_asked_about(repo: Path, lineage: Lineage, isolated: Path) -> None:
    outside = isolated / "outside"
    lineage("run", "-q", "-o", outside, "--", "sh", "-c", 'echo 1 >"$1"', "sh", outside)
    outside.write_text("mine")
    with pytest.raises(NotConfirmed, match="writes outside of the work tree, to /"):
        reproduce()
    assert outside.read_text() == "mine"
    assert reproduce(confirm=lambda found: True)[-1].comparison.verdict == "identical"


def on_a_terminal(*words: str, answer: bytes) -> tuple[int, str]:
    """Run a command on a terminal of its own, answer its question; return status and words."""
    process, terminal = pty.fork()
    if not process:
        os.execvp(words[0], words)
    said = b""
    is_answered = False
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        select.select([terminal], [], [], 1)
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        said += piece
        if b"[y/N]" in said and not is_answered:
            os.write(terminal, answer)
            is_answered = True
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(terminal)
    return status, said.decode()


def test_it_is_asked_on_a_terminal(fetched: Path) -> None:
    status, said = on_a_terminal("git", "lineage", "reproduce", answer=b"n\n")
    assert status == 3
    assert "Command:   sh -c 'echo 1 >made'" in said and "Run it? [y/N]" in said
    assert len(everything()) == 1
    status, said = on_a_terminal("git", "lineage", "reproduce", answer=b"y\n")
    assert status == 0, said
    assert "identical  made" in said
    assert len(everything()) == 2


def test_a_strangers_command_cannot_write_to_the_terminal(
    upper: Path, git: Git, lineage: Lineage
) -> None:
    lineage("run", "-q", "--", "true", "\x1b[2Jclean")
    git("config", "user.email", "grace@example.org")
    said = lineage("reproduce", check=False).stderr
    assert "\x1b" not in said and r"\x1b[2Jclean" in said


# -- no harm -----------------------------------------------------------------------------------


def test_nothing_of_the_user_changes(upper: Path, git: Git, lineage: Lineage) -> None:
    dirty(upper, git)
    before = state(upper)
    listed = git("worktree", "list")
    lineage("reproduce")
    assert state(upper) == before
    assert git("worktree", "list") == listed
    assert git("stash", "list").count("\n") == 0
    git("fsck", "--strict")


def test_an_input_that_the_command_destroys_stays(upper: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "-i", "raw.txt", "--", "sh", "-c", "cat raw.txt >out")
    (upper / "out").unlink()
    lineage("run", "-q", "-i", "raw.txt", "--", "sh", "-c", "cat raw.txt >out; echo >raw.txt")
    (upper / "raw.txt").write_text("content\n")
    reproduce()
    assert (upper / "raw.txt").read_text() == "content\n"


WAITING = """\
import os, time
open("here", "w")
while os.path.exists(os.environ.get("HOLD", "/no/such/file")): time.sleep(0.01)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_one_that_is_killed_leaves_nothing(
    number: signal.Signals, repo: Path, git: Git, lineage: Lineage, isolated: Path
) -> None:
    (repo / "code.py").write_text(WAITING)
    git("commit", "-q", "-am", "Wait")
    lineage("run", "-q", "--", "python", "code.py")
    before = state(repo)
    held = {**os.environ, "HOLD": str(isolated)}
    process = start("git", "lineage", "reproduce", start_new_session=True, env=held)
    until(lambda: list(repo.glob(".git/lineage/scratch/*/tree/repo/here")))
    os.killpg(process.pid, number)  # the command too, as a terminal does
    process.communicate(timeout=60)
    lineage("log")  # which sweeps
    assert left(repo) == []
    assert state(repo) == before
    statuses = [each.status for each in everything()]
    assert statuses == ["interrupted" if number == signal.SIGKILL else "stopped", "succeeded"]


def test_a_work_tree_in_use_is_not_swept(repo: Path, lineage: Lineage, isolated: Path) -> None:
    (repo / "code.py").write_text(WAITING)
    lineage("run", "-q", "--", "python", "code.py")
    hold = isolated / "hold"
    hold.touch()
    process = start("git", "lineage", "reproduce", env={**os.environ, "HOLD": str(hold)})
    until(lambda: list(repo.glob(".git/lineage/scratch/*/tree/repo/here")))
    lineage("log")
    assert len(left(repo)) == 1
    hold.unlink()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert left(repo) == []


def test_fingerprints_of_the_work_tree_are_forgotten(upper: Path) -> None:
    import sqlite3

    reproduce()
    file = sqlite3.connect(upper / ".git/lineage/fingerprints.sqlite")
    paths = [os.fsdecode(path) for (path,) in file.execute("SELECT path FROM made")]
    assert paths and not [path for path in paths if "scratch" in path]


# -- what is not possible ----------------------------------------------------------------------


def test_code_that_is_gone_is_said(upper: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = last().launch.code.tree  # type: ignore[union-attr]
    assert tree is not None
    (upper / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(NotPossible, match=f"its code {tree[:12]} is not here"):
        reproduce()


def test_a_command_that_is_not_installed_is_said(
    repo: Path, lineage: Lineage, isolated: Path
) -> None:
    tool = isolated / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    lineage("run", "-q", "--", tool)
    tool.unlink()
    with pytest.raises(NotPossible, match="command not found"):
        reproduce()
    assert len(everything()) == 1 and left(repo) == []


def test_one_that_has_not_ended_well_is_not_possible(repo: Path, lineage: Lineage) -> None:
    with gitlineage.open() as opened:
        lineage("run", "-q", "--", "true")
        first = last()
        assert first.launch is not None and first.end is not None
        launch = first.launch.replace(nonce=b"1" * 16)
        end = first.end.replace(status="interrupted", exit_code=None)
        made = opened.append(launch, end)
    with pytest.raises(NotPossible, match="how it ended is not known"):
        reproduce(made.id)


@pytest.mark.parametrize("path", ["../out", "a/../../out", ".git/hooks/x", "a/.GIT/x", "link/x"])
def test_a_record_cannot_lead_out_of_the_work_tree(
    path: str, repo: Path, git: Git, lineage: Lineage, isolated: Path
) -> None:
    os.symlink(isolated, repo / "link")
    git("add", "link")
    git("commit", "-q", "-m", "Link")
    lineage("run", "-q", "-i", "README.md", "--", "true")
    first = last()
    assert first.launch is not None and first.end is not None
    evil = first.launch.inputs[0].replace(path=path)
    with gitlineage.open() as opened:
        made = opened.append(first.launch.replace(nonce=b"2" * 16, inputs=(evil,)), first.end)
    done = lineage("reproduce", made.id, check=False)
    assert done.returncode == 3
    assert not (isolated / "out").exists() and not (isolated / "x").exists()
    assert left(repo) == []


# -- steps and images --------------------------------------------------------------------------


def test_a_step_runs_again_with_its_inputs_and_numbers(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    (repo / "valohai.yaml").write_text(
        "- step:\n    name: count\n    image: none\n"
        "    command: wc -c <$VH_INPUTS_DIR/data/raw.csv >$VH_OUTPUTS_DIR/{parameter-value:name}\n"
        "    parameters:\n      - {name: name, type: string, default: count}\n"
        "    inputs:\n      - {name: data, default: raw.csv}\n"
    )
    git("add", ".")
    git("commit", "-q", "-m", "Steps")
    ignore(repo, git, "*.csv", "outputs")
    (repo / "raw.csv").write_text("1\n")
    for name in ("first", "second"):
        lineage("run", "-q", "--step", "count", "-p", f"name={name}")
    first = last()
    assert [each.path for each in first.outputs] == ["outputs/count/2/second"]
    (repo / "raw.csv").rename(repo / "moved.csv")
    (done,) = reproduce()
    assert done.comparison.verdict == "identical", done.comparison
    second = last()
    assert second.launch is not None and first.launch is not None
    for name in ("parameters", "inputs", "template", "configuration", "command"):
        assert getattr(second.launch, name) == getattr(first.launch, name), name
