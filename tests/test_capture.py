"""What goes in, what comes out, and which code ran: the state of a work tree around a command."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from conftest import Git, Lineage
from executions import POWERLESS, hows, last

from gitlineage.capture import is_secret, step_of
from gitlineage.records import Artifact

WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


def of(artifacts: tuple[Artifact, ...], path: str) -> Artifact:
    (found,) = (each for each in artifacts if each.path == path)
    return found


def tree_of_all(git: Git, repo: Path, *but: str) -> str:
    """Return the tree that `git add -A` makes of the work tree, in a staging area of its own."""
    private = str(repo.parent / "private-index")
    shutil.copyfile(repo / ".git/index", private)
    git("add", "-A", "--", ".", *(f":(exclude){each}" for each in but), cwd=repo,
        GIT_INDEX_FILE=private)  # fmt: skip
    return git("write-tree", cwd=repo, GIT_INDEX_FILE=private)


# --- inputs ---------------------------------------------------------------------------------------


def test_declared_inputs_of_every_kind(repo: Path, lineage: Lineage) -> None:
    (repo / "data/deep").mkdir(parents=True)
    (repo / "data/one.csv").write_text("1\n")
    (repo / "data/deep/two.csv").write_text("2\n")
    (repo / "raw.csv").write_text("raw\n")
    lineage("run", "-i", "train=raw.csv", "-i", "data", "-i", "s3://bucket/a=b?v=1",
            "-i", "images=gs://bucket/cat.png", "-i", "README.md", "--", "true")  # fmt: skip
    found = last()
    assert [(each.path, each.type, each.role) for each in found.inputs] == [
        ("raw.csv", "file", "train"),
        ("data", "directory", None),
        ("s3://bucket/a=b?v=1", "uri", None),
        ("gs://bucket/cat.png", "uri", "images"),
        ("README.md", "file", None),
    ]
    assert {each.how for each in found.inputs} == {"declared"}
    assert found.inputs[0].digest == "blake3:" + blake3(b"raw\n").hexdigest()
    assert found.inputs[1].size == 4
    assert found.inputs[2].digest is None


def test_input_whose_path_holds_an_equals_sign(repo: Path, lineage: Lineage) -> None:
    (repo / "alpha=0.1").write_text("x")
    lineage("run", "-i", "alpha=0.1", "--", "true")
    assert [(each.path, each.role) for each in last().inputs] == [("alpha=0.1", None)]


def test_directory_is_known_by_what_it_holds(repo: Path, lineage: Lineage) -> None:
    def digest() -> str | None:
        lineage("run", "-i", "data", "--", "true")
        return last().inputs[0].digest

    (repo / "data/sub").mkdir(parents=True)
    file = repo / "data/sub/a"
    file.write_text("a")
    first = digest()
    os.utime(file, (1, 1))
    assert digest() == first
    file.chmod(0o755)
    executable = digest()
    assert executable != first
    file.chmod(0o644)
    (repo / "data/link").symlink_to("nowhere")
    linked = digest()
    assert linked not in (first, executable)
    (repo / "data/link").unlink()
    file.rename(repo / "data/sub/b")
    assert digest() not in (first, executable, linked)
    (repo / "data/sub/b").rename(file)
    assert digest() == first


def test_files_named_as_arguments(repo: Path, lineage: Lineage, git: Git, isolated: Path) -> None:
    outside = isolated / "outside.csv"
    outside.write_text("o")
    for name in ("plain.csv", "option.csv", "ignored.csv", "-dash"):
        (repo / name).write_text(name)
    (repo / ".gitignore").write_text("ignored.csv\n")
    (repo / "folder").mkdir()
    lineage("run", "--", "echo", "code.py", "plain.csv", "--data=option.csv", "if=ignored.csv",
            "folder", "no-such-file", "./plain.csv", outside)  # fmt: skip
    found = last()
    assert hows(found.inputs) == dict.fromkeys(
        ("plain.csv", "option.csv", "ignored.csv", str(outside)), "argument"
    )
    assert of(found.inputs, str(outside)).host == socket.gethostname()
    assert of(found.inputs, "plain.csv").host is None
    assert of(found.inputs, "plain.csv").given == "./plain.csv"
    assert not found.outputs


def test_standard_input_that_is_a_file(repo: Path) -> None:
    (repo / "in.csv").write_text("in")
    with open("in.csv") as file:
        done = subprocess.run(["git", "lineage", "run", "-q", "--", "cat"], stdin=file,
                              capture_output=True, text=True)  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("in", "", 0)
    (found,) = last().inputs
    assert (found.path, found.how, found.role, found.given) == ("in.csv", "argument", "stdin", None)
    assert found.digest == "blake3:" + blake3(b"in").hexdigest()


def test_paths_from_a_subdirectory_are_relative_to_the_top(
    repo: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "sub").mkdir()
    (repo / "top.csv").write_text("t")
    (repo / "sub/near.csv").write_text("n")
    monkeypatch.chdir(repo / "sub")
    lineage("run", "-i", "../top.csv", "-o", "made", "--", "cp", "near.csv", "made")
    found = last()
    assert found.launch is not None
    assert found.launch.directory == "sub"
    assert hows(found.inputs) == {"top.csv": "declared", "sub/near.csv": "argument"}
    assert hows(found.outputs) == {"sub/made": "declared"}
    assert of(found.inputs, "top.csv").given == "../top.csv"
    assert of(found.outputs, "sub/made").given == "made"


def test_through_links(repo: Path, lineage: Lineage, isolated: Path,
                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    data = isolated / "data"
    data.mkdir()
    (data / "in").write_text("behind the link")
    (repo / "data").symlink_to(data)
    (repo / "latest").symlink_to("data/in")
    (isolated / "way").symlink_to(repo)
    monkeypatch.chdir(isolated / "way")
    lineage("run", "-i", "latest", "-o", "data/out", "--", "cp", "latest", "data/out")
    found = last()
    digest = "blake3:" + blake3(b"behind the link").hexdigest()
    assert [(each.path, each.digest) for each in found.inputs] == [("latest", digest)]
    assert [(each.path, each.digest) for each in found.outputs] == [("data/out", digest)]


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"new\nline.csv", b" spaces ", "été.csv".encode(),
                                  b'quo"te.csv', b"tab\t.csv", b":(top)x", b"*.csv"])  # fmt: skip
def test_odd_names(repo: Path, lineage: Lineage, name: bytes) -> None:
    path = os.fsdecode(name)
    (repo / path).write_text("odd")
    made = "made " + path
    lineage("run", "-i", path, "-o", made, "--", "cp", path, made)
    lineage("run", "--", "cp", "--", "./" + made, "again " + path)
    second, first = last("@"), last("@~1")
    assert hows(first.inputs) == {path: "declared"}
    assert hows(first.outputs) == {made: "declared"}
    assert hows(second.inputs) == {made: "argument"}
    assert hows(second.outputs) == {"again " + path: "detected"}
    shown = lineage("show").stdout
    assert "\n".join(line for line in shown.splitlines() if "again" in line).count("again") >= 1
    assert len(lineage("log", "--oneline").stdout.splitlines()) == 2


def test_input_that_changed_while_it_ran(repo: Path, lineage: Lineage) -> None:
    (repo / "data").mkdir()
    (repo / "data/a").write_text("a")
    (repo / "file").write_text("f")
    (repo / "same").write_text("s")
    done = lineage("run", "-q", "-i", "data", "-i", "file", "-i", "same", "--",
                   "sh", "-c", "echo b > data/a; echo g > file; cat same")  # fmt: skip
    assert done.stderr == (
        "warning: input data changed while it ran\nwarning: input file changed while it ran\n"
    )
    found = last()
    assert of(found.inputs, "file").digest == "blake3:" + blake3(b"f").hexdigest()
    assert set(hows(found.outputs)) == {"data/a", "file"}


def test_declared_as_input_and_output_is_both_and_no_warning(repo: Path, lineage: Lineage) -> None:
    (repo / "db").write_text("1")
    done = lineage("run", "-q", "-i", "db", "-o", "db", "--", "sh", "-c", "echo 2 >> db")
    assert done.stderr == ""
    found = last()
    assert of(found.inputs, "db").digest == "blake3:" + blake3(b"1").hexdigest()
    assert of(found.outputs, "db").digest == "blake3:" + blake3(b"12\n").hexdigest()
    assert of(found.outputs, "db").previous == blake3(b"1").digest()


def test_input_that_is_a_pipe_has_no_content(repo: Path, lineage: Lineage) -> None:
    os.mkfifo(repo / "pipe")
    lineage("run", "-i", "pipe", "--", "true")
    assert [(each.path, each.type, each.digest) for each in last().inputs] == [
        ("pipe", "special", None)
    ]


# --- outputs --------------------------------------------------------------------------------------


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
        "warning: 2 more files were written and are not listed: declare their folder with -o\n"
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


# --- code -----------------------------------------------------------------------------------------


def code_of(lineage: Lineage):
    lineage("run", "-q", "--", "true")
    launch = last().launch
    assert launch is not None
    return launch.code


def test_clean_commit(repo: Path, lineage: Lineage, git: Git) -> None:
    code = code_of(lineage)
    assert (code.commit, code.tree) == (git("rev-parse", "HEAD"), git("rev-parse", "HEAD^{tree}"))
    assert (code.branch, code.is_adhoc, code.differs_count) == ("main", False, 0)


CHANGES = {
    "unstaged": "echo 2 >> code.py",
    "staged": "echo 2 >> code.py; git add code.py",
    "staged and changed again": "echo 2 >> code.py; git add code.py; echo 3 >> code.py",
    "staged, and as before": "echo 2 >> code.py; git add code.py; git show HEAD:code.py > code.py",
    "untracked": "echo new > new.py",
    "untracked in a folder": "mkdir -p a/b; echo new > a/b/new.py; ln -s new.py a/b/link",
    "intent to add": "echo new > new.py; git add -N new.py",
    "deleted": "rm code.py",
    "deleted in the staging area": "git rm -q code.py",
    "deleted in the staging area only": "git rm -q --cached code.py",
    "added and deleted again": "echo new > new.py; git add new.py; rm new.py",
    "executable": "chmod +x code.py",
    "renamed": "git mv code.py other.py; echo 2 >> other.py",
    "file to link": "rm code.py; ln -s README.md code.py",
    "file to folder": "rm code.py; mkdir code.py; echo x > code.py/inner",
    "all of it": "echo 2 >> code.py; git add .; rm README.md; echo n > n; chmod +x n",
    "line ends": "git config core.safecrlf true; git config core.autocrlf input;"
                 r" printf 'a\r\nb\r\n' > crlf.py",
    "nothing after all": "touch code.py; git update-index -q --refresh; touch code.py",
}  # fmt: skip


@pytest.mark.parametrize("change", list(CHANGES))
def test_snapshot_is_exactly_what_ran(repo: Path, lineage: Lineage, git: Git, change: str) -> None:
    subprocess.run(["sh", "-ec", CHANGES[change]], check=True)
    code = code_of(lineage)
    git("config", "--unset", "core.safecrlf", cwd=repo) if change == "line ends" else None
    assert code.tree == tree_of_all(git, repo)
    is_adhoc = code.tree != git("rev-parse", "HEAD^{tree}")
    assert (
        code.is_adhoc
        == is_adhoc
        == (
            change
            not in (
                "staged, and as before",
                "added and deleted again",
                "nothing after all",
                "deleted in the staging area only",
            )
        )
    )
    assert (code.differs_count > 0) == is_adhoc
    assert code.commit == git("rev-parse", "HEAD")
    assert git("rev-parse", f"{code.snapshot}^{{tree}}") == code.tree
    assert git("cat-file", "-p", code.snapshot).split("\n\n")[1].strip() in ("snapshot", "Begin")


def test_in_the_middle_of_a_merge(repo: Path, lineage: Lineage, git: Git) -> None:
    git("checkout", "-q", "-b", "side")
    (repo / "code.py").write_text("side\n")
    git("commit", "-q", "-am", "Side")
    git("checkout", "-q", "main")
    (repo / "code.py").write_text("main\n")
    git("commit", "-q", "-am", "Main")
    subprocess.run(["git", "merge", "-q", "side"], capture_output=True)
    assert "<<<<<<<" in (repo / "code.py").read_text()
    code = code_of(lineage)
    assert code.is_adhoc
    assert "<<<<<<<" in git("show", f"{code.tree}:code.py")
    assert git("ls-files", "--unmerged")
    (repo / "code.py").unlink()
    assert git("ls-tree", "--name-only", str(code_of(lineage).tree)) == "README.md"


def test_without_a_commit(isolated: Path, lineage: Lineage, git: Git,
                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    git("init", "-q", isolated / "fresh")
    monkeypatch.chdir(isolated / "fresh")
    code = code_of(lineage)
    assert (code.commit, code.branch, code.is_adhoc) == (None, "main", True)
    assert git("ls-tree", code.tree) == ""
    Path("code.py").write_text("1\n")
    Path("staged.py").write_text("2\n")
    git("add", "staged.py")
    code = code_of(lineage)
    assert git("ls-tree", "--name-only", str(code.tree)) == "code.py\nstaged.py"
    assert git("fsck", "--strict") in ("", "notice: HEAD points to an unborn branch (main)")


def test_detached_head(repo: Path, lineage: Lineage, git: Git) -> None:
    git("checkout", "-q", "--detach")
    code = code_of(lineage)
    assert (code.branch, code.commit, code.is_adhoc) == (None, git("rev-parse", "HEAD"), False)


def test_linked_work_tree(repo: Path, lineage: Lineage, git: Git, isolated: Path,
                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    linked = isolated / "linked"
    git("worktree", "add", "-q", "-b", "side", linked)
    monkeypatch.chdir(linked)
    Path("new.py").write_text("n\n")
    lineage("run", "-q", "--", "sh", "-c", "echo o > out")
    found = last()
    assert found.launch is not None
    assert found.launch.code.branch == "side"
    assert git("ls-tree", "--name-only", str(found.launch.code.tree)).split() == [
        "README.md", "code.py", "new.py"
    ]  # fmt: skip
    assert hows(found.outputs) == {"out": "detected"}
    monkeypatch.chdir(repo)
    assert last().id == found.id
    assert git("status", "--porcelain") == ""


def test_submodules(repo: Path, lineage: Lineage, git: Git, isolated: Path) -> None:
    git("init", "-q", isolated / "lib")
    (isolated / "lib/lib.py").write_text("1\n")
    git("add", ".", cwd=isolated / "lib")
    git("commit", "-q", "-m", "Lib", cwd=isolated / "lib")
    git("submodule", "--quiet", "add", str(isolated / "lib"), "lib")
    git("commit", "-q", "-m", "With lib")
    first = git("rev-parse", "HEAD", cwd=repo / "lib")
    code = code_of(lineage)
    assert not code.is_adhoc
    assert [(each.path, each.commit, each.is_dirty) for each in code.submodules] == [
        ("lib", first, False)
    ]
    (repo / "lib/lib.py").write_text("2\n")
    done = lineage("run", "-q", "--", "cat", "lib/lib.py")
    assert done.stderr == (
        "warning: changes inside lib are not in the snapshot: commit them there\n"
    )
    launch = last().launch
    assert launch is not None
    assert launch.code.is_adhoc
    assert launch.code.submodules[0].is_dirty
    git("commit", "-q", "-am", "More", cwd=repo / "lib")
    code = code_of(lineage)
    assert code.is_adhoc
    assert [each.commit for each in code.submodules] == [git("rev-parse", "HEAD", cwd=repo / "lib")]
    assert code.tree == tree_of_all(git, repo)


def test_repository_inside_that_is_no_submodule(repo: Path, lineage: Lineage, git: Git) -> None:
    git("init", "-q", repo / "other")
    (repo / "other/x").write_text("x")
    code = code_of(lineage)
    assert not code.is_adhoc


def test_what_is_left_out_of_a_snapshot_is_listed(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / ".gitignore").write_text("ignored/\n*.log\n")
    (repo / "ignored").mkdir()
    (repo / "ignored/x.py").write_text("x")
    (repo / "run.log").write_text("x")
    (repo / "big.bin").write_bytes(bytes(5 << 20))
    (repo / ".env").write_text("PASSWORD=1")
    (repo / "deploy.pem").write_text("-----BEGIN")
    (repo / "id_ed25519.pub").write_text("public")
    (repo / "small.py").write_text("s")
    code = code_of(lineage)
    assert {(each.path, each.reason) for each in code.left_out} == {
        ("big.bin", "large"), (".env", "secret"), ("deploy.pem", "secret")
    }  # fmt: skip
    assert code.tree == tree_of_all(git, repo, "big.bin", ".env", "deploy.pem")
    names = git("ls-tree", "-r", "--name-only", code.tree).split("\n")
    assert names == [".gitignore", "README.md", "code.py", "id_ed25519.pub", "small.py"]
    git("config", "lineage.snapshotLimit", "8m")
    assert "big.bin" in git("ls-tree", "--name-only", code_of(lineage).tree).split("\n")
    objects = git("cat-file", "--batch-all-objects", "--batch-check")
    assert str(len("PASSWORD=1")) not in [
        line.split()[2] for line in objects.splitlines() if " blob " in line
    ]


def test_secret_that_git_tracks_is_code(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / ".env").write_text("A=1")
    git("add", ".env")
    git("commit", "-q", "-m", "Oh")
    (repo / ".env").write_text("A=2")
    code = code_of(lineage)
    assert git("show", f"{code.tree}:.env") == "A=2"
    assert not code.left_out


def test_only_left_out_files_do_not_make_code_ad_hoc(repo: Path, lineage: Lineage) -> None:
    (repo / ".env").write_text("A=1")
    code = code_of(lineage)
    assert (code.is_adhoc, code.differs_count, len(code.left_out)) == (False, 0, 1)


needs_setpriv = pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None,
    reason="root can read everything, and there is no setpriv to take that away",
)


@needs_setpriv
def test_unreadable_files_are_left_out(repo: Path, isolated: Path, git: Git) -> None:
    (repo / "code.py").write_text("changed\n")
    (repo / "new.py").write_text("n\n")
    (repo / "fine.py").write_text("f\n")
    for name in ("code.py", "new.py"):
        (repo / name).chmod(0)
    done = subprocess.run([*POWERLESS, "git", "lineage", "run", "-q", "--", "true"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    git("config", "--global", "--add", "safe.directory", "*")
    launch = last().launch
    assert launch is not None
    assert {(each.path, each.reason) for each in launch.code.left_out} == {
        ("code.py", "unreadable"), ("new.py", "unreadable")
    }  # fmt: skip
    assert git("ls-tree", "--name-only", str(launch.code.tree)).split() == [
        "README.md", "code.py", "fine.py"
    ]  # fmt: skip
    assert git("show", f"{launch.code.tree}:code.py") == 'print("hello")'


def test_pipe_in_the_place_of_a_tracked_file(repo: Path, lineage: Lineage) -> None:
    (repo / "code.py").unlink()
    os.mkfifo(repo / "code.py")
    code = code_of(lineage)
    assert [(each.path, each.reason) for each in code.left_out] == [("code.py", "unreadable")]


def test_output_of_an_earlier_execution_is_not_code(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "-o", "folder", "--", "sh", "-c",
            "mkdir folder; echo 1 > folder/a; echo 2 > loose")  # fmt: skip
    assert not code_of(lineage).is_adhoc
    (repo / "loose").write_text("edited\n")
    code = code_of(lineage)
    assert (code.is_adhoc, code.differs_count) == (True, 1)
    (repo / "loose").write_text("2\n")
    assert not code_of(lineage).is_adhoc


def test_declared_data_is_not_code(repo: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
                                   ) -> None:  # fmt: skip
    (repo / "data").mkdir()
    (repo / "data/a").write_text("a")
    (repo / "database").write_text("d")
    monkeypatch.chdir(repo / "data")
    lineage("run", "-q", "-i", ".", "-o", "../database", "--", "true")
    launch = last().launch
    assert launch is not None
    assert not launch.code.is_adhoc


def test_remotes_lose_their_credentials(repo: Path, lineage: Lineage, git: Git) -> None:
    git("remote", "add", "origin", "https://ada:secret@example.org:8443/a.git")
    git("remote", "add", "other", "git@example.org:a.git")
    assert dict(code_of(lineage).remotes) == {
        "origin": "https://example.org:8443/a.git",
        "other": "git@example.org:a.git",
    }


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "step"), [
    ("python train.py --lr 1", "train"),
    ("python3.11 -u src/train.py", "train"),
    ("python -m pkg.module.train x", "train"),
    ("python -c pass", "python"),
    ("bash -x run.sh", "run"),
    ("sh -c true", "sh"),
    ("python3.11 -c pass", "python"),
    ("./train.sh", "train"),
    ("/usr/bin/env python train.py", "train"),
    ("Rscript fit.R", "fit"),
    ("make all", "make"),
    ("a.out", "a"),
    (".hidden", ".hidden"),
    ("uv run train.py", "train"),
])  # fmt: skip
def test_step_is_named_after_the_script(command: str, step: str, isolated: Path) -> None:
    assert step_of(command.split()) == step


@pytest.mark.parametrize(("path", "expected"), [
    (".env", True), ("a/.ENV.local", True), ("id_rsa", True), ("id_rsa.pub", False),
    ("key.pem", True), ("server.KEY", True), ("keyboard.py", False), ("environment.py", False),
    ("credentials.json", True), ("my_credentials.py", False),
])  # fmt: skip
def test_names_that_secrets_have(path: str, expected: bool) -> None:
    assert is_secret(path) is expected
