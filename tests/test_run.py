"""`run` from the outside: the command's own ways, its log, metadata, parameters, tags and agent."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Git, Lineage
from executions import everything, last, start, until

import gitlineage
from gitlineage.printed import HEAD, TAIL
from gitlineage.records.execution import Execution

# What valohai.logger() prints: a newline before each object (valohai-utils, metadata.py).
VALOHAI = """
import json
class Logger:
    def __init__(self): self.values = {}
    def __enter__(self): return self
    def __exit__(self, *_): self.flush()
    def log(self, *args, **kwargs): self.values.update(zip(args[::2], args[1::2]), **kwargs)
    def flush(self):
        if self.values: print("\\n" + json.dumps(self.values, default=str))
        self.values = {}
for epoch in range(3):
    with Logger() as logger:
        logger.log("epoch", epoch)
        logger.log(accuracy=0.5 + epoch / 10, loss=float("nan") if epoch == 2 else 1.0)
"""


def series(execution: Execution) -> list[tuple[int, dict[str, Any]]]:
    with gitlineage.open() as here:
        return list(here.series(execution).points())


# --- how it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "code", "status", "signal_number"), [
    ("exit 0", 0, "succeeded", None),
    ("exit 1", 1, "failed", None),
    ("exit 255", 255, "failed", None),
    ("kill -SEGV $$", 139, "failed", 11),
    ("kill -TERM $$", 143, "stopped", 15),
    ("kill -KILL $$", 137, "stopped", 9),
    ("kill -INT $$", 130, "stopped", 2),
    ("exit 130", 130, "stopped", None),
])  # fmt: skip
def test_exit_code_and_status(
    repo: Path, lineage: Lineage, command: str, code: int, status: str, signal_number: int | None
) -> None:
    done = lineage("run", "--", "sh", "-c", command, check=False)
    assert done.returncode == code
    found = last()
    assert found.end is not None
    assert (found.status, found.end.exit_code, found.end.signal) == (status, code, signal_number)
    took = done.stderr.split(f" sh {status} in ")
    assert took[0] == f"lineage: {found.id[:8]}"


def test_times_and_costs(repo: Path, lineage: Lineage) -> None:
    lineage("run", "--", sys.executable, "-c", "x = bytearray(80 << 20); sum(range(10 ** 6))")
    found = last()
    assert found.launch is not None and found.end is not None
    assert found.end.finished_at is not None and found.end.duration is not None
    assert found.launch.started_at < found.end.finished_at
    assert 0 < found.end.duration <= found.end.finished_at - found.launch.started_at
    assert found.end.cpu_time is not None and found.end.cpu_time > 5_000
    assert found.end.peak_memory is not None and found.end.peak_memory > 80 << 20


def test_a_signal_to_the_recorder_reaches_the_command(repo: Path) -> None:
    process = start("git", "lineage", "run", "-q", "--", "sh", "-c",
                    "trap 'echo told; exit 3' USR1; touch ready; while :; do sleep 0.01; done",
                    start_new_session=True)  # fmt: skip
    until((repo / "ready").exists, "the start")
    for pid in _children(process.pid):
        os.kill(pid, signal.SIGUSR1)
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("told\n", "", 3)


def _children(pid: int) -> list[int]:
    """Return the recorder: git itself where it has replaced itself, else its child."""
    names = {}
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = task.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        names[int(task.parent.name)] = int(fields[1])
    found = [child for child, parent in names.items() if parent == pid]
    return found if Path(f"/proc/{pid}/comm").read_text().strip() == "git" else [pid]


# --- pipes ----------------------------------------------------------------------------------------


def test_bytes_through_pipes_are_the_same(repo: Path) -> None:
    content = bytes(range(256)) * 8192
    Path("in").write_bytes(content)
    command = "tr 'a-z' 'A-Z' | cat -u; echo err >&2"
    results = []
    for prefix in ([], ["git", "lineage", "run", "-q", "--"]):
        with open("in", "rb") as given, open("out", "wb") as made:
            done = subprocess.run([*prefix, "sh", "-c", command], stdin=given, stdout=made,
                                  stderr=subprocess.PIPE)  # fmt: skip
        results.append((Path("out").read_bytes(), done.stderr, done.returncode))
    assert results[0] == results[1]
    found = last()
    assert [(each.path, each.role) for each in found.inputs] == [("in", "stdin")]
    assert [(each.path, each.role) for each in found.outputs] == [("out", "stdout")]


def test_in_the_middle_of_a_pipe(repo: Path) -> None:
    done = subprocess.run(
        "seq 100000 | git lineage run -q -- grep 7 | git lineage run -q -- wc -l", shell=True,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("40951", "")


def test_reader_that_goes_away(repo: Path) -> None:
    done = subprocess.run("git lineage run -- yes | head -n 1", shell=True, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert done.stdout == "y\n"
    found = last()
    assert found.end is not None
    assert found.end.signal == signal.SIGPIPE


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(repo: Path, closed: str) -> None:
    done = subprocess.run(["sh", "-c", f"git lineage run -- sh -c 'echo made > made' {closed}"],
                          capture_output=True, timeout=120)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"error" not in done.stderr
    assert [each.path for each in last().outputs] == ["made"]


# --- what it prints -------------------------------------------------------------------------------


def test_log_is_what_was_printed_in_order(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "-q", "--", "sh", "-c", "echo one; echo two >&2; printf three")
    assert (done.stdout, done.stderr) == ("one\nthree", "two\n")
    kept = lineage("output").stdout
    assert kept.replace("two\n", "") == "one\nthree"
    assert "two\n" in kept
    with open("both", "wb") as both:
        subprocess.run(["git", "lineage", "run", "-q", "--", "sh", "-c",
                        "for i in 1 2 3; do echo o$i; echo e$i >&2; done"],
                       stdout=both, stderr=both)  # fmt: skip
    assert lineage("output").stdout == "o1\ne1\no2\ne2\no3\ne3\n" == Path("both").read_text()


def test_long_log_keeps_head_and_tail(repo: Path, lineage: Lineage) -> None:
    size = 2 << 20
    code = f"import sys; sys.stdout.write(''.join(f'{{i:07d}}\\n' for i in range({size} // 8)))"
    printed = lineage("run", "-q", "--", sys.executable, "-c", code).stdout
    assert len(printed) == size
    cut = size - HEAD - TAIL
    kept = lineage("output").stdout
    assert kept == printed[:HEAD] + f"\n[git-lineage: {cut} bytes are not kept]\n" + printed[-TAIL:]
    end = last().end
    assert end is not None and end.log is not None
    assert (end.log.size, end.log.cut) == (size, cut)


def test_nothing_printed_leaves_no_log(repo: Path, lineage: Lineage, git: Git) -> None:
    lineage("run", "-q", "--", "true")
    assert lineage("output").stdout == ""
    assert "log" not in git("ls-tree", "--name-only", str(last().commit)).split()


# --- metadata -------------------------------------------------------------------------------------


def test_metadata_as_valohai_prints_it(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", sys.executable, "-c", VALOHAI)
    found = last()
    assert found.metadata["epoch"] == 2
    assert found.metadata["accuracy"] == 0.7
    assert math.isnan(found.metadata["loss"])
    points = series(found)
    assert [values["accuracy"] for _, values in points] == [0.5, 0.6, 0.7]
    times = [at for at, _ in points]
    assert found.launch is not None
    assert times == sorted(times) and times[0] >= found.launch.started_at
    assert found.end is not None and found.end.points_count == 3
    assert json.loads(lineage("show", "--json").stdout)["metadata"] == {
        "epoch": 2, "accuracy": 0.7, "loss": "NaN"
    }  # fmt: skip


def test_what_is_a_metadata_line(repo: Path, lineage: Lineage) -> None:
    lines = [
        '{"number": 1}', '  {"spaces": true}  ', "{}", "not json", '{"half": ', "[1, 2]", '"text"',
        '{"a": 1} {"b": 2}', '{"nested": {"list": [1, [2.5, null]]}}', '{"inf": -Infinity}',
        '{"big": 123456789012345678901234567890}', '{"text": "caf\u00e9"}', "x" * (2 << 20),
        '{"crlf": 1}\r', '{"same": 1}', '{"same": 2}', '{"$int": "5"}', '{"last": "no newline"}',
    ]  # fmt: skip
    Path("lines").write_text("\n".join(lines))
    Path("to-stderr").write_text('{"error": 1}\n')
    lineage("run", "-q", "--", "sh", "-c", "cat lines; cat to-stderr >&2")
    assert last().metadata == {
        "number": 1, "spaces": True, "nested": {"list": [1, [2.5, None]]}, "inf": -math.inf,
        "big": 123456789012345678901234567890, "text": "caf\u00e9", "crlf": 1, "same": 2,
        "$int": "5", "last": "no newline",
    }  # fmt: skip


def test_a_line_that_comes_in_pieces(repo: Path, lineage: Lineage) -> None:
    code = r"""
