"""What differs between two executions: as values, and as `git lineage diff` tells it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, last

import gitlineage
from gitlineage import digest, encoding
from gitlineage.comparison.changes import Change, compare, flat
from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End, Environment
from gitlineage.records.execution import Execution
from gitlineage.records.launch import Agent, Code, Launch, Place, Software

TREES = ("1" * 40, "2" * 40)


def execution(tree: str = TREES[0], *, launch: dict | None = None, **end: object) -> Execution:
    begun = Launch(
        nonce=b"", command=("train",), directory=".", step="train", started_at=0,
        agent=Agent(name="Ada", email=""), software=Software(name="x", version="1"),
        place=Place(host="here", boot=os.urandom(4).hex()), code=Code(tree=tree),
    )  # fmt: skip
    ended = End(execution="e", status="succeeded", exit_code=0).replace(**end)
    return Execution(id="e", launch=begun.replace(**(launch or {})), end=ended)


def file(path: str, content: bytes, **fields: object) -> Artifact:
    made = Artifact(path=path, type="file", how="declared", size=len(content),
                    digests={"blake3": digest.of_bytes(content)})  # fmt: skip
    return made.replace(**fields)


def told(found: tuple[Change, ...]) -> list[tuple[object, ...]]:
    return [(each.section, each.name, each.change, each.before, each.after) for each in found]


def test_the_same_is_equal_where_there_is_something() -> None:
    found = compare(execution(), execution())
    assert found.changes == ()
    assert found.equal == ("code", "command", "status")


def test_values_are_compared_by_name() -> None:
    one = execution(launch={"parameters": {"rate": 1, "old": None, "same": float("nan")}},
                    metadata={"loss": 1})  # fmt: skip
    other = execution(launch={"parameters": {"same": float("nan"), "rate": True, "new": [1]}},
                      metadata={"loss": 1.0}, status="failed", exit_code=3)  # fmt: skip
    assert told(compare(one, other).changes) == [
        ("parameters", "rate", "changed", 1, True),
        ("parameters", "old", "removed", None, None),
        ("parameters", "new", "added", None, [1]),
        ("status", "status", "changed", "succeeded", "failed"),
        ("status", "exit_code", "changed", 0, 3),
    ]


def test_environment_is_compared_field_by_field_where_both_are_known() -> None:
    one, other = (
        execution(environment=Environment(python=version, cpu_count=4)) for version in "12"
    )
    assert told(compare(one, other).changes) == [("environment", "python", "changed", "1", "2")]
    assert compare(one, execution()).changes == ()
    assert "environment" not in compare(one, execution()).equal
    assert flat(Place(host="h")) == {"host": "h", "kind": "machine"}
    nested = execution(environment=Environment(python="1")).replace(tags=("a",))
    assert flat(nested)["end.environment.python"] == "1"


def test_packages_are_compared_by_version() -> None:
    found = compare(execution(), execution(), packages=({"a": "1", "b": "1"}, {"a": "2"}))
    assert told(found.changes) == [
        ("packages", "a", "changed", "1", "2"), ("packages", "b", "removed", "1", None),
    ]  # fmt: skip
    found = compare(execution(), execution(), packages=({"a": "1"}, {}))
    assert [(each.name, each.change) for each in found.of("packages")] == [("a", "removed")]
    for unknown in (({"a": "1"}, None), (None, {}), (None, None)):
        found = compare(execution(), execution(), packages=unknown)
        assert not found.of("packages") and "packages" not in found.equal


def test_files_are_compared_by_content() -> None:
    same, new = file("same", b"1"), file("x/new", b"2")
    one = execution(launch={"inputs": (same, file("x/old", b"1"), file("in", b"1"))})
    other = execution(launch={"inputs": (same.replace(how="argument"), new, file("in", b"2"))})
    assert told(compare(one, other).changes) == [
        ("inputs", "x/old", "removed", file("x/old", b"1"), None),
        ("inputs", "in", "changed", file("in", b"1"), file("in", b"2")),
        ("inputs", "x/new", "added", None, new),
    ]
    limited = compare(one, other, paths=("x", "same"), code=[("M", "x/code")])
    assert [(each.section, each.name) for each in limited.changes] == [
        ("code", "x/code"), ("inputs", "x/old"), ("inputs", "x/new"),
    ]  # fmt: skip
    assert limited.equal == ()


def test_code_that_cannot_be_had_differs_all_the_same() -> None:
    found = compare(execution(), execution(TREES[1]), code=None)
    assert told(found.changes) == [("code", "", "changed", *TREES)]


def folder(held: dict[str, bytes], **entries: bytes) -> bytes:
    """Keep a manifest of files, and of folders where content is a digest; return its digest."""
    packed = encoding.pack([
        {"name": name, "type": "directory", "size": 1, "digest": content}
        if len(content) == 32
        else {"name": name, "type": "file", "size": 1, "digest": digest.of_bytes(content)}
        for name, content in sorted(entries.items())
    ])  # fmt: skip
    made = digest.of_bytes(packed)
    held[made.hex()] = packed
    return made


def test_of_directories_the_files_are_told() -> None:
    held: dict[str, bytes] = {}
    one, other = (
        execution(outputs=(Artifact(path="d", type="directory", how="declared",
                                    digests={"blake3": content}),))
        for content in (
            folder(held, a=b"1", gone=folder(held, x=b"1"), sub=folder(held, b=b"1", c=b"1")),
            folder(held, a=b"1", sub=folder(held, b=b"2", c=b"1"), was=folder(held, y=b"1")),
        )
    )  # fmt: skip
    (change,) = compare(one, other, manifests=lambda name: encoding.unpack(held[name])).changes
    assert [(each.change, each.name) for each in change.files] == [
        ("removed", "gone/x"), ("changed", "sub/b"), ("added", "was/y"),
    ]  # fmt: skip
    (change,) = compare(one, other).changes
    assert change.files == ()


# -- as the command tells it ---------------------------------------------------------------------


TRAIN = """\
import json, sys
open("model.pkl", "w").write(sys.argv[1])
print(json.dumps({"accuracy": float(sys.argv[1]) / 2}))
"""


@pytest.fixture
def two(repo: Path, lineage: Lineage, git: Git) -> Path:
    """Return a repository with two executions of one step that differ in most ways."""
    (repo / "train.py").write_text(TRAIN)
    (repo / ".gitignore").write_text("data/\nmodel.pkl\n")
    git("add", ".")
    git("commit", "-q", "-m", "Train", GIT_COMMITTER_DATE="2026-01-05T10:00:00Z",
        GIT_AUTHOR_DATE="2026-01-05T10:00:00Z")  # fmt: skip
    (repo / "data").mkdir()
    (repo / "data/a").write_text("1")
    (repo / "data/b").write_text("1")
    lineage("run", "-p", "rate=0.5", "-i", "data", "--", "python", "train.py", "0.5")
    lineage("run", "--", "true")
    (repo / "train.py").write_text(TRAIN.replace("/ 2", "/ 3"))
    (repo / "data/b").write_text("2")
    lineage("run", "-p", "rate=0.9", "-p", "fold=1", "-i", "data", "-t", "best",
            "--", "python", "train.py", "0.9")  # fmt: skip
    return repo


def scrub(text: str) -> str:
    for number, each in enumerate(reversed(everything())):
        text = text.replace(each.id, f"<id {number}>").replace(each.id[:8], f"<{number}>")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "<date>", text)


PAGE = """\
differs: code (1 file), command, parameters rate and fold, input data, output model.pkl, metadata accuracy
equal: environment, packages, status

