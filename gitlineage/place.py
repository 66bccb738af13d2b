"""Where an execution runs, and for whom: what environment variables tell. Knows no git.

All of it is known before the command starts, so nothing here may take time: no file is read but
one, no process started. Only the variables that are named here are looked at.
"""

from __future__ import annotations

import os

from gitlineage.records.launch import Batch, Job, Place, Pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

QUEUED_AT = "GIT_LINEAGE_QUEUED_AT"
"""Variable with the time at which whoever submitted a job did so."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"

AZURE = (
    "{SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results"
    "?buildId={BUILD_BUILDID}"
)

# fmt: off
SERVICES = {
    "GITHUB_ACTIONS": (
        "github", ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",),
        "GITHUB_RUN_NUMBER", ("GITHUB_JOB",), ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),
    ),
    "GITLAB_CI": (
        "gitlab", ("{CI_JOB_URL}", "{CI_PIPELINE_URL}"),
        "CI_PIPELINE_IID", ("CI_JOB_NAME",), ("GITLAB_USER_LOGIN",),
    ),
    "JENKINS_URL": (
        "jenkins", ("{BUILD_URL}",),
        "BUILD_NUMBER", ("JOB_NAME",), ("BUILD_USER_ID", "BUILD_USER"),
    ),
    "BUILDKITE": (
        "buildkite", ("{BUILDKITE_BUILD_URL}#{BUILDKITE_JOB_ID}", "{BUILDKITE_BUILD_URL}"),
        "BUILDKITE_BUILD_NUMBER", ("BUILDKITE_STEP_KEY", "BUILDKITE_LABEL"),
        ("BUILDKITE_BUILD_CREATOR",),
    ),
    "CIRCLECI": (
        "circleci", ("{CIRCLE_BUILD_URL}",),
        "CIRCLE_BUILD_NUM", ("CIRCLE_JOB",), ("CIRCLE_USERNAME",),
    ),
    "TF_BUILD": (
        "azure-pipelines", (AZURE + "&view=logs&j={SYSTEM_JOBID}", AZURE),
        "BUILD_BUILDNUMBER", ("AGENT_JOBNAME", "SYSTEM_JOBNAME"), ("BUILD_REQUESTEDFOR",),
    ),
    "CI": (None, (), "", (), ()),
}
"""Services of continuous integration, the first that fits is taken: the variable that shows one,
its name, what makes the job's URL, the variables of the run's number, the job's name, the actor."""

SCHEDULERS = {
    "slurm": (
        ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID", "SLURM_JOBID"), "SLURM_ARRAY_TASK_ID",
        ("SLURM_JOB_PARTITION",), ("SLURM_JOB_NODELIST", "SLURM_NODELIST"), "SLURM_CLUSTER_NAME",
    ),
    "lsf": (("LSB_JOBID",), "LSB_JOBINDEX", ("LSB_QUEUE",), ("LSB_MCPU_HOSTS", "LSB_HOSTS"), ""),
    "pbs": (("PBS_JOBID",), "PBS_ARRAY_INDEX", ("PBS_QUEUE",), (), "PBS_SERVER"),
}
"""Schedulers, with the variables of the job's id, the task of an array, queue, nodes, cluster."""
# fmt: on

PODS = ("POD_NAME", "MY_POD_NAME", "HOSTNAME")
NAMESPACES = ("POD_NAMESPACE", "MY_POD_NAMESPACE", "NAMESPACE")
NODES = ("NODE_NAME", "MY_NODE_NAME", "KUBERNETES_NODE_NAME")
"""What people call these variables that Kubernetes fills in only where it is told to."""


def find(variables: Mapping[str, str]) -> Place:
    """Return where this process runs."""
    host = os.uname().nodename
    job, batch, pod = _job(variables), _batch(variables), _pod(variables, host)
    kind = "ci" if job else batch.scheduler if batch else "kubernetes" if pod else "machine"
    return Place(host=host, kind=kind, boot=_boot(), job=job, batch=batch, pod=pod)


def actor(variables: Mapping[str, str]) -> str | None:
    """Return for whom continuous integration runs this process."""
    shown = _shown(variables)
    return _first(variables, SERVICES[shown][4]) if shown else None


def login() -> str | None:
    """Return the account that this process runs under."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("LOGNAME")


def without_credentials(url: str) -> str:
    """Return a URL without the user and the password that may stand before its host."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _shown(variables: Mapping[str, str]) -> str | None:
    shown = (each for each in SERVICES if variables.get(each, "") not in ("", "0", "false"))
    return next(shown, None)


def _job(variables: Mapping[str, str]) -> Job | None:
    shown = _shown(variables)
    if shown is None:
        return None
    provider, urls, number, names, _ = SERVICES[shown]
    return Job(
        provider=provider,
        url=_url(variables, urls),
        number=variables.get(number) or None,
        name=_first(variables, names),
    )


def _url(variables: Mapping[str, str], forms: Sequence[str]) -> str | None:
    for form in forms:
        try:
            return without_credentials(form.format_map(variables)).replace(" ", "%20")
        except KeyError:
            continue
    return None


def _batch(variables: Mapping[str, str]) -> Batch | None:
    for scheduler, (jobs, task, queues, nodes, cluster) in SCHEDULERS.items():
        if job := _first(variables, jobs):
            index = variables.get(task) or None
            return Batch(
                scheduler=scheduler,
                job=job,
                task=None if scheduler == "lsf" and index == "0" else index,  # 0: no array
                queue=_first(variables, queues),
                nodes=_first(variables, nodes),
                cluster=variables.get(cluster) or None,
            )
    return None


def _pod(variables: Mapping[str, str], host: str) -> Pod | None:
    if not variables.get("KUBERNETES_SERVICE_HOST"):
        return None
    return Pod(
        name=_first(variables, PODS) or host,
        namespace=_first(variables, NAMESPACES),
        node=_first(variables, NODES),
    )


def _first(variables: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((variables[name] for name in names if variables.get(name)), None)


def _boot() -> str | None:
    try:
        with open(BOOT_ID, encoding="utf-8") as file:
            return file.read().strip() or None
    except (OSError, ValueError):
        return None


def queued_at(variables: Mapping[str, str]) -> int | None:
    """Return when a job was queued, in microseconds, as far as whoever submitted it has said.

    ISO 8601, which is local where it names no zone, or seconds since 1970. Raises ValueError.
    """
    text = variables.get(QUEUED_AT, "").strip()
    if not text:
        return None
    if text.replace(".", "", 1).isdecimal():
        return int(float(text) * 1_000_000)
    from datetime import datetime  # 2 ms, for those who ask

    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)
