"""A made-up history that looks like a real one: sweeps over one data set, evaluated and chosen."""

from __future__ import annotations

import random
from collections.abc import Iterator

from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End, Environment
from gitlineage.records.launch import Agent, Code, Launch, Place, Software

START = 1_750_000_000_000_000
PEOPLE = (("Ada Lovelace", "ada@example.org"), ("Alan Turing", "alan@example.org"))
ENVIRONMENT = Environment(
    system="Linux",
    distribution="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0",
    machine="x86_64",
    cpu_count=16,
    memory=64 << 30,
    python="3.11.2",
    python_path="/usr/bin/python3",
)


def executions(count: int) -> Iterator[tuple[Launch, End]]:
    """Yield so many executions: prepare, then rounds of training, evaluation and choice."""
    chance = random.Random(1)
    data = _file("data/train.csv", chance, 5_000_000, "declared")
    models: list[Artifact] = []
    at = START
    for number in range(count):
        at += 60_000_000
        last = number == count - 1
        phase = number % 12
        if number == 0:
            yield _one(chance, at, "prepare", ("python", "prepare.py"), (), (data,), {})
        elif last:
            report = _file("report-last.json", chance, 900, "detected")
            yield _one(
                chance,
                at,
                "evaluate",
                ("python", "evaluate.py"),
                (models[-1],),
                (report,),
                {"accuracy": chance.random()},
            )
        elif phase < 9:
            rate = chance.choice((0.1, 0.01, 0.001))
            model = _file(f"models/m{number % 50}.pkl", chance, 2_000_000, "detected")
            models = [*models[-8:], model]
            yield _one(
                chance,
                at,
                "train",
                ("python", "train.py", "--lr", str(rate)),
                (data,),
                (model,),
                {"accuracy": chance.random(), "loss": chance.random()},
                {"lr": rate, "epochs": 20},
            )
        else:
            report = _file(f"reports/r{number % 50}.json", chance, 900, "detected")
            yield _one(
                chance,
                at,
                "evaluate",
                ("python", "evaluate.py"),
                (models[phase % len(models)],),
                (report,),
                {"accuracy": chance.random()},
            )


def _file(path: str, chance: random.Random, size: int, how: str) -> Artifact:
    digests = {"blake3": chance.randbytes(32), "sha256": chance.randbytes(32)}
    return Artifact(
        path=path,
        type="file",
        how=how,
        digests=digests,
        size=size,
        change="created" if how == "detected" else None,
    )


def _one(
    chance: random.Random,
    at: int,
    step: str,
    command: tuple[str, ...],
    inputs: tuple[Artifact, ...],
    outputs: tuple[Artifact, ...],
    metadata: dict[str, float],
    parameters: dict[str, object] | None = None,
) -> tuple[Launch, End]:
    name, email = chance.choice(PEOPLE)
    commit = chance.randrange(200)
    launch = Launch(
        nonce=chance.randbytes(16),
        command=command,
        directory=".",
        step=step,
        started_at=at,
        agent=Agent(name=name, email=email, login=name.split()[0].lower()),
        software=Software(name="git-lineage", version="0.1.0"),
        place=Place(host=f"node{chance.randrange(4)}"),
        code=Code(
            tree=f"{commit:040x}",
            commit=f"{commit + 1000:040x}",
            branch="main",
            snapshot=f"{commit + 1000:040x}",
            remotes={"origin": "https://example.org/team/project.git"},
        ),
        inputs=inputs,
        parameters=parameters or {},
    )
    end = End(
        execution="",
        status="succeeded",
        exit_code=0,
        finished_at=at + 30_000_000,
        duration=30_000_000,
        cpu_time=28_000_000,
        peak_memory=900 << 20,
        outputs=outputs,
        metadata=metadata,
        points_count=len(metadata),
        environment=ENVIRONMENT,
    )
    return launch, end
