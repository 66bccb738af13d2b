"""Commands through the relay and bare, side by side: real processes, terminals and signals."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gitlineage

ROOT = Path(gitlineage.__file__).parent.parent

DRIVER = f"""
import json, os, sys
sys.path.insert(0, {str(ROOT)!r})
from gitlineage import errors, relay
from gitlineage.relay.outcome import die_like
report = dict(printed=[], events=[])
def keep(): # at once, since die_like may end us
    with open(sys.argv[1] + ".new", "w") as file:
        json.dump(report, file)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
try:
    outcome = relay.run(
        sys.argv[2:],
        os.environ,
        sink=lambda stream, data: report["printed"].append([stream, data.decode("latin-1")]),
        on_start=lambda: report["events"].append("started"),
    )
except errors.CaptureFailed as error:
    report["error"] = type(error).__name__, str(error)
    keep()
    sys.exit(error.exit_code)
report["outcome"] = {{name: getattr(outcome, name) for name in outcome.__slots__}}
keep()
die_like(outcome)
sys.exit(outcome.exit_code)
"""

# What a failed test leaves behind ends by itself.
WAIT = "until test -e flag || test $((n+=1)) -gt 2000; do sleep 0.02; done"


def until(question: Callable[[], Any], what: str = "it", seconds: float = 20.0) -> Any:
    """Ask again and again; fail when the answer stays no."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        select.select([], [], [], 0.01)
    return answer


class Relayed:
    """The command line that runs a command through the relay, and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.report_path = folder / "report"

    def __call__(self, *command: str) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", DRIVER, str(self.report_path), *command]

    @property
    def report(self) -> dict[str, Any]:
        until(self.report_path.exists, "the report")
        report: dict[str, Any] = json.loads(self.report_path.read_text())
        return report

    @property
    def outcome(self) -> dict[str, Any]:
        outcome: dict[str, Any] = self.report["outcome"]
        return outcome

    def printed(self, stream: int) -> bytes:
        pieces = self.report["printed"]
        return b"".join(data.encode("latin-1") for number, data in pieces if number == stream)


@pytest.fixture
def relayed(tmp_path: Path) -> Relayed:
    return Relayed(tmp_path)


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def python(text: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", text]


def result(command: list[str], **options: Any) -> tuple[int, bytes, bytes]:
    done = subprocess.run(command, capture_output=True, timeout=60, **options)
    code = done.returncode
    return 128 - code if code < 0 else code, done.stdout, done.stderr


# Without a terminal


def test_import_starts_nothing_slow() -> None:
    text = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import gitlineage.relay
slow = "typing re subprocess dataclasses selectors threading enum signal termios".split()
print([name for name in slow if name in sys.modules])
"""
    assert result(python(text)) == (0, b"[]\n", b"")


def test_both_streams_are_intact(relayed: Relayed) -> None:
    text = "import os; os.write(1, bytes(range(256)) * 9); os.write(2, b'e\\r\\n\\0' * 99)"
    command = python(text + "; raise SystemExit(3)")
    assert result(relayed(*command)) == result(command)
    assert relayed.printed(1) == bytes(range(256)) * 9
    assert relayed.printed(2) == b"e\r\n\0" * 99


def test_a_hundred_megabytes_are_intact(tmp_path: Path) -> None:
    # A driver without a report: it would hold the text twice.
    driver = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from gitlineage import relay
