"""Where an execution runs, and for whom, as environment variables tell."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import Lineage
from executions import last

from gitlineage import place
from gitlineage.records.launch import Batch, Job, Pod

CI = {
    "github": (
        {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_JOB": "build",
         "GITHUB_REPOSITORY": "ada/engine", "GITHUB_RUN_ID": "1658821493",
         "GITHUB_RUN_NUMBER": "3", "GITHUB_ACTOR": "ada", "GITHUB_TOKEN": "t0p-secret"},
        Job(provider="github", url="https://github.com/ada/engine/actions/runs/1658821493",
            number="3", name="build"),
    ),
    "gitlab": (
        {"GITLAB_CI": "true", "CI": "true", "CI_JOB_URL": "https://gitlab.com/ada/engine/-/jobs/1",
         "CI_PIPELINE_IID": "10", "CI_JOB_NAME": "test", "GITLAB_USER_LOGIN": "ada",
         "CI_JOB_TOKEN": "t0p-secret"},
        Job(provider="gitlab", url="https://gitlab.com/ada/engine/-/jobs/1", number="10",
            name="test"),
    ),
    "jenkins": (
        {"JENKINS_URL": "https://ci/", "BUILD_URL": "https://me:t0p-secret@ci:8080/job/train/7/",
         "BUILD_NUMBER": "7", "JOB_NAME": "train", "BUILD_USER_ID": "ada"},
        Job(provider="jenkins", url="https://ci:8080/job/train/7/", number="7", name="train"),
    ),
    "buildkite": (
        {"BUILDKITE": "true", "BUILDKITE_BUILD_URL": "https://buildkite.com/a/b/builds/12",
         "BUILDKITE_JOB_ID": "e44f", "BUILDKITE_BUILD_NUMBER": "12", "BUILDKITE_LABEL": "Train",
         "BUILDKITE_BUILD_CREATOR": "ada", "BUILDKITE_AGENT_ACCESS_TOKEN": "t0p-secret"},
        Job(provider="buildkite", url="https://buildkite.com/a/b/builds/12#e44f", number="12",
            name="Train"),
    ),
    "circleci": (
        {"CIRCLECI": "true", "CIRCLE_BUILD_URL": "https://circleci.com/gh/a/b/5", "CIRCLE_JOB": "x",
         "CIRCLE_BUILD_NUM": "5", "CIRCLE_USERNAME": "ada"},
        Job(provider="circleci", url="https://circleci.com/gh/a/b/5", number="5", name="x"),
    ),
    "azure-pipelines": (
        {"TF_BUILD": "True", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/a/",
         "SYSTEM_TEAMPROJECT": "The Engine", "BUILD_BUILDID": "99",
         "BUILD_BUILDNUMBER": "20260105.1",
         "AGENT_JOBNAME": "Job", "BUILD_REQUESTEDFOR": "ada", "SYSTEM_ACCESSTOKEN": "t0p-secret"},
        Job(provider="azure-pipelines", number="20260105.1", name="Job",
            url="https://dev.azure.com/a/The%20Engine/_build/results?buildId=99"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("service", CI)
def test_continuous_integration(repo: Path, lineage: Lineage, service: str) -> None:
    variables, job = CI[service]
    lineage("run", "-q", "--", "true", env=variables)
    launch = last().launch
    assert launch is not None
    assert (launch.place.kind, launch.place.job, launch.agent.actor) == ("ci", job, "ada")
    found = json.loads(lineage("show", "--json").stdout)
    assert (found["place"]["kind"], found["agent"]["actor"]) == ("ci", "ada")
    assert found["place"]["job"]["url"] == job.url
    page = lineage("show").stdout.splitlines()
    assert f"  job:        {service} #{job.number}, {job.name}" in page
    assert f"              {job.url}" in page
    assert "  for:        ada" in page
    for part in ("launch", "record"):
        stored = subprocess.check_output(["git", "cat-file", "-p", f"{last().commit}:{part}"])
        assert b"t0p-secret" not in stored


def test_some_other_service_and_none() -> None:
    assert place.find({"CI": "true"}).job == Job()
    assert place.find({"CI": "true"}).kind == "ci"
    assert place.find({"CI": "false"}).kind == place.find({}).kind == "machine"
    assert place.find({"GITHUB_ACTIONS": "true"}).job == Job(provider="github")
    assert (place.actor({}), place.actor({"CI": "1"})) == (None, None)


@pytest.mark.parametrize(("variables", "expected"), [
    ({"SLURM_JOB_ID": "812", "SLURM_JOB_PARTITION": "gpu", "SLURM_JOB_NODELIST": "n[1-2]",
      "SLURM_CLUSTER_NAME": "big"},
     Batch(scheduler="slurm", job="812", queue="gpu", nodes="n[1-2]", cluster="big")),
    ({"SLURM_JOB_ID": "813", "SLURM_ARRAY_JOB_ID": "812", "SLURM_ARRAY_TASK_ID": "0"},
     Batch(scheduler="slurm", job="812", task="0")),
    ({"LSB_JOBID": "5", "LSB_JOBINDEX": "0", "LSB_QUEUE": "short", "LSB_HOSTS": "a a b"},
     Batch(scheduler="lsf", job="5", queue="short", nodes="a a b")),
    ({"PBS_JOBID": "7.head", "PBS_QUEUE": "work", "PBS_ARRAY_INDEX": "3", "PBS_SERVER": "head"},
     Batch(scheduler="pbs", job="7.head", task="3", queue="work", cluster="head")),
])  # fmt: skip
def test_schedulers(variables: dict[str, str], expected: Batch) -> None:
    found = place.find(variables)
    assert (found.kind, found.batch) == (expected.scheduler, expected)


def test_kubernetes() -> None:
    service = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert place.find(service).pod == Pod(name=os.uname().nodename)
    told = {"POD_NAME": "train-x", "POD_NAMESPACE": "ml", "NODE_NAME": "n1"}
    assert place.find({**service, **told}).pod == Pod(name="train-x", namespace="ml", node="n1")
    assert (place.find(service).kind, place.find(told).kind) == ("kubernetes", "machine")


def test_several_at_once(repo: Path, lineage: Lineage) -> None:
    variables = {**CI["gitlab"][0], "KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAME": "runner",
                 "POD_NAMESPACE": "ci", "NODE_NAME": "n1", "SLURM_JOB_ID": "4",
                 "SLURM_JOB_PARTITION": "gpu", "SLURM_JOB_NODELIST": "n1"}  # fmt: skip
    lineage("run", "-q", "--", "true", env=variables)
    page = lineage("show").stdout.splitlines()
    assert "  job:        gitlab #10, test" in page
    assert "  batch:      slurm 4, queue gpu, on n1" in page
    assert "  pod:        ci/runner, on n1" in page


def test_login() -> None:
    assert place.login() == subprocess.check_output(["id", "-un"], text=True).strip()


@pytest.mark.parametrize(("url", "expected"), [
    ("https://a:b@host/x@y", "https://host/x@y"), ("git@host:x", "git@host:x"),
    ("https://host", "https://host"), ("ssh://git@host:22", "ssh://host:22"),
])  # fmt: skip
def test_urls_without_credentials(url: str, expected: str) -> None:
    assert place.without_credentials(url) == expected


@pytest.mark.parametrize(("text", "at"), [
    ("", None),
    ("1764525600", 1764525600_000000),
    ("1764525600.25", 1764525600_250000),
    ("2025-11-30T18:00:00Z", 1764525600_000000),
    ("2025-11-30T20:00:00+02:00", 1764525600_000000),
    ("2025-11-30T18:00:00", 1764525600_000000),  # tests are in UTC
])  # fmt: skip
def test_when_it_was_queued(text: str, at: int | None) -> None:
    assert place.queued_at({"GIT_LINEAGE_QUEUED_AT": text}) == at


def test_when_it_was_queued_is_recorded(repo: Path, lineage: Lineage) -> None:
    env = {"GIT_LINEAGE_QUEUED_AT": "2026-01-05T10:00:00Z"}
    lineage("run", "--", "git", "lineage", "run", "-q", "--", "true", env=env)
    found = json.loads(lineage("show", "--json", "@git").stdout)
    assert found["queued_at"] == "2026-01-05T10:00:00.000000Z"
    assert "\n  queued:     2026-01-05 10:00, " in lineage("show", "@git").stdout
    assert json.loads(lineage("show", "--json", "@true").stdout)["queued_at"] is None
    for text, said in (("soon", "is no time"), ("2999-01-01", "is later than the start")):
        done = lineage("run", "--", "true", env={"GIT_LINEAGE_QUEUED_AT": text})
        assert done.stderr.startswith(f"warning: GIT_LINEAGE_QUEUED_AT {said}")
        assert json.loads(lineage("show", "--json").stdout)["queued_at"] is None
