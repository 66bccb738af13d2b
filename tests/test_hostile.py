"""A ledger from a stranger: nothing in it crashes, hangs, fills memory, writes outside or hides.

The ledgers are made with git's own plumbing, since ours would refuse to.
"""

from __future__ import annotations

import json
import os
import re
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sharing import git, record, steps, sync

import gitlineage
from gitlineage import digest, encoding
from gitlineage.errors import LineageError
from gitlineage.index.parts import name_in
from gitlineage.ledger import Stored
from gitlineage.records.launch import Launch
from gitlineage.records.redaction import Redaction
from gitlineage.series import Series

Lineage = Callable[..., subprocess.CompletedProcess[str]]
Parts = Mapping[str, bytes]

CHAIN = "refs/lineage/ledger/2026-11"
MEMORY = 3 << 30
SECONDS = 60
"""Of one command, on a busy machine."""

ESCAPES = "\x1b]0;owned\x07\x1b[31m\r\x9b2J\u202egpj"
TRICKS = (
    "../../outside", "/etc/hostile", ".git/hooks/post-checkout", ".GIT/config", "a/../../b",
    "-rf", "$(touch owned)", "`touch owned`; touch owned", "'; DROP TABLE record; --",
    "<script>alert(1)</script>", '"]; x [label="owned', "a\nb", "a\tb", "con\u0301", "\u200d.git",
    ESCAPES, "x" * 5000, "%00", "\\", "{0.__class__}", "%s%n",
)  # fmt: skip


def commit(repo: Path, parts: Parts, message: str = "x") -> str:
    """Append a commit with these parts to the chain, with plumbing alone."""
    listed = b""
    for name, content in sorted(parts.items()):
        blob = subprocess.run(["git", "-C", repo, "hash-object", "-w", "--stdin"], input=content,
                              capture_output=True, check=True).stdout.strip()  # fmt: skip
        listed += b"100644 %s 0\t%s\0" % (blob, name.encode())
    index = {**os.environ, "GIT_INDEX_FILE": str(repo / ".git/hostile")}
    subprocess.run(["git", "-C", repo, "update-index", "-z", "--index-info"], input=listed,
                   env=index, capture_output=True, check=True)  # fmt: skip
    tree = subprocess.run(["git", "-C", repo, "write-tree"], env=index, capture_output=True,
                          check=True).stdout.decode().strip()  # fmt: skip
    (repo / ".git/hostile").unlink(missing_ok=True)
    return chained(repo, tree, message)


def chained(repo: Path, tree: str, message: str = "x") -> str:
    tip = git(repo, "rev-parse", "--verify", "-q", CHAIN, check=False).strip()
    made = git(repo, "commit-tree", *(("-p", tip) if tip else ()), "-m", message, tree).strip()
    git(repo, "update-ref", CHAIN, made)
    return made


def launch(text: str = "x", **more: object) -> dict[str, object]:
    """Return a launch that says a text wherever it can."""
    return {
        "format": 1, "kind": "execution", "nonce": os.urandom(16), "command": [text, text],
        "directory": text, "step": text, "title": text, "started_at": 1_795_000_000_000_000,
        "agent": {"name": text, "email": text}, "software": {"name": text, "version": text},
        "place": {"host": text, "kind": text}, "tags": [text], "parameters": {text: text},
        "code": {"branch": text, "tree": "a" * 40, "commit": "b" * 40}, **more,
    }  # fmt: skip


def execution(text: str = "x", more: Mapping[str, object] = {}, **end: object) -> Parts:
    """Return an execution that decodes, and says a text wherever it can."""
    first = encoding.pack(launch(text, **more))
    artifact = {"path": text, "type": "file", "how": "declared", "size": 1,
                "digests": {"blake3": bytes(32)}}  # fmt: skip
    last = {"format": 1, "kind": "execution", "execution": digest.execution_id(first),
            "status": "succeeded", "outputs": [artifact], "inputs": [artifact],
            "metadata": {text: text}, "warnings": [text], **end}  # fmt: skip
    return {"launch": first, "record": encoding.pack(last), "log": text.encode() * 3}


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\xc0"


