"""Signed records, with ssh-keygen, gpg and gpgsm themselves: made, joined, checked, and told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Git, Lineage
from sharing import ADA, Trace, record, refs, steps, sync, trees
from sharing import git as at

from gitlineage import chains
from gitlineage.repository import Repository

MONTHS = "refs/lineage/ledger"

PINENTRY = """\
#!/bin/sh
echo OK
while read -r word rest; do
    case $word in GETPIN) printf 'D \\nOK\\n' ;; BYE) echo OK; exit 0 ;; *) echo OK ;; esac
done
"""

CERTIFICATE = """\
Key-Type: RSA
Key-Length: 2048
Key-Usage: sign
Serial: random
Name-DN: CN=Ada Lovelace,O=Engines
Name-Email: ada@example.org
"""


def run(*words: str | Path, folder: Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "GNUPGHOME": str(folder)}, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def keys() -> Iterator[Path]:
    """Return a folder for keys: short, since the agent's socket is in it."""
    folder = Path(tempfile.mkdtemp(prefix="gl-keys-"))
    (folder / "gpgsm.conf").write_text("disable-crl-checks\n")
    (folder / "pinentry").write_text(PINENTRY)
    (folder / "pinentry").chmod(0o755)
    (folder / "gpg-agent.conf").write_text(f"pinentry-program {folder}/pinentry\n")
    yield folder
    if shutil.which("gpgconf"):
        run("gpgconf", "--kill", "all", folder=folder)
    shutil.rmtree(folder)


def ssh(folder: Path) -> dict[str, str]:
    if not (folder / "key").exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key", folder=folder)
        public = (folder / "key.pub").read_text()
        (folder / "allowed").write_text(f"ada@example.org {public}")
    return {"gpg.format": "ssh", "user.signingKey": f"{folder}/key.pub",
            "gpg.ssh.allowedSignersFile": f"{folder}/allowed"}  # fmt: skip


def openpgp(folder: Path) -> dict[str, str]:
    who = "Ada Lovelace <ada@example.org>"
    if not (folder / "pubring.kbx").exists() or who not in run("gpg", "-k", folder=folder):
        words = ("gpg", "--batch", "-q", "--passphrase", "", "--quick-gen-key", who, "ed25519")
        run(*words, "sign", folder=folder)
    return {"gpg.format": "openpgp", "user.signingKey": "ada@example.org"}


def x509(folder: Path) -> dict[str, str]:
    if not (folder / "trustlist.txt").exists():
        (folder / "parameters").write_text(CERTIFICATE)
        made = folder / "certificate.pem"
        run("gpgsm", "--batch", "--gen-key", "-o", made, folder / "parameters", folder=folder)
        run("gpgsm", "-q", "--import", made, folder=folder)
        listed = run("gpgsm", "--list-keys", "--with-colons", folder=folder).splitlines()
        name = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
        (folder / "trustlist.txt").write_text(f"{name} S relax\n")
        run("gpgconf", "--kill", "gpg-agent", folder=folder)
    name = (folder / "trustlist.txt").read_text().split()[0]
    return {"gpg.format": "x509", "user.signingKey": name}


FORMS: dict[str, tuple[str, Callable[[Path], dict[str, str]], str]] = {
    "ssh": ("ssh-keygen", ssh, "ada@example.org"),
    "openpgp": ("gpg", openpgp, "Ada Lovelace <ada@example.org>"),
    "x509": ("gpgsm", x509, "/CN=Ada Lovelace/O=Engines"),
}