sizes = []
relay.run(sys.argv[1:], os.environ, sink=lambda stream, data: sizes.append(len(data)))
print(sum(sizes), file=sys.stderr)
"""
    text = "import os, random; data = random.Random(1).randbytes(1 << 20); n = 0\nwhile n < 100:\n"
    text += " view = memoryview(data)\n while view: view = view[os.write(1, view):]\n n += 1"
    bare = hashlib.sha256()
    with subprocess.Popen(python(text), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(1 << 20):
            bare.update(piece)
    through = hashlib.sha256()
    command = [*python(driver), *python(text)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        while piece := process.stdout.read(1 << 20):
            through.update(piece)
        assert process.stderr.read() == b"%d\n" % (100 << 20)
    assert through.digest() == bare.digest()


@pytest.mark.parametrize(
    "script", ["exit 0", "exit 3", "exit 255", "kill -TERM $$", "kill -KILL $$", "kill -SEGV $$"]
)
def test_exit_code_is_the_commands(relayed: Relayed, script: str) -> None:
    bare = result(["sh", "-c", script])
    assert result(relayed("sh", "-c", script)) == bare
    assert relayed.outcome["exit_code"] == bare[0]
    assert relayed.outcome["signal"] == (bare[0] - 128 if "kill" in script else None)
    assert relayed.outcome["had_terminal"] is False


def make(path: Path, content: bytes, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("no-such-command", "CommandNotFound"),
        ("./no-such-command", "CommandNotFound"),
        ("./no-interpreter", "CommandNotFound"),
        ("./folder", "CommandNotExecutable"),
        ("folder", "CommandNotFound"),
        ("./plain-file", "CommandNotExecutable"),
        ("plain-file", "CommandNotExecutable"),
        ("./for-another-machine", "CommandNotExecutable"),
        ("./script", None),
        ("script", None),
        ("./empty", None),
        ("later", None),
    ],
)
def test_a_command_is_found_as_a_shell_finds_it(
    relayed: Relayed, tmp_path: Path, name: str, error: str | None
) -> None:
    make(tmp_path / "plain-file", b"echo never\n", 0o644)
    make(tmp_path / "no-interpreter", b"#!/no/such/interpreter\n")
    make(tmp_path / "for-another-machine", b"\x7fELF\0\0\0\0")
    make(tmp_path / "script", b'echo "$0" "$@"; exit 7\n')
    make(tmp_path / "empty", b"")
    make(tmp_path / "later", b"#!/bin/sh\necho the first is not executable\n", 0o644)
    make(tmp_path / "second" / "later", b"#!/bin/sh\necho found\n")
    (tmp_path / "folder").mkdir()
    path = f"{tmp_path}:{tmp_path}/second:/usr/bin:/bin"
    bare = result(["bash", "-c", '"$@"', "bash", name, "a b"], env={"PATH": path})
    through = result(relayed(name, "a b"), env={"PATH": path})
    assert through[0] == bare[0]
    if error is None:
        assert through == bare
        assert relayed.report["events"] == ["started"]
    else:
        assert relayed.report["error"][0] == error
        assert relayed.report["events"] == []
        assert through[1:] == (b"", b"")


def test_the_path_is_that_of_the_given_environment(tmp_path: Path) -> None:
    make(tmp_path / "bin" / "only-here", b"#!/bin/sh\nprintenv | grep -v ^PWD= | grep -v ^_=\n")
    driver = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from gitlineage import relay
path = {str(tmp_path)!r} + "/bin:/usr/bin:/bin"
relay.run(["only-here"], {{"PATH": path, "B": "\\udcff"}}, sink=lambda *_: None)
"""
    code, printed, _ = result(python(driver), env={"PATH": "/nowhere", "A": "1"})
    expected = {b"PATH=" + os.fsencode(tmp_path) + b"/bin:/usr/bin:/bin", b"B=\xff"}
    assert (code, set(printed.splitlines())) == (0, expected)


