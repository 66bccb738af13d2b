"""What is stored, as immutable values that do nothing. Knows no bytes, no files and no git.

Times are microseconds since 1970 in UTC, durations microseconds, sizes bytes, git ids hexadecimal
text. `None` is a fact that could not be had; it is never a guess.
"""

from __future__ import annotations

# typing and dataclasses would cost 32 ms at every start, of the 60 ms that a recorded command may
# be delayed (docs/decisions/0003): type checkers see a dataclass, the interpreter a plain class.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        """Stand in for typing's marker of the same name at run time."""
        return lambda decorated: decorated


FORMAT = 1
"""The format that this version writes. 1: the first."""

STATUSES = ("succeeded", "failed", "stopped", "interrupted")
"""How an execution ended: exit code 0; another; a signal that someone sent; its recorder died."""

LONGEST_POINT = 32 << 20
"""Bytes of a line that is still looked at as a point of metadata: 1,000,000 keys fit."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record:
    """Base of all values here: keyword-only, frozen, compared by value."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()
    _defaults: Mapping[str, Any] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._fields = tuple(n for n in cls.__annotations__ if not n.startswith("_"))
        cls._defaults = {n: cls.__dict__[n] for n in cls._fields if n in cls.__dict__}

    def __init__(self, **values: Any) -> None:
        for name in self._fields:
            if name in values:
                object.__setattr__(self, name, values.pop(name))
            elif name not in self._defaults:
                raise TypeError(f"{type(self).__name__} needs {name}")
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, n) == getattr(other, n) for n in self._fields
        )

    def __hash__(self) -> int:
        # Maps are left out: equal ones may differ in order, and 1 equals 1.0 and True.
        values = (getattr(self, n) for n in self._fields)
        return hash((type(self), *(v for v in values if not isinstance(v, dict))))

    def __repr__(self) -> str:
        shown = (f"{n}={getattr(self, n)!r}" for n in self._fields)
        return f"{type(self).__name__}({', '.join(shown)})"

    def replace(self: Self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return type(self)(**{**{n: getattr(self, n) for n in self._fields}, **changes})


class Agent(Record):
    """Who ran it: a person, as git knows them, and the account they used."""

    name: str
    """As git's `user.name`."""
    email: str
    """As git's `user.email`."""
    login: str | None = None
    """The account that it ran under."""
    actor: str | None = None
    """The account for which continuous integration ran it, as that service names it."""


class Software(Record):
    """The program that made the record."""

    name: str
    """`git-lineage`, or another program that writes records."""
    version: str
    """Its own version, not the format's."""


class Job(Record):
    """A job of continuous integration."""

    provider: str | None = None
    """`github`, `gitlab`, `jenkins`, `buildkite`, `circleci`, `azure-pipelines`."""
    url: str | None = None
    """The job's page, without credentials."""
    number: str | None = None
    """Which run it is, as the service counts."""
    name: str | None = None
    """What the job is called there."""


class Batch(Record):
    """A job of a cluster's scheduler."""

    scheduler: str
    """`slurm`, `lsf`, `pbs`."""
    job: str
    """The job's id."""
    task: str | None = None
    """Which one of an array of jobs."""
    queue: str | None = None
    """The queue or partition."""
    nodes: str | None = None
    """The nodes, as the scheduler writes them."""
    cluster: str | None = None
    """The cluster's name."""


class Pod(Record):
    """A pod of Kubernetes."""

    name: str
    """The pod's name."""
    namespace: str | None = None
    """The namespace that it is in."""
    node: str | None = None
    """The node that it is on."""


class Cloud(Record):
    """A machine that a cloud rents out."""

    provider: str
    """`aws`, `gcp`, `azure`."""
    region: str | None = None
    """Where its data center is."""
    zone: str | None = None
    """Which part of the region."""
    instance_type: str | None = None
    """What kind of machine it is."""
    instance: str | None = None
    """The machine's id."""


class Place(Record):
    """Where it ran."""

    host: str
    """The host's name, as the machine calls itself."""
    kind: str = "machine"
    """The first that is so of `ci`, `slurm`, `lsf`, `pbs`, `kubernetes`, `cloud`; else `machine`,
    which is somebody's own."""
    boot: str | None = None
    """Changes when the machine starts anew; a running entry of another boot is dead."""
    job: Job | None = None
    """Of continuous integration."""
    batch: Batch | None = None
    """Of a cluster's scheduler."""
    pod: Pod | None = None
    """Of Kubernetes."""
    cloud: Cloud | None = None
    """Known once it ran: it is no variable that tells of it."""


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


class Package(Record):
    """Something that is installed."""

    name: str
    """As it calls itself."""
    version: str
    """As it calls itself."""
    build: str | None = None
    """Of a package of conda: which build of that version."""
    is_editable: bool = False
    """Its code is in a folder that is under work."""
    origin: str | None = None
    """Where it was taken from, where that was no index: a URL, with the commit, no credentials."""


class Packages(Record):
    """What is installed where the command runs: the same on two machines has the same bytes."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "packages"
    """What kind of part this is."""
    python: tuple[Package, ...] = ()
    """Those that the interpreter finds, by name."""
    conda: tuple[Package, ...] = ()
    """Those that conda has put into its environment, by name."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""


class Image(Record):
    """In which container image it ran, and what the container was given beside it."""

    name: str
    """As given."""
    id: str | None = None
    """What the engine calls it: `sha256:` and 64 hexadecimal digits."""
    digest: str | None = None
    """Repository digest, `NAME@sha256:...`: by it anyone can pull the same image."""
    index: str | None = None
    """Digest of the list of manifests, one for each platform, where that is what was pulled."""
    manifest: str | None = None
    """Digest of the manifest, where that is what was pulled."""
    config: str | None = None
    """Digest of the configuration."""
    platform: str | None = None
    """Operating system and architecture: linux/amd64."""
    engine: str | None = None
    """The container engine and its version."""
    volumes: tuple[str, ...] = ()
    """Volumes beside the work tree, as given."""
    variables: tuple[str, ...] = ()
    """Names of the variables that were handed in."""
    network: str | None = None
    """The network, where one was given."""
    gpus: str | None = None
    """The GPUs, where some were given."""


class LeftOut(Record):
    """A file that belongs to the code as it stood but was not put into the snapshot."""

    path: str
    """Relative to the top of the work tree."""
    reason: str
    """`large`, `secret`, `unreadable`."""
    size: int | None = None
    """Bytes."""


class Submodule(Record):
    """A submodule as it was checked out."""

    path: str
    """Relative to the top of the work tree."""
    commit: str
    """What was checked out there."""
    is_dirty: bool = False
    """It had changes of its own, which are in no snapshot."""


class Notebook(Record):
    """The notebook that ran, or the one cell of it."""

    path: str | None = None
    """The notebook's file, where it is known: relative to the top of the work tree."""
    cell: int | None = None
    """The number of the cell that ran, as in `In[7]`; none where the whole notebook did."""
    before_count: int = 0
    """How many cells its kernel had run before it."""
    cells_digest: bytes | None = None
    """blake3 of the part `notebook`."""


class Cell(Record):
    """A cell as it was when it ran, saved or not."""

    number: int
    """As in `In[7]`."""
    source: str
    """Its text."""


class Cells(Record):
    """The cell that ran, which is the last, and those that its kernel had run before, in order."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "cells"
    """What kind of part this is."""
    cells: tuple[Cell, ...] = ()
    """The last ones, a mebibyte of text at most."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""


class Code(Record):
    """The code exactly as it ran."""

    tree: str | None = None
    """The identity of the code: git id of the tree that ran."""
    commit: str | None = None
    """HEAD; none before the first commit."""
    branch: str | None = None
    """The branch that was checked out; none where HEAD was detached."""
    snapshot: str | None = None
    """The commit in the code chain that holds the tree: `commit` itself where it is published."""
    is_adhoc: bool = False
    """The tree differs from the commit's."""
    differs_count: int = 0
    """How many files differ from the commit."""
    remotes: Mapping[str, str] = {}
    """Remote name to URL, without credentials."""
    left_out: tuple[LeftOut, ...] = ()
    """What was not taken into the snapshot."""
    submodules: tuple[Submodule, ...] = ()
    """All submodules that were checked out."""
    notebook: Notebook | None = None
    """The notebook that ran, or its cell."""


class Artifact(Record):
    """Some content as one execution called it."""

    path: str
    """Relative to the top of the work tree with `/`; absolute outside of it; or a URI."""
    type: str
    """`file`, `directory`, `uri`, or `special`: a device or a pipe, whose content is not read."""
    how: str
    """How it is known: `declared`, `observed`, `argument`, `detected`."""
    digests: Mapping[str, bytes] = {}
    """Algorithm to digest; `blake3` is the identity of the content."""
    size: int | None = None
    """Bytes; of a directory, those of all files in it."""
    role: str | None = None
    """The name that the command's author gave it, or `stdin`, `stdout`."""
    given: str | None = None
    """The spelling that was given, where it differs from `path`."""
    host: str | None = None
    """For a path outside the work tree: whose file system."""
    change: str | None = None
    """Of an output: `created`, `overwritten`, `deleted`."""
    previous: bytes | None = None
    """blake3 of what an output overwrote."""
    is_executable: bool = False
    """A file that its owner may execute."""

    @property
    def digest(self) -> str | None:
        """The identity of the content, `blake3:<64 hex>`; none for what was not hashed."""
        found = self.digests.get("blake3")
        return None if found is None else "blake3:" + found.hex()


class Masked(Record):
    """A secret that the record does not hold: `***(KIND)` stands in its place."""

    kind: str
    """What kind of secret it is, or the name that said so."""
    where: str
    """Where it was: `the command`, `the log` and others."""
    count: int = 1
    """How many different values."""


class Launch(Record):
    """What was known of an execution before its command started. Its bytes give the id."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "execution"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: the same command twice is two executions."""
    command: tuple[str, ...]
    """As given, one text for each argument."""
    directory: str
    """Where it ran: relative to the top of the work tree, `.` for the top; absolute outside."""
    step: str
    """What people call this step: as given, else the name of the script or program."""
    title: str | None = None
    """What this one execution is called."""
    started_at: int
    """When it was about to start."""
    agent: Agent
    """Who ran it."""
    software: Software
    """What recorded it."""
    place: Place
    """Where it ran."""
    code: Code
    """What ran."""
    inputs: tuple[Artifact, ...] = ()
    """Declared inputs, as they were before it started."""
    parameters: Mapping[str, Any] = {}
    """Name to value, as given."""
    tags: tuple[str, ...] = ()
    """Tags that it was started with; the tags' own refs say what it has now."""
    template: tuple[str, ...] = ()
    """The step's command as its configuration has it, before parameters were put in."""
    interpolated: tuple[str, ...] = ()
    """The same with the parameters put in; `command` has these joined."""
    configuration: str | None = None
    """Path of the configuration that the step came from; its text is the part `config`."""
    configuration_digest: bytes | None = None
    """blake3 of that text."""
    declared_image: str | None = None
    """The image that the step names, where it ran in another or in none: declared, not used."""
    variables: Mapping[str, str] = {}
    """Environment variables, of those that are allowed."""
    variable_names: tuple[str, ...] = ()
    """Names of all others, where that is asked for."""
    masked: tuple[Masked, ...] = ()
    """What was secret in here."""
    parent: str | None = None
    """Id of the execution that it ran inside of."""
    root: str | None = None
    """Id of the outermost one of those."""
    image: Image | None = None
    """The container image that it ran in; none where it ran outside of containers."""
    metrics: tuple[str, ...] = ()
    """Files and folders whose metrics were to become metadata, as given."""
    reproduces: str | None = None
    """Id of the execution that this one repeats, to see whether the same comes out."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""

    @property
    def is_masked(self) -> bool:
        """Whether something that is needed to run it again is not here."""
        needed = ("the command", "the parameters", "the inputs", "the variables")
        return any(each.where in needed for each in self.masked)


class Point(Record):
    """One moment's metadata, as a line on standard output or a call of the API gave it."""

    at: int
    """When it was printed or logged."""
    values: Mapping[str, Any]
    """Key to value."""


class FileMetadata(Record):
    """What an execution said of a file that it made, in a file beside it."""

    path: str
    """Relative to the top of the work tree; absolute outside of it."""
    digest: bytes
    """blake3 of the file: what is said is said of this content."""
    values: Mapping[str, Any]
    """Key to value; keys that begin with `valohai.` are those of Valohai's files."""


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
    outputs: tuple[Artifact, ...] = ()
    """What it made, changed or deleted."""
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


class Deployment(Record):
    """Content that was put to use under a name, outside the repository."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "deployment"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: deploying the same twice is two deployments."""
    name: str
    """What is deployed: all deployments of one name are its history."""
    version: str | None = None
    """Which version of it."""
    target: str | None = None
    """Where it was put: a cluster, a device, a URL."""
    deployed_at: int
    """When."""
    agent: Agent
    """Who deployed it."""
    software: Software
    """What recorded it."""
    artifacts: tuple[Artifact, ...]
    """The content that is relied on."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""


class Metadata(Record):
    """Metadata that was added later, to an execution or to content."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "metadata"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: saying the same twice is two records."""
    subject: str
    """What it is about: the id of an execution, or the 64 digits of a content's digest."""
    path: str | None = None
    """Of content: what it was called when this was said."""
    values: Mapping[str, Any]
    """Key to value; of what was said at several times the last counts."""
    set_at: int
    """When."""
    agent: Agent
    """Who said so."""
    software: Software
    """What recorded it."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""


class Execution(Record):
    """One run of one command as a reader sees it: its launch, its end, its tags."""

    id: str
    launch: Launch | None
    """None when that part was redacted or does not decode."""
    end: End | None
    """None while it runs."""
    commit: str | None = None
    """The ledger's commit that holds it; None while it runs."""
    tags: tuple[str, ...] = ()
    ends_count: int = 1
    """More than one when a recovery and the recorder both wrote an end."""
    later: Mapping[str, Any] = {}
    """Metadata that was added after the end."""

    @property
    def status(self) -> str:
        """`running` until there is an end."""
        return "running" if self.end is None else self.end.status

    @property
    def place(self) -> Place | None:
        """Where it ran, as far as it became known."""
        if self.end is not None and self.end.place is not None:
            return self.end.place
        return self.launch.place if self.launch else None

    @property
    def inputs(self) -> tuple[Artifact, ...]:
        """All inputs, declared ones first."""
        declared = self.launch.inputs if self.launch else ()
        return declared + (self.end.inputs if self.end else ())

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        """All outputs."""
        return self.end.outputs if self.end else ()

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Last value of each metadata key, what was added later too."""
        return {**(self.end.metadata if self.end else {}), **self.later}