import os
for piece in (b'{"whole"', b': tr', b'ue}\n{"next', b'": 1}'):
    os.write(1, piece)
    os.sched_yield()
"""
    lineage("run", "-q", "--", sys.executable, "-c", code)
    assert last().metadata == {"whole": True, "next": 1}


def test_metadata_that_cannot_be_stored_does_not_cost_the_record(
    repo: Path, lineage: Lineage
) -> None:
    deep = "[" * 70 + "]" * 70
    Path("lines").write_text(
        '{"good": 1}\n{"\\ud800": 1}\n{"deep": ' + deep + '}\n{"value": "\\ud800"}\n{"good": 2}\n'
    )
    done = lineage("run", "-q", "--", "cat", "lines")
    assert done.stderr == (
        "warning: 1 line was nested too deeply to be stored as metadata, and in the log only\n"
    )
    found = last()
    assert found.metadata["good"] == 2
    assert [values.get("good") for _, values in series(found)] == [1, None, None, 2]


def test_more_metadata_than_a_record_holds(repo: Path, lineage: Lineage) -> None:
    code = "import json; print(json.dumps({f'k{i:04}': i for i in range(400)}));"
    code += "print(json.dumps({'long': 'x' * 9000, 'short': 1}))"
    done = lineage("run", "-q", "--", sys.executable, "-c", code)
    assert done.stderr == "warning: 146 metadata keys are in the series only\n"
    found = last()
    assert len(found.metadata) == 256
    assert series(found)[1][1]["long"] == "x" * 9000


# --- parameters, tags, title, agent ---------------------------------------------------------------


def test_parameters_have_types(repo: Path, lineage: Lineage) -> None:
    given = {
        "epochs=3": 3, "rate=1e-3": 0.001, "half=0.5": 0.5, "minus=-2": -2, "flag=true": True,
        "off=false": False, "name=resnet": "resnet", "empty=": "", "zip=00501": "00501",
        "expr=a=b": "a=b", "none=null": "null", "inf=1e999": "1e999", "under=1_000": "1_000",
        "twice=--5": "--5", "arabic=\u0661": "\u0661", "dot=5.": "5.", "space=5 ": "5 ",
        "zero=0": 0,
        "long=" + "9" * 5000: "9" * 5000, "big=" + "9" * 30: int("9" * 30),
        "version=1.2.3": "1.2.3", "dash=-": "-",
    }  # fmt: skip
    lineage("run", "-q", *(word for each in given for word in ("-p", each)), "--", "true")
    launch = last().launch
    assert launch is not None
    expected = {each.partition("=")[0]: value for each, value in given.items()}
    assert launch.parameters == expected
    assert {k: type(v) for k, v in launch.parameters.items()} == {
        k: type(v) for k, v in expected.items()
    }


def test_a_parameter_that_is_given_twice(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "-p", "a=1", "-p", "a=2", "--", "true", check=False)
    assert (done.returncode, everything()) == (2, [])
    assert "parameter a is given twice" in done.stderr


def test_a_line_in_one_word(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "--", "echo hi && echo there", check=False)
    assert (done.returncode, everything()) == (127, [])
    assert "`sh -c '...'`" in done.stderr


def test_a_file_is_no_command(repo: Path, lineage: Lineage) -> None:
    (repo / "train.py").write_text("print(1)\n")
    done = lineage("run", "train.py", check=False)
    assert (done.returncode, everything()) == (127, [])
    assert done.stderr == (
        "error: train.py: command not found: it is a file here\nhint: nothing was run; "
        "put what runs it before it, `python train.py`, or say `./train.py`\n"
    )


def test_title_step_and_tags(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "--title", "A first try", "--step", "fit", "-t", "baseline",
                   "-t", "für später/2", "--", "true")  # fmt: skip
    found = last()
    assert found.launch is not None
    assert (found.launch.title, found.launch.step) == ("A first try", "fit")
    assert set(found.tags) == {"baseline", "für später/2"}
    assert done.stderr.startswith(f"lineage: {found.id[:8]} fit succeeded in ")
    assert last("baseline").id == found.id


def test_agent_is_who_git_would_name(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", "true")
    launch = last().launch
    assert launch is not None
    assert (launch.agent.name, launch.agent.email) == ("Ada Lovelace", "ada@example.org")
    env = {"GIT_AUTHOR_NAME": "Grace Höpper", "GIT_AUTHOR_EMAIL": "grace@example.org"}
    lineage("run", "-q", "--", "true", env=env)
    launch = last().launch
    assert launch is not None
    assert (launch.agent.name, launch.agent.email) == ("Grace Höpper", "grace@example.org")
    told = subprocess.run(["git", "log", "-1", "--format=%an <%ae>", last().commit or ""],
                          capture_output=True, text=True).stdout  # fmt: skip
    assert told == "Grace Höpper <grace@example.org>\n"


def test_agent_without_an_identity(repo: Path, lineage: Lineage, git: Git) -> None:
    git("config", "--global", "--remove-section", "user")
    done = lineage("run", "-q", "--", "true")
    launch = last().launch
    assert launch is not None
    assert done.stderr == (
        f"warning: no identity is configured: recorded as {launch.agent.name} "
        f"<{launch.agent.email}>; set it with `git config user.name` and `git config user.email`\n"
    )
    assert launch.agent.email == f"{launch.agent.login or 'unknown'}@{os.uname().nodename}"


def test_environment_of_the_command(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "-q", "--", "sh", "-c", 'echo "$GIT_LINEAGE_EXECUTION $KEPT"',
                   env={"KEPT": "kept"})  # fmt: skip
    assert done.stdout == f"{last().id} kept\n"


def test_command_line_is_kept_as_given(repo: Path, lineage: Lineage) -> None:
    words = ["printf", "%s|", "a b", "", "new\nline", "-o", "--", os.fsdecode(b"\xff"), "ü"]
    done = lineage("run", "-q", "--", *words)
    assert done.stdout == "|".join([*words[2:], ""])
    launch = last().launch
    assert launch is not None
    assert list(launch.command) == words


def test_without_separator_options_of_the_command_are_its_own(repo: Path, lineage: Lineage) -> None:
    assert lineage("run", "-q", "echo", "-q", "-t", "x").stdout == "-q -t x\n"


def test_no_other_room_is_needed_where_git_lineage_is_not_on_path(repo: Path) -> None:
    command = shutil.which("git-lineage")
    assert command is not None
    done = subprocess.run([command, "run", "-q", "--", "echo", "x"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL,
                          env={**os.environ, "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("x\n", "", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_once_more_while_the_end_is_recorded(
    repo: Path, number: signal.Signals
) -> None:
    code = f"""
import os, signal, sys
from gitlineage import capture
from gitlineage.cli import main
collect = capture.Capture.collect
def told_again(*given, **named):
    os.kill(os.getpid(), {int(number)})
    return collect(*given, **named)
capture.Capture.collect = told_again
sys.exit(main(["run", "-q", "--", "sh", "-c", "kill -{int(number)} $$"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (128 + number, "")
    assert last().status == "stopped"
