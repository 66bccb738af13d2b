"""Commands and what is seen of them: real programs, compiled ones among them, under strace.

What is expected is found out in other ways: from the file system before and after, and from every
system call there was, read by a parser that shares nothing with the one that is tested.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from conftest import Git, Lineage

from gitlineage.errors import NotObservable
from gitlineage.observation import Observed, Observer, Rules, find, tracer
from gitlineage.observation.calls import Calls
from gitlineage.observation.files import Files, Seen

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
pytestmark = needs_strace


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path.resolve() / "tree"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def observe(*command: str, top: Path | None = None, ignore: tuple[str, ...] = ()) -> Observed:
    """Run a command as a recorder does."""
    observer = Observer(find(), Rules(str(top or Path.cwd()), ignore))
    done = subprocess.run([*observer.around, *command], stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    return observer.finish()


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", text)


def names(observed: Observed) -> tuple[set[str], set[str]]:
    """Return what was read and what was written and is there, relative to the current folder."""
    top = os.getcwd() + "/"
    read = {e.path.removeprefix(top) for e in observed.files if e.read_at is not None}
    written = {e.path.removeprefix(top) for e in observed.files
               if e.is_written and os.path.isfile(e.path)}  # fmt: skip
    return read, written


# Every system call, read by brute force

MOVING = "read|pread64|readv|preadv|preadv2|mmap|sendfile|copy_file_range|splice|write|pwrite64"


def stamps(tree: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            stat = path.stat()
            found[str(path.relative_to(tree))] = stat.st_ino, stat.st_size, stat.st_mtime_ns
    return found


def brute_force(tree: Path, *command: str) -> tuple[set[str], set[str]]:
    """Run a command with all its calls on file; return what was there and read, and what changed.

    Read is what bytes were read or mapped from, or what was executed, and was there before.
    """
    log = tree.parent / "calls.log"
    before = stamps(tree)
    trace = ["strace", "-f", "-yy", "-s", "4096", "-o", str(log), *command]
    subprocess.run(trace, check=True, stdin=subprocess.DEVNULL)
    after = stamps(tree)
    text = log.read_text(errors="replace")
    text = re.sub(r" <unfinished \.\.\.>\n", " unfinished\n", text)
    touched = set()
    for line in text.splitlines():
        if re.search(rf"^\d+ +(?:{MOVING})\(", line):
            is_write = re.search(r"^\d+ +p?write", line)
            paths = re.findall(r"\d<(/[^>]*)>", line)
            touched.update(() if is_write else paths[:1])
        elif found := re.search(r'^\d+ +execve\("([^"]+)".* = 0$', line):
            touched.add(found[1])
    read = {os.path.relpath(os.path.realpath(each), tree) for each in touched}
    return read & set(before), {each for each in after if after[each] != before.get(each)}


def restored(tree: Path, command: tuple[str, ...], ours: Callable[[], Observed]) -> None:
    """Check that what is observed is what brute force finds, from the same beginning."""
    copy = tree.parent / "copy"
    shutil.copytree(tree, copy, symlinks=True)
    read, written = names(ours())
    shutil.rmtree(tree)
    copy.rename(tree)
    os.chdir(tree)
    expected = brute_force(tree, *command)
    assert (read, written) == expected


C = {
    "main.c": '#include <stdio.h>\n#include "twice.h"\n'
              'int main(void) { printf("%d\\n", twice(21)); return 0; }\n',
    "twice.c": '#include "twice.h"\nint twice(int x) { return 2 * x; }\n',
    "twice.h": "int twice(int x);\n",
    "unused.h": "not read\n",
    "Makefile": "answer.txt: answer\n\t./answer > answer.txt\n"
                "answer: main.o twice.o\n\tgcc -o $@ $^\n"
                "%.o: %.c twice.h\n\tgcc -O1 -c -o $@ $<\n",
}  # fmt: skip


@needs_gcc
def test_a_build(tree: Path) -> None:
    for name, text in C.items():
        (tree / name).write_text(text)
    command = ("make", "-s", "-j2")
    restored(tree, command, lambda: observe(*command))
    read, written = names(observe("make", "-s", "-B"))
    assert read == {"Makefile", "main.c", "twice.c", "twice.h"}
    assert written == {"main.o", "twice.o", "answer", "answer.txt"}


def test_tar(tree: Path) -> None:
    (tree / "data/deep").mkdir(parents=True)
    for number in range(30):
        (tree / f"data/deep/{number}.txt").write_text(f"{number}\n")
    command = ("tar", "-czf", "all.tgz", "data")
    restored(tree, command, lambda: observe(*command))
    shutil.rmtree(tree / "data")
    command = ("tar", "-xzf", "all.tgz")
    restored(tree, command, lambda: observe(*command))


def test_a_pipeline(tree: Path) -> None:
    (tree / "words").write_text("b\na\nb\n" * 1000)
    (tree / "more").write_text("c\n")
    command = ("sh", "-c", "cat words more | sort | uniq -c > counts; head -n 1 < counts > first; "
               "mkdir out; cp words out/; mv more out/; sed -i s/a/A/ words; rm first")  # fmt: skip
    restored(tree, command, lambda: observe(*command))


TRAINING = """
import joblib, numpy as np
from sklearn.ensemble import RandomForestClassifier
x = np.load("data/x.npy", mmap_mode="r"); y = np.loadtxt("data/y.csv")
model = RandomForestClassifier(10, n_jobs=2, random_state=0).fit(x, y)
joblib.dump(model, "model.pkl")
np.save("importance.npy", model.feature_importances_)
"""


def test_a_training(tree: Path) -> None:
    np = pytest.importorskip("numpy", reason="needs numpy")
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    (tree / "data").mkdir()
    random = np.random.default_rng(0)
    np.save(tree / "data/x.npy", random.random((200, 5)))
    np.savetxt(tree / "data/y.csv", random.integers(0, 2, 200))
    (tree / "data/unused.csv").write_text("1\n")
    (tree / "train.py").write_text(TRAINING)
    command = (sys.executable, "train.py")
    restored(tree, command, lambda: observe(*command))


# One by one

CASES: Mapping[str, tuple[str, set[str], set[str]]] = {
    "renamed": ("open('t', 'w').write('1'); os.rename('t', 'out')", set(), {"out"}),
    "renamed in a folder": (
        "os.makedirs('t/a'); open('t/a/x', 'w').write('1'); os.rename('t', 'out')",
        set(), {"out/a/x"},
    ),
    "moved": ("os.rename('old', 'new')", {"old"}, {"new"}),
    "moved by name": ("os.replace('old', os.fsencode('\\udcff\\n\"<>\\\\'))", {"old"},
                      {"\udcff\n\"<>\\"}),
    "deleted": ("open('t', 'w').write('1'); open('t').read(); os.unlink('t')", set(), set()),
    "read and deleted": ("open('old').read(); os.unlink('old')", {"old"}, set()),
    "made and read": ("open('t', 'w').write('1'); open('t').read()", set(), {"t"}),
    "read and written": ("open('old').read(); open('old', 'w').write('1')", {"old"}, {"old"}),
    "emptied": ("open('old', 'w+').read()", set(), {"old"}),
    "appended": ("open('old', 'a').write('1')", set(), {"old"}),
    "in place": ("open('old', 'r+').write('1')", {"old"}, {"old"}),
    "truncated": ("os.truncate('old', 2)", set(), {"old"}),
    "linked": ("os.link('old', 'new')", {"old"}, {"new"}),
    "linked and unlinked": ("open('t', 'w').write('1'); os.link('t', 'out'); os.unlink('t')",
                            set(), {"out"}),
    "through a link": ("os.symlink('old', 'l'); open('l').read()", {"old"}, set()),
    "a link switched": ("os.symlink('old', 'l'); os.rename('l', 'latest')", set(), set()),
    "by a handle": (
        "os.mkdir('d'); d = os.open('d', os.O_RDONLY | os.O_DIRECTORY); os.chdir('/')\n"
        "f = os.open('x', os.O_CREAT | os.O_WRONLY, dir_fd=d); os.write(f, b'1')\n"
        "os.rename('x', 'y', src_dir_fd=d, dst_dir_fd=d)",
        set(), {"d/y"},
    ),
    "elsewhere": (
        "os.mkdir('d'); d = os.open('d', os.O_RDONLY); os.fchdir(d); open('t', 'w').write('1')\n"
        "os.rename('t', '../out'); os.chdir('..'); open('old').read()",
        {"old"}, {"out"},
    ),
    "threads that share a directory": (
        "import threading\nos.mkdir('d')\n"
        "t = threading.Thread(target=os.chdir, args=('d',)); t.start(); t.join()\n"
        "os.truncate('../old', 1); os.rename('../old', 'new')",
        set(), {"d/new"},
    ),
    "a child with its own": (
        "os.mkdir('d')\n"
        "if not os.fork():\n    os.chdir('d'); os.rename('../old', 'x'); os._exit(0)\n"
        "os.wait(); open('t', 'w').write('1'); os.rename('t', 'out')",
        {"old"}, {"d/x", "out"},
    ),
    "mapped": (
        "import mmap\nf = open('old', 'r+b'); m = mmap.mmap(f.fileno(), 0); m[0] = 65; m.close()",
        {"old"}, {"old"},
    ),
    "copied by the kernel": (
        "i, o = open('old', 'rb'), open('out', 'wb')\n"
        "os.copy_file_range(i.fileno(), o.fileno(), 100)\n"
        "os.sendfile(o.fileno(), i.fileno(), 0, 100)",
        {"old"}, {"out"},
    ),
    "a name for what had none": (
        "f = os.open('.', os.O_TMPFILE | os.O_RDWR); os.write(f, b'1')\n"
        "os.link(f'/proc/self/fd/{f}', 'out', src_dir_fd=os.open('.', 0))",
        set(), {"out"},
    ),
    "a script": ("os.chmod('script', 0o755); os.system('./script')", {"script"}, set()),
    "not there": ("try: open('missing')\nexcept OSError: open('old').read()", {"old"}, set()),
    "folders": ("os.listdir('.'); os.close(os.open('.', os.O_RDONLY)); os.stat('old')",
                set(), set()),
    "exchanged": (
        "import ctypes\nopen('t', 'w').write('1')\n"
        "ctypes.CDLL(None).renameat2(-100, b't', -100, b'old', 2)",
        {"old"}, {"t", "old"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_case(tree: Path, case: str) -> None:
    text, read, written = CASES[case]
    (tree / "old").write_text("old\n")
    (tree / "script").write_text("#!/bin/sh\n:\n")
    assert names(observe(*python("import os\n" + text))) == (read, written)


# Programs that are compiled here

OLD_CALLS = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    char content[9];
    syscall(SYS_chdir, "deep");
    int out = syscall(SYS_creat, "t", 0644);
    int old = syscall(SYS_open, "../old", O_RDONLY);
    write(out, content, read(old, content, 4));
    syscall(SYS_rename, "t", "../made");
    syscall(SYS_truncate, "../cut", 1);
    if (!vfork()) {
        execl("./child", "child", (char *)0);
        _exit(1);
    }
    wait(0);
    return 0;
}
"""
CHILD = r"""
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    close(syscall(SYS_creat, "u", 0644));
    return syscall(SYS_rename, "u", "by-child");
}
"""


