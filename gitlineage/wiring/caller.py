"""The `git push` that has called a hook, by its command line. Knows processes; knows no git."""

from __future__ import annotations

import os


class Push:
    """The `git push` that has called a hook, as its command line tells."""

    def __init__(self, words: list[str]) -> None:
        self.is_dry_run = self.is_quiet = False
        for word in words:
            if word == "--":
                break
            if word.startswith("--"):
                # Git takes any beginning of an option that is unambiguous.
                self.is_dry_run |= len(word) > 4 and "--dry-run".startswith(word)
                self.is_quiet |= len(word) > 2 and "--quiet".startswith(word)
            elif word.startswith("-"):
                flags = word[1:].partition("o")[0]  # what follows -o is its value
                self.is_dry_run |= "n" in flags
                self.is_quiet |= "q" in flags

    @classmethod
    def of(cls, process: int) -> Push:
        """Return the push that a process was started by, however many hook runners between."""
        for _ in range(16):
            words, parent = _process(process)
            if (
                words
                and os.path.basename(words[0]) in ("git", "git-push")
                and "push" in (*words, os.path.basename(words[0]).removeprefix("git-"))
            ):
                return cls(words[words.index("push") + 1 :] if "push" in words else words[1:])
            if parent < 2:
                break
            process = parent
        return cls([])


def _process(process: int) -> tuple[list[str], int]:
    """Return a process' command line and parent."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
        with open(f"/proc/{process}/stat", "rb") as file:
            return words, int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        pass
    if os.path.exists("/proc/self/stat"):
        return [], 0
    import subprocess  # only where there is no /proc

    listed = subprocess.run(
        ["ps", "-o", "ppid=,command=", "-p", str(process)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    return (listed[1:], int(listed[0])) if listed else ([], 0)
