"""What comes out of a command: declared, detected, and whose it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from conftest import Git, Lineage
from executions import hows, last, left_running, of, start, until

WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


def test_declared_outputs(repo: Path, lineage: Lineage) -> None:
    (repo / "old").write_text("before")
    (repo / "still").write_text("still")
    done = lineage(
        "run",
        "-q",
        "-o",
        "new",
        "-o",
        "old",
        "-o",
        "folder",
        "-o",
        "never",
        "-o",
        "still",
        "--",
        "sh",
        "-c",
        "echo n > new; echo o > old; mkdir -p folder/x; echo f > folder/x/y",
    )
    assert done.stderr == (
        "warning: output never was not made: no such file or directory\n"
        "warning: output still was there before and was not written\n"
    )
    found = last()
    assert [(each.path, each.type, each.change) for each in found.outputs] == [
        ("new", "file", "created"),
        ("old", "file", "overwritten"),
        ("folder", "directory", "created"),
        ("folder/x/y", "file", "created"),
    ]
    assert of(found.outputs, "old").previous == blake3(b"before").digest()
    assert {each.how for each in found.outputs} == {"declared"}


def test_declared_folder_that_nothing_was_written_to(repo: Path, lineage: Lineage) -> None:
    (repo / "models/deep").mkdir(parents=True)
    (repo / "models/deep/a").write_text("a")
    done = lineage("run", "-q", "-o", "models", "--", "true")
    assert done.stderr == "warning: output models was there before and was not written\n"
    assert not last().outputs
    lineage("run", "-q", "-o", "models", "--", "rm", "models/deep/a")
    assert [(each.path, each.change) for each in last().outputs] == [("models", "overwritten")]


def test_detected_outputs(repo: Path, lineage: Lineage) -> None:
    (repo / ".gitignore").write_text("*.bin\n")
    (repo / "before.bin").write_text("b")
    (repo / "untouched.bin").write_text("u")
    done = lineage(
        "run", "--", "sh", "-c",
        "echo m > model.bin; echo n > before.bin; echo t > code.py; mkdir -p a/b; echo d > a/b/c;"
        "mkdir __pycache__ .venv; echo x | tee __pycache__/c.pyc > .venv/x; ln -s a link;"
        "mkfifo pipe",
    )  # fmt: skip
    found = last()
    assert [(each.path, each.how, each.change) for each in found.outputs] == [
        ("a/b/c", "detected", "created"),
        ("before.bin", "detected", "overwritten"),
        ("code.py", "detected", "overwritten"),
        ("model.bin", "detected", "created"),
    ]
    assert done.stderr.endswith(", 4 outputs\n")


@pytest.mark.parametrize("way", [
    "cp -p old.csv new.csv",
    "touch -d 2001-01-01 new.csv; cat old.csv > new.csv; touch -d 2001-01-01 new.csv",
    "cp -p old.csv part && mv part new.csv",
    "tar cf - old.csv | tar xf - --transform s/old/new/",
])  # fmt: skip
def test_output_that_claims_to_be_old(repo: Path, lineage: Lineage, way: str) -> None:
    (repo / "old.csv").write_text("o")
    os.utime("old.csv", (1_000_000_000, 1_000_000_000))
    lineage("run", "--", "sh", "-c", way)
    assert [(each.path, each.change) for each in last().outputs] == [("new.csv", "created")]


def test_change_of_mode_is_no_output(repo: Path, lineage: Lineage) -> None:
    (repo / "data.csv").write_text("d")
    os.utime("data.csv", (1_000_000_000, 1_000_000_000))
    lineage("run", "--", "chmod", "+x", "data.csv")
    assert not last().outputs


@pytest.mark.parametrize("name", ["data", "da*[t]a\\?", "da\nta ", "deep/!data"])
def test_what_is_written_in_an_input_folder(repo: Path, lineage: Lineage, name: str) -> None:
    """Such a folder is not listed by git, unless something in it changes."""
    folder, like = repo / name, repo / "daxxta"
    for each in (folder / "in", like):
        each.mkdir(parents=True)
    for path in (folder / "kept", folder / "in/old", folder / "in/gone", like / "code.py"):
        path.write_text("before")
    (folder / "in/link").symlink_to("old")
    lineage("run", "-q", "-i", name, "--", "touch", "beside")
    found = last()
    assert [each.path for each in found.outputs] == ["beside"]
    assert found.launch is not None and found.launch.code.differs_count == 1
    write = 'cd "$0/in"; rm gone link; echo l > link; echo new > new; cp -p ../kept old'
    done = lineage("run", "-q", "-i", name, "--", "sh", "-c", write, name)
    assert done.stderr.endswith(" changed while it ran\n")
    assert {(each.path, each.change) for each in last().outputs} == {
        (f"{name}/in/link", "overwritten"),
        (f"{name}/in/new", "created"),
        (f"{name}/in/gone", "deleted"),
    }


def test_names_of_open_files_are_no_arguments(repo: Path, lineage: Lineage, isolated: Path) -> None:
    command = ["git", "lineage", "run", "-q", "--", "sh", "-c", 'cat "$1"; echo x >"$2"', "sh",
               "/dev/stdin", "/dev/stderr", "/dev/fd/1"]  # fmt: skip
    (repo / "in").write_text("content\n")
    with (repo / "in").open() as given, (isolated / "err").open("w") as err:
        subprocess.run(command, stdin=given, stdout=subprocess.PIPE, stderr=err, check=True)
    found = last()
    assert [(each.path, each.role) for each in found.inputs] == [("in", "stdin")]
    assert not found.outputs


def test_argument_that_the_run_rewrites_is_an_output_only(
    repo: Path, lineage: Lineage, isolated: Path
) -> None:
    outside = isolated / "outside"
    outside.write_text("o")
    (repo / "inside").write_text("i")
    (repo / "kept").write_text("k")
    new = isolated / "new"
    lineage("run", "--", "sh", "-c", 'for each; do echo x > "$each"; done', "sh",
            "inside", outside, f"--to={new}", new)  # fmt: skip
    found = last()
    assert not found.inputs
    assert {(each.path, each.how, each.change) for each in found.outputs} == {
        ("inside", "detected", "overwritten"),
        (str(outside), "argument", "overwritten"),
        (str(new), "argument", "created"),
    }
    lineage("run", "-i", "inside", "--", "sh", "-c", "echo y > inside", "sh", "inside", "kept")
    found = last()
    assert hows(found.inputs) == {"inside": "declared", "kept": "argument"}
    assert hows(found.outputs) == {"inside": "detected"}


def test_previous_content_of_an_output_that_is_made_again(repo: Path, lineage: Lineage) -> None:
    for text in "ab":
        lineage("run", "--", sys.executable, "-c", WRITE, "out", text)
    (found,) = last().outputs
    assert (found.change, found.previous) == ("overwritten", blake3(b"a").digest())


def test_standard_output_that_is_a_file(repo: Path, git: Git) -> None:
    for name in ("made.txt", "code.py"):  # one that git does not know, one that it tracks
        with open(name, "w") as file:
            done = subprocess.run(["git", "lineage", "run", "--", "echo", "made"], stdout=file,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
        assert done.stderr.endswith(b", 1 output\n")
        assert Path(name).read_text() == "made\n"
        found = last()
        assert found.launch is not None
        assert not found.launch.code.is_adhoc
        (made,) = found.outputs
        assert (made.path, made.role) == (name, "stdout")
        assert made.digest == "blake3:" + blake3(b"made\n").hexdigest()
        git("checkout", "-q", "code.py")


def test_standard_output_outside_of_the_work_tree_is_a_log(repo: Path, isolated: Path) -> None:
    with open(isolated / "log", "w") as file:
        subprocess.run(["git", "lineage", "run", "-q", "--", "echo", "x"], stdout=file,
                       stdin=subprocess.DEVNULL, check=True)  # fmt: skip
    assert not last().outputs


def test_file_that_our_own_words_go_to_is_neither_code_nor_output(repo: Path) -> None:
    with open("all.log", "w") as file:
        subprocess.run(["git", "lineage", "run", "--", "echo", "x"], stdout=file, stderr=file,
                       stdin=subprocess.DEVNULL)  # fmt: skip
    with open("all.log", "a") as file:
        subprocess.run(["git", "lineage", "run", "--", "echo", "y"], stdout=file,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    for name in ("@", "@~1"):
        found = last(name)
        assert found.launch is not None
        assert (found.outputs, found.launch.code.is_adhoc) == ((), False)


def test_more_files_than_are_listed(repo: Path, lineage: Lineage) -> None:
    make = "mkdir {0}; cd {0}; seq 1002 | xargs touch"
    done = lineage("run", "-q", "--", "sh", "-c", make.format("loose"))
    assert done.stderr == (
        "warning: 2 more files were changed and are not listed: declare their folder with -o\n"
    )
    assert len(last().outputs) == 1000
    shutil.rmtree("loose")
    done = lineage("run", "-q", "-o", "tight", "--", "sh", "-c", make.format("tight"))
    assert done.stderr == ""
    lineage("run", "-q", "--", "true")
    launch = last().launch
    assert launch is not None
    assert not launch.code.is_adhoc  # nor do those that are beyond the list become code


def test_nested_executions_share_out_what_was_written(repo: Path, lineage: Lineage) -> None:
    lineage("run", "--step", "outer", "--", "sh", "-c",
            "git lineage run --step inner -- sh -c "
            "'echo i > inner; git lineage run --step core -o core -- touch core';"
            "echo o > outer")  # fmt: skip
    outer, inner, core = last("@outer"), last("@inner"), last("@core")
    assert hows(outer.outputs) == {"outer": "detected"}
    assert hows(inner.outputs) == {"inner": "detected"}
    assert hows(core.outputs) == {"core": "declared"}
    assert outer.launch and inner.launch and core.launch
    assert (outer.launch.parent, outer.launch.root) == (None, None)
    assert (inner.launch.parent, inner.launch.root) == (outer.id, outer.id)
    assert (core.launch.parent, core.launch.root) == (inner.id, outer.id)
    assert not outer.end.warnings if outer.end else False


OBSERVED = pytest.mark.parametrize("how", ["detected", "observed"])


def changes(lineage: Lineage, how: str, *command: str) -> list[tuple[str, str | None, str | None]]:
    """Run a command, and return what became of files: path, change and path before."""
    lineage("run", "-q", *(["--observe"] if how == "observed" else []), "--", *command)
    return [(each.path, each.change, each.renamed_from) for each in last().outputs]


@OBSERVED
def test_what_is_deleted_is_an_output_without_content(
    repo: Path, lineage: Lineage, git: Git, how: str
) -> None:
    (repo / "data.csv").write_text("d")
    (repo / "dir").mkdir()
    (repo / "dir/x").write_text("x")
    script = "rm data.csv code.py; rm -r dir; echo t > tmp; cat tmp; rm tmp"
    assert changes(lineage, how, "sh", "-c", script) == [
        (path, "deleted", None) for path in ("code.py", "data.csv", "dir/x")
    ]
    for each in last().outputs:
        assert (each.how, each.digest, each.size) == (how, None, None)
    git("checkout", "code.py")
    (repo / "data.csv").write_text("d")
    done = lineage("run", "-i", "data.csv", "-o", "code.py", "--", "rm", "data.csv", "code.py")
    assert "warning" not in done.stderr
    assert done.stderr.endswith(", 2 deleted\n") and "not made" not in done.stderr
    found = last().outputs
    assert of(found, "data.csv").previous == blake3(b"d").digest()
    assert of(found, "code.py").how == "declared"
    assert of(found, "code.py").previous is not None


@OBSERVED
def test_what_is_renamed_is_one_output_and_an_input(repo: Path, lineage: Lineage, how: str) -> None:
    content = blake3(b"d").digest()
    (repo / "data.csv").write_text("d")
    assert changes(lineage, how, "mv", "data.csv", "new.csv") == [
        ("new.csv", "renamed", "data.csv")
    ]
    found = last()
    assert of(found.inputs, "data.csv").digests["blake3"] == content
    assert of(found.outputs, "new.csv").previous == content
    # Folders say nothing of what is in them: times and inodes of the files are as they were.
    (repo / "old/sub").mkdir(parents=True)
    for name in ("a", "sub/a"):
        (repo / "old" / name).write_text(name)
    assert changes(lineage, how, "mv", "old", "moved") == [
        ("moved/a", "renamed", "old/a"),
        ("moved/sub/a", "renamed", "old/sub/a"),
    ]
    assert {each.path for each in last().inputs} == {"old/a", "old/sub/a"}


def test_renames_that_only_system_calls_tell_of(repo: Path, lineage: Lineage) -> None:
    (repo / "a").write_text("a")
    (repo / "b").write_text("b")
    run = ["sh", "-c", "mv a t; mv b a; mv t c; echo x > n; mv n m"]
    assert changes(lineage, "observed", *run) == [
        ("a", "overwritten", None),
        ("b", "deleted", None),
        ("c", "created", None),
        ("m", "created", None),
    ]
    assert of(last().outputs, "a").previous == blake3(b"a").digest()
    assert changes(lineage, "observed", "git", "mv", "code.py", "lib.py") == [
        ("lib.py", "renamed", "code.py")
    ]


def test_a_rename_and_a_copy_that_is_deleted_are_the_same(repo: Path, lineage: Lineage) -> None:
    (repo / "a").write_text("a")
    run = ("run", "-q", "-i", "a", "--", "sh", "-c", "cat a > b; rm a")
    lineage(*run)
    assert [(each.path, each.change) for each in last().outputs] == [("b", "renamed")]
    (repo / "a").write_text("")  # nothing is like nothing else
    lineage(*run)
    assert {(e.path, e.change) for e in last().outputs} == {("b", "overwritten"), ("a", "deleted")}


@OBSERVED
def test_what_grows_is_appended_to(repo: Path, lineage: Lineage, how: str) -> None:
    (repo / "log").write_text("one\n")
    options = ["--observe"] if how == "observed" else []
    lineage("run", "-q", *options, "-o", "log", "--", "sh", "-c", "echo two >> log")
    found = last()
    grown = of(found.outputs, "log")
    assert (grown.change, grown.previous) == ("appended", blake3(b"one\n").digest())
    # It holds what was there before, and whoever made that made it, too: where that is certain.
    inputs = {each.path: each.digests["blake3"] for each in found.inputs}
    assert inputs == ({"log": blake3(b"one\n").digest()} if how == "observed" else {})
    lineage("run", "-q", *options, "-o", "log", "--", "sh", "-c", "echo other lines > log")
    assert of(last().outputs, "log").change == "overwritten"
    assert changes(lineage, how, "sh", "-c", "echo three >> log") == [("log", "appended", None)]


def test_a_file_that_grew_is_not_reused_and_can_be_made_again(repo: Path, lineage: Lineage) -> None:
    (repo / "log").write_text("one\n")
    command = ("--step", "grow", "--", "sh", "-c", "echo two >> log")
    lineage("run", "--observe", *command)
    assert "log would grow once more" in lineage("run", "--reuse", "--observe", *command).stderr
    (repo / "log").unlink()
    done = lineage("reproduce", "@grow~1")  # the code that was kept has its first line
    assert done.stdout.splitlines()[-1] == "  identical  log"
    (repo / ".gitignore").write_text("other\n")
    (repo / "other").write_text("first\n")
    command = ("--step", "more", "--", "sh", "-c", "echo two >> other")
    lineage("run", "--observe", "-o", "other", *command)
    (repo / "other").unlink()
    # Here it is nowhere any more, which is no reason not to run.
    done = lineage("reproduce", "@more", check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "  different  other")


def test_what_is_deleted_beside_another_execution_is_nobodys(repo: Path, lineage: Lineage) -> None:
    (repo / "data.csv").write_text("d")
    (repo / "more.csv").write_text("m")
    inner = "git lineage run -q -- rm data.csv; rm more.csv"
    lineage("run", "-q", "--step", "outer", "--", "sh", "-c", inner)
    # What an execution inside of it has deleted is that one's.
    for name, path in (("@outer", "more.csv"), ("@rm", "data.csv")):
        assert [(each.path, each.change) for each in last(name).outputs] == [(path, "deleted")]
    (repo / "data.csv").write_text("d")
    os.mkfifo(".git/fifo")
    rival = start("git", "lineage", "run", "-q", "--", "sh", "-c", "cat .git/fifo")
    until(lambda: left_running(repo))
    done = lineage("run", "-q", "--", "rm", "data.csv")
    assert "so nobody claims data.csv: declare outputs with -o" in done.stderr
    (repo / ".git/fifo").write_text("go\n")
    rival.communicate(timeout=60)
    assert not last("@rm").outputs


def test_an_input_that_was_changed_since_says_so(repo: Path, lineage: Lineage) -> None:
    for name in ("data", "file"):
        (repo / name).mkdir() if name == "data" else (repo / name).touch()
        lineage("run", "-q", "-i", name, "--", "true")
        changed = repo / name / "in" if name == "data" else repo / name
        changed.write_text("changed")
        lineage("deploy", "shop", changed)
        changed.write_text("again")
        done = lineage("trace", name, check=False)
        short = last().id[:12]
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == (
            f"error: {name} was changed since execution {short} used it\n"
            f"hint: see what it was then: `git lineage trace {short}`\n"
        )


@OBSERVED
def test_files_of_an_input_folder_that_are_deleted_or_renamed(
    repo: Path, lineage: Lineage, how: str
) -> None:
    (repo / "data/sub").mkdir(parents=True)
    (repo / "old").mkdir()
    for name in ("data/a", "data/sub/a", "data/b", "old/a"):
        (repo / name).write_text(name)
    options = ["--observe"] if how == "observed" else []
    script = "rm data/b old/a; mv data/sub data/moved; echo c > data/c"
    lineage("run", "-q", *options, "-i", "data", "--", "sh", "-c", script)
    moved = [("data/moved/a", "renamed", "data/sub/a")]
    if how == "detected":  # it may be either of the two
        moved = [("data/moved/a", "created", None), ("data/sub/a", "deleted", None)]
    assert [(each.path, each.change, each.renamed_from) for each in last().outputs] == [
        ("data/b", "deleted", None),
        ("data/c", "created", None),
        *moved,
        ("old/a", "deleted", None),
    ]