@needs_gcc
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="others never had these calls")
def test_static_programs_with_the_oldest_calls(tree: Path) -> None:
    (tree / "deep").mkdir()
    for name, text in (("main", OLD_CALLS), ("deep/child", CHILD)):
        source = tree.parent / "source.c"
        source.write_text(text)
        subprocess.run(["gcc", "-static", "-w", "-o", tree / name, source], check=True)
    (tree / "old").write_text("old\n")
    (tree / "cut").write_text("cut\n")
    read, written = names(observe("./main"))
    assert read == {"main", "old", "deep/child"}
    assert written == {"made", "cut", "deep/by-child"}


THREADS = r"""
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *work(void *number) {
    for (int each = 0; each < 200; each++) {
        char in[64], new[64], out[64];
        sprintf(in, "in/%ld-%d", (long)number, each);
        sprintf(new, "out/%ld-%d.new", (long)number, each);
        sprintf(out, "out/%ld-%d", (long)number, each);
        close(open(in, O_RDONLY));
        close(open(new, O_WRONLY | O_CREAT, 0644));
        rename(new, out);
    }
    return 0;
}
int main(void) {
    pthread_t threads[4];
    for (long each = 0; each < 4; each++) pthread_create(threads + each, 0, work, (void *)each);
    for (int each = 0; each < 4; each++) pthread_join(threads[each], 0);
    return 0;
}
"""