def test_folder_and_arguments_arrive(relayed: Relayed) -> None:
    command = [*python("import os, sys; print(os.getcwd(), sys.argv)"), "", "a b", "\udcff", "--"]
    assert result(relayed(*command)) == result(command)


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "CONT"])
def test_a_signal_to_the_recorder_reaches_the_command_once(relayed: Relayed, name: str) -> None:
    script = f"trap 'echo got' {name}; trap 'echo end; exit 9' PWR; echo ready; "
    script += "while :; do sleep 0.02; done"
    with subprocess.Popen(
        relayed("sh", "-c", script), stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.readline() == b"got\n"
        process.send_signal(signal.SIGPWR)
        assert process.stdout.read() == b"end\n"
        assert process.wait(20) == 9
    assert relayed.outcome["exit_code"] == 9


def test_a_deadly_signal_leaves_a_report(relayed: Relayed) -> None:
    command = relayed("sh", "-c", "echo ready; exec sleep 100")
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    assert relayed.outcome["signal"] == signal.SIGTERM


@pytest.mark.parametrize("ignored", [[], [signal.SIGHUP], [signal.SIGINT, signal.SIGQUIT]])
def test_dispositions_are_those_of_the_bare_command(
    relayed: Relayed, ignored: list[signal.Signals]
) -> None:
    # Straight from the kernel: no shell in between, which would have its own.
    command = ["grep", "-E", "^Sig(Ign|Blk|Cgt)", "/proc/self/status"]

    def ignore() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    def masks(command: list[str]) -> dict[str, int]:
        words = result(command, preexec_fn=ignore)[1].decode().replace(":", "").split()
        found = {name: int(mask, 16) for name, mask in zip(words[::2], words[1::2], strict=True)}
        # glibc's posix_spawn ignores its own two signals, which it sets again when it needs them.
        return found | {"SigIgn": found["SigIgn"] & ~(3 << 31)}

    assert len(masks(command)) == 3
    assert masks(relayed(*command)) == masks(command)


def test_what_nohup_ignores_stays_ignored(relayed: Relayed) -> None:
    script = "trap 'echo end; exit 9' TERM; echo ready; while :; do sleep 0.02; done"
    command = ["nohup", *relayed("sh", "-c", script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"end\n"
        assert process.wait(20) == 9


def test_a_reader_that_goes_away_ends_the_command(relayed: Relayed) -> None:
    line = f"{shlex.join(relayed('yes'))} | head -1; echo ${{PIPESTATUS[@]}}"
    assert result(["bash", "-c", line]) == (0, b"y\n141 0\n", b"")
    assert relayed.outcome["signal"] == signal.SIGPIPE


def test_the_first_write_without_a_reader_fails(relayed: Relayed) -> None:
    # Not the second: the relay must notice by itself that the reader has gone.
    text = "import os, signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL); os.write(1, b'a')\n"
    text += "os.read(0, 1); os.write(1, b'b'); raise SystemExit(5)"
    with subprocess.Popen(
        relayed(*python(text)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert os.read(process.stdout.fileno(), 10) == b"a"
        process.stdout.close()
        # Both ends of the relay's own pipe: gone as soon as it has noticed.
        until(lambda: not output_pipes(process.pid), "the relay to notice")
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(20) == 128 + signal.SIGPIPE


def output_pipes(recorder: int) -> list[int]:
    """Return the descriptors of a recorder that lead to standard output of its child."""
    children = Path(f"/proc/{recorder}/task/{recorder}/children").read_text().split()
    theirs = os.readlink(f"/proc/{children[0]}/fd/1")
    found = []
    for path in Path(f"/proc/{recorder}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(path) == theirs:
                found.append(int(path.name))
    return found


def test_what_is_left_behind_goes_on_printing(relayed: Relayed, tmp_path: Path) -> None:
    script = f"({WAIT}; echo late; echo err >&2) & echo now"
    with subprocess.Popen(
        relayed("sh", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        # It cannot end before the flag is there, so we return without it, or never.
        assert process.wait(20) == 0
        (tmp_path / "flag").touch()
        assert process.stdout.read() == b"now\nlate\n"
        assert process.stderr.read() == b"err\n"
    assert relayed.printed(1) == b"now\n"
    assert relayed.outcome["duration"] < 5_000_000


def test_one_that_never_pauses_is_left_behind_too(relayed: Relayed) -> None:
    with subprocess.Popen(relayed("sh", "-c", "yes &"), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        size = 0
        while process.poll() is None:
            size += len(os.read(process.stdout.fileno(), 65536))
        assert process.returncode == 0
        assert len(process.stdout.read(1 << 22)) == 1 << 22


def test_nothing_of_the_recorder_stays_open_behind_it(tmp_path: Path) -> None:
    # The caller's lock tells whether a recorder is alive; a copier is none.
    driver = f"""
import fcntl, os, sys
sys.path.insert(0, {str(ROOT)!r})
from gitlineage import relay
lock = fcntl.fcntl(os.open("lock", os.O_CREAT | os.O_RDWR), fcntl.F_DUPFD_CLOEXEC, 40)
fcntl.flock(lock, fcntl.LOCK_EX)
relay.run(["sh", "-c", {WAIT!r} + " &"], os.environ, sink=lambda *_: None)
"""
    with subprocess.Popen(python(driver), stdout=subprocess.PIPE) as process:
        assert process.wait(20) == 0
        with open(tmp_path / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (tmp_path / "flag").touch()
        assert process.stdout is not None
        assert process.stdout.read() == b""  # the end, before the folder goes


def test_standard_input_passes_untouched(relayed: Relayed) -> None:
    data = bytes(range(256)) * 1000
    assert result(relayed("cat"), input=data) == (0, data, b"")


@pytest.mark.parametrize(
    "closed", ["", "<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"]
)
def test_open_descriptors_are_those_of_the_bare_command(
    relayed: Relayed, tmp_path: Path, closed: str
) -> None:
    listing = "import os, sys; names = [fd for fd in range(50) if os.path.exists(f'/dev/fd/{fd}')]"
    # The listing is opened last, and is not among the names.
    listing += "; open(sys.argv[1], 'w').write(repr(names))"
    answers = []
    for name, wrap in (("bare", list), ("through", lambda args: relayed(*args))):
        line = shlex.join(wrap([*python(listing), name])) + f" {closed} 7</dev/null"
        result(["sh", "-c", line], stdin=subprocess.DEVNULL)
        answers.append((tmp_path / name).read_text())
    assert answers[0] == answers[1]
    assert "7" in answers[0]
    assert relayed.outcome["exit_code"] == 0


def test_closed_output_fails_as_it_does_bare(relayed: Relayed) -> None:
    command = ["sh", "-c", "echo lost; echo $? >&2"]
    bare = result(["sh", "-c", shlex.join(command) + " >&-"])
    assert result(["sh", "-c", shlex.join(relayed(*command)) + " >&-"]) == bare


def test_one_open_file_keeps_the_order(relayed: Relayed, tmp_path: Path) -> None:
    text = "import os\nfor n in range(2000): os.write(1 + n % 2, b'%d\\n' % n)"
    expected = b"".join(b"%d\n" % n for n in range(2000))
    done = subprocess.run(
        relayed(*python(text)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    assert done.stdout == expected
    assert relayed.printed(1) == expected
    assert relayed.printed(2) == b""
    with open(tmp_path / "file", "wb") as file:
        subprocess.run(relayed(*python(text)), stdout=file, stderr=file, timeout=60)
    assert (tmp_path / "file").read_bytes() == expected


def test_a_non_blocking_output_loses_nothing(relayed: Relayed) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    command = relayed("seq", "100000")
    with subprocess.Popen(command, stdout=writing) as process:
        os.close(writing)
        until(lambda: state(process.pid) == "S" and unread(reading) > 60000, "a full pipe")
        with open(reading, "rb") as file:
            printed = file.read()
        assert process.wait(20) == 0
    assert printed == b"".join(b"%d\n" % n for n in range(1, 100001))


def test_the_output_stays_blocking_for_others(relayed: Relayed) -> None:
    reading, writing = os.pipe()
    subprocess.run(relayed("echo", "a"), stdout=writing, timeout=60)
    assert os.get_blocking(writing)
    os.close(reading)
    os.close(writing)


def test_a_blocked_output_holds_up_neither_the_other_nor_signals(relayed: Relayed) -> None:
    script = f"yes & trap 'kill $!; exit 9' TERM; {WAIT}; "
    script += "echo err >&2; while :; do sleep 0.02; done"
    with subprocess.Popen(
        relayed("sh", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        printed = process.stdout.fileno()
        until(lambda: unread(printed) > 60000, "a full pipe")
        Path("flag").touch()
        assert process.stderr.readline() == b"err\n"
        process.send_signal(signal.SIGTERM)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(lambda: not children.read_text(), "the end of the command")
        # What the dead have printed; no more than their pipe, ours and one piece can hold.
        assert len(process.stdout.read(1 << 20)) < 1 << 20
        assert process.wait(20) == 9


def unread(fd: int) -> int:
    (size,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
    return int(size)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_times_and_memory(relayed: Relayed) -> None:
    text = "import time; data = b'x' * (100 << 20)\nwhile time.process_time() < 0.3: pass"
    before = time.time_ns() // 1000
    result(relayed(*python(text)))
    outcome = relayed.outcome
    assert before <= outcome["started_at"] < outcome["finished_at"] <= time.time_ns() // 1000
    assert 300_000 <= outcome["cpu_time"] <= 2_000_000
    assert outcome["duration"] >= 300_000
    assert 100 << 20 <= outcome["peak_memory"] < 200 << 20


def test_the_caller_gets_its_process_back(tmp_path: Path) -> None:
    driver = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from gitlineage import relay
def state():
    handlers = [signal.getsignal(number) for number in sorted(signal.valid_signals())]
    return handlers, signal.pthread_sigmask(signal.SIG_BLOCK, ()), os.listdir("/proc/self/fd")
before = state()
events = []
def meanwhile(pid):
    assert pid > 1
    open("seen", "w").close()
    events.append("meanwhile")
relay.run(["sh", "-c", "while ! test -e seen; do sleep 0.02; done"], os.environ,
          sink=lambda *_: None, meanwhile=meanwhile, on_start=lambda: events.append("start"))
relay.run(["sh", "-c", "sleep 0.3 &"], os.environ, sink=lambda *_: None)
for name in ("no-such-command", "/"):
    try:
        relay.run([name], os.environ, sink=lambda *_: None)
    except Exception as error:
        events.append(type(error).__name__)
assert state() == before, (before, state())
print(*events)
"""
    expected = b"start meanwhile CommandNotFound CommandNotExecutable\n"
    assert result(python(driver)) == (0, expected, b"")
    code, printed, _ = in_terminal(python(driver))
    assert (code, printed) == (0, expected.replace(b"\n", b"\r\n"))


# With a terminal


class Terminal:
    """A terminal with a session of its own, and a process in its foreground."""

    def __init__(self, command: list[str], **redirected: int) -> None:
        self.printed = b""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            try:
                os.read(0, 1)  # until the size is set
                for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
                    signal.signal(number, signal.SIG_DFL)
                for name, fd in redirected.items():
                    os.dup2(fd, ("stdin", "stdout", "stderr").index(name))
                os.execvpe(command[0], command, os.environ)
            finally:
                os._exit(99)
        self.resize(24, 80)
        os.write(self.fd, b"\n")
        self.expect(b"\r\n")
        self.printed = self.printed.partition(b"\r\n")[2]
        self.modes = termios.tcgetattr(self.fd)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 640, 480))

    def type(self, keys: bytes) -> None:
        while keys:
            keys = keys[os.write(self.fd, keys) :]

    def read(self, seconds: float = 20.0) -> bool:
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            return False
        self.printed += piece
        return bool(piece)

    def expect(self, text: bytes, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.printed:
            if not self.read(max(0.0, deadline - time.monotonic())) and text not in self.printed:
                pytest.fail(f"{text!r} is not in {self.printed!r}")

    def wait(self) -> int:
        """Read to the end; return the exit code as a shell has it."""
        status = until(self.ended, "the end")
        while self.read(0):
            pass
        code = os.waitstatus_to_exitcode(status[1])
        return 128 - code if code < 0 else code

    def ended(self) -> tuple[int, int] | None:
        self.read(0)
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return (pid, status) if pid else None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.fd)


def in_terminal(command: list[str], **redirected: int) -> tuple[int, bytes, bool]:
    """Run to the end; return the code, what was printed, and whether the modes were kept."""
    terminal = Terminal(command, **redirected)
    code = terminal.wait()
    kept = termios.tcgetattr(terminal.fd) == terminal.modes
    terminal.close()
    return code, terminal.printed, kept


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[dict[str, int]]:
    """Files to redirect standard streams to."""
    with contextlib.ExitStack() as stack:
        yield {
            "stdin": stack.enter_context(open("/dev/null", "rb")).fileno(),
            "stdout": stack.enter_context(open(tmp_path / "stdout", "wb")).fileno(),
            "stderr": stack.enter_context(open(tmp_path / "stderr", "wb")).fileno(),
        }


LOOK = (
    "import os, sys, termios\n"
    "modes = termios.tcgetattr\n"
    "print([os.isatty(fd) for fd in range(3)], file=open('seen', 'w'))\n"
    "for fd in range(3):\n"
    "    if os.isatty(fd): print(fd, os.get_terminal_size(fd), file=open('seen', 'a'))\n"
)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["stderr"],
        ["stdin"],
        ["stdout"],
        ["stdin", "stderr"],
        ["stdout", "stderr"],
        ["stdin", "stdout"],
        ["stdin", "stdout", "stderr"],
    ],
)
def test_terminals_are_seen_where_they_are(
    relayed: Relayed, tmp_path: Path, outputs: dict[str, int], names: list[str]
) -> None:
    redirected = {name: outputs[name] for name in names}
    command = [sys.executable, "-c", LOOK + "print('a\\nb'); print('c', file=sys.stderr)"]
    bare = in_terminal(command, **redirected)
    seen = (tmp_path / "seen").read_text()
    files = [(tmp_path / name).read_bytes() for name in ("stdout", "stderr")]
    for name in ("seen", "stdout", "stderr"):
        os.truncate(name, 0)
        if name in outputs:
            os.lseek(outputs[name], 0, os.SEEK_SET)
    assert in_terminal(relayed(*command), **redirected) == bare
    assert (tmp_path / "seen").read_text() == seen
    assert [(tmp_path / name).read_bytes() for name in ("stdout", "stderr")] == files
    assert relayed.outcome["had_terminal"] is (not {"stdin", "stdout"} & set(names))
    if "stdout" not in names and "stderr" not in names:
        assert relayed.printed(1).replace(b"\r", b"") == b"a\nb\nc\n"


def test_the_inner_terminal_has_the_modes_of_the_outer(relayed: Relayed) -> None:
    script = "stty -echoctl -ixon erase ^H; stty -a; stty -g; tty >/dev/null && echo tty"
    bare = in_terminal(["sh", "-c", script])
    line = "stty -echoctl -ixon erase ^H; exec " + shlex.join(
        relayed("sh", "-c", script.partition("; ")[2])
    )
    assert in_terminal(["sh", "-c", line])[:2] == bare[:2]


@pytest.mark.parametrize("names", [[], ["stdin"]])
def test_a_new_size_is_seen(relayed: Relayed, outputs: dict[str, int], names: list[str]) -> None:
    text = (
        "import os, signal, time\n"
        "sizes = []\n"
        "def look(*_):\n"
        "    sizes.append(tuple(os.get_terminal_size(1)))\n"
        "    print(sizes[-1])\n"
        "signal.signal(signal.SIGWINCH, look)\n"
        "print('ready', flush=True)\n"
        "while sizes[-1:] != [(100, 30)]: time.sleep(0.02)\n"
    )
    terminal = Terminal(
        relayed(sys.executable, "-u", "-c", text), **{name: outputs[name] for name in names}
    )
    terminal.expect(b"ready")
    terminal.resize(31, 101)
    terminal.expect(b"(101, 31)")
    terminal.resize(30, 100)
    assert terminal.wait() == 0
    assert b"(100, 30)" in terminal.printed
    terminal.close()


def test_dispositions_in_a_terminal_are_those_of_the_bare_command(relayed: Relayed) -> None:
    command = ["grep", "-E", "^Sig(Ign|Blk|Cgt)", "/proc/self/status"]
    bare = in_terminal(command)
    assert bare[1].count(b"\n") == 3
    assert in_terminal(relayed(*command)) == bare


def test_typing_looks_as_it_does_bare(relayed: Relayed) -> None:
    def session(command: list[str]) -> tuple[int, bytes]:
        terminal = Terminal(command)
        terminal.expect(b"ready\r\n")
        terminal.type(b"one\r")
        terminal.expect(b"one\r\none\r\n")
        terminal.type(b"tww\x7fo\r\x04")
        code = terminal.wait()
        terminal.close()
        return code, terminal.printed

    command = ["sh", "-c", "echo ready; cat; echo end; exit 3"]
    assert session(relayed(*command)) == session(command)


@pytest.mark.parametrize("names", [[], ["stdin"], ["stdout"], ["stdin", "stdout", "stderr"]])
def test_ctrl_c_arrives_once(
    relayed: Relayed, tmp_path: Path, outputs: dict[str, int], names: list[str]
) -> None:
    text = (
        "import os, signal, time\n"
        "count = []\n"
        "signal.signal(signal.SIGINT, lambda *_: (count.append(1), open('got', 'a').write('x')))\n"
        # An exception would be lost where it falls into the closing of that file.
        "def end(*_): os._exit(20 + len(count))\n"
        "signal.signal(signal.SIGQUIT, end)\n"
        "open('ready', 'w')\n"
        "while True: time.sleep(0.02)\n"  # pause() would sleep over a signal just before it
    )
    terminal = Terminal(
        relayed(sys.executable, "-c", text), **{name: outputs[name] for name in names}
    )
    until((tmp_path / "ready").exists, "the command")
    terminal.type(b"\x03")
    until((tmp_path / "got").exists, "the signal")
    terminal.type(b"\x1c")
    assert terminal.wait() == 21
    assert termios.tcgetattr(terminal.fd) == terminal.modes
    terminal.close()


@pytest.mark.parametrize("names", [[], ["stdin"]])
def test_dying_of_ctrl_c_is_passed_up(
    relayed: Relayed, tmp_path: Path, outputs: dict[str, int], names: list[str]
) -> None:
    command = relayed("sh", "-c", "touch ready; exec sleep 100")
    terminal = Terminal(command, **{name: outputs[name] for name in names})
    until((tmp_path / "ready").exists, "the command")
    terminal.type(b"\x03")
    status = until(terminal.ended, "the end")[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT
    assert relayed.outcome["signal"] == signal.SIGINT
    assert relayed.outcome["exit_code"] == 130
    terminal.close()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "stty raw -echo; exit 4"], 4),
        (["sh", "-c", "stty raw -echo; kill -KILL $$"], 137),
        (["no-such-command"], 127),
        (["/"], 126),
    ],
)
def test_modes_are_given_back(relayed: Relayed, command: list[str], code: int) -> None:
    assert in_terminal(relayed(*command)) == (code, b"", True)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_in_a_terminal_leaves_modes_and_a_report(relayed: Relayed, name: str) -> None:
    terminal = Terminal(relayed("sh", "-c", "echo ready; exec sleep 100"))
    terminal.expect(b"ready")
    assert termios.tcgetattr(terminal.fd) != terminal.modes
    number = getattr(signal, name)
    os.kill(terminal.pid, number)
    assert terminal.wait() == 128 + number
    assert relayed.outcome["signal"] == number
    assert termios.tcgetattr(terminal.fd) == terminal.modes
    terminal.close()


def test_sigcont_out_of_the_blue_keeps_the_modes(relayed: Relayed) -> None:
    terminal = Terminal(relayed("sh", "-c", "echo ready; read line; echo got $line"))
    terminal.expect(b"ready")
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.type(b"a\r")
    assert terminal.wait() == 0
    assert b"got a" in terminal.printed
    assert termios.tcgetattr(terminal.fd) == terminal.modes
    terminal.close()


def test_a_terminal_that_goes_away_hangs_up_the_command(relayed: Relayed) -> None:
    script = f"trap 'echo x >> hup' HUP; echo ready; {WAIT}; exit 5"
    terminal = Terminal(relayed("sh", "-c", script))
    terminal.expect(b"ready")
    terminal.close()
    until(Path("hup").exists, "the signal")
    Path("flag").touch()
    until(lambda: os.waitpid(terminal.pid, os.WNOHANG)[0], "the end")
    assert relayed.outcome["exit_code"] == 5
    assert Path("hup").read_text() == "x\n"


def test_a_killed_recorder_hangs_up_the_command(relayed: Relayed) -> None:
    script = "trap 'echo x >> hup; exit' HUP; echo ready; while :; do sleep 0.02; done"
    terminal = Terminal(relayed("sh", "-c", script))
    terminal.expect(b"ready")
    os.kill(terminal.pid, signal.SIGKILL)
    until(Path("hup").exists, "the signal")
    assert terminal.wait() == 137
    terminal.close()


def test_keys_that_nobody_reads_do_not_block_the_output(relayed: Relayed) -> None:
    text = "import sys, time\nprint('ready', flush=True)\nimport os\n"
    text += "while not os.path.exists('flag'): time.sleep(0.01)\n"
    text += "for n in range(100000): print(n)\nprint('end')"
    terminal = Terminal(relayed(sys.executable, "-c", text))
    terminal.expect(b"ready")
    terminal.type(b"x\r" * 1500)
    Path("flag").touch()
    terminal.expect(b"end", 60)
    assert terminal.wait() == 0
    terminal.close()


def test_what_is_left_behind_in_a_terminal_lives_on(relayed: Relayed, tmp_path: Path) -> None:
    script = f"({WAIT}; echo late; touch done) & echo now"
    # The session outlives the recorder, as the shell's does.
    line = shlex.join(relayed("sh", "-c", script)) + "; read line"
    terminal = Terminal(["sh", "-c", line])
    terminal.expect(b"now\r\n")
    until(lambda: relayed.report_path.exists(), "the report")
    (tmp_path / "flag").touch()
    until((tmp_path / "done").exists, "what was left behind")
    terminal.expect(b"late")
    terminal.type(b"\r")
    assert terminal.wait() == 0
    assert b"late" not in relayed.printed(1)
    terminal.close()


def may_put_keys_back() -> bool:
    setting = Path("/proc/sys/dev/tty/legacy_tiocsti")  # new in Linux 6.2; before, all may
    return os.geteuid() == 0 or not setting.exists() or setting.read_text() == "1\n"


@pytest.mark.skipif(not may_put_keys_back(), reason="the kernel takes no keys back")
def test_what_is_typed_ahead_waits_for_the_next_to_read(relayed: Relayed, tmp_path: Path) -> None:
    script = f"echo ready; {WAIT}"
    line = shlex.join(relayed("sh", "-c", script)) + "; read line; echo got $line"
    terminal = Terminal(["sh", "-c", line])
    terminal.expect(b"ready\r\n")
    terminal.type(b"ahead\r")
    terminal.expect(b"ahead\r\n")
    (tmp_path / "flag").touch()
    assert terminal.wait() == 0
    assert terminal.printed == b"ready\r\nahead\r\ngot ahead\r\n"
    terminal.close()


def test_in_the_background_the_terminal_is_left_alone(relayed: Relayed, tmp_path: Path) -> None:
    script = f"set -m; {shlex.join(relayed('sh', '-c', 'test -t 1 && echo hello'))} & wait $!; "
    script += "stty -a | grep -c ' icanon'; exit 3"
    code, printed, kept = in_terminal(["bash", "-c", script])
    assert (code, kept) == (3, True)
    assert b"hello\r\n" in printed and b"1\r\n" in printed
    assert relayed.outcome["had_terminal"] is False


# With a terminal emulator and an interactive shell


class Tmux:
    """A screen of 80 by 24 with an interactive bash."""

    def __init__(self, folder: Path) -> None:
        self.base = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        shell = "env PS1='$ ' HISTFILE=/dev/null bash --norc --noprofile"
        self("new-session", "-d", "-x", "80", "-y", "24", shell)
        self.expect(r"^\$ $|^\$$")

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.base, *arguments],
            # As Python knows it: readline, in here, has put LINES and COLUMNS behind its back.
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return done.stdout

    def line(self, text: str) -> None:
        self("send-keys", "-l", text)
        self("send-keys", "Enter")

    @contextlib.contextmanager
    def terminal(self) -> Iterator[int]:
        path = self("display-message", "-p", "#{pane_tty}").strip()
        fd = os.open(path, os.O_RDONLY | os.O_NOCTTY)
        yield fd
        os.close(fd)

    @property
    def size(self) -> os.terminal_size:
        with self.terminal() as fd:
            return os.get_terminal_size(fd)

    def until_taken(self) -> None:
        """Wait until keys go through unread; typed earlier, they would be echoed twice."""
        with self.terminal() as fd:
            until(lambda: not termios.tcgetattr(fd)[3] & termios.ICANON, "the keys to be taken")

    def keys(self, *names: str) -> None:
        self("send-keys", *names)

    @property
    def screen(self) -> str:
        return self("capture-pane", "-p").rstrip("\n")

    def expect(self, pattern: str) -> str:
        deadline = time.monotonic() + 20
        while not re.search(pattern, screen := self.screen, re.MULTILINE):
            if time.monotonic() > deadline:
                pytest.fail(f"{pattern!r} is not on the screen:\n{screen}")
            select.select([], [], [], 0.02)
        return screen


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    screen = Tmux(tmp_path)
    try:
        yield screen
    finally:
        screen("kill-server")


def script(path: Path, command: list[str]) -> str:
    """Make a short command of a long one, which is the same process."""
    make(path, b"#!/bin/sh\nexec " + os.fsencode(shlex.join(command)) + b' "$@"\n')
    return f"./{path.name}"


@pytest.fixture
def r(relayed: Relayed, tmp_path: Path, tmux: Tmux) -> str:
    return script(tmp_path / "r", relayed())


def test_ctrl_z_and_fg(tmux: Tmux, r: str) -> None:
    tmux.line(f"{r} sh -c 'echo ready; exec cat'")
    tmux.expect(r"^ready$")
    tmux.line("first")
    tmux.expect(r"^first\nfirst$")
    tmux.keys("C-z")
    tmux.expect(r"Stopped +\./r sh")
    tmux.line("stty -a | grep -o ' icanon'; stty rows 20")
    tmux.expect(r"^ icanon$")
    tmux.line("fg")
    tmux.expect(r"^\./r sh -c")
    tmux.until_taken()
    tmux.line("second")
    tmux.expect(r"^second\nsecond$")
    tmux.keys("C-d")
    tmux.expect(r"^\$$")
    tmux.line("echo code $?; jobs; stty -a | grep -o ' icanon'; echo end")
    tmux.expect(r"^code 0\n icanon\nend$")


def test_ctrl_z_stops_the_whole_group(tmux: Tmux, r: str, tmp_path: Path) -> None:
    # As `git lineage` is: a parent in our group, for which the shell waits.
    make(tmp_path / "ready", b"#!/bin/sh\necho ready\nexec cat\n")
    tmux.line(f"sh -c '{r} ./ready; exit 6'")
    tmux.expect(r"^ready$")
    tmux.line("first")
    tmux.expect(r"^first\nfirst$")
    tmux.keys("C-z")
    tmux.expect(r"Stopped +sh -c")
    tmux.line("fg")
    tmux.expect(r"^sh -c")
    tmux.until_taken()
    tmux.keys("C-d")
    tmux.expect(r"^\$$")
    tmux.line("echo code $?")
    tmux.expect(r"^code 6$")


def test_ctrl_z_with_an_error_pipe(tmux: Tmux, r: str) -> None:
    tmux.line(f"{r} sh -c 'echo ready; exec cat' 2> >(cat)")
    tmux.expect(r"^ready$")
    tmux.keys("C-z")
    tmux.expect(r"Stopped +\./r sh")
    tmux.line("kill %1; wait")
    tmux.line("echo en''d")
    tmux.expect(r"^end$")


def test_ctrl_z_and_bg_and_fg(tmux: Tmux, r: str, tmp_path: Path) -> None:
    # One process: a shell that is just starting another (vfork) does not stop, bare either.
    text = "import os; print(os.getpid()); os.open('flag', os.O_RDONLY); print('on'); "
    text += "os.execvp('cat', ['cat'])"
    (tmp_path / "program.py").write_text(text)
    os.mkfifo(tmp_path / "flag")
    tmux.line(f"{r} {sys.executable} -u program.py")
    tmux.expect(r"^\d+$")
    tmux.keys("C-z")
    tmux.expect(r"Stopped +\./r ")
    tmux.line("bg; : > flag")
    tmux.expect(r"on$")
    tmux.line("echo still at the $((1+1))nd shell")
    tmux.expect(r"^still at the 2nd shell$")
    tmux.line("fg")
    tmux.expect(r"^\./r ")
    tmux.until_taken()
    tmux.line("typed")
    tmux.expect(r"^typed\ntyped$")
    tmux.keys("C-d")
    tmux.expect(r"^\$$")
    tmux.line("echo code $?")
    tmux.expect(r"^code 0$")


@pytest.mark.parametrize("redirection", ["", "</dev/null", "2>/dev/null", "| cat"])
def test_ctrl_c_stops_a_loop(tmux: Tmux, r: str, redirection: str) -> None:
    screens = []
    for command in ("", f"{r} "):
        tmux.line("clear")
        tmux.expect(r"\A\$$")
        loop = f"{command}sh -c 'echo at $n; exec sleep 100' {redirection}"
        tmux.line(f"for n in 7 8; do {loop.replace('$n', chr(39) + '$n' + chr(39))}; done; echo no")
        tmux.expect(r"^at 7$")
        tmux.keys("C-c")
        tmux.expect(r"^\^C\n+\$$")
        tmux.line("echo en''d")
        screens.append(tmux.expect(r"^end\n\$$").partition("at 7")[2])
    assert screens[0] == screens[1]
    assert "at 8" not in screens[1]


CURSES = """
import curses
def main(screen):
    curses.curs_set(0)
    keys = []
    while True:
        screen.erase()
        screen.box()
        rows, columns = screen.getmaxyx()
        screen.addstr(2, 4, f"{rows} by {columns}")
        screen.addstr(4, 4, " ".join(keys))
        screen.addstr(rows - 1, columns - 4, str(len(keys)))
        screen.refresh()
        key = screen.getkey()
        if key == "q":
            return
        keys.append(key)
curses.wrapper(main)
"""


def test_a_curses_program_fills_the_screen(tmux: Tmux, r: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CURSES)
    screens = []
    for command in ("", f"{r} "):
        tmux("resize-window", "-x", "80", "-y", "24")
        until(lambda: tmux.size == os.terminal_size((80, 24)), "the size, which comes delayed")
        tmux.line("clear")
        tmux.expect(r"\A\$$")
        tmux.line(f"{command}{sys.executable} program.py")
        tmux.expect(r"24 by 80")
        tmux.keys("a", "Up", "F5")
        first = tmux.expect(r"3...\Z")  # drawn from top to bottom
        tmux("resize-window", "-x", "60", "-y", "12")
        second = tmux.expect(r"\A.{60}\n(.*\n){10}.*4...\Z")
        tmux.keys("q")
        tmux.expect(r"^\$$")  # most kernels let nobody put back what is typed ahead
        tmux.line("echo code $?")
        tmux.expect(r"^code 0$")
        screens.append((first, second))
    assert screens[0] == screens[1]


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_less_pages_and_stops(tmux: Tmux, r: str, tmp_path: Path) -> None:
    (tmp_path / "numbers").write_text("".join(f"{n}\n" for n in range(1000)))
    screens = []
    for line in ("less numbers", f"{r} less numbers"):
        tmux.line("clear")
        tmux.expect(r"\A\$$")
        tmux.line(line)
        first = tmux.expect(r"^22\n")
        tmux.keys("G")
        last = tmux.expect(r"^999\n")
        tmux.keys("C-z")
        tmux.expect(r"Stopped")
        tmux.line("fg")
        again = tmux.expect(r"^999\n")
        tmux.keys("q")
        tmux.expect(r"^\$$")  # most kernels let nobody put back what is typed ahead
        tmux.line("echo code $?")
        tmux.expect(r"^code 0$")
        screens.append((first, last, again))
    assert screens[0] == screens[1]


@pytest.mark.skipif(shutil.which("vi") is None, reason="vi is not installed")
def test_vi_edits(tmux: Tmux, r: str, tmp_path: Path) -> None:
    tmux.line(f"{r} vi -u NONE text")
    tmux.expect(r"^~$")
    tmux.keys("i")
    tmux("send-keys", "-l", "hello world")
    tmux.keys("Escape")
    tmux.expect(r"^hello world$")
    tmux.line(":!stty size")
    tmux.expect(r"^24 80$")
    tmux.keys("Enter")
    tmux.line(":wq")
    tmux.expect(r"\$$")
    tmux.line("echo code $?")
    tmux.expect(r"^code 0$")
    assert (tmp_path / "text").read_text() == "hello world\n"
