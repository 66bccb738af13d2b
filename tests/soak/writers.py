"""Many clones record and push to one server at the same time: nothing is lost, nothing is twice.

`python tests/soak/writers.py [CLONES [EXECUTIONS [KIND ...]]]`: 32 clones with 20 executions each
unless said otherwise, to a `path`, over `http` and over `ssh`. Says how long it took and how often
members waited.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import servers
import team
from conftest import CONFIG
from sharing import commit, git


def main(members: int = 32, count: int = 20, *kinds: str) -> int:
    """Let a team write to each kind of server; an assertion fails where anything is lost."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / ".gitconfig").write_text(CONFIG)
        os.environ.update(HOME=folder, GIT_CONFIG_GLOBAL=f"{folder}/.gitconfig")
        for kind in kinds or ("path", "http", "ssh"):
            here = home / kind
            here.mkdir()
            remote = here / "remote.git"
            git(here, "init", "-q", "--bare", remote)
            git(here, "clone", "-q", remote, here / "first")
            commit(here / "first", "code.py", "print(1)\n")
            git(here / "first", "push", "-q", "origin", "HEAD")
            with contextlib.ExitStack() as stack:
                start = f"{here}/"
                if kind != "path":
                    start = stack.enter_context(getattr(servers, kind)(here, here / "server"))
                clones = team.gather(start + remote.name, here, members)
                began = time.monotonic()
                told = team.write(clones, count)
                took = time.monotonic() - began
                team.check(remote, clones, count)
            given_up = sum("not sent" in line for each in told for line in each["said"])
            print(f"{kind}: {members} clones x {count} executions, all {members * count} there "
                  f"once, in {took:.0f} s; plain pushes that left lineage for later: {given_up}; "
                  f"pushes at the end: {sum(each['tries'] for each in told)}, the slowest member "
                  f"{max(each['seconds'] for each in told):.0f} s", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    sys.exit(main(*map(int, sys.argv[1:3]), *sys.argv[3:]))