@needs_gcc
def test_threads(tree: Path) -> None:
    source = tree.parent / "source.c"
    source.write_text(THREADS)
    subprocess.run(["gcc", "-pthread", "-o", tree.parent / "main", source], check=True)
    expected = {f"{thread}-{each}" for thread in range(4) for each in range(200)}
    (tree / "in").mkdir()
    (tree / "out").mkdir()
    for each in expected:
        (tree / "in" / each).write_text(each)
    read, written = names(observe(str(tree.parent / "main")))
    assert read == {f"in/{each}" for each in expected}
    assert written == {f"out/{each}" for each in expected}


# What outlives the command


def test_a_child_that_outlives_the_command_for_a_moment(tree: Path) -> None:
    os.mkfifo("gate")
    text = "(read x < gate; echo late > late) >/dev/null 2>&1 & sh -c 'echo >gate' & exit 0"
    observed = observe("sh", "-c", text)
    assert names(observed)[1] == {"late"}
    assert observed.warnings == ()


def test_one_that_stays_is_said_and_left_alone(tree: Path) -> None:
    os.mkfifo("gate")
    observed = observe("sh", "-c", "(read x < gate; echo late > late) >/dev/null 2>&1 & : > soon")
    assert names(observed)[1] == {"soon"}
    assert observed.warnings == ("what it started still runs and is not observed now",)
    (tree / "gate").write_text("go\n")
    subprocess.run(["sh", "-c", "until test -s late; do :; done"], check=True, timeout=60)


