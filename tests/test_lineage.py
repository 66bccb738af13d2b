"""The Python API: one object over one repository."""

from __future__ import annotations

import os
import signal
import sys
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, hows, last, start, until

import gitlineage
from gitlineage import digest, encoding, errors
from gitlineage.records.end import End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software


def launch_of(step: str = "work", at: int = 1_700_000_000_000_000, nonce: bytes = b"n") -> Launch:
    return Launch(
        nonce=nonce, command=("make", step), directory=".", step=step, started_at=at,
        agent=Agent(name="Ada", email="ada@example.org"), place=Place(host="elsewhere"),
        software=Software(name="other", version="1"), code=Code(),
    )  # fmt: skip


def end_of(**values: object) -> End:
    return End(execution="", status="succeeded", **values)


def test_open_from_anywhere(repo: Path, isolated: Path) -> None:
    (repo / "deep/er").mkdir(parents=True)
    for path in (repo, str(repo), repo / "deep/er", "."):
        with gitlineage.open(path) as here:
            assert here.repository.top == str(repo)
    for path in (isolated / "empty", isolated / "no-such-folder"):
        with pytest.raises(errors.NoRepository):
            gitlineage.open(path)


def test_run(repo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("in").write_text("i")
    with gitlineage.open() as here:
        recording = here.run(["sh", "-c", "echo said; cp in out; exit 3"], inputs=[("data", "in")],
                             outputs=["out"], parameters={"rate": 0.5, "layers": [1, 2]},
                             tags=["a", "b"], title="Title", step="fit")  # fmt: skip
        assert (recording.problem, recording.outcome.exit_code) == (None, 3)
        found = here.execution(recording.id)
    assert capfd.readouterr() == ("said\n", "")
    assert found.launch == recording.launch and found.end == recording.end
    assert found.launch is not None
    assert (found.launch.title, found.launch.step) == ("Title", "fit")
    assert found.launch.parameters == {"rate": 0.5, "layers": [1, 2]}
    assert (found.status, set(found.tags)) == ("failed", {"a", "b"})
    assert [(each.role, each.path) for each in found.inputs] == [("data", "in")]
    assert hows(found.outputs) == {"out": "declared"}
    assert recording.headline().startswith("fit failed in ")


def test_run_that_cannot_start(repo: Path) -> None:
    with gitlineage.open() as here:
        for problem, options in (
            (errors.CommandNotFound, {"command": ["no-such-command"]}),
            (errors.CommandNotExecutable, {"command": ["./README.md"]}),
            (errors.InputMissing, {"command": ["true"], "inputs": ["no-such"]}),
            (errors.InvalidTag, {"command": ["true"], "tags": ["a\nb"]}),
            (errors.Refused, {"command": ["true"], "outputs": [""]}),
        ):
            with pytest.raises(problem):
                here.run(**options)
        assert here.executions() == []
        assert here.running() == []


def children() -> set[str]:
    listed = Path("/proc/self/task").glob("*/children")
    return {each for path in listed for each in path.read_text().split()}


def test_no_descriptor_is_left_open(repo: Path) -> None:
    others = children()  # engines and servers of other tests
    with gitlineage.open() as here:
        here.run(["true"])
        before = os.listdir("/proc/self/fd")
        for _ in range(3):
            here.run(["true"])
            with pytest.raises(errors.InputMissing):
                here.run(["true"], inputs=["no-such"])
            with pytest.raises(errors.CommandNotFound):
                here.run(["no-such-command"])
        assert os.listdir("/proc/self/fd") == before
    assert children() <= others  # and no process waits to be waited for


def test_append_what_something_else_has_run(repo: Path, git: Git) -> None:
    with gitlineage.open() as here:
        added = here.append(launch_of("build"), end_of(duration=5_000_000, metadata={"a": 1}),
                            b"printed\n")  # fmt: skip
        found = here.execution("@build")
        assert here.output() == b"printed\n"
    assert found == added
    assert found.id == digest.execution_id(encoding.encode(launch_of("build")))
    assert found.end is not None and found.end.execution == found.id
    message = git("log", "-1", "--format=%s|%an|%at", str(found.commit))
    assert message == "build: succeeded in 5.0 s, a 1|Ada|1700000000"


def test_append_many(repo: Path) -> None:
    with gitlineage.open() as here:
        for number in range(30):
            here.append(launch_of(f"s{number}", 1_700_000_000_000_000 + number), end_of())
        assert [each.launch.step for each in here.executions(limit=3) if each.launch] == [
            "s29", "s28", "s27"
        ]  # fmt: skip
        assert len(here.executions()) == 30
        assert len(here.executions(step="s7")) == 1


def test_names_of_executions(repo: Path) -> None:
    with gitlineage.open() as here:
        ids = [here.append(launch_of(step, 1_700_000_000_000_000 + number), end_of()).id
               for number, step in enumerate(("one", "two", "one", "two"))]  # fmt: skip
        here.tag("first", [ids[0]])
        here.tag("both", ids[:2])
        for name, number in (("@", 3), ("@~0", 3), ("@~2", 1), ("@one", 2), ("@one~1", 0),
                             ("first", 0), ("both", 1), (ids[2], 2), (ids[2][:12], 2),
                             (ids[2][:12].upper(), 2)):  # fmt: skip
            assert here.resolve(name) == ids[number], name
        for name in ("@~4", "@three", "@one~2", "@~x", "", "nope", ids[0][:3], "f" * 40):
            with pytest.raises(errors.UnknownId):
                here.resolve(name)


def test_ids_that_begin_alike(repo: Path, lineage: Lineage) -> None:
    seen: dict[str, Launch] = {}
    for number in range(10_000):
        launch = launch_of(nonce=number.to_bytes(4, "big"))
        identity = digest.execution_id(encoding.encode(launch))
        if identity[:4] in seen:
            break
        seen[identity[:4]] = launch
    with gitlineage.open() as here:
        ids = sorted(here.append(each, end_of()).id for each in (launch, seen[identity[:4]]))
        start = ids[0][: next(n for n in range(40) if ids[0][n] != ids[1][n])]
        with pytest.raises(errors.AmbiguousId) as caught:
            here.resolve(start)
        assert caught.value.facts["count"] == 2
        assert here.resolve(ids[0][: len(start) + 1]) == ids[0]
    done = lineage("show", start, check=False)
    assert (done.stdout, done.returncode) == ("", 3)
    assert done.stderr == (
        f"error: 2 ids start with {start}: {ids[0][:12]} {ids[1][:12]}\n"
        "hint: give one more character, or run `git lineage log` to see them\n"
    )


def test_tags(repo: Path) -> None:
    with gitlineage.open() as here:
        one, two = (here.append(launch_of(step), end_of()).id for step in ("one", "two"))
        assert here.tags() == {}
        assert here.tag("prod", [one, two], "Released") == [one, two]
        assert set(here.tags()["prod"]) == {one, two}
        member = here.members("prod")[one]
        assert (member.message, member.tagger) == ("Released", "Ada Lovelace <ada@example.org>")
        assert here.execution(one).tags == ("prod",)
        assert here.untag("prod", [one]) == [one]
        assert here.execution(one).tags == ()
        for name, ids in (("prod", [one]), ("nope", None)):
            with pytest.raises(errors.UnknownId):
                here.untag(name, ids)
        assert here.untag("prod") == [two]
        assert here.tags() == {}
        with pytest.raises(errors.InvalidTag):
            here.tag("a\nb", [one])


def test_deploy(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "-o", "model", "--", "sh", "-c", "echo m > model")
    (repo / "folder").mkdir()
    (repo / "folder/x").write_text("x")
    with gitlineage.open() as here:
        made = here.deploy("api", ["model", "folder"], version="1.2", target="eu-cluster")
        (node,) = [each for each in here.trace("model").nodes if each.kind == "deployment"]
        found = here.deployment(node.id)
        with pytest.raises(errors.UnknownContent):
            here.deploy("api", ["no-such"])
        with pytest.raises(errors.UnknownId):
            here.deployment("@")
    assert made == node.id
    assert (found.name, found.version, found.target) == ("api", "1.2", "eu-cluster")
    assert [(each.path, each.type) for each in found.artifacts] == [
        ("model", "file"), ("folder", "directory")
    ]  # fmt: skip
    assert found.artifacts[0].digest == last().outputs[0].digest
    assert lineage("show", node.id).stdout.startswith(f"deployment {node.id}\n")


def test_code_can_be_written_out(repo: Path, lineage: Lineage, isolated: Path) -> None:
    Path("code.py").write_text("changed\n")
    Path("run.sh").write_text("#!/bin/sh\n")
    Path("run.sh").chmod(0o755)
    Path("link").symlink_to("code.py")
    lineage("run", "-q", "--", "true")
    names = ["README.md", "code.py", "link", "run.sh"]
    with gitlineage.open() as here:
        assert here.code_files() == names
        folder = isolated / "out"
        here.export_code("@", str(folder))
        here.export_code("@", str(isolated / "out.zip"))
        here.export_code("@", str(isolated / "out.tar.gz"))
        with pytest.raises(errors.Refused):
            here.export_code("@", str(folder))
    assert sorted(os.listdir(folder)) == names
    assert (folder / "code.py").read_text() == "changed\n"
    assert (folder / "run.sh").stat().st_mode & 0o100
    assert os.readlink(folder / "link") == "code.py"
    with zipfile.ZipFile(isolated / "out.zip") as archive:
        assert archive.read("code.py") == b"changed\n"
    with tarfile.open(isolated / "out.tar.gz") as archive:
        assert sorted(archive.getnames()) == names


def test_running(repo: Path, lineage: Lineage) -> None:
    for each in ("here", "go"):
        os.mkfifo(repo.parent / each)
    code = ("import gitlineage, sys; gitlineage.log(a=1);"
            "open(sys.argv[1], 'w').close(); open(sys.argv[2]).read()")  # fmt: skip
    process = start("git", "lineage", "run", "-q", "--step", "long", "--", sys.executable, "-c",
                    code, repo.parent / "here", repo.parent / "go")  # fmt: skip
    (repo.parent / "here").read_text()
    with gitlineage.open() as here:
        (found,) = here.running()
        assert found.launch is not None
        assert (found.status, found.launch.step) == ("running", "long")
        assert here.executions() == []
        (repo.parent / "go").write_text("")
        assert process.communicate(timeout=60) == ("", "")
        until(lambda: not here.running(), "the end")
        assert here.execution().id == found.id


def test_append_all(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitlineage.bulk.TOGETHER", 50)
    made = [(launch_of(f"s{n}", 1_700_000_000_000_000 + n), end_of(duration=n)) for n in range(100)]
    with gitlineage.open() as here:
        ids = here.append_all(iter(made))
        assert here.append_all([]) == []
        found = {each.id: each for each in here.executions()}
        single = here.append(*made[0])
    assert list(found) == ids[::-1]
    assert [(found[each].launch, found[each].end.duration) for each in ids] == [
        (launch, end.duration) for launch, end in made
    ]
    assert single.id == ids[0]
    assert git("count-objects").split()[0] != "0"  # the one; the others are in packs
    assert int(git("count-objects").split()[0]) < 20
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_the_same_object_sees_what_others_append(repo: Path, lineage: Lineage) -> None:
    with gitlineage.open() as here:
        assert here.executions() == []
        lineage("run", "-q", "--step", "new", "--", "true")
        assert [each.launch.step for each in here.executions() if each.launch] == ["new"]
        lineage("tag", "x")
        assert set(here.tags()) == {"x"}


def test_what_the_package_exports(isolated: Path) -> None:
    for name in gitlineage.__all__:
        assert getattr(gitlineage, name) is not None
    with pytest.raises(AttributeError):
        gitlineage.no_such_name  # noqa: B018


def test_a_push_sends_the_notes_that_no_record_has_carried(
    repo: Path, lineage: Lineage, git: Git, isolated: Path
) -> None:
    git("init", "-q", "--bare", str(isolated / "remote.git"))
    git("remote", "add", "origin", str(isolated / "remote.git"))
    git("push", "-q", "origin", "HEAD")
    lineage("run", "-q", "--", "true")
    with gitlineage.open() as here:
        here.push()
        git("push", "-q", "origin", ":refs/notes/lineage")
        git("update-ref", "-d", "refs/lineage-remotes/origin/notes/lineage")
        assert here.push().records_count == 0
    noted = git("--git-dir", str(isolated / "remote.git"), "notes", "--ref=lineage", "show", "HEAD")
    assert noted.startswith("1 execution\n")


def test_what_is_held_is_of_one_moment(repo: Path, lineage: Lineage) -> None:
    lineage("run", "--", "true")
    with gitlineage.open() as held, gitlineage.open() as current:
        held.hold()
        assert len(held.executions()) == len(current.executions()) == 1
        lineage("run", "--", "true")
        assert (len(held.executions()), len(current.executions())) == (1, 2)


def test_what_a_killed_recorder_may_have_made_is_said(repo: Path, lineage: Lineage) -> None:
    process = start("git-lineage", "run", "--step", "victim", "--", "sh", "-c",
                    "echo 1 > out; echo ready; sleep 600")  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    for each in children:
        with suppress(ProcessLookupError):  # a git of the recorder's has ended by itself
            os.kill(int(each), signal.SIGKILL)
    done = lineage("trace", "out", check=False)
    (found,) = everything()
    assert (done.returncode, done.stderr) == (3, (
        f"error: no execution is known to have made out, but {found.id[:12]} may have: its recorder"
        f" died\nhint: see what ran: `git lineage show {found.id[:12]}`\n"
    ))  # fmt: skip
    os.utime("out", (1, 1))  # it was there before
    assert "no execution knows out" in lineage("trace", "out", check=False).stderr
    process.communicate()
