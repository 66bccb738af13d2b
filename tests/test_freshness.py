"""Which files are what would be made now: as values, and as `git lineage status` tells it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, last
from test_comparison import on_terminal

import gitlineage
from gitlineage import differences
from gitlineage.freshness import planned
from gitlineage.records.artifact import Artifact
from gitlineage.records.launch import Image
from gitlineage.repository import Repository

STEPS = {
    "prepare.py": """\
        import os
        os.makedirs("made", exist_ok=True)
        open("made/train", "w").write(open("raw").read() * 2)
        """,
    "train.py": """\
        open("made/model", "w").write(open("made/train").read() + "model")
        """,
    "report.py": """\
        open("made/report", "w").write(open("made/model").read() + "report")
        """,
}


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where a repository with three executions is kept: each test has a copy of it."""
    return tmp_path_factory.mktemp("kept") / "repo"


@pytest.fixture
def made_here(repo: Path, lineage: Lineage, git: Git) -> Path:
    """Return a repository with three steps, each made from what the one before has made."""
    for name, content in STEPS.items():
        (repo / name).write_text(re.sub(r"^ {8}", "", content, flags=re.MULTILINE))
    (repo / ".gitignore").write_text("made/\nraw\n")
    git("add", ".")
    git("commit", "-q", "-m", "Steps")
    (repo / "raw").write_text("1")
    lineage("run", "-i", "raw", "--", "python", "prepare.py")
    lineage("run", "-i", "made/train", "--", "python", "train.py")
    lineage("run", "-i", "made/model", "--", "python", "report.py")
    return repo


@pytest.fixture
def made(request: pytest.FixtureRequest, repo: Path, kept: Path) -> Path:
    """Return a copy of such a repository: what was made where is not known of it."""
    if not kept.exists():
        shutil.copytree(request.getfixturevalue("made_here"), kept, symlinks=True)
    else:
        shutil.rmtree(repo)
        shutil.copytree(kept, repo, symlinks=True)
        os.chdir(repo)
    return repo


@pytest.fixture
def states(lineage: Lineage):
    """Return the states of what is here: path to state and why."""

    def look(*words: str) -> dict[str, str]:
        found = {}
        for line in lineage("status", "--json", *words).stdout.splitlines():
            each = json.loads(line)
            why = "".join(f" {reason['kind']}:{reason['path']}" for reason in each["reasons"])
            found[each["path"].removeprefix("made/")] = each["state"] + why
        return found

    return look