# What is left out


def test_what_is_left_out(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home := "/home/ada")
    rules = Rules(str(tree), ("tmp/logs/", "*.bak", "!/opt/data/", "~/scratch/", "!keep.bak"))
    for path, is_left_out in {
        "/usr/lib/x": True, "/etc/passwd": True, "/proc/self/maps": True, "/opt/x": True,
        "/opt/data/x": False, "/opt/ml/x": False, "/data/x.csv": False, "/data/x.so.1": True,
        f"{home}/.cache/x": True, f"{home}/x.csv": False, f"{home}/scratch/x": True,
        "/data/lib/python3.12/os.py": True, "/data/p/site-packages/x.py": True,
        f"{tree}/x.so": False, f"{tree}/tmp/logs/x": True, f"{tree}/a/tmp/logs/x": False,
        f"{tree}/a/x.bak": True, "/data/x.bak": True, f"{tree}/a/keep.bak": False,
    }.items():  # fmt: skip
        assert rules.leave_out(os.fsencode(path)) == is_left_out, path


@pytest.mark.parametrize("patterns", [(), ("!/nowhere/",)])  # each takes its own way
def test_folders_of_the_system_that_may_hold_data(patterns: tuple[str, ...]) -> None:
    rules = Rules("/srv/project", patterns)
    for path, is_left_out in {
        "/opt/ml/input/data/x.csv": False, "/opt/x": True, "/dev/shm/images/1.png": False,
        "/dev/shm/sem.x": True, "/dev/shm/psm_1f": True, "/dev/shm/torch_12_3": True,
        "/dev/null": True, "/dev/shmx": True,
    }.items():  # fmt: skip
        assert rules.leave_out(os.fsencode(path)) == is_left_out, path


def test_a_work_tree_in_a_system_folder_has_data() -> None:
    rules = Rules("/usr/src/app", ("venv/",))
    assert not rules.leave_out(b"/usr/src/app/data.csv")
    assert rules.leave_out(b"/usr/src/app/venv/x")
    assert rules.leave_out(b"/usr/src/other")


def test_environments_are_left_out(outside: Path) -> None:
    for mark in ("a/pyvenv.cfg", "b/conda-meta/history"):
        (outside / mark).parent.mkdir(parents=True)
        (outside / mark).write_text("")
    rules = Rules("/nowhere", ())
    assert rules.leave_out(os.fsencode(outside / "a/share/deep/x"))
    assert rules.leave_out(os.fsencode(outside / "b/x"))
    assert not rules.leave_out(os.fsencode(outside / "x"))