def broken() -> dict[str, Parts]:
    """Return records that are none, by what is wrong with them."""
    sound = execution()
    first, last = sound["launch"], sound["record"]
    cycle = "a" * 40
    bodies = {
        "nothing": b"", "text": b"hello", "an array of 4 GiB": b"\xdd\xff\xff\xff\xff",
        "a map of 4 GiB": b"\xdf\xff\xff\xff\xff", "text of 4 GiB": b"\xdb\xff\xff\xff\xff",
        "bytes of 4 GiB": b"\xc6\xff\xff\xff\xff", "an extension": b"\xc7\x04\x01abcd",
        "deep": nested(200_000), "deeper than allowed": nested(65),
        "nested claims": b"\xdd\x00\x10\x00\x00" * 4000, "a time": b"\xd6\xff\x00\x00\x00\x00",
        "two keys alike": b"\x82\xa1a\x01\xa1a\x02", "not sorted": b"\x82\xa1b\x01\xa1a\x02",
        "not shortest": b"\xcd\x00\x01", "nan": b"\xcb" + struct.pack(">d", float("nan")),
        "of zeros": bytes(1 << 20), "a list": encoding.pack([1]), "null": b"\xc0",
        "no kind": encoding.pack({"format": 1}), "later": encoding.pack({"format": 9, "kind": "x"}),
        "format of text": encoding.pack({"format": "1"}),
        "more behind it": last + b"\x01", "cut": last[:-3],
    }  # fmt: skip
    made: dict[str, Parts] = {f"record: {why}": {"record": each} for why, each in bodies.items()}
    made |= {f"launch: {why}": {"launch": each, "record": last} for why, each in bodies.items()}
    made |= {
        "no parts": {},
        "of another": {"launch": encoding.pack(launch("other")), "record": last},
        "an odd part": {**sound, "..x": b"", "CON": b"x"},
        "its own parent": execution(more={"parent": cycle, "root": cycle}),
        "redacted to be another": {
            "launch": encoding.pack(launch("r", redacted=digest.execution_id(first))),
            "record": last,
        },
        "times beyond time": execution(more={"started_at": 1 << 62}, finished_at=-(1 << 62)),
        "times beyond years": execution(more={"started_at": (1 << 61)}, duration=-1),
        "a manifest of terabytes": {
            **execution("m"),
            "manifests/" + "0" * 64: encoding.pack(
                [{"name": f"{n}", "type": "file", "size": 1 << 61, "digest": bytes(32)}
                 for n in range(1000)]),
        },
        "a series that lies": {**execution("s"), "metadata/00000": nested(10), "usage": b"\xc1"},
        "a redaction of all": {
            "record": encoding.encode(Redaction(
                nonce=b"x", month="2026-11", generation=1, records_count=1, forgotten_at=1,
                agent=_agent(), software=_software(), message=ESCAPES)),
            "forgotten": b"\xff\xfe\n" * 10,
        },
        "metadata of nothing": {"record": encoding.pack(
            {"format": 1, "kind": "metadata", "nonce": b"", "subject": "zz", "values": {},
             "set_at": 1, "agent": {"name": "", "email": ""}, "software": {}})},
    }  # fmt: skip
    return made


def _agent() -> object:
    from gitlineage.records.launch import Agent

    return Agent(name=ESCAPES, email="x")


def _software() -> object:
    from gitlineage.records.launch import Software

    return Software(name="x", version="1")


@pytest.fixture
def limited(repo: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run `git lineage` with little memory and time; it has to end by itself, and be no bug."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def run(*words: str, cwd: Path = repo) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(["git", "lineage", *words], cwd=cwd, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=SECONDS,
                              preexec_fn=limit)  # fmt: skip
        said = done.stderr.decode(errors="replace")
        assert done.returncode in (0, 1, 2, 3, 4), (words, done.returncode, said)
        assert "Traceback" not in said, said
        # To a pipe `output` gives what was printed, byte for byte.
        shown = b"" if words[0] == "output" else done.stdout
        assert "\x1b" not in said + shown.decode(errors="replace"), words
        return done

    return run


# The same for many command lines in one process: a start costs more than most of them do.
DRIVER = """
import json, os, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from gitlineage.cli import main
for words in json.load(sys.stdin):
    home = os.getcwd()
    code = main(words)
    os.chdir(home)
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.write(stream, f"\\n{code} ends {words!a}\\n".encode())
"""


def all_limited(repo: Path, commands: list[tuple[str, ...]]) -> None:
    """Run command lines one after another, as `limited` does each."""
    done = subprocess.run([sys.executable, "-c", DRIVER, str(MEMORY)], cwd=repo,
                          input=json.dumps(commands).encode(), capture_output=True,
                          timeout=SECONDS * 2)  # fmt: skip
    printed, said = (each.decode(errors="replace") for each in (done.stdout, done.stderr))
    assert done.returncode == 0, said
    assert "Traceback" not in said, said
    assert "\x1b" not in said
    for words in commands:
        ended = re.search(rf"\n(.+) ends {re.escape(ascii(list(words)))}\n", printed)
        assert ended and ended[1] in ("0", "1", "2", "3", "4"), (words, printed[-1000:], said)
        assert words[0] == "output" or "\x1b" not in printed[: ended.start()], words
        printed = printed[ended.end() :]


