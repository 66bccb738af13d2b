"""How a command ended: what came out, on what it ran, what it used and cost."""

from __future__ import annotations

from gitlineage.records import FORMAT, Record
from gitlineage.records.artifact import Artifact, FileMetadata
from gitlineage.records.launch import Masked, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

STATUSES = ("succeeded", "failed", "stopped", "interrupted")
"""How an execution ended: exit code 0; another; a signal that someone sent; its recorder died."""


class Gpu(Record):
    """A graphics processor that the machine has."""

    name: str
    """The product's name."""
    memory: int | None = None
    """Bytes."""
    driver: str | None = None
    """Version of the driver."""
    uuid: str | None = None
    """Which one it is, all over the world."""


class Container(Record):
    """The container that the execution ran in, as far as it can be seen from inside."""

    engine: str | None = None
    """`docker`, `podman`, `kubernetes`, `apptainer`, `lxc` and others."""
    id: str | None = None
    """The container's id."""
    name: str | None = None
    """Its name, where the engine tells."""
    image: str | None = None
    """The image's name, where the engine tells."""
    image_id: str | None = None
    """The image's id, where the engine tells."""


class Environment(Record):
    """On what it ran."""

    system: str | None = None
    """Linux, Darwin."""
    distribution: str | None = None
    """As `/etc/os-release` names it."""
    kernel: str | None = None
    """Release of the kernel."""
    machine: str | None = None
    """x86_64, aarch64."""
    cpu_model: str | None = None
    """What the processor calls itself."""
    cpu_count: int | None = None
    """Processors that the command could use."""
    cpu_online: int | None = None
    """Processors that the machine has, each thread of a core counted."""
    cpu_cores: int | None = None
    """Cores that the machine has."""
    cpu_limit: int | None = None
    """Thousandths of a processor that the control group allows."""
    memory: int | None = None
    """Bytes of memory that the machine has."""
    memory_limit: int | None = None
    """Bytes that the control group allows."""
    gpus: tuple[Gpu, ...] = ()
    """Of NVIDIA, as the driver lists them; none where there is no driver."""
    container: Container | None = None
    """None where nothing tells of one."""
    python: str | None = None
    """Version of the interpreter that the command used, where it used one."""
    python_path: str | None = None
    """Where that interpreter is."""
    python_implementation: str | None = None
    """`cpython`, `pypy`."""
    prefix: str | None = None
    """The virtual or conda environment that the command used."""
    manager: str | None = None
    """`venv` or `conda`; `uv`, `poetry` and others where the command says so."""
    packages_count: int | None = None
    """How many packages there are in the part `environment`; None where they are not known."""
    packages: bytes | None = None
    """blake3 of that part: equal packages have equal ones."""
    lock_files: Mapping[str, bytes] = {}
    """What pins packages, by path relative to the top of the work tree, to its blake3."""


class Usage(Record):
    """What the command's processes used while it ran, as samples tell."""

    samples_count: int
    """How many samples there are."""
    interval: int
    """From one to the next, on average."""
    cpu_mean: int
    """Percent of one core."""
    cpu_peak: int
    """Percent of one core, between two samples."""
    memory_mean: int
    """Bytes that all of them held; what they share counts for each."""
    memory_peak: int
    """The same at the sample that had most."""
    gpu_peak: int | None = None
    """Percent of one graphics processor, of those that they used; None where they used none."""
    gpu_memory_peak: int | None = None
    """Bytes of the memory of graphics processors."""


class Log(Record):
    """How much of what the command printed was kept."""

    size: int
    """Bytes printed."""
    cut: int = 0
    """Bytes left out of the middle."""


class Cost(Record):
    """What an execution cost, by a price an hour that was configured or given."""

    amount: str
    """Decimal text, rounded to a millionth."""
    currency: str
    """Three letters, as ISO 4217 has them."""
    an_hour: str
    """The price, decimal text."""
    source: str
    """`--price`, or the configuration key that said it."""


class Compared(Record):
    """What became of one output when an execution was reproduced."""

    path: str
    """As the executions called it."""
    verdict: str
    """`identical`, `different`, `missing` (only the first made it), `additional` (only this)."""


class Comparison(Record):
    """What came out of a reproduction, beside what came out of the execution that it repeats."""

    verdict: str
    """`identical`, `different`, or `not possible`: it ran, and cannot be compared."""
    reason: str | None = None
    """Why that is so, where outputs and metadata do not tell."""
    outputs: tuple[Compared, ...] = ()
    """Each output of either, by path."""
    metadata: tuple[str, ...] = ()
    """Keys of which the last values differ."""
    tolerance: str | None = None
    """By how much, relatively, numbers were allowed to differ, as a decimal number."""


class End(Record):
    """How an execution ended and what came out."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "execution"
    """What kind of record this is."""
    execution: str
    """Id of the execution."""
    status: str
    """`succeeded`: exit code 0; `failed`: another; `stopped`: by a signal that someone sent;
    `interrupted`: its recorder died."""
    exit_code: int | None = None
    """What a shell would report: 128 + n for signal n."""
    signal: int | None = None
    """The signal that ended the command."""
    finished_at: int | None = None
    """When the command had ended."""
    duration: int | None = None
    """From start to end by a clock that nobody sets."""
    cpu_time: int | None = None
    """Processor time of the command and all that it started and waited for."""
    peak_memory: int | None = None
    """Bytes that the largest of those processes held at most."""
    usage: Usage | None = None
    """What it used while it ran; None where it ended before the first sample."""
    inputs: tuple[Artifact, ...] = ()
    """Inputs that were not declared before it started."""
    learned: tuple[Artifact, ...] = ()
    """Declared inputs of which more became known while it ran: each stands in the place of the
    launch's input of the same path and role."""
    outputs: tuple[Artifact, ...] = ()
    """What it made, changed or deleted."""
    code_read: tuple[str, ...] | None = None
    """Files of the code that it read, by path; None where its system calls were not observed."""
    metadata: Mapping[str, Any] = {}
    """Last value of each key."""
    points_count: int = 0
    """How many points of metadata there were."""
    file_metadata: tuple[FileMetadata, ...] = ()
    """What it said of the files that it made."""
    environment: Environment | None = None
    """On what it ran."""
    place: Place | None = None
    """Where it ran, where more was found out than the launch tells."""
    cost: Cost | None = None
    """What it cost, where a price is known."""
    log: Log | None = None
    """How much it printed."""
    comparison: Comparison | None = None
    """Of a reproduction: whether the same came out."""
    warnings: tuple[str, ...] = ()
    """What the reader should know before relying on this record."""
    masked: tuple[Masked, ...] = ()
    """What was secret in here, in the log and in the metadata."""
    is_recovered: bool = False
    """Written by a later command because the recorder had died."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""