# As it is recorded


def shown(lineage: Lineage) -> dict:
    return json.loads(lineage("show", "--json").stdout)


def ways(artifacts: list[dict]) -> dict[str, str]:
    return {each["path"]: each["how"] for each in artifacts}


@pytest.fixture
def project(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repo)
    (repo / "used.py").write_text("import os\nprint(open('data/in').read())\n")
    (repo / "other.py").write_text("1\n")
    (repo / ".gitignore").write_text("data/\n")
    git("add", "-A", cwd=repo)
    git("commit", "-q", "-m", "more", cwd=repo)
    (repo / "data").mkdir()
    (repo / "data/in").write_text("in\n")
    return repo


def test_inputs_outputs_and_code(project: Path, lineage: Lineage) -> None:
    lineage("run", "--observe", "--", "sh", "-c", f"{sys.executable} used.py > data/out")
    found = shown(lineage)
    assert ways(found["inputs"]) == {"data/in": "observed"}
    assert ways(found["outputs"]) == {"data/out": "observed"}
    assert found["code_read"] == ["used.py"]
    assert found["warnings"] == []
    (project / "other.py").write_text("2\n")
    assert lineage("status").stdout == "1 output: current\n"
    (project / "used.py").write_text("3\n")
    assert "stale" in lineage("status").stdout


def test_what_is_named_and_not_read_is_no_input(project: Path, lineage: Lineage) -> None:
    lineage("run", "--observe", "--", "test", "-e", "data/in")
    assert shown(lineage)["inputs"] == []
    lineage("run", "--observe", "--", "cat", "data/in")
    assert ways(shown(lineage)["inputs"]) == {"data/in": "observed"}


def test_declared_ones_stay_declared(project: Path, lineage: Lineage) -> None:
    lineage("run", "--observe", "-i", "data", "-o", "out", "--", "cp", "data/in", "out")
    found = shown(lineage)
    assert ways(found["inputs"]) == {"data": "declared"}
    assert ways(found["outputs"]) == {"out": "declared"}


def test_an_input_that_is_changed_is_what_it_was(project: Path, lineage: Lineage) -> None:
    os.mkfifo("gate")
    # The gate opens when what has been read was looked at, at the latest.
    text = "cat data/in; (sleep 0.1; echo > gate) & read x < gate; echo new > data/in"
    lineage("run", "--observe", "--", "sh", "-c", text)
    found = shown(lineage)
    old, new = found["inputs"][0]["digest"], found["outputs"][0]["digest"]
    lineage("run", "--observe", "--", "sh", "-c", "printf 'in\\n' > data/again")
    assert old == shown(lineage)["outputs"][0]["digest"] != new


def test_an_input_of_which_nobody_knows_what_it_held(project: Path, lineage: Lineage) -> None:
    (project / "data/in").write_bytes(bytes(300 << 10))
    lineage("run", "--observe", "--", "sh", "-c", "cat data/in > out; echo new > data/in")
    found = shown(lineage)
    assert [each.get("digest", each["path"]) for each in found["inputs"]] == ["data/in"]
    assert found["warnings"] == ["what input data/in held when it was read is not known"]


def test_two_at_once_have_exactly_their_own(project: Path, lineage: Lineage) -> None:
    os.mkfifo("a.gate")
    os.mkfifo("b.gate")
    text = "echo {0} > data/{0}; echo > {1}.gate & read x < {0}.gate; echo {0} >> data/{0}2"
    processes = [
        subprocess.Popen(["git", "lineage", "run", "-t", one, "--observe", "--", "sh", "-c",
                          text.format(one, other)], stderr=subprocess.PIPE, text=True)
        for one, other in ("ab", "ba")
    ]  # fmt: skip
    assert all(each.wait(60) == 0 for each in processes)
    for process, one in zip(processes, "ab", strict=True):
        said = process.communicate()[1]
        assert "warning" not in said, said
        found = json.loads(lineage("show", one, "--json").stdout)
        assert set(ways(found["outputs"])) == {f"data/{one}", f"data/{one}2"}


