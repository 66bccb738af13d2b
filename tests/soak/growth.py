"""Record many executions one after another, as people do, and say how many files git has then.

`python tests/soak/growth.py [COUNT]`: 10,000 unless said otherwise; fails where loose objects or
packs are not kept in bounds by git's own maintenance.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOOSE_AT_MOST = 10_000
"""Loose objects: git's own bound, 6,700, and what comes while it packs them."""

PACKS_AT_MOST = 60
"""Packs: git's own bound is 50."""


def counted(repository: Path) -> dict[str, int]:
    """Return what `git count-objects` says."""
    told = subprocess.run(["git", "count-objects", "-v"], cwd=repository, check=True,
                          capture_output=True, text=True).stdout  # fmt: skip
    return {name: int(value) for name, value in (line.split(": ") for line in told.splitlines()
                                                 if line.split(": ")[1].isdigit())}  # fmt: skip


def main(count: int) -> int:
    """Record, look every hundred executions, and return 1 where a bound was passed."""
    most = {"count": 0, "packs": 0}
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "Begin")):
            subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=e", *words],
                           cwd=repository, check=True)  # fmt: skip
        began = time.monotonic()
        for number in range(1, count + 1):
            (repository / "code").write_text(str(number // 10))  # other code, now and then
            subprocess.run(["git", "lineage", "run", "-q", "--", "true"], cwd=repository,
                           check=True, stderr=subprocess.DEVNULL)  # fmt: skip
            if number % 100 == 0:
                found = counted(repository)
                most = {name: max(most[name], found[name]) for name in most}
            if number % 1000 == 0:
                took = time.monotonic() - began
                print(f"{number} in {took:.0f} s: {found['count']} loose objects, "
                      f"{found['packs']} packs", flush=True)  # fmt: skip
        took = time.monotonic() - began
        last = counted(repository)
        size = sum(each.stat().st_size for each in repository.rglob("*") if each.is_file())
    print(f"{count} executions in {took:.0f} s: at most {most['count']} loose objects and "
          f"{most['packs']} packs; at the end {last['count']} and {last['packs']}, "
          f"{size / count / 1024:.1f} KiB an execution")  # fmt: skip
    return int(most["count"] > LOOSE_AT_MOST or most["packs"] > PACKS_AT_MOST)


if __name__ == "__main__":
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
