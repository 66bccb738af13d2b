"""What many files cost: a folder of them as an input, and commands whose files are observed."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FOLDERS = 100

TRAINING = """
import pickle, random
from sklearn.ensemble import RandomForestClassifier
rows = [[float(each) for each in line.split(",")] for line in open("rows.csv")]
forest = RandomForestClassifier(n_estimators=60, random_state=1)
forest.fit([row[:-1] for row in rows], [int(row[-1]) for row in rows])
pickle.dump(forest, open("forest.pkl", "wb"))
"""

MAKEFILE = """
program: $(patsubst %.c,%.o,$(wildcard *.c))
\tgcc -o $@ $^
%.o: %.c all.h
\tgcc -O2 -c -o $@ $<
"""


def timed(
    argv: Sequence[str | Path], folder: Path, environment: dict[str, str]
) -> dict[str, float]:
    """Return wall and CPU seconds of one process and those that it starts."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(
        argv,
        cwd=folder,
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    wall, after = time.perf_counter() - start, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}


def median(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(each[key] for each in found), 2) for key in found[0]}


def make_folder(top: Path, count: int, size: int) -> None:
    """Fill a folder with files of some `size` bytes, which nothing can compress."""
    chance = random.Random(7)
    for number in range(count):
        folder = top / f"class{number * FOLDERS // count:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        content = chance.randbytes(size + number % 1000 - 500)
        (folder / f"image{number:06d}.bin").write_bytes(content)


def folders(work: Path, count: int, environment: dict[str, str]) -> dict[str, Any]:
    """A folder of many small files as an input, beside `git add` and, where it is, `dvc add`."""

    def git(*words: str, folder: Path) -> None:
        subprocess.run(
            ["git", *words], cwd=folder, env=environment, check=True, capture_output=True
        )

    def fresh(name: str) -> Path:
        """Return a new repository that has the data; it moves from one to the next."""
        folder = work / name
        folder.mkdir()
        git("init", "-q", "-b", "main", folder=folder)
        git("config", "gc.auto", "0", folder=folder)
        git("config", "maintenance.auto", "false", folder=folder)
        (folder / "train.py").write_text("print()\n")
        git("add", "-A", folder=folder)
        git("commit", "-q", "-m", "start", folder=folder)
        nonlocal data
        data = data.rename(folder / "data")
        os.sync()
        return folder

    def size(folder: Path) -> int:
        git("gc", "-q", folder=folder)
        objects = (folder / ".git/objects").rglob("*")
        return sum(each.stat().st_size for each in objects if each.is_file())

    data = work / "made"
    make_folder(data, count, 10_000)
    time.sleep(3)  # what is as young as that is not believed to be unchanged
    found: dict[str, Any] = {"files": count, "bytes": count * 10_000}
    record = ["git", "lineage", "run", "-q", "-i", "data", "--", "true"]
    first, again, others = [], [], {}
    dvc = shutil.which("dvc", path=environment["PATH"])
    adders: dict[str, Sequence[str]] = {"git add": ["git", "add", "data"]}
    if dvc:
        adders["dvc add"] = [dvc, "add", "-q", "data"]
    for number, adder in enumerate(["", *adders]):
        ours = fresh(f"ours{number}")
        first.append(timed(record, ours, environment))
        again += [timed(record, ours, environment) for _ in range(3)]
        if adder:
            theirs = fresh(adder.replace(" ", "-"))
            if adder == "dvc add":
                subprocess.run([str(dvc), "init", "-q"], cwd=theirs, env=environment, check=True)
            others[adder] = timed(adders[adder], theirs, environment)
    last = fresh("last")
    subprocess.run(record, cwd=last, env=environment, check=True)
    one = size(last)
    next(data.rglob("*.bin")).write_bytes(b"changed")
    subprocess.run(record, cwd=last, env=environment, check=True)
    return {
        **found,
        "first": median(first),
        "unchanged": median(again),
        **others,
        "packed_bytes": one,
        "packed_bytes_of_the_next": size(last) - one,
    }


def observing(work: Path, times: int, environment: dict[str, str]) -> dict[str, Any]:
    """Commands bare and observed in turn; none where there is no strace."""
    if not shutil.which("strace"):
        return {}
    chance = random.Random(3)
    work.joinpath("train.py").write_text(TRAINING)
    with work.joinpath("rows.csv").open("w") as file:
        for _ in range(8000):
            row = [chance.random() for _ in range(20)]
            file.write(",".join([*(f"{each:.6f}" for each in row), str(int(sum(row) > 10))]) + "\n")
    work.joinpath("Makefile").write_text(MAKEFILE)
    work.joinpath("all.h").write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <math.h>\n"
    )
    for number in range(30):
        functions = "\n".join(
            f"int f{number}_{each}(int x) {{ for (int i = 0; i < x; i++) x ^= i * {each + 1}; "
            f'printf("%d\\n", x); return x; }}'
            for each in range(40)
        )
        work.joinpath(f"part{number}.c").write_text(f'#include "all.h"\n{functions}\n')
    work.joinpath("main.c").write_text("int main(void) { return 0; }\n")
    files = work / "many"
    files.mkdir()
    for number in range(20_000):
        files.joinpath(str(number)).touch()
    opening = "import os\nfor n in range(20000): os.close(os.open(f'many/{n}', os.O_RDONLY))"
    subprocess.run(["git", "init", "-q"], cwd=work, env=environment, check=True)
    (work / ".gitignore").write_text("*.o\nprogram\nforest.pkl\nmany/\n")
    subprocess.run(["git", "add", "-A"], cwd=work, env=environment, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "x"], cwd=work, env=environment, check=True)

    def clean() -> None:
        for each in (*work.glob("*.o"), work / "program", work / "forest.pkl"):
            each.unlink(missing_ok=True)

    commands: dict[str, tuple[Callable[[], None], Sequence[str]]] = {
        "a training with scikit-learn": (clean, [sys.executable, "train.py"]),
        "`make` of 31 files in C": (clean, ["make", "-s"]),
        "20,000 files opened and nothing else": (clean, [sys.executable, "-S", "-c", opening]),
    }
    found = {}
    for name, (before, command) in commands.items():
        rows: dict[str, list[dict[str, float]]] = {"bare": [], "recorded": [], "observed": []}
        ours = ["git", "lineage", "run", "-q"]
        for _ in range(times):
            for kind, prefix in (
                ("bare", []),
                ("recorded", [*ours, "--"]),
                ("observed", [*ours, "--observe", "--"]),
            ):
                before()
                rows[kind].append(timed([*prefix, *command], work, environment))
        found[name] = {
            kind: min(each["wall_s"] for each in measured) for kind, measured in rows.items()
        }
        found[name]["times"] = round(found[name]["observed"] / found[name]["bare"], 2)
    return found