def test_more_inputs_than_a_record_lists(project: Path, lineage: Lineage, git: Git) -> None:
    for number in range(700):
        for folder in ("train/cats", "train/dogs", "partly"):
            (project / f"data/{folder}").mkdir(parents=True, exist_ok=True)
            (project / f"data/{folder}/{number:03}").write_text(f"{folder} {number}\n")
    everything = "find data -name '[0-9]*' ! -path data/partly/699 | xargs cat > all"
    lineage("run", "--observe", "--", "sh", "-c", everything)
    found = shown(lineage)
    assert [each["path"] for each in found["inputs"]] == [
        "data/train", *(f"data/partly/{number:03}" for number in range(699)),
    ]  # fmt: skip
    assert (found["inputs"][0]["type"], found["inputs"][0]["how"]) == ("directory", "observed")
    assert found["warnings"] == []
    lineage("run", "-i", "data/train", "--", "true")
    declared = shown(lineage)["inputs"][0]
    assert found["inputs"][0] == declared | {"how": "observed"}

    (project / "data/train/cats/unread").write_text("")
    (project / "data/train/dogs/unread").write_text("")
    lineage("run", "--observe", "--", "sh", "-c", everything)
    found = shown(lineage)
    assert len(found["inputs"]) == 1000
    assert {each["type"] for each in found["inputs"]} == {"file"}
    assert found["warnings"] == [
        "1099 more files were read and are not listed: declare their folder with -i"
    ]


def test_more_code_than_a_record_lists(project: Path, lineage: Lineage, git: Git) -> None:
    (project / "code").mkdir()
    for number in range(1001):
        (project / f"code/{number}.h").write_text("")
    git("add", "-A", cwd=project)
    git("commit", "-q", "-m", "much", cwd=project)
    lineage("run", "--observe", "--", "sh", "-c", "cat code/* > data/all")
    found = shown(lineage)
    assert (found["code_read"], found["inputs"]) == (None, [])
    assert found["warnings"] == ["1001 files of the code were read: they are not listed"]
    (project / "other.py").write_text("2\n")
    assert "stale" in lineage("status").stdout


def test_a_recorder_inside_is_not_what_a_command_does(project: Path, lineage: Lineage) -> None:
    lineage("run", "--observe", "-t", "outer", "--", "sh", "-c",
            "git lineage run -q -- cp data/in data/inner; cat data/inner > data/outer")  # fmt: skip
    found = json.loads(lineage("show", "outer", "--json").stdout)
    assert ways(found["inputs"]) == {"data/in": "observed"}
    assert ways(found["outputs"]) == {"data/outer": "observed"}


def test_the_kernel_may_tell_of_a_child_before_it_tells_of_its_birth(tree: Path) -> None:
    files = Files(Rules(str(tree), ()))
    made, top = tree / "made", str(tree)
    Calls(files, os.fsencode(tree)).feed(
        f"""\
10 1.0 execve("/usr/bin/git-lineage", 0x1, 0x2) = 0
10 1.1 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>
11 1.2 execve("/bin/sh", 0x1, 0x2) = 0
10 1.3 <... clone resumed>) = 11
11 1.4 openat(AT_FDCWD<{top}>, "made", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3<{made}>
11 1.5 +++ exited with 0 +++
12 1.6 openat(AT_FDCWD<{top}>, "made", O_RDONLY) = 3<{made}>
""".encode()
    )
    (seen,) = [Seen(*each) for each in files.found()]
    assert (seen.path, seen.read_at, seen.is_written) == (str(made), None, True)


def test_an_execution_inside_is_not_observed_on_its_own(
    project: Path, lineage: Lineage, git: Git
) -> None:
    inner = "git lineage run {} -t inner -- sh -c 'cat data/in > data/inner'"
    for setting, option, said in (
        ("never", "--observe", ["not observed: the execution around it is, and sees its files"]),
        ("always", "", ["not observed: the execution around it is, and sees its files"]),
        ("auto", "", []),
    ):
        git("config", "lineage.observe", setting)
        command = inner.format(option) + " && cat data/inner > data/outer"
        lineage("run", "--observe", "-t", "outer", "--", "sh", "-c", command)
        found = json.loads(lineage("show", "inner", "--json").stdout)
        assert found["warnings"] == said
        assert found["code_read"] is None
        assert ways(found["outputs"]) == {"data/inner": "detected"}
        found = json.loads(lineage("show", "outer", "--json").stdout)
        assert ways(found["inputs"]) == {"data/in": "observed"}
        assert ways(found["outputs"]) == {"data/outer": "observed"}
        assert found["warnings"] == []
        lineage("tag", "-d", "inner")
        lineage("tag", "-d", "outer")