def outside(repo: Path) -> set[str]:
    """Return what is beside the repository, and in its work tree."""
    names = {str(each) for each in repo.parent.iterdir() if each.name not in ("empty", "home")}
    return names | {str(each) for each in repo.rglob("*") if ".git" not in each.parts}


READ = (
    ("log",), ("log", "--oneline"), ("log", "--json"), ("sql", "SELECT * FROM executions"),
    ("sql", "SELECT * FROM artifacts"), ("tag",), ("alias",), ("deploy", "--list"),
    ("export",), ("status",), ("forget",), ("log", "--where", "x = 1"), ("log", "--cost"),
    ("verify",),
)  # fmt: skip
OF_ONE = (
    ("show",), ("show", "--json"), ("show", "--packages"), ("show", "--usage"), ("output",),
    ("code",), ("code", "--cells"), ("trace",), ("trace", "--format", "dot"),
    ("trace", "--format", "json"), ("trace", "--format", "mermaid"), ("metadata", "show"),
    ("diff", "@sound"),
)  # fmt: skip


# -- records that are none -------------------------------------------------------------------


def test_what_makes_no_sense_hides_nothing(
    repo: Path, limited: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    record(repo, "sound")
    git(repo, "update-ref", CHAIN, *git(repo, "for-each-ref", "--format=%(objectname)",
                                        "refs/lineage/ledger").split())  # fmt: skip
    for parts in broken().values():
        commit(repo, parts)
    record(repo, "later")
    before = outside(repo)
    for words in READ:
        limited(*words)
    shown = limited("log", "--oneline").stdout.decode()
    assert shown.count(" sound\n") == shown.count(" later\n") == 1
    with gitlineage.open(repo) as lineage:
        rows = lineage.rows()
        assert {"sound", "later"} <= {each.step for each in rows}
        assert len(lineage.view().index.problems()) > 40
    ids = sorted({each.id for each in rows})
    all_limited(repo, [(verb, id, *options) for id in ids for verb, *options in OF_ONE])
    for id in ids:
        assert limited("reproduce", id).returncode != 0
    assert outside(repo) == before


def test_what_is_no_chain_of_records(
    repo: Path, limited: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    record(repo, "sound")
    blob = git(repo, "hash-object", "-w", "README.md").strip()
    tree = git(repo, "rev-parse", "HEAD^{tree}").strip()
    for number, name in enumerate(("2026-11.000001", "x", "9999-99", "2026-11.9999999", "-rf",
                                   "a/b/c", "$(touch owned)")):  # fmt: skip
        target = (blob, tree, git(repo, "rev-parse", "HEAD").strip())[number % 3]
        path = repo / ".git/refs/lineage/ledger" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(target + "\n")
    (repo / ".git/refs/lineage/tags").mkdir(parents=True)
    for name in ("%2E%2E%2Fout", "%ZZ", "a%00b"):
        (repo / ".git/refs/lineage/tags" / name).write_text(blob + "\n")
    for words in (*READ, ("show", "@sound"), ("trace", "@sound")):
        limited(*words)
    assert limited("log", "--oneline").stdout.decode().endswith(" sound\n")


# -- words that would do something elsewhere -------------------------------------------------


def test_words_stay_words(
    repo: Path, limited: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    for text in TRICKS:
        commit(repo, execution(text), message=text.replace("\0", ""))
    record(repo, "sound")
    before = outside(repo)
    for words in READ:
        limited(*words)
    with gitlineage.open(repo) as lineage:
        ids = [each.id for each in lineage.rows()]
    assert len(ids) == len(TRICKS) + 1
    of_one = (*OF_ONE, ("code", "-o", str(repo.parent / "code")), ("reproduce",))
    all_limited(repo, [(verb, id, *options) for id in ids for verb, *options in of_one])
    for text in TRICKS:
        if not text.startswith("-"):
            limited("trace", text)
    assert outside(repo) == before
    assert not (repo / "owned").exists()
    assert not Path("/etc/hostile").exists()


def test_code_that_leaves_its_folder(
    repo: Path, limited: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    """A tree of code with links that lead outside, and names that a file system has for itself."""
    link = subprocess.run(["git", "hash-object", "-w", "--stdin"], input=b"../..", cwd=repo,
                          capture_output=True, check=True).stdout.strip()  # fmt: skip
    blob = git(repo, "hash-object", "-w", "README.md").strip().encode()
    folder = subprocess.run(["git", "mktree", "-z"], input=b"100644 blob %s\towned\0" % blob,
                            cwd=repo, capture_output=True, check=True).stdout.strip()  # fmt: skip
    for entries in (
        b"120000 blob %s\tlink\0" % link,
        b"040000 tree %s\t..\0" % folder,
        b"040000 tree %s\t.git\0" % folder,
        b"040000 tree %s\t.GIT\0" % folder,
    ):
        tree = subprocess.run(["git", "mktree", "-z", "--missing"], input=entries, cwd=repo,
                              capture_output=True, check=True).stdout.decode().strip()  # fmt: skip
        held = git(repo, "commit-tree", "-m", "x", tree).strip()
        made = execution("c", {"code": {"tree": tree, "snapshot": held}})
        commit(repo, made)
        git(repo, "update-ref", f"refs/lineage/code/{held[:8]}", held)
        before = outside(repo)
        into = repo.parent / "restored"
        limited("code", digest.execution_id(made["launch"]), "-o", str(into))
        limited("reproduce", digest.execution_id(made["launch"]))
        found = {each for each in outside(repo) - before if not each.startswith(str(into))}
        assert found == set()
        assert not (repo.parent / "owned").exists()
        if into.exists():
            assert not (into / ".git").exists()
            subprocess.run(["rm", "-rf", into], check=True)


def test_it_comes_by_a_fetch(
    clone_pair: tuple[Path, Path], limited: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    ours, theirs = clone_pair
    record(ours, "sound")
    for parts in list(broken().values())[::3]:
        commit(theirs, parts)
    git(theirs, "push", "-q", "origin", f"{CHAIN}:{CHAIN}", "HEAD:refs/lineage/tags/-x",
        "HEAD:refs/lineage/ledger/a.b", "HEAD:refs/lineage/code/2026-11")  # fmt: skip
    limited("fetch", "origin", cwd=ours)
    limited("push", "origin", cwd=ours)
    assert "sound" in steps(ours)
    sync(theirs).fetch("origin")
    assert "sound" in steps(theirs)


# -- any bytes -------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats()
    | st.text(max_size=20) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=4),
    max_leaves=12,
)  # fmt: skip
fields = st.sampled_from([*launch(), "execution", "status", "outputs", "redacted", "parent"])
mutated = st.dictionaries(fields, anything, max_size=6).map(
    lambda changes: msgpack.packb({**launch(), **changes}, use_bin_type=True)
)
bodies = st.binary(max_size=200) | anything.map(msgpack.packb) | mutated


CORPUS = sorted((Path(__file__).parent / "soak/corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_fuzzing_has_found_is_read_or_refused(path: Path) -> None:
    test_any_bytes_are_read_or_refused.hypothesis.inner_test(path.read_bytes())  # type: ignore[attr-defined]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies)
@example(b"\xdd\xff\xff\xff\xff")
@example(nested(100_000))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (
        encoding.unpack,
        lambda body: encoding.decode(Launch, body),
        lambda body: name_in(Stored(commit="0" * 40, tree="0" * 40, launch=body, record=body)),
        lambda body: name_in(Stored(commit="0" * 40, tree="0" * 40, launch=None, record=body)),
        lambda body: list(Series([body], "x").points()),
    ):
        try:
            read(content)
        except LineageError:
            continue


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(bodies, bodies), min_size=1, max_size=8))
def test_any_records_leave_the_index_sound(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[bytes, bytes]]
) -> None:
    from gitlineage.index import Index

    index = Index(str(tmp_path_factory.mktemp("index") / "index.sqlite"))
    stored = [
        Stored(commit=f"{n:040x}", tree=f"{n + 99:040x}", launch=first or None, record=last or None)
        for n, (first, last) in enumerate(records)
    ]
    sound = execution("sound")
    stored.append(Stored(commit="f" * 40, tree="e" * 40, launch=sound["launch"],
                         record=sound["record"]))  # fmt: skip
    assert index.update({"x": "f" * 40}, expected={}, added=stored)
    assert [each.step for each in index.executions() if each.step == "sound"] == ["sound"]
    index.close()
