"""Writes the golden vectors: records as JSON, their bytes in hex, and their ids.

`python tests/golden/write.py` writes the vectors that are not there yet; it never changes one,
since other programs rely on them. In the JSON, bytes are `{"$bytes": "<hex>"}`; all else stands as
it is stored, so an integer beyond 64 bits is `{"$int": "..."}` there as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack

from gitlineage import digest, encoding, series
from gitlineage.records.alias import Alias
from gitlineage.records.artifact import Artifact, FileMetadata, Remote
from gitlineage.records.deployment import Deployment, Retirement
from gitlineage.records.end import Compared, Comparison, Cost, End, Environment, Log, Usage
from gitlineage.records.launch import (
    Agent,
    Code,
    Image,
    Launch,
    LeftOut,
    Masked,
    Notebook,
    Place,
    Software,
    Submodule,
)
from gitlineage.records.metadata import Metadata
from gitlineage.records.parts import Cell, Cells
from gitlineage.records.redaction import Redaction

FOLDER = Path(__file__).parent

ADA = Agent(name="Ada Lovelace", email="ada@example.org")
SOFTWARE = Software(name="git-lineage", version="0.1.0")
MORNING = 1_795_424_461_000_123
"""2026-11-23T09:01:01.000123Z"""

LAUNCH = Launch(
    nonce=bytes(range(16)),
    command=("python", "train.py"),
    directory=".",
    step="train",
    started_at=MORNING,
    agent=ADA,
    software=SOFTWARE,
    place=Place(host="analytical"),
    code=Code(),
)


def content(text: str) -> bytes:
    return digest.of_bytes(text.encode())


def file(path: str, text: str, how: str, **more: Any) -> Artifact:
    return Artifact(
        path=path, type="file", how=how, digests={"blake3": content(text)}, size=len(text), **more
    )


def execution(launch: Launch, end: Mapping[str, Any], **parts: bytes) -> dict[str, bytes]:
    launched = encoding.encode(launch)
    ended = End(execution=digest.execution_id(launched), **end)
    return {"launch": launched, "record": encoding.encode(ended), **parts}


def minimal() -> dict[str, bytes]:
    return execution(LAUNCH, {"status": "succeeded"})


def full() -> dict[str, bytes]:
    entries = [
        {"name": "a.csv", "type": "file", "size": 4, "digest": content("1,2\n")},
        {"name": "latest", "type": "link", "size": 5, "digest": content("a.csv")},
        {"name": "run", "type": "file", "size": 3, "digest": content("#!\n"), "executable": True},
    ]
    manifest = encoding.pack(entries)
    folder = digest.of_bytes(manifest)
    launch = LAUNCH.replace(
        command=("python", "train.py", "--epochs", "3", "data"),
        directory="models",
        title="With more epochs",
        agent=ADA.replace(login="ada"),
        place=Place(host="analytical", kind="machine", boot="5f0c2b6e-3c1d-4b0e-9d1e-0a1b2c3d4e5f"),
        code=Code(
            tree="4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            commit="1111111111111111111111111111111111111111",
            branch="main",
            snapshot="2222222222222222222222222222222222222222",
            is_adhoc=True,
            differs_count=2,
            remotes={"origin": "https://example.org/analysis.git"},
            left_out=(
                LeftOut(path="big.bin", reason="large", size=5_000_000_000),
                LeftOut(path="id_rsa", reason="secret"),
            ),
            submodules=(
                Submodule(path="lib", commit="3333333333333333333333333333333333333333"),
                Submodule(
                    path="vendor/x",
                    commit="4444444444444444444444444444444444444444",
                    is_dirty=True,
                ),
            ),
        ),
        inputs=(
            file("data/train.csv", "1,2\n", "declared", role="training", given="../data/train.csv"),
            Artifact(
                path="data", type="directory", how="declared", digests={"blake3": folder}, size=7
            ),
            Artifact(path="s3://bucket/key?versionId=7", type="uri", how="declared"),
            file("/etc/hosts", "127.0.0.1\n", "argument", host="analytical"),
        ),
        parameters={"epochs": 3, "rate": 0.5, "layers": [64, 32], "name": "first", "fast": True},
        tags=("candidate", "qa/checked"),
        parent="5555555555555555555555555555555555555555",
        root="6666666666666666666666666666666666666666",
        extra={"image": {"name": "python:3.11"}},
    )
    end = {
        "status": "failed",
        "exit_code": 137,
        "signal": 9,
        "finished_at": MORNING + 12_300_000,
        "duration": 12_299_871,
        "cpu_time": 20_100_000,
        "peak_memory": 1_073_741_824,
        "inputs": (file("settings.ini", "[a]\n", "argument"),),
        "outputs": (
            file("models/model.bin", "weights", "detected", change="created", is_executable=True),
            file(
                "models/log.txt", "new\n", "declared", change="overwritten",
                previous=content("old\n"), role="stdout",
            ),
            Artifact(path="models/old.bin", type="file", how="detected", change="deleted"),
        ),
        "metadata": {"accuracy": 0.931, "epoch": 2, "notes": ["a", None]},
        "points_count": 2,
        "environment": Environment(
            system="Linux", distribution="Debian GNU/Linux 12", kernel="6.1.0", machine="x86_64",
            cpu_count=8, memory=16 << 30, python="3.11.2", python_path="/usr/bin/python3",
        ),
        "log": Log(size=2_000_000, cut=951_424),
        "warnings": ("changes inside vendor/x are not in the snapshot",),
        "is_recovered": True,
        "extra": {"carbon": {"grams": 1.5}},
    }  # fmt: skip
    points = [
        [MORNING + 1_000_000, {"accuracy": 0.9, "epoch": 1}],
        [MORNING + 2_000_000, {"accuracy": 0.931, "epoch": 2, "notes": ["a", None]}],
    ]
    return execution(
        launch,
        end,
        log=b"epoch 1\nepoch 2\n",
        metadata=encoding.pack(points),
        **{f"manifests/{folder.hex()}": manifest},
    )


def step() -> dict[str, bytes]:
    text = b"- step:\n    name: train\n    command: python train.py {parameters}\n"
    launch = LAUNCH.replace(
        command=("bash", "-c", "python train.py --epochs=3"),
        template=("python train.py {parameters}",),
        interpolated=("python train.py --epochs=3",),
        configuration="valohai.yaml",
        configuration_digest=digest.of_bytes(text),
        declared_image="python:3.11",
        parameters={"epochs": 3},
    )
    return {**execution(launch, {"status": "succeeded"}), "config": text}


def priced() -> dict[str, bytes]:
    cost = Cost(amount="0.000667", currency="USD", an_hour="2.40", source="--price")
    end = {"status": "succeeded", "exit_code": 0, "duration": 1_000_000, "cost": cost}
    return execution(LAUNCH, end)


def observed() -> dict[str, bytes]:
    end = {
        "status": "succeeded",
        "inputs": (file("data/raw.csv", "raw", "observed"),),
        "outputs": (file("model.txt", "weights", "observed", change="created"),),
        "code_read": ("helper.sh", "train.sh"),
    }
    return execution(LAUNCH, end)


def of_cell() -> dict[str, bytes]:
    cells = (Cell(number=1, source="rate = 0.5"), Cell(number=2, source="%%lineage\nprint(rate)"))
    part = encoding.encode(Cells(cells=cells))
    notebook = Notebook(path="a.ipynb", cell=2, before_count=1, cells_digest=digest.of_bytes(part))
    launch = LAUNCH.replace(command=("ipython", "In[2]"), step="a", code=Code(notebook=notebook))
    return execution(launch, {"status": "succeeded"}, notebook=part)


def masked() -> dict[str, bytes]:
    launch = LAUNCH.replace(
        command=("python", "train.py", "--token", "***(GitHub Token)"),
        variables={"OMP_NUM_THREADS": "4", "TZ": "UTC"},
        variable_names=("HOME", "PATH"),
        masked=(Masked(kind="GitHub Token", where="the command"),),
    )
    found = (Masked(kind="DB_PASSWORD", where="the log", count=2),)
    return execution(launch, {"status": "succeeded", "exit_code": 0, "masked": found})


def odd_text() -> dict[str, bytes]:
    cafe = b"caf\xe9.csv".decode(errors="surrogateescape")
    launch = LAUNCH.replace(
        command=("cat", cafe, "", "line\nline", "\x1b[31m", "\u00e9\u4e2d\U0001f600"),
        step="\u00e9\u4e2d\U0001f600",
        directory=b"\xff".decode(errors="surrogateescape"),
        inputs=(file(cafe, "1", "argument"),),
        parameters={"file": cafe, "\uffff": 1, "\U00010000": 2},
    )
    return execution(launch, {"status": "succeeded", "exit_code": 0})


def numbers() -> dict[str, bytes]:
    values = {
        "zero": 0, "minus zero": -0.0, "one": 1, "one as a float": 1.0, "true": True,
        "largest bare": (1 << 64) - 1, "smallest bare": -(1 << 63),
        "larger": 1 << 64, "smaller": -(1 << 63) - 1, "a googol": 10**100,
        "not a number": float("nan"), "infinite": float("inf"), "minus infinite": float("-inf"),
        "tiny": 5e-324, "third": 1 / 3, "means itself": {"$int": "5"},
        "more keys": {"$a": 1, "b": 2}, "twice": {"$$float": None},
    }  # fmt: skip
    return execution(LAUNCH, {"status": "succeeded", "metadata": values, "points_count": 1})


def interrupted() -> dict[str, bytes]:
    warning = "its recorder died; outputs and duration are not known"
    return execution(
        LAUNCH, {"status": "interrupted", "is_recovered": True, "warnings": (warning,)}
    )


def image() -> dict[str, bytes]:
    index, config = (f"sha256:{content(each).hex()}" for each in ("index", "config"))
    used = Image(
        name="team/tools:1", id=config, digest=f"team/tools@{index}", index=index,
        manifest=f"sha256:{content('manifest').hex()}", config=config, platform="linux/amd64",
        engine="Docker 20.10.24", volumes=("/data:/data:ro",), variables=("RATE",),
        network="none", gpus="all",
    )  # fmt: skip
    launch = LAUNCH.replace(image=used, extra={"weather": {"sky": "blue"}})
    place = Place(host="analytical", kind="cloud")
    return execution(launch, {"status": "succeeded", "exit_code": 0, "place": place})


def reproduction() -> dict[str, bytes]:
    first = digest.execution_id(encoding.encode(LAUNCH))
    comparison = Comparison(
        verdict="different",
        reason="it failed with exit code 1, and the first succeeded",
        outputs=(
            Compared(path="models/model.bin", verdict="identical"),
            Compared(path="plot.png", verdict="missing"),
        ),
        metadata=("loss",),
        tolerance="1e-06",
    )
    launch = LAUNCH.replace(nonce=bytes(range(32, 48)), metrics=("scores.json",), reproduces=first)
    return execution(launch, {"status": "failed", "exit_code": 1, "comparison": comparison})


def of_usage() -> dict[str, bytes]:
    samples: list[dict[str, Any]] = [
        {"cpu": 12.5, "memory": 50_000_000},
        {"cpu": 199.7, "memory": 1_400_000_000, "gpu": 93, "gpu_memory": 8 << 30},
        {"cpu": 100.0, "memory": 1_200_000_000, "gpu": 95, "gpu_memory": 8 << 30},
    ]
    times = [MORNING + n * 1_000_000 + 200_000 for n in range(len(samples))]
    used = Usage(
        samples_count=3, interval=733_333, cpu_mean=136, cpu_peak=200,
        memory_mean=1_181_818_182, memory_peak=1_400_000_000, gpu_peak=95,
        gpu_memory_peak=8 << 30,
    )  # fmt: skip
    end = {"status": "succeeded", "exit_code": 0, "duration": 2_500_000, "usage": used}
    return execution(LAUNCH, end, usage=series.block(times, samples))


def moved() -> dict[str, bytes]:
    launch = LAUNCH.replace(queued_at=LAUNCH.started_at - 90_000_000)
    end = {
        "status": "succeeded",
        "inputs": (file("old.csv", "rows", "detected"),),
        "outputs": (
            file("new.csv", "rows", "detected", change="renamed", renamed_from="old.csv",
                 previous=content("rows")),
            file("train.log", "one two", "declared", change="appended", previous=content("one")),
            Artifact(path="part", type="file", how="detected", change="deleted",
                     previous=content("part")),
        ),
    }  # fmt: skip
    return execution(launch, end)


def stated() -> dict[str, bytes]:
    uri = Artifact(path="s3://data/a.csv", type="uri", how="declared", role="rows")
    pointer = file("model.bin", "version https://git-lfs.github.com/spec/v1", "declared")
    remote = Remote(
        etag="5d41402abc4b2a76b9719d911017c592",
        version="3HL4kqtJvjVBH40Nrjfkd",
        checksums={"crc32c": "yZRlqg=="},
        modified_at=MORNING,
    )
    kept = {"digests": {"sha256": bytes(range(32))}, "size": 4096, "kept_by": "git-lfs"}
    learned = (uri.replace(size=5, remote=remote), pointer.replace(**kept))
    launch = LAUNCH.replace(inputs=(uri, pointer))
    return execution(launch, {"status": "succeeded", "exit_code": 0, "learned": learned})


def deployment() -> dict[str, bytes]:
    made = Deployment(
        nonce=bytes(range(16, 32)),
        name="shop",
        version="7",
        target="https://shop.example.org",
        deployed_at=MORNING,
        agent=ADA,
        software=SOFTWARE,
        artifacts=(file("models/model.bin", "weights", "declared"),),
    )
    return {"record": encoding.encode(made)}


def of_series() -> dict[str, bytes]:
    points: list[dict[str, Any]] = [
        {"step": 0, "loss": 0.5, "rate": 1 / 3, "mixed": 1},
        {"step": 1, "loss": 0.25, "rate": 1e-5, "mixed": 0.5},
        {"step": 2, "loss": -0.125, "rate": float("nan"), "mixed": 2},
        {"text": "done", "list": [1, None, {"a": True}]},
    ]
    times = [MORNING + n * 1_000_000 for n in range(len(points))]
    said = FileMetadata(
        path="models/model.bin",
        digest=content("weights"),
        values={"rows": 3, "valohai.tags": ["best"]},
    )
    end = {"status": "succeeded", "points_count": len(points), "file_metadata": (said,)}
    return execution(LAUNCH, end, **{"metadata/00000": series.block(times, points)})


def later() -> dict[str, bytes]:
    made = Metadata(
        nonce=bytes(range(32, 48)),
        subject=content("weights").hex(),
        path="models/model.bin",
        values={"checked": True, "score": 0.5},
        set_at=MORNING,
        agent=ADA,
        software=SOFTWARE,
    )
    return {"record": encoding.encode(made)}


def served() -> dict[str, bytes]:
    made = Deployment(
        nonce=bytes(range(16, 32)),
        name="shop",
        image="registry.example.org/shop:7",
        url="https://shop.example.org",
        deployed_at=MORNING,
        agent=ADA,
        software=SOFTWARE,
        artifacts=(file("models/model.bin", "weights", "declared", given="alias:model-prod"),),
    )
    return {"record": encoding.encode(made)}


def told() -> dict[str, bytes]:
    made = Deployment(
        nonce=bytes(range(80, 96)),
        name="shop",
        version="8",
        target="eu",
        deployed_at=MORNING,
        agent=ADA,
        software=SOFTWARE,
        artifacts=(file("models/model.bin", "weights", "declared"),),
        message="for the winter sale",
    )
    return {"record": encoding.encode(made)}


def retirement() -> dict[str, bytes]:
    made = Retirement(
        nonce=bytes(range(48, 64)),
        deployment=digest.record_id("deployment", list(deployment().items())),
        retired_at=MORNING + 1_000_000,
        agent=ADA,
        software=SOFTWARE,
        message="too slow",
    )
    return {"record": encoding.encode(made)}


def alias() -> dict[str, bytes]:
    made = Alias(
        nonce=bytes(range(64, 80)),
        name="model-prod",
        artifact=file("models/model.bin", "weights", "declared"),
        moved_at=MORNING,
        agent=ADA,
        software=SOFTWARE,
        message="best so far",
    )
    return {"record": encoding.encode(made)}


def redacted() -> dict[str, bytes]:
    launch = LAUNCH.replace(redacted="aa889ac4ff9d15a34e63335b6e214424745e8980")
    parts = execution(launch, {"status": "succeeded"})
    end = End(execution=launch.redacted or "", status="succeeded")
    return {**parts, "record": encoding.encode(end)}


def redaction() -> dict[str, bytes]:
    made = Redaction(
        nonce=bytes(range(96, 112)),
        month="2026-11",
        generation=1,
        rewritten=(digest.execution_id(minimal()["launch"]),),
        records_count=1,
        forgotten_at=MORNING,
        agent=ADA,
        software=SOFTWARE,
        message="a password in the log",
    )
    gone = b"4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
    return {"record": encoding.encode(made), "forgotten": gone}


def deleted() -> dict[str, bytes]:
    made = Alias(
        nonce=bytes(range(80, 96)),
        name="model-prod",
        moved_at=MORNING + 1,
        agent=ADA,
        software=SOFTWARE,
    )
    return {"record": encoding.encode(made)}


def nothing() -> dict[str, bytes]:
    made = Deployment(nonce=b"", name="", deployed_at=0, agent=ADA, software=SOFTWARE, artifacts=())
    return {"record": encoding.encode(made)}


VECTORS = {
    "execution-minimal": ("an execution of which little is known", minimal),
    "execution-full": ("every field, a field of a later version, and every other part", full),
    "execution-interrupted": ("the recorder died; a later command wrote the end", interrupted),
    "execution-image": (
        "a container, a place known at the end, and a field of a later version",
        image,
    ),
    "execution-step": ("a step of a configuration, in an image that was not used", step),
    "execution-observed": ("an execution whose system calls were observed", observed),
    "execution-moved": ("it waited in a queue; files renamed, appended to and deleted", moved),
    "execution-priced": ("an execution of which a price was known", priced),
    "execution-reproduction": ("it repeats another one, and not the same came out", reproduction),
    "execution-cell": ("a cell of a notebook, and the one that ran before it", of_cell),
    "execution-masked": ("variables, and secrets that are masked", masked),
    "odd-text": ("text that is not UTF-8, not ASCII, or not printable", odd_text),
    "numbers": ("numbers at the edges, and maps that look like tagged ones", numbers),
    "execution-series": ("a series in columns, and what is said of an output", of_series),
    "execution-stated": ("what a store says of a URI, and a pointer of Git LFS", stated),
    "execution-usage": ("what its processes used while it ran", of_usage),
    "metadata": ("metadata of content, added later", later),
    "deployment": ("a deployment of one file", deployment),
    "deployment-served": ("a deployment in an image, at a URL, of an alias's content", served),
    "deployment-told": ("a deployment of which something was said", told),
    "retirement": ("the end of a deployment", retirement),
    "alias": ("a move of an alias", alias),
    "execution-redacted": ("its bytes no longer give its id", redacted),
    "redaction": ("what is left where something was forgotten", redaction),
    "alias-deleted": ("the last move of an alias: it stands for nothing", deleted),
    "deployment-empty": (
        "a deployment of nothing: a list that is needed stays",
        nothing,
    ),
}

REFUSED = {
    "keys are not sorted": "82a16201a16102",
    "a key stands twice": "82a16101a16101",
    "a key is not text": "8101c0",
    "an integer is longer than needed": "cc01",
    "a negative integer is longer than needed": "d0ff",
    "a positive integer is stored as a signed one": "d001",
    "a float of 32 bits": "ca3f800000",
    "a number that is not one stands bare": "cb7ff8000000000000",
    "an infinite number stands bare": "cb7ff0000000000000",
    "a length is longer than needed": "d90161",
    "an extension type": "d40100",
    "text that is not UTF-8": "a2c328",
    "a byte without a meaning": "c1",
    "the end is missing": "92c0",
    "something stands behind": "c0c0",
    "a tagged integer that fits": "81a424696e74a135",
    "an unknown tag": "81a224780a",
    "65 lists inside one another": "91" * 65 + "c0",
}
"""Bytes that no reader takes for a value."""


def tagless(value: Any) -> Any:
    """Return a stored value as JSON: `$bytes` is the only spelling that is not the stored one."""
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, list):
        return [tagless(each) for each in value]
    if isinstance(value, dict):
        return {key: tagless(each) for key, each in value.items()}
    return value


def vector(about: str, parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a vector: what it is for, its parts and its ids."""
    shown = {}
    for name, stored in parts.items():
        shown[name] = {"bytes": stored.hex()}
        if name not in ("log", "config", "forgotten"):
            shown[name] = {"value": tagless(msgpack.unpackb(stored)), **shown[name]}
    kind = msgpack.unpackb(parts["record"])["kind"]
    made: dict[str, Any] = {"about": about, "kind": kind, "parts": shown}
    if "launch" in parts:
        made["execution"] = digest.execution_id(parts["launch"])
    return {**made, "record": digest.record_id(kind, parts.items())}


def files() -> dict[str, str]:
    """Return all vectors as they are to stand in their files, by name."""
    found: dict[str, Any] = {
        f"{n}.json": vector(about, make()) for n, (about, make) in VECTORS.items()
    }
    found["refused.json"] = [{"about": about, "bytes": hex} for about, hex in REFUSED.items()]
    return {name: json.dumps(made, indent=1) + "\n" for name, made in found.items()}


if __name__ == "__main__":
    for name, text in files().items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_text(text)
            print(f"{name}: written")