def sign_with(form: str, keys: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have all records be signed; return who the signer then is."""
    program, make, signer = FORMS[form]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: `make system`")
    monkeypatch.setenv("GNUPGHOME", str(keys))
    for name, value in {**make(keys), "lineage.sign": "true"}.items():
        subprocess.run(["git", "config", "--global", name, value], check=True)
    return signer


@pytest.mark.parametrize("form", FORMS)
def test_made_and_checked(
    repo: Path, lineage: Lineage, git: Git, keys: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage("run", "-q", "--step", "plain", "--", "true")
    signer = sign_with(form, keys, monkeypatch)
    assert lineage("run", "-q", "--", "true").stderr == ""
    lineage("deploy", "site", "code.py")
    (ref,) = refs(repo, MONTHS)
    git("verify-commit", ref)
    done = lineage("verify", "--signatures")
    assert done.stderr == (
        "lineage: 3 records in 1 month: all sound\n"
        f"lineage: 2 signed, 1 not\nlineage:   2 by {signer}\n"
    )
    assert f"signed:     by {signer} (key " in lineage("show", "@true").stdout
    assert json.loads(lineage("show", "--json", "@true").stdout)["signature"]["standing"] == "good"
    assert "signed" not in lineage("show", "@plain").stdout
    said = lineage("log", "--oneline", "--show-signature").stdout.splitlines()
    assert said[1].startswith(f"    signed by {signer} (key ")
    assert said[3] == "    not signed"
    told = [json.loads(each) for each in
            lineage("log", "--json", "--show-signature").stdout.splitlines()]  # fmt: skip
    assert [each["signature"] and each["signature"]["signer"] for each in told] == [signer, None]
    found = json.loads(lineage("verify", "--signatures", "--json").stdout)
    assert (found["signed_count"], found["signers"]) == (2, {signer: 2})


def test_one_that_does_not_fit(
    repo: Path, lineage: Lineage, git: Git, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    lineage("run", "-q", "--", "true")
    ((ref, tip),) = refs(repo, MONTHS).items()
    forged = git("cat-file", "commit", tip).replace("author Ada Lovelace", "author Eve")
    made = subprocess.run(["git", "hash-object", "-t", "commit", "-w", "--stdin"], text=True,
                          input=forged + "\n", capture_output=True, check=True)  # fmt: skip
    git("update-ref", ref, made.stdout.strip())
    assert lineage("verify").stderr.startswith("lineage: 1 record in 1 month: all sound\n")
    done = lineage("verify", "--signatures", check=False)
    assert done.returncode == 4
    assert done.stdout.startswith(f"signature  {made.stdout[:12]}  signed by ")
    assert ", and it does not fit" in done.stdout


def test_by_whom_nobody_vouches_for(
    repo: Path, lineage: Lineage, git: Git, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    lineage("run", "-q", "--", "true")
    for file in ("/dev/null", ""):
        git("config", "gpg.ssh.allowedSignersFile", file)
        done = lineage("verify", "--signatures", check=False)
        assert (done.returncode, done.stdout.count("which is not known here")) == (4, 1)
        assert "which is not known here" in lineage("show").stdout


def test_a_record_that_cannot_be_signed_is_kept_and_said(
    repo: Path, lineage: Lineage, git: Git, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    git("config", "user.signingKey", "/nowhere")
    done = lineage("run", "-q", "--", "true")
    assert done.stderr.startswith("warning: the record is not signed: ")
    assert "0 signed, 1 not" in lineage("verify", "--signatures").stderr


@pytest.mark.parametrize("special", [False, True])
def test_many_and_where_git_alone_writes(
    repo: Path, lineage: Lineage, git: Git, keys: Path, monkeypatch: pytest.MonkeyPatch,
    special: bool,
) -> None:  # fmt: skip
    sign_with("ssh", keys, monkeypatch)
    if special:
        git("config", "core.sharedRepository", "group")
    for name in "abc":
        record(repo, name)
    (tip,) = refs(repo, MONTHS).values()
    for commit in git("rev-list", tip).split():
        git("verify-commit", commit)
    assert refs(repo, "refs/lineage-scratch") == {}
    assert steps(repo) == ["a", "b", "c"]


def test_nothing_is_started_where_nothing_is_signed(repo: Path, isolated: Path) -> None:
    for name in "abc":
        record(repo, name)
    with Trace(isolated / "trace") as trace:
        subprocess.run(["git", "lineage", "verify", "--signatures"], check=True,
                       capture_output=True)  # fmt: skip
    assert "log" not in trace.started()


# -- becoming one ----------------------------------------------------------------------------


def test_signed_records_of_two_are_joined_and_none_is_hidden(
    clone_pair: tuple[Path, Path], lineage: Lineage, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    ours, theirs = clone_pair
    record(ours, "first")
    sync(ours).push("origin")
    sync(theirs).fetch("origin")
    for round in range(3):
        record(theirs, f"t{round}")
        record(ours, f"o{round}")
        record(ours, f"p{round}")
        assert sync(theirs).push("origin").records_count == 1
        assert sync(ours).push("origin").records_count == 2
        sync(theirs).fetch("origin")
    assert refs(ours, MONTHS) == refs(theirs, MONTHS)
    expected = sorted(["first", *(f"{who}{n}" for who in "top" for n in range(3))])
    for clone in clone_pair:
        assert steps(clone) == expected
        monkeypatch.chdir(clone)
        done = lineage("verify", "--signatures")
        assert done.stderr.startswith("lineage: 10 records in 1 month: all sound\n")
        assert "lineage: 10 signed, 0 not\n" in done.stderr
        assert at(clone, "fsck", "--strict") == ""
    (tip,) = refs(ours, MONTHS).values()
    assert len(at(ours, "rev-list", "--merges", tip).split()) == 3
    assert set(at(ours, "log", "--merges", "--format=%T %an", tip).splitlines()) == {
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904 git-lineage"
    }


def test_both_make_the_same_merge_and_failed_pushes_leave_none(
    clone_pair: tuple[Path, Path], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    ours, theirs = clone_pair
    record(ours, "a")
    record(theirs, "b")
    ((ref, one),) = refs(ours, MONTHS).items()
    (other,) = refs(theirs, MONTHS).values()
    at(ours, "fetch", "-q", theirs, ref)
    at(theirs, "fetch", "-q", ours, ref)
    for clone, tip in ((ours, other), (theirs, one)):
        assert chains.fold(Repository.discover(str(clone)), ref, tip)
    assert refs(ours, MONTHS) == refs(theirs, MONTHS)
    # Others go on, and a merge that nobody has got is not merged again.
    for name in "cde":
        record(theirs, name)
        (tip,) = refs(theirs, MONTHS).values()
        at(theirs, "update-ref", ref, at(theirs, "rev-parse", f"{tip}").strip())
        at(ours, "fetch", "-q", theirs, ref)
        record(ours, f"own {name}")
        assert chains.fold(Repository.discover(str(ours)), ref, tip)
    (tip,) = refs(ours, MONTHS).values()
    assert len(at(ours, "rev-list", "--merges", tip).split()) <= 4
    assert steps(ours) == sorted(["a", "b", "c", "d", "e", "own c", "own d", "own e"])


def test_unsigned_ones_are_appended_again_as_ever(
    clone_pair: tuple[Path, Path], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = clone_pair
    record(theirs, "unsigned")
    sign_with("ssh", keys, monkeypatch)
    record(ours, "signed")
    sync(ours).push("origin")
    sync(theirs).push("origin")
    (tip,) = refs(theirs, MONTHS).values()
    assert at(theirs, "rev-list", "--merges", tip) == ""
    assert steps(theirs) == ["signed", "unsigned"]


# -- what is rewritten -----------------------------------------------------------------------


def test_what_forgetting_does_to_signatures(
    clone_pair: tuple[Path, Path], lineage: Lineage, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    ours, theirs = clone_pair
    record(ours, "first")
    sync(ours).push("origin")
    sync(theirs).fetch("origin")
    record(ours, "secret")
    record(theirs, "other")
    sync(theirs).push("origin")
    sync(ours).push("origin")  # behind a merge
    record(ours, "last")
    monkeypatch.chdir(ours)
    done = lineage("forget", "@secret", "-m", "why")
    # The other's record stays as it was where git lists it before the one that goes.
    count = 2 if "warning: 2 records appended again without signature\n" in done.stderr else 1
    assert f"warning: {count} record" in done.stderr
    said = lineage("verify", "--signatures").stderr
    assert said.startswith("lineage: 4 records in 1 month: all sound\n")
    assert f"lineage: {4 - count} signed, {count} not\n" in said
    sync(ours).push("origin")
    sync(theirs).fetch("origin")
    assert steps(theirs) == steps(ours) == ["first", "last", "other"]
    assert trees(ours) == trees(theirs)


def test_what_keeping_logs_here_does_to_signatures(
    clone_pair: tuple[Path, Path], lineage: Lineage, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    ours, _ = clone_pair
    at(ours, "config", "lineage.pushLog", "false")
    lineage("run", "-q", "--", "echo", "1", cwd=ours)
    lineage("run", "-q", "--", "echo", "2", cwd=ours)
    ((ref, tip),) = refs(ours, MONTHS).items()
    sent = sync(ours).push("origin")
    assert (sent.records_count, sent.warnings) == (2, ())
    assert refs(ours, MONTHS)[ref] != tip
    for commit in at(ours, "rev-list", ref).split():
        at(ours, "verify-commit", commit)
        assert "log" not in at(ours, "ls-tree", "--name-only", commit).split()
    lineage("run", "-q", "--", "echo", "3", cwd=ours)
    at(ours, "config", "lineage.sign", "false")
    sent = sync(ours).push("origin")
    assert sent.warnings == ("1 record lost the signature with what stays here",)
    assert sync(ours).push("origin").warnings == ()


def test_who_made_them_is_who_recorded(
    repo: Path, git: Git, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_with("ssh", keys, monkeypatch)
    record(repo, "a")
    (tip,) = refs(repo, MONTHS).values()
    assert git("show", "-s", "--format=%an <%ae>|%cn", tip) == (
        f"{ADA.name} <{ADA.email}>|{ADA.name}"
    )
