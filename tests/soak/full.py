"""Let a disk be full at each write: whatever room is left, nothing that started is lost.

`python tests/soak/full.py [STEPS]`: a file system in memory is made so small that a run finds room
for 0 to STEPS pages more (60 unless said otherwise), then for 0 to STEPS files more, and one of
btrfs gives it a quota of 0 to STEPS blocks more. Each time there is one run, one look while it is
full, and two when there is room again. Fails where a command ran that is not in the ledger
afterwards, or the other way round, where what it made was touched, where an error has no clear
line, and where anything is left behind. Needs root.
"""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from kills import leftovers, recorded

ROOM, FILES = 64 << 20, 100_000
"""Bytes and files where there is room."""

STEP = {"pages": 4096, "files": 1, "blocks of a quota": 16384}

COMMAND = 'echo "$0" > "$1/started-$0"; printf "%-9s" "$0" | dd of=out conv=notrunc status=none'
"""Says elsewhere that it ran; what it makes needs no more room than what was there, but for btrfs,
which writes it to a new place."""


def do(*words: str | Path) -> str:
    """Run a program that has to succeed; return what it prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def in_memory(folder: Path) -> Path:
    """Mount a file system in memory."""
    do("mount", "-t", "tmpfs", "-o", f"size={ROOM},nr_inodes={FILES}", "tmpfs", folder)
    return folder


def with_quota(folder: Path) -> Path:
    """Mount a file system of btrfs, and return a share of it."""
    image = folder.with_suffix(".image")
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    do("mkfs.btrfs", "-q", image)
    do("mount", "-o", "loop", image, folder)
    do("btrfs", "subvolume", "create", folder / "share")
    do("btrfs", "quota", "enable", folder)
    return folder / "share"


def leave(disk: Path, kind: str, more: int | None) -> None:
    """Leave so much room of a kind, or all of it."""
    found = os.statvfs(disk)
    if kind == "blocks of a quota":
        do("btrfs", "filesystem", "sync", disk)
        told = do("btrfs", "qgroup", "show", "--raw", "-f", disk).splitlines()[-1]
        do("btrfs", "qgroup", "limit", "none" if more is None else str(int(told.split()[1]) + more),
           disk)  # fmt: skip
        return
    size, files = ROOM, FILES
    if more is not None and kind == "pages":
        size = (found.f_blocks - found.f_bfree) * found.f_bsize + more
    elif more is not None:
        files = found.f_files - found.f_ffree + more
    do("mount", "-o", f"remount,size={size},nr_inodes={files}", disk)


def lineage(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb; it may fail, but says why in one line."""
    done = subprocess.run(["git-lineage", *words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)  # fmt: skip
    assert done.returncode >= 0 and "Traceback" not in done.stderr, done
    assert not done.returncode or done.stderr.startswith("error: "), (words, done)
    return done


def attempt(disk: Path, marks: Path, number: int, kind: str, more: int) -> str:
    """Run once with little room; return how it went."""
    (disk / "code.py").write_text(f"{number:9}")  # other code each time: it is kept
    leave(disk, kind, more)
    done = lineage("run", "-q", "--step", f"run-{number}", "--", "sh", "-c", COMMAND,
                   str(number), str(marks))  # fmt: skip
    was_read = not lineage("log", "-n", "1").returncode
    leave(disk, kind, None)
    has_run = (marks / f"started-{number}").exists()
    is_made = (disk / "out").read_text() == f"{number:<9}"
    assert is_made == has_run or (has_run and kind == "blocks of a quota"), (kind, more, done)
    assert done.returncode == (0 if is_made else 1 if has_run else 125), (kind, more, done)
    for _ in range(2):  # once for what is recorded later, and once to find it there
        lineage("log", "-n", "1")
    assert not leftovers(disk), (kind, more, done, leftovers(disk))
    how = "recorded later" if "error: " in done.stderr else "recorded at once"
    return (how if has_run else "not started") + ("" if was_read else ", not readable meanwhile")


def try_all(
    folder: Path, mount: Callable[[Path], Path], kinds: tuple[str, ...], steps: int
) -> None:
    """Try all amounts of room on one file system, and say how it went."""
    disk, marks = folder / "disk", folder / "marks"
    for each in (disk, marks):
        each.mkdir()
    try:
        disk = mount(disk)
        os.chdir(disk)
        do("git", "init", "-q")
        for name, value in (("user.name", "a"), ("user.email", "e"), ("gc.auto", "0")):
            do("git", "config", name, value)
        for name in ("code.py", "out"):
            (disk / name).write_text(f"{'':9}")
        do("git", "add", "code.py")
        do("git", "commit", "-q", "-m", "Begin")
        lineage("run", "-q", "--step", "first", "--", "true")
        number = 0
        for kind in kinds:
            outcomes: collections.Counter[str] = collections.Counter()
            for left in range(steps + 1):
                number += 1
                outcomes[attempt(disk, marks, number, kind, left * STEP[kind])] += 1
            told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
            print(f"room for 0 to {steps} {kind}: {told}", flush=True)
        found = recorded()
        ran = {f"run-{each.name.removeprefix('started-')}": 1 for each in marks.iterdir()}
        assert {name: len(each) for name, each in found.items()} == {"first": 1, **ran}
        lost = [
            each[0].id for each in found.values() if each[0].status not in ("succeeded", "failed")
        ]
        assert not lost, lost
        do("git", "fsck", "--strict", "--no-dangling")
        assert lineage("verify").returncode == 0
    finally:
        os.chdir("/")
        subprocess.run(["umount", "-l", folder / "disk"], check=True)


def main(steps: int = 60) -> int:
    """Try all kinds of too little room."""
    for mount, kinds in ((in_memory, ("pages", "files")), (with_quota, ("blocks of a quota",))):
        with tempfile.TemporaryDirectory() as folder:
            try_all(Path(folder), mount, kinds, steps)
    return 0


if __name__ == "__main__":
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    sys.exit(main(*map(int, sys.argv[1:2])))