--- <0> train  succeeded  <date>
+++ <2> train  succeeded  <date>

Code: e1bdf0dbbb22 on main -> e1bdf0dbbb22 on main (ad-hoc)
  M train.py

Command:
    command  python train.py 0.5 -> python train.py 0.9

Parameters:
    rate  0.5 -> 0.9 (+0.4)
  + fold  1

Inputs:
    data  blake3:abf38936, 2 B -> blake3:7a155712, 2 B
      M b

Outputs:
    model.pkl  blake3:9f9766fd, 3 B -> blake3:23fc5e48, 3 B

Metadata:
    accuracy  0.25 -> 0.3 (+0.05)

diff --git a/train.py b/train.py
index f80e4ec..aa40147 100644
--- a/train.py
+++ b/train.py
@@ -1,3 +1,3 @@
 import json, sys
 open("model.pkl", "w").write(sys.argv[1])
-print(json.dumps({"accuracy": float(sys.argv[1]) / 2}))
+print(json.dumps({"accuracy": float(sys.argv[1]) / 3}))
"""  # noqa: E501


def test_diff_compares_the_newest_with_the_one_before_of_its_step(
    two: Path, lineage: Lineage
) -> None:
    done = lineage("diff")
    assert scrub(done.stdout) == PAGE
    assert done.stderr == ""
    assert lineage("diff", "@~2").stdout == done.stdout
    assert lineage("diff", last("@~2").id[:6], "best").stdout == done.stdout
    done = lineage("diff", "best", "@~1", "--", "code.py", "data")
    assert (
        scrub(done.stdout)
        == """\
differs: input data
equal: code

--- <2> train  succeeded  <date>
+++ <1> true  succeeded  <date>

Inputs:
  - data  blake3:7a155712, 2 B