# Whether it may be


def test_settings(project: Path, lineage: Lineage, git: Git) -> None:
    for setting, is_observed in (("auto", True), ("always", True), ("never", False)):
        git("config", "lineage.observe", setting)
        lineage("run", "--", "true")
        assert (shown(lineage)["code_read"] is not None) == is_observed
    git("config", "lineage.observe", "maybe")
    done = lineage("run", "--", "true", check=False)
    assert done.returncode == 125
    assert done.stderr == (
        "error: lineage.observe is maybe, which means nothing\n"
        "hint: lineage.observe may be always, auto or never\n"
    )


def test_patterns_of_ones_own(project: Path, lineage: Lineage, git: Git) -> None:
    git("config", "--add", "lineage.observeIgnore", "*.log")
    git("config", "--add", "lineage.observeIgnore", "data/in")
    lineage("run", "--observe", "--", "sh", "-c", "cat data/in > data/x.log; : > data/out")
    found = shown(lineage)
    assert (ways(found["inputs"]), ways(found["outputs"])) == ({}, {"data/out": "observed"})


def test_where_open_files_cannot_be_seen(monkeypatch: pytest.MonkeyPatch, isolated: Path) -> None:
    monkeypatch.setattr(tracer, "OPEN_FILES", str(isolated / "none"))
    with pytest.raises(NotObservable, match="none cannot be read"):
        find()


def test_without_strace(project: Path, lineage: Lineage, git: Git, isolated: Path) -> None:
    tools = isolated / "tools"
    tools.mkdir()
    for name in ("git", "sh", "touch", "git-lineage", "cat"):
        (tools / name).symlink_to(shutil.which(name))
    env = {"PATH": str(tools)}
    done = lineage("run", "--observe", "--", "touch", "made", check=False, env=env)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == (
        "error: the command cannot be observed: there is no strace\n"
        "hint: nothing was run; install strace, with `apt install strace` and such\n"
    )
    assert not (project / "made").exists()
    git("config", "lineage.observe", "auto")
    done = lineage("run", "-q", "--", "touch", "made", env=env)
    assert done.stderr == ""
    assert ways(shown(lineage)["outputs"]) == {"made": "detected"}


