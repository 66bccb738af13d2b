"""What is known before a command starts: who, where, which code, what goes in."""

from __future__ import annotations

from gitlineage.records import FORMAT, Record
from gitlineage.records.artifact import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

GONE = "***(forgotten)"
"""Stands where a secret was that has been taken out of a record."""


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
    """`large`, `secret`, `unreadable`, `many`; `hidden`: git is told not to look at it."""
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
    queued_at: int | None = None
    """When it was submitted to a queue, as whoever did so has said."""
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
    redacted: str | None = None
    """The execution's id, which the bytes gave before something secret was taken out of them."""
    reproduces: str | None = None
    """Id of the execution that this one repeats, to see whether the same comes out."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""

    @property
    def is_masked(self) -> bool:
        """Whether something that is needed to run it again is not here."""
        needed = ("the command", "the parameters", "the inputs", "the variables")
        return any(each.where in needed for each in self.masked)

    @property
    def is_torn(self) -> bool:
        """Whether something that is needed to run it again was forgotten."""
        needed = (self.command, self.parameters, self.inputs, self.variables, self.directory)
        return self.redacted is not None and GONE in repr(needed)