def change(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def scrub(text: str) -> str:
    for number, each in enumerate(reversed(everything())):
        text = text.replace(each.id, f"<id {number}>").replace(each.id[:8], f"<{number}>")
    return text


def test_what_was_made_is_current(made: Path, lineage: Lineage, states) -> None:
    assert states() == {"model": "current", "report": "current", "train": "current"}
    done = lineage("status", "--exit-code")
    assert (done.stdout, done.stderr) == ("3 outputs: all current\n", "")
    assert scrub(lineage("status", "made/model").stdout) == (
        "1 output: current\n\nCurrent outputs:\n    made/model  made by train <1>\n"
    )
    (made / "notes.txt").write_text("new files were read by nobody\n")
    assert lineage("status").stdout == "3 outputs: all current\n"


def test_what_opens_its_inputs_itself_is_said(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / ".gitignore").write_text("*.csv\nmodel\n")
    (repo / "train.py").write_text("open('model', 'w').write(open('train.csv').read())\n")
    git("add", ".")
    git("commit", "-q", "-m", "Open it there")
    (repo / "train.csv").write_text("1\n")
    lineage("run", "-q", "--", "python", "train.py")
    (repo / "train.csv").write_text("2\n")
    done = lineage("status")
    assert done.stdout == "1 output: current\n"
    assert scrub(done.stderr) == (
        "hint: no inputs are known of train <0>: what they read beside the code may have changed "
        "unseen; declare it with -i, or run with --observe\n"
    )
    for form in (["--porcelain"], ["-z"], ["--json"]):
        assert lineage("status", *form).stderr == ""
    lineage("run", "-q", "-i", "train.csv", "--", "python", "train.py")
    assert lineage("status").stderr == ""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_what_was_observed_to_read_nothing_is_not_said(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--observe", "--", "sh", "-c", "echo 1 > out.txt")
    done = lineage("status")
    assert (done.stdout, done.stderr) == ("1 output: current\n", "")


def test_made_from_several_that_are_stale(repo: Path, lineage: Lineage) -> None:
    (repo / "raw").write_text("1")
    for name in ("a", "b"):
        lineage("run", "-q", "-i", "raw", "--", "sh", "-c", f"echo {name} > {name}")
    lineage("run", "-q", "-i", "a", "-i", "b", "--", "sh", "-c", "cat a b > c")
    (repo / "raw").write_text("2")
    assert "        made from a, b, which are stale\n" in lineage("status").stdout


def test_status_with_everything_in_it(made_here: Path, lineage: Lineage) -> None:
    change(made_here / "train.py", "model", "MODEL")
    (made_here / "raw").write_text("2")
    (made_here / "made/report").unlink()
    lineage("run", "--step", "copy", "--", "sh", "-c", "echo 1 > made/copy; exit 3", check=False)
    (made_here / "made/copy").write_text("mine")
    done = lineage("status", "--exit-code", check=False)
    assert done.returncode == 1
    assert (
        scrub(done.stdout)
        == """\
4 outputs: 1 changed, 2 stale, 1 deleted

Stale outputs:
  (made from what has changed since: run these again)
    made/model  made by train <1>
        code changed: train.py
        made from made/train, which is stale
    made/train  made by prepare <0>
        code changed: train.py
        input changed: raw

Changed outputs:
  (their content is not what the execution made)
    made/copy  last made by copy <3>, which failed

Deleted outputs:
  (they were made here and are gone)
    made/report  last made by report <2>
"""
    )
    assert lineage("status", "--porcelain").stdout == (
        "M made/copy\nS made/model\nD made/report\nS made/train\n"
    )
    assert lineage("status", "-z", "made/model", "made/report").stdout == (
        "S made/model\0D made/report\0"
    )


def test_many_that_are_alike_are_told_together(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / "make.sh").write_text("mkdir -p d; for n in 1 2 3 4 5 6 7; do echo $n > d/$n; done\n")
    (repo / ".gitignore").write_text("d/\n")
    git("add", ".")
    git("commit", "-q", "-m", "Make")
    lineage("run", "-q", "--step", "fill", "--", "sh", "make.sh")
    (repo / "make.sh").write_text("exit 1\n")
    (repo / "d/4").unlink()
    done = lineage("status")
    assert scrub(done.stdout).splitlines()[4:10] == [
        "    d/1  made by fill <0>",
        "    d/2  made by fill <0>",
        "    d/3  made by fill <0>",
        "    and 3 more, all of them made by fill <0>",
        "        code changed: make.sh",
        "",
    ]
    assert scrub(done.stderr) == (
        "hint: fill <0> may not have read what changed of the code; "
        "with `run --observe`, only what is read counts\n"
    )
    assert len(lineage("status", "d").stdout.splitlines()) > 14  # all that was asked for


def test_what_is_made_from_what_is_stale_is_stale(made: Path, lineage: Lineage, states) -> None:
    (made / "raw").write_text("2")
    assert states() == {
        "train": "stale input:raw",
        "model": "stale upstream:made/train",
        "report": "stale upstream:made/model",
    }
    lineage("run", "-i", "raw", "--", "python", "prepare.py")
    assert states() == {
        "train": "current",
        "model": "stale input:made/train",
        "report": "stale upstream:made/model",
    }


def test_space_in_code_is_no_reason_where_it_means_nothing(
    made: Path, lineage: Lineage, git: Git, states
) -> None:
    (made / "run.sh").write_text("if true; then\necho 1 > made/x\nfi\n")
    lineage("run", "--", "sh", "run.sh")
    (made / "run.sh").write_text("if   true; then\n\n    echo 1 > made/x\nfi\n")
    change(made / "train.py", "\n", "   \n\n\n")
    assert states("made/x") == {"x": "current"}
    change(made / "train.py", "open", "if 1:\n  open")
    lineage("run", "--", "sh", "run.sh")
    change(made / "train.py", "  open", "    open")
    assert states("made/x") == {"x": "stale code:train.py"}
    git("checkout", "-q", "--", "train.py")
    os.chmod(made / "run.sh", 0o755)
    assert states("made/x") == {"x": "stale code:run.sh code:train.py"}


def test_missing_inputs_are_not_known_to_have_changed(made_here: Path, states) -> None:
    (made_here / "raw").unlink()
    (made_here / "made/train").unlink()
    assert states() == {"model": "current", "report": "current", "train": "deleted"}


def test_directories_stand_as_a_whole(made: Path, lineage: Lineage, states) -> None:
    lineage("run", "-o", "made/parts", "--", "sh", "-c",
            "mkdir made/parts; echo 1 > made/parts/a; echo 2 > made/parts/b")  # fmt: skip
    lineage("run", "-i", "made/parts", "--", "sh", "-c", "cat made/parts/* > made/sum")
    assert states("made/parts", "made/sum") == {"parts": "current", "sum": "current"}
    assert states("made/parts/a") == {"parts": "current"}
    (made / "made/parts/a").write_text("3")
    assert states("made/parts", "made/sum") == {
        "parts": "changed", "sum": "stale input:made/parts",
    }  # fmt: skip
    for name in ("a", "b"):
        (made / "made/parts" / name).unlink()
    (made / "made/parts").rmdir()
    assert states("made/parts") == {"parts": "deleted"}


def test_a_file_that_it_changes_in_place_is_no_input_that_changed(
    made: Path, lineage: Lineage, states
) -> None:
    lineage("run", "-i", "made/train", "-o", "made/train", "--", "sh", "-c",
            "echo more >> made/train")  # fmt: skip
    assert states("made/train") == {"train": "current"}


def test_only_observed_files_of_the_code_count_where_they_are_known(
    made: Path, lineage: Lineage, states
) -> None:
    (made / "made/seen").write_text("seen")
    with gitlineage.open() as opened:
        before = opened.execution()
        seen = Artifact(path="train.py", type="file", how="observed", digests={"blake3": b"1" * 32})
        digests = {"blake3": opened_digest(made / "made/seen")}
        output = Artifact(path="made/seen", type="file", how="observed", digests=digests)
        opened.append(
            before.launch.replace(nonce=b"other", inputs=()),
            before.end.replace(inputs=(seen.replace(digests={"blake3":
                opened_digest(made / "train.py")}),), outputs=(output,)),
        )  # fmt: skip
    change(made / "prepare.py", "2", "3")
    assert states()["seen"] == "current"
    assert states()["model"] == "stale code:prepare.py upstream:made/train"
    change(made / "train.py", "model", "MODEL")
    assert states()["seen"] == "stale code:train.py"


def opened_digest(path: Path) -> bytes:
    from gitlineage import digest

    return digest.of_bytes(path.read_bytes())


def test_a_clone_knows_only_what_it_has(
    clone_pair: tuple[Path, Path], lineage: Lineage, git: Git
) -> None:
    ours, theirs = clone_pair
    lineage("run", "--", "sh", "-c", "echo 1 > a; echo 2 > b", cwd=ours)
    (ours / "code.py").write_text('print("bye")\n')
    lineage("run", "--", "sh", "-c", "echo 3 > c", cwd=ours)
    lineage("push", cwd=ours)
    lineage("fetch", cwd=theirs)
    done = lineage("status", cwd=theirs)
    assert (done.stdout, done.stderr) == ("no execution has made what is here\n", "")
    (theirs / "a").write_text("1\n")
    assert lineage("status", cwd=theirs).stdout == "1 output: current\n"
    (theirs / "c").write_text("3\n")
    done = lineage("status", cwd=theirs)
    assert done.stdout == "2 outputs: all current\n"
    assert scrub_in(theirs, done.stderr) == (
        "warning: the code of 1 execution is not here: whether it has changed is not known\n"
        "hint: no inputs are known of sh <0>, sh <1>: what they read beside the code may have "
        "changed unseen; declare it with -i, or run with --observe\n"
    )
    lineage("code", "@", cwd=theirs)
    assert scrub_in(theirs, lineage("status", cwd=theirs).stdout).endswith(
        "    c  made by sh <1>\n        code changed: code.py\n"
    )


def scrub_in(folder: Path, text: str) -> str:
    os.chdir(folder)
    return scrub(text)


def test_status_changes_nothing(made: Path, lineage: Lineage, git: Git) -> None:
    (made / "new.py").write_text("x = 1\n")
    git("add", "new.py")
    lineage("run", "-i", "raw", "--", "python", "prepare.py")
    change(made / "train.py", "model", "MODEL")
    change(made / "train.py", "MODEL", "model")
    git("status")  # which may write what it finds out of files

    def everywhere() -> tuple[object, ...]:
        staged = made / ".git/index"
        return git("for-each-ref"), staged.read_bytes(), staged.stat(), len(everything())

    before = everywhere()
    lineage("status")
    lineage("run", "--reuse", "-i", "raw", "--", "python", "prepare.py")
    assert everywhere() == before
    assert git("status", "--porcelain") == "A  new.py"


def test_status_where_there_is_nothing(repo: Path, lineage: Lineage, git: Git) -> None:
    assert lineage("status", "--exit-code").stdout == "no execution has made what is here\n"
    git("clone", "-q", "--bare", repo, repo.parent / "bare.git")
    done = lineage("status", cwd=repo.parent / "bare.git", check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: this repository has no work tree")


def test_status_on_a_terminal_is_in_color(made: Path) -> None:
    (made / "made/report").write_text("mine")
    shown = on_terminal("status", columns=60)
    assert "\x1b[31mmade/report\x1b[0m  last made by report" in shown


def test_notable_differences_of_many_trees(repo: Path, git: Git) -> None:
    trees = [git("write-tree")]
    for content in ("1", "1  ", "2"):
        (repo / "a\nb").write_text(f"x = {content}\n")
        git("add", ".")
        trees.append(git("write-tree"))
    first, one, spaced, two = trees
    pairs = [(one, spaced), (first, two), (one, two), (two, two), (two, first)]
    found = differences.notable(Repository.discover(), pairs)
    assert list(found.values()) == [set(), set(), {"a\nb"}, set(), {"a\nb"}]
    assert differences.notable(Repository.discover(), []) == {}


# -- what need not run -----------------------------------------------------------------------------


@pytest.fixture
def again(lineage: Lineage):
    """Run a command with --reuse; return what was said first, and whether it ran."""

    def run(*words: str, input: str | None = None) -> str:
        before = len(everything())
        done = lineage("run", "--reuse", *words, input=input)
        (said, *_) = scrub(done.stderr).splitlines()
        return said.removeprefix("lineage: ") + (" [ran]" if len(everything()) > before else "")

    return run


TRAIN = ("-i", "made/train", "--", "python", "train.py")


def test_what_would_be_repeated_is_reused(made: Path, again, git: Git) -> None:
    refs = git("for-each-ref")
    assert again(*TRAIN) == "<1> train is reused: nothing changed"
    assert again("-t", "tag", "--title", "x", *TRAIN) == "<1> train is reused: nothing changed"
    assert git("for-each-ref") == refs
    assert again("--step", "other", *TRAIN) == (
        "not reused: no execution of step other succeeded [ran]"
    )


@pytest.mark.parametrize(("words", "reason"), [
    (("-p", "rate=1", *TRAIN), "parameter rate has changed"),
    ((*TRAIN, "x"), "command has changed"),
    (("-i", "raw", *TRAIN), "input raw has changed"),
    (("--", "python", "train.py"), "input made/train has changed"),
    (("-i", "s3://bucket/key", *TRAIN), "input s3://bucket/key has changed"),
])  # fmt: skip
def test_another_command_runs(made: Path, again, words: tuple[str, ...], reason: str) -> None:
    expected = f"not reused: {reason} since <1> [ran]"
    assert again(*words) == expected or reason == "input made/train has changed"


@pytest.mark.parametrize(("path", "content", "reason"), [
    ("train.py", None, "code train.py has changed"),
    ("new.py", "x = 1\n", "code new.py has changed"),
    ("made/train", "2", "input made/train has changed"),
    ("made/model", "2", "output made/model has changed"),
    ("made/model", "", "output made/model is gone"),
])  # fmt: skip
def test_it_runs_where_something_changed(
    made: Path, again, path: str, content: str | None, reason: str
) -> None:
    if content == "":
        (made / path).unlink()
    else:
        (made / path).write_text(content or (made / path).read_text() + "\n")
    assert again(*TRAIN) == f"not reused: {reason} since <1> [ran]"
    assert again(*TRAIN) == "<3> train is reused: nothing changed"


def test_arguments_and_standard_input_are_inputs(made: Path, lineage: Lineage, again) -> None:
    word = ("--", "sh", "-c", "cat > made/x; cat $1 >> made/x", "sh", "raw")
    lineage("run", *word)
    assert again(*word) == "<3> sh is reused: nothing changed"
    (made / "raw").write_text("2")
    assert again(*word) == "not reused: input raw has changed since <3> [ran]"
    assert again(*word, input="more") == "not reused: what comes through a pipe is not known [ran]"


def test_what_failed_is_not_reused(made: Path, lineage: Lineage, again) -> None:
    lineage("run", "--", "sh", "-c", "exit 3", check=False)
    done = lineage("run", "--reuse", "--", "sh", "-c", "exit 3", check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("lineage: not reused: no execution of step sh succeeded\n")


def test_another_folder_is_another_execution(made: Path, lineage: Lineage) -> None:
    lineage("run", "--", "true")
    done = lineage("run", "--reuse", "--", "true", cwd=made / "made")
    assert scrub(done.stderr).startswith("lineage: not reused: command has changed since <3>\n")
    assert last().launch.directory == "made"


def test_quiet_reuse_says_nothing(made: Path, lineage: Lineage) -> None:
    done = lineage("run", "-q", "--reuse", *TRAIN)
    assert (done.stdout, done.stderr) == ("", "")


def test_an_output_that_git_tracks_is_no_code_that_changed(
    made: Path, lineage: Lineage, git: Git, again
) -> None:
    (made / "tracked").write_text("old")
    git("add", "tracked")
    git("commit", "-q", "-m", "Track")
    word = ("--", "sh", "-c", "echo new > tracked")
    lineage("run", *word)
    assert again(*word) == "<3> sh is reused: nothing changed"


PLAN = """\
- step:
    name: train
    image: python:3
    command: "true {parameters}; echo made > made.txt"
    parameters:
      - {name: epochs, type: integer, default: 3}
      - {name: rate, type: float, default: 0.5}
- step:
    name: other
    image: python:3
    command: echo other
"""


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ((": other", ": another"), []),
        (("- step:\n    name: other", "# nothing\n- step:\n    name: other"), []),
        (("train\n    image: python:3", "train\n    image: python:4"), []),  # it was not used
        (("default: 3", "default: 5"), ["parameter epochs is 5 now, was 3"]),
        (("default: 0.5", "default: 0.7"), []),  # it was given
        (("epochs, type: integer, default: 3", "steps, type: integer, default: 3"), [
            "parameter epochs is not set now, was 3", "parameter steps is 3 now, was not set"]),
        (("default: 3", "default: 3, multiple: repeat"), [
            "parameter epochs is passed in another way now"]),
        (("default: 0.5", "default: 0.5, pass-as: '-r {v}'"), [
            "parameter rate is passed in another way now"]),
        (("echo made", "echo Made"), ["code changed: valohai.yaml"]),
        (("name: train", "name: trains"), ["code changed: valohai.yaml"]),
        (("- step:\n    name: train", "- stop:\n    name: train"), ["code changed: valohai.yaml"]),
    ],
)  # fmt: skip
def test_what_an_edit_of_the_steps_means(
    repo: Path, lineage: Lineage, git: Git, edit: tuple[str, str], said: list[str]
) -> None:
    Path("valohai.yaml").write_text(PLAN)
    Path(".gitignore").write_text("made.txt\n")
    git("add", ".")
    git("commit", "-q", "-m", "Plan")
    lineage("run", "-q", "--step", "train", "-p", "rate=0.1", "-o", "made.txt")
    change(Path("valohai.yaml"), *edit)
    lines = lineage("status", "made.txt").stdout.splitlines()
    assert [line.strip() for line in lines if line.startswith(" " * 8)] == said
    (told,) = map(json.loads, lineage("status", "--json").stdout.splitlines())
    assert told["state"] == ("stale" if said else "current")
    kinds = {each["kind"] for each in told["reasons"]}
    assert kinds == {"parameter" if "parameter" in each else "code" for each in said}


def test_an_image_counts_where_it_was_used(repo: Path, lineage: Lineage, git: Git) -> None:
    Path("valohai.yaml").write_text(PLAN)
    git("add", ".")
    git("commit", "-q", "-m", "Plan")
    lineage("run", "-q", "--step", "train")
    launch, now = last().launch, PLAN.replace("python:3", "python:4").encode()
    assert launch is not None
    assert planned.reasons(launch, PLAN.encode(), now) == []
    used = launch.replace(image=Image(name="python:3"))
    (reason,) = planned.reasons(used, PLAN.encode(), now)
    assert (reason.kind, reason.was, reason.now) == ("image", "python:3", "python:4")