def test_where_it_may_not_be_traced(project: Path, lineage: Lineage, git: Git) -> None:
    # What is traced already cannot be traced again.
    words = ["strace", "-f", "-o", "/dev/null", "-e", "trace=none", "git", "lineage", "run"]
    done = subprocess.run(
        [*words, "--observe", "--", "touch", "made"], capture_output=True, text=True
    )
    assert done.returncode == 125
    assert done.stderr.startswith("error: the command cannot be observed: strace may not be used")
    assert not (project / "made").exists()
    git("config", "lineage.observe", "auto")
    done = subprocess.run([*words, "-q", "--", "touch", "made"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# As if it had been started alone


@pytest.mark.parametrize(("command", "code"), [
    (("sh", "-c", "exit 3"), 3), (("sh", "-c", "kill -TERM $$"), 143), (("./missing",), 127),
    (("no-such-command",), 127), (("./data",), 126), (("./plain",), 126), (("./bare",), 4),
    (("./dangling",), 127),
])  # fmt: skip
def test_exit_statuses_are_those_of_the_bare_command(
    project: Path, lineage: Lineage, command: tuple[str, ...], code: int
) -> None:
    for name, text, mode in (("plain", "exit 4\n", 0o644), ("bare", "exit 4\n", 0o755),
                             ("dangling", "#!/no/such/thing\n", 0o755)):  # fmt: skip
        (project / name).write_text(text)
        (project / name).chmod(mode)
    done = [lineage("run", *option, "--", *command, check=False) for option in ((), ("--observe",))]
    assert [each.returncode for each in done] == [code, code]
    assert done[0].stdout == done[1].stdout
    errors = [re.sub(r"[0-9a-f]{8} |[\d.]+ m?s", "", each.stderr) for each in done]
    assert errors[0] == errors[1]


def test_what_a_command_sees_of_itself(project: Path, lineage: Lineage) -> None:
    text = (
        "import os, signal; open('seen', 'w').write(repr((os.getppid() == int(os.environ['ME']),\n"
        "[s for s in signal.valid_signals() if signal.getsignal(s) == signal.SIG_IGN],\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, []), sorted(os.listdir('/proc/self/fd')),\n"
        "os.getpgrp() == os.getpgid(os.getppid()), os.getsid(0), sorted(os.environ))))"
    )
    seen = []
    for option in ((), ("--observe",)):
        driver = f"""
import os, subprocess, sys
os.environ["ME"] = str(os.getpid())
from gitlineage.cli import main
main(["run", "-q", *{option!r}, "--", sys.executable, "-S", "-c", {text!r}])
"""
        subprocess.run([sys.executable, "-c", driver], check=True)
        seen.append((project / "seen").read_text())
    assert seen[0] == seen[1]
    assert seen[0].startswith("(True, ")


def test_a_killed_recorder_leaves_nothing_that_is_traced(project: Path, lineage: Lineage) -> None:
    os.mkfifo("gate")
    text = "echo $$ > data/pid; read x < gate; echo on > data/on"
    driver = "import sys; from gitlineage.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ("run", "--observe", "--", "sh", "-c", text)
    process = subprocess.Popen([sys.executable, "-c", driver, *words])
    subprocess.run(["sh", "-c", "until test -s data/pid; do :; done"], check=True, timeout=60)
    pid = int((project / "data/pid").read_text())
    tracer = re.search(r"TracerPid:\t(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert tracer and int(tracer[1])
    process.kill()
    process.wait()
    (project / "gate").write_text("go\n")  # it goes on as it would have without
    wait = f"until test -s data/on; do :; done; while test -e /proc/{tracer[1]}/exe; do :; done"
    subprocess.run(["sh", "-c", wait], check=True, timeout=60)
    assert json.loads(lineage("show", "--json").stdout)["status"] == "interrupted"


@pytest.mark.skipif(not shutil.which("git-annex"), reason="git-annex is not installed")
@pytest.mark.parametrize("is_linked", [False, True])
def test_files_of_annex_are_data(
    project: Path, lineage: Lineage, git: Git, is_linked: bool
) -> None:
    """Git tracks a link in their place, which leads into its own folder."""
    git("annex", "init", "-q", "here")
    (project / "rows.csv").write_text("1\n")
    (project / "unread.csv").write_text("2\n")
    git("annex", "add", "-q", "--backend=MD5E", "rows.csv", "unread.csv")
    git("commit", "-q", "-m", "Rows")
    if is_linked:
        git("worktree", "add", "-q", str(project.parent / "other"))
        os.chdir(project.parent / "other")
    lineage("run", "-q", "--observe", "--", "sh", "-c", "cat rows.csv > out")
    found = json.loads(lineage("show", "--json").stdout)
    assert ways(found["inputs"]) == {"rows.csv": "observed"}
    assert {"blake3", "md5"} <= found["inputs"][0]["digests"].keys()
    assert ways(found["outputs"]) == {"out": "observed"}
    subprocess.run(["chmod", "-R", "u+w", project / ".git/annex"], check=True)


def test_what_dvc_keeps_is_called_as_its_links_are(project: Path, lineage: Lineage) -> None:
    kept = project / ".dvc/cache/files/md5/b0/26324c6904b2a9cb4b88d6d61c81d1"
    kept.parent.mkdir(parents=True)
    kept.write_text("1\n")
    (project / "rows.csv").symlink_to(kept)
    lineage("run", "-q", "--observe", "--", "sh", "-c", "cat rows.csv > out")
    found = json.loads(lineage("show", "--json").stdout)
    assert ways(found["inputs"]) == {"rows.csv": "observed"}
