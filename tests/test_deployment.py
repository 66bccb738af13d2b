"""Deployments: what is relied on elsewhere, since when and until when, and what made it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import last

import gitlineage
from gitlineage import errors, periods


@pytest.fixture
def trained(repo: Path, lineage: Lineage) -> Path:
    lineage("run", "-q", "--step", "train", "--", "sh", "-c", "echo weights > model.bin")
    return repo


def in_use(date: str = "now", **more: str) -> list[tuple[str | None, str | None]]:
    with gitlineage.open() as here:
        return [(each.step, each.version) for each in here.deployed_at(date, **more)]


def test_a_file_is_deployed_and_what_made_it_is_found(trained: Path, lineage: Lineage) -> None:
    (trained / "labels.txt").write_text("a\n")
    words = ("--version", "7", "--target", "eu", "--image", "shop:7", "--url", "https://shop.test")
    done = lineage("deploy", "shop", "model.bin", "labels.txt", *words)
    with gitlineage.open() as here:
        (row,) = here.deployments("shop")
    assert done.stderr == (
        f"note: no execution made labels.txt\ndeployed shop 7 to eu ({row.id[:8]})\n"
    )
    assert (done.stdout, row.standing, row.ended_at) == ("", "in use", None)
    shown = lineage("show", "shop").stdout.splitlines()
    assert shown[0] == f"deployment {row.id}"
    assert shown[4:6] == ["Image:        shop:7", "URL:          https://shop.test"]
    assert shown[7] == "Standing:     in use"
    assert shown[8].startswith("Files:        model.bin   8 B, blake3:")
    assert shown[8].endswith(f"from train {last().id[:8]}")
    assert shown[9].endswith("from no execution")
    said = json.loads(lineage("show", "shop", "--json").stdout)
    assert [each["made_by"] for each in said["files"]] == [last().id, None]
    assert (said["image"], said["url"]) == ("shop:7", "https://shop.test")
    assert f"Deployed:     shop 7 to eu ({row.id[:8]}): in use" in lineage("show").stdout
    traced = json.loads(lineage("trace", "shop", "--format", "json").stdout)
    assert {each["kind"] for each in traced["nodes"]} == {"execution", "artifact", "deployment"}
    assert "deployment shop 7 " in lineage("trace", "model.bin", "--format", "tree").stdout


def test_files_are_named_in_many_ways(trained: Path, lineage: Lineage) -> None:
    made = last().outputs[0]
    lineage("tag", "best", "model.bin")
    lineage("alias", "model-prod", "model.bin")
    (trained / "model.bin").write_text("changed\n")
    for given in ("@:model.bin", "@train:model.bin", f"{last().id[:9]}:model.bin", "best",
                  "alias:model-prod", "datum://model-prod", str(made.digest),
                  str(made.digest)[:15], "@train"):  # fmt: skip
        with gitlineage.open() as here:
            found = here.deployment(here.deploy("shop", [given]))
        assert [(each.path, each.digest) for each in found.artifacts] == [
            ("model.bin", made.digest)
        ]
    with gitlineage.open() as here:
        found = here.deployment(here.deploy("shop", ["blake3:" + "1f" * 32]))
        assert found.artifacts[0].digest == "blake3:" + "1f" * 32
        for odd in ("nothing", "@:nothing", "blake3:00", "blake3:xyz"):
            with pytest.raises(errors.UnknownContent):
                here.deploy("shop", [odd])
        with pytest.raises(errors.UnknownId):
            here.deploy("shop", ["nobody:model.bin"])
        with pytest.raises(errors.UnknownAlias):
            here.deploy("shop", ["alias:nothing"])
        for odd in ("", " ", "a\nb"):
            with pytest.raises(errors.Refused):
                here.deploy(odd, ["model.bin"])


def test_what_is_said_of_a_deployment_is_kept(trained: Path, lineage: Lineage) -> None:
    lineage("deploy", "shop", "model.bin", "-m", "for the winter sale")
    assert "\nMessage:      for the winter sale\n" in lineage("show", "shop").stdout
    said = json.loads(lineage("show", "shop", "--json").stdout)
    assert said["message"] == "for the winter sale"
    lineage("deploy", "shop", "model.bin")
    assert "Message" not in lineage("show", "shop").stdout
    assert json.loads(lineage("show", "shop", "--json").stdout)["message"] is None


def test_without_a_target_each_that_is_retired_is_said(trained: Path, lineage: Lineage) -> None:
    for target in ("eu", "us"):
        lineage("deploy", "shop", "model.bin", "--target", target)
    said = lineage("deploy", "--retire", "shop").stderr
    told = sorted(line.rpartition(" (")[0] for line in said.splitlines())
    assert told == ["retired shop to eu", "retired shop to us"]
    assert in_use() == []


def test_one_takes_the_place_of_the_one_before_at_the_same_target(
    trained: Path, lineage: Lineage
) -> None:
    for version, target in (("1", "eu"), ("1", "us"), ("2", "eu")):
        lineage("deploy", "shop", "model.bin", "--version", version, "--target", target)
    lineage("deploy", "search", "model.bin")
    with gitlineage.open() as here:
        rows = here.deployments("shop")
    assert [(each.version, each.target, each.standing) for each in rows] == [
        ("2", "eu", "in use"), ("1", "us", "in use"), ("1", "eu", "replaced")
    ]  # fmt: skip
    assert rows[2].ended_at == rows[0].started_at
    done = lineage("deploy", "--retire", "shop", "--target", "us", "-m", "too slow")
    assert done.stderr == f"retired shop 1 to us ({rows[1].id[:8]})\n"
    assert in_use() == [("search", None), ("shop", "2")]
    assert in_use(name="shop") == [("shop", "2")]
    assert "by Ada Lovelace: too slow" in lineage("show", rows[1].id).stdout
    again = lineage("deploy", "--retire", "shop", "--target", "us", check=False)
    assert (again.returncode, again.stderr) == (1, "error: no deployment of shop to us is in use\n")
    traced = lineage("trace", "model.bin", "--format", "tree").stdout
    assert "retired" in traced and "replaced" in traced
    listed = lineage("deploy", "--list", "shop").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [each.id[:8] for each in rows]
    os.unlink(trained / ".git/lineage/index.sqlite")
    assert lineage("deploy", "--list", "shop").stdout.splitlines() == listed


def test_what_was_in_use_then_is_told(trained: Path, lineage: Lineage) -> None:
    lineage("deploy", "shop", "model.bin")
    now = time.gmtime()
    for date in (f"{now.tm_year}", f"{now.tm_year}-{now.tm_mon:02d}", time.strftime("%Y-%m-%d")):
        assert in_use(date) == [("shop", None)]
    for date in ("2020-03", "2020", "yesterday", "1999-12-31"):
        assert in_use(date) == []
    assert lineage("deploy", "--at", "nonsense", check=False).returncode == 2
    assert lineage("deploy", "--list", "nothing", check=False).returncode == 3


@pytest.mark.parametrize(("text", "span"), [
    ("2026", ("2026-01-01", "2027-01-01")),
    ("2026-12", ("2026-12-01", "2027-01-01")),
    ("2026-03-31", ("2026-03-31", "2026-04-01")),
    ("2026-02-30", None), ("2026-13", None), ("2026-1", None), ("26", None), ("now", None),
    ("2026-03-31 10:00", None), ("2026-00", None), ("1-2-3-4", None),
])  # fmt: skip
def test_a_day_a_month_a_year_is_all_of_it(text: str, span: tuple[str, str] | None) -> None:
    found = periods.period(text)
    days = found and tuple(time.strftime("%Y-%m-%d", time.gmtime(at // 10**6)) for at in found)
    assert days == span


def test_deployments_travel_and_end_on_any_copy(
    clone_pair: tuple[Path, Path], lineage: Lineage, git: Git
) -> None:
    ours, theirs = clone_pair
    (ours / "model").write_text("m")
    lineage("deploy", "shop", "model", cwd=ours)
    lineage("push", cwd=ours)
    lineage("fetch", cwd=theirs)
    for each in (ours, theirs):
        lineage("deploy", "--retire", "shop", cwd=each)
        lineage("push", cwd=each)
    lineage("fetch", cwd=ours)
    listed = [lineage("deploy", "--list", "--json", cwd=each).stdout for each in clone_pair]
    assert listed[0] == listed[1]
    assert json.loads(listed[0])["standing"] == "retired"
    assert "git-lineage" not in git("fsck", "--strict", cwd=theirs)


@pytest.mark.parametrize("words", [
    ["--retire"], ["--retire", "shop", "model.bin"], ["shop", "model.bin", "--list"],
    ["shop", "model.bin", "--at", "now"],
])  # fmt: skip
def test_wrong_usage_is_said(trained: Path, lineage: Lineage, words: list[str]) -> None:
    done = lineage("deploy", *words, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: ")


def test_what_was_replaced_stays_so_once_that_is_forgotten(trained: Path, lineage: Lineage) -> None:
    for version in ("1", "2", "3"):
        lineage("deploy", "shop", "model.bin", "--version", version, "--target", "eu")
    lineage("deploy", "shop", "model.bin", "--version", "1", "--target", "us")
    with gitlineage.open() as here:
        before = {each.id: each.ended_at for each in here.deployments("shop") if each.ended_at}
        newest = next(each.id for each in here.deployments("shop") if each.version == "3")
    lineage("forget", newest, "-m", "a mistake", "-y")
    with gitlineage.open() as here:
        after = {each.id: each.ended_at for each in here.deployments("shop") if each.ended_at}
    assert after == before
    assert in_use() == [("shop", "1")]


def test_tags_and_metadata_are_on_content(trained: Path, lineage: Lineage) -> None:
    made = last().outputs[0]
    done = lineage("tag", "best", "model.bin", "@train:model.bin", "@")
    short = str(made.digest)[:15]
    assert done.stderr == f"tagged {short}, {short}, {last().id[:8]} as best\n"
    (trained / "copy.bin").write_text("weights\n")
    lineage("metadata", "set", "copy.bin", "checked=true")
    assert "checked = true" in lineage("metadata", "show", "model.bin").stdout
    (trained / "new.txt").write_text("never seen\n")
    lineage("metadata", "set", "new.txt", "source=web")
    lineage("tag", "raw", "new.txt")
    assert "source = web" in lineage("metadata", "show", "new.txt").stdout
    assert "[best]" in lineage("trace", "model.bin", "--format", "tree").stdout
    assert "(tag best)" in lineage("show").stdout
    listed = [json.loads(line) for line in lineage("tag", "--json").stdout.splitlines()]
    assert listed[0] == {"tag": "best", "members": sorted([str(made.digest), last().id])}
    lineage("tag", "-d", "best", "copy.bin")
    assert "(tag best)" not in lineage("show").stdout
    lineage("deploy", "shop", "model.bin")
    refused = lineage("tag", "best", "shop", check=False)
    assert refused.returncode == 1 and "is a deployment" in refused.stderr