"""
    )


def test_diff_has_the_exit_codes_of_git(two: Path, lineage: Lineage) -> None:
    assert lineage("diff", "--exit-code", "--stat", check=False).returncode == 1
    done = lineage("diff", "@", "@", "--exit-code")
    same = f"nothing differs: both are {last().id[:8]}\nequal: code, command, parameters, inputs, "
    assert done.stdout.startswith(same)
    done = lineage("diff", "@~1", "@~1", "--exit-code", "--json")
    assert json.loads(done.stdout)["differs"] == []


def test_diff_as_json(two: Path, lineage: Lineage) -> None:
    found = json.loads(lineage("diff", "--json").stdout)
    assert found["before"] == last("@~2").id
    assert found["after"] == last().id
    assert found["differs"] == [
        "code", "command", "parameters", "inputs", "outputs", "metadata",
    ]  # fmt: skip
    assert found["equal"] == ["environment", "packages", "status"]
    assert found["code"] == [{"path": "train.py", "change": "changed"}]
    assert found["parameters"] == [
        {"name": "rate", "change": "changed", "before": 0.5, "after": 0.9},
        {"name": "fold", "change": "added", "before": None, "after": 1},
    ]
    (used,) = found["inputs"]
    assert used["before"]["digest"] != used["after"]["digest"]
    assert [(each["path"], each["change"]) for each in used["files"]] == [("b", "changed")]
    assert found["image"] == []


@pytest.mark.parametrize(("words", "error"), [
    (("diff", "@true"), None),
    (("diff", "nope"), "error: no execution or tag is called nope\n"),
    (("diff", "a", "b", "c"), "error: two executions at most; paths stand after --\n"),
])  # fmt: skip
def test_diff_of_what_cannot_be_compared(
    two: Path, lineage: Lineage, words: tuple[str, ...], error: str | None
) -> None:
    done = lineage(*words, check=False)
    if error:
        assert done.stderr.startswith(error)
    else:
        assert done.stdout.startswith("differs: code (1 file), command")


def test_first_execution_of_a_step_has_nothing_before(repo: Path, lineage: Lineage) -> None:
    assert lineage("diff", check=False).stderr.startswith("error: nothing has been recorded")
    lineage("run", "--", "true")
    done = lineage("diff", check=False)
    assert done.returncode == 3
    assert scrub(re.sub(r"[0-9a-f]{12}", "<id>", done.stderr)) == (
        "error: <id> is the first execution of step true\n"
        "hint: name the other one: `git lineage diff OTHER <id>`\n"
    )


def test_code_comes_from_the_remote_when_it_is_compared(
    clone_pair: tuple[Path, Path], lineage: Lineage
) -> None:
    ours, theirs = clone_pair
    lineage("run", "--", "true", cwd=ours)
    (ours / "code.py").write_text('print("bye")\n')
    lineage("run", "--", "true", cwd=ours)
    lineage("push", cwd=ours)
    lineage("fetch", cwd=theirs)
    assert '+print("bye")' in lineage("diff", cwd=theirs).stdout


def test_code_that_is_gone_is_said_to_differ(repo: Path, lineage: Lineage, git: Git) -> None:
    lineage("run", "--", "true")
    (repo / "code.py").write_text('print("bye")\n')
    lineage("run", "--", "true")
    with gitlineage.open() as opened:
        tree = opened.execution().launch.code.tree
    (repo / ".git/objects" / tree[:2] / tree[2:]).unlink()
    done = lineage("diff")
    assert done.stdout.startswith("differs: code\n")
    assert "which files differ is not known" in done.stdout


def test_a_terminal_gets_color_and_no_control_characters(repo: Path, lineage: Lineage) -> None:
    lineage("run", "--", "true")
    (repo / "code.py").write_text("print('\x1b[2J')\r\n\tx\n")
    lineage("run", "-p", "n=\x1b[31m", "--", "true")
    shown = on_terminal("diff", columns=80)
    assert "\x1b[32m+print('\\x1b[2J')\x1b[0m\r\n" in shown
    assert "\x1b[32m+\tx\x1b[0m\r\n" in shown
    assert "\x1b[1m--- a/code.py\x1b[0m\r\n" in shown
    assert "\x1b[2J" not in shown
    assert "\\x1b[31m" in shown


def on_terminal(*words: str, columns: int) -> str:
    """Return what a `git lineage` writes to a terminal of that width."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "GIT_PAGER": "cat"}
    with subprocess.Popen(
        ["git", "lineage", *words], stdin=theirs, stdout=theirs, stderr=theirs, env=variables
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # closed by its last user
        process.wait(60)
    os.close(ours)
    return shown.decode()
