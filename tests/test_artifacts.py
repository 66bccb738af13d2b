"""What a path is called, and what it holds: files and folders by content."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage import artifacts, digest, encoding, fingerprints, hashing
from gitlineage.artifacts import Reader, changed_at, directories, is_inside, is_uri
from gitlineage.fingerprints import Fingerprints

HOST = os.uname().nodename
ODD = os.fsdecode(b"caf\xe9\n")


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = (tmp_path / "top").resolve()
    (path / "sub/deep").mkdir(parents=True)
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def reader(top: Path, tmp_path: Path) -> Reader:
    return Reader(str(top), Fingerprints(str(tmp_path / "lineage")))


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def content(text: str) -> bytes:
    return digest.of_bytes(text.encode())


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a", "sub/a"),
        ("./a", "sub/a"),
        ("deep/../a", "sub/a"),
        ("../a", "a"),
        ("..", "."),
        (".", "sub"),
        ("../sub//deep/", "sub/deep"),
        ("no/such/file", "sub/no/such/file"),
        (ODD, f"sub/{ODD}"),
        ("TOP/a", "a"),
        ("TOP", "."),
        ("TOP/", "."),
        ("TOPPING/a", "OUTSIDE/topping/a"),
        ("../../a", "OUTSIDE/a"),
        ("/etc/hosts", "/etc/hosts"),
        ("/", "/"),
    ],
)
def test_names_are_relative_to_the_top_and_absolute_outside(
    given: str, name: str, reader: Reader, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("sub")
    given = given.replace("TOPPING", f"{top}ping").replace("TOP", str(top))
    assert reader.name(given) == name.replace("OUTSIDE", str(top.parent))


def test_a_name_may_be_given_from_another_folder(reader: Reader, top: Path) -> None:
    assert reader.name("a", str(top / "sub/deep")) == "sub/deep/a"


def test_a_link_inside_the_work_tree_is_called_as_it_stands_there(
    reader: Reader, top: Path, tmp_path: Path
) -> None:
    write(tmp_path / "outside/file")
    (top / "link").symlink_to(tmp_path / "outside")
    (top / "file").symlink_to(tmp_path / "outside/file")
    assert reader.name("link/file") == "link/file"
    assert reader.name("file") == "file"


def test_a_link_from_outside_leads_into_the_work_tree(
    reader: Reader, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alias").symlink_to(top)
    assert reader.name(str(tmp_path / "alias/sub/a")) == "sub/a"
    through = Reader(str(tmp_path / "alias"), Fingerprints(str(tmp_path / "lineage")))
    assert through.name(str(top / "sub/a")) == "sub/a"
    assert through.name(str(tmp_path / "alias/sub/a")) == "sub/a"


def test_above_a_link_is_what_is_above_its_target(
    reader: Reader, top: Path, tmp_path: Path
) -> None:
    write(tmp_path / "outside/folder/x")
    write(tmp_path / "outside/file", "the right one")
    write(top / "file", "the wrong one")
    (top / "link").symlink_to(tmp_path / "outside/folder")
    name = reader.name("link/../file")
    assert name == str(tmp_path.resolve() / "outside/file")
    assert reader.read(name, how="declared").digests["blake3"] == content("the right one")
    (top / "sub/link").symlink_to("deep")
    assert reader.name("sub/deep/../link/x") == "sub/link/x"


def test_a_name_leads_back_to_its_path(reader: Reader, top: Path) -> None:
    assert reader.locate("sub/a") == str(top / "sub/a")
    assert reader.locate("/etc/hosts") == "/etc/hosts"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3://bucket/key", True),
        ("https://example.org/x", True),
        ("git+ssh://host/x", True),
        ("a.b-c+d://x", True),
        ("s3://", False),
        ("://x", False),
        ("1a://x", False),
        ("a b://x", False),
        ("a_b://x", False),
        ("/a://x", False),
        ("C:/x", False),
        ("mailto:x", False),
        ("plain", False),
    ],
)
def test_what_is_a_uri(given: str, expected: bool) -> None:
    assert is_uri(given) is expected


@given(st.text("a/.", max_size=6), st.text("a/.", max_size=6))
def test_what_is_inside_of_what(one: str, other: str) -> None:
    path, folder = (os.path.normpath(each or ".") for each in (one, other))
    if path == "." or path.startswith("..") or os.path.isabs(path) or folder.startswith(".."):
        return
    expected = folder == "." or [*folder.split("/")] == path.split("/")[: len(folder.split("/"))]
    assert is_inside(path, folder) is expected


# -- files ---------------------------------------------------------------------------------------


def test_a_file_is_its_content(reader: Reader, top: Path) -> None:
    write(top / "sub/a", "hello")
    found = reader.read("sub/a", how="declared", role="data", given="a")
    assert (found.path, found.type, found.how) == ("sub/a", "file", "declared")
    assert (found.size, found.role, found.given, found.host) == (5, "data", "a", None)
    assert found.digests["blake3"] == content("hello")
    assert found.is_executable is False
    assert reader.manifests == {}


def test_the_given_spelling_is_kept_only_where_it_differs(reader: Reader, top: Path) -> None:
    write(top / "a")
    assert reader.read("a", how="declared", given="a").given is None
    assert reader.read("a", how="declared", given="./a").given == "./a"


def test_a_file_outside_tells_whose_file_system(reader: Reader, tmp_path: Path) -> None:
    path = write(tmp_path / "outside")
    assert reader.read(str(path), how="argument").host == HOST


def test_a_file_that_is_not_utf8_is_read(reader: Reader, top: Path) -> None:
    write(top / ODD, "odd")
    found = reader.read(ODD, how="declared")
    assert (found.path, found.digests["blake3"]) == (ODD, content("odd"))


def test_an_executable_file_says_so(reader: Reader, top: Path) -> None:
    write(top / "run").chmod(0o755)
    assert reader.read("run", how="declared").is_executable is True
    write(top / "run").chmod(0o655)
    assert reader.read("run", how="declared").is_executable is False


def test_a_link_to_a_file_is_what_it_leads_to(reader: Reader, top: Path) -> None:
    write(top / "a", "hello")
    (top / "link").symlink_to("a")
    found = reader.read("link", how="declared")
    assert (found.path, found.type, found.digests["blake3"]) == ("link", "file", content("hello"))


def test_what_has_no_content_is_special(reader: Reader, top: Path) -> None:
    os.mkfifo(top / "pipe")
    for name in ("pipe", "/dev/null"):
        found = reader.read(name, how="declared")
        assert (found.type, found.digests, found.size) == ("special", {}, None)


def test_what_is_not_there_is_an_os_error(reader: Reader, top: Path) -> None:
    (top / "dangling").symlink_to("nowhere")
    (top / "loop").symlink_to("loop")
    for name in ("none", "dangling", "loop"):
        with pytest.raises(OSError):
            reader.read(name, how="declared")


# -- folders -------------------------------------------------------------------------------------


def test_a_folder_is_the_digest_of_its_manifest(reader: Reader, top: Path) -> None:
    write(top / "data/b", "bb").chmod(0o755)
    write(top / "data/a", "a")
    write(top / "data/\u00e9", "e")
    (top / "data/Z").symlink_to("../nowhere")
    write(top / f"data/{ODD}", "odd")
    write(top / "data/in/c", "ccc")
    found = reader.read("data", how="declared")
    manifest = reader.manifests[found.digests["blake3"].hex()]
    assert digest.of_bytes(manifest) == found.digests["blake3"]
    inner = digest.of_bytes(
        encoding.pack([{"name": "c", "type": "file", "size": 3, "digest": content("ccc")}])
    )
    assert encoding.unpack(manifest) == [
        {"name": "Z", "type": "link", "size": 10, "digest": content("../nowhere")},
        {"name": "a", "type": "file", "size": 1, "digest": content("a")},
        {"name": "b", "type": "file", "size": 2, "digest": content("bb"), "executable": True},
        {"name": b"caf\xe9\n", "type": "file", "size": 3, "digest": content("odd")},
        {"name": "in", "type": "directory", "size": 3, "digest": inner},
        {"name": "\u00e9", "type": "file", "size": 1, "digest": content("e")},
    ]
    assert (found.type, found.size) == ("directory", 10)
    assert set(reader.manifests) == {found.digests["blake3"].hex(), inner.hex()}


def test_a_folder_is_the_same_wherever_and_whenever_it_is(
    reader: Reader, top: Path, tmp_path: Path
) -> None:
    for base in (top / "one", tmp_path / "two"):
        for name in sorted(("a", "b/c", "b/d"), reverse=base.name == "two"):
            write(base / name, name)
            os.utime(base / name, (len(base.name), 1))
    found = reader.read("one", how="declared")
    assert found.digests == reader.read(str(tmp_path / "two"), how="declared").digests


def test_one_changed_file_changes_the_manifests_on_its_way_only(reader: Reader, top: Path) -> None:
    for name in ("a/1", "a/2", "b/1", "b/in/1", "c/1"):
        write(top / "data" / name, name)
    before = reader.read("data", how="declared")
    old = dict(reader.manifests)
    assert len(old) == 5
    reader.manifests.clear()
    write(top / "data/b/in/1", "changed")
    after = reader.read("data", how="declared")
    assert after.digests != before.digests
    assert len(reader.manifests.keys() - old.keys()) == 3  # data, b, b/in
    assert len(reader.manifests.keys() & old.keys()) == 2  # a, c


def test_links_in_folders_are_not_followed(reader: Reader, top: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside/secret", "s")
    (top / "data").mkdir()
    (top / "data/folder").symlink_to(tmp_path / "outside")
    (top / "data/up").symlink_to("..")
    (top / "data/self").symlink_to("self")
    odd = os.fsdecode(b"\xff")
    (top / "data/odd").symlink_to(odd)
    found = reader.read("data", how="declared")
    entries = encoding.unpack(reader.manifests[found.digests["blake3"].hex()])
    assert [each["type"] for each in entries] == ["link"] * 4
    assert entries[1]["digest"] == digest.of_bytes(b"\xff")
    assert found.size == 0
    assert len(reader.manifests) == 1


def test_what_has_no_content_and_gits_own_folder_are_left_out(reader: Reader, top: Path) -> None:
    write(top / "data/a")
    expected = reader.read("data", how="declared").digests
    os.mkfifo(top / "data/pipe")
    write(top / "data/.git/config")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(top / "data")
        listener.bind("socket")
        os.chdir(top)
        assert reader.read("data", how="declared").digests == expected


def test_an_empty_folder_has_a_manifest_too(reader: Reader, top: Path) -> None:
    (top / "empty").mkdir()
    found = reader.read("empty", how="declared")
    assert found.digests["blake3"] == digest.of_bytes(encoding.pack([]))
    assert found.size == 0


def test_the_files_of_folders_that_were_read_are_known(reader: Reader, top: Path) -> None:
    for name in ("data/a", "data/in/b", "database/c"):
        write(top / name, name)
    for name in ("data", "database"):
        reader.read(name, how="declared")
    assert reader.held("data") == {
        str(top / "data/a"): content("data/a"),
        str(top / "data/in/b"): content("data/in/b"),
    }


def test_the_newest_change_in_a_folder_counts(top: Path) -> None:
    write(top / "data/in/a")
    write(top / "data/.git/b")
    before = changed_at("data")
    assert before >= os.stat("data/in/a").st_ctime_ns
    while os.stat("data/.git/b").st_ctime_ns <= before:
        os.utime("data/.git/b")
    assert changed_at("data") == before
    while os.stat("data/in/a").st_ctime_ns <= before:
        os.utime("data/in/a", (1, 1))
    assert changed_at("data") == os.stat("data/in/a").st_ctime_ns
    assert changed_at("none") == 0
    assert artifacts.changed_at(str(top)) >= changed_at("data")


def test_names_of_paths(repo: Path, isolated: Path) -> None:
    reader = Reader(str(repo), Fingerprints(str(repo / ".git/lineage")))
    (repo / "sub").mkdir()
    (isolated / "link").symlink_to(repo / "sub")
    for given_path, name in (
        ("code.py", "code.py"), ("./a/../code.py", "code.py"), (str(repo / "x/y"), "x/y"),
        (".", "."), (str(repo), "."), ("..", str(isolated)), ("../other", str(isolated / "other")),
        (str(isolated / "link/new"), "sub/new"), (f"{repo}-suffix", f"{repo}-suffix"),
    ):  # fmt: skip
        assert reader.name(given_path) == name
        assert os.path.normpath(reader.locate(name)) in (
            os.path.normpath(os.path.join(os.getcwd(), given_path)), str(repo / "sub/new")
        )  # fmt: skip


@pytest.mark.parametrize(("given_text", "expected"), [
    ("s3://bucket/key", True), ("git+ssh://host/x", True), ("https://a", True), ("a://", False),
    ("file.txt", False), ("://x", False), ("1s://x", False), ("a b://x", False), ("C:/x", False),
])  # fmt: skip
def test_uris(given_text: str, expected: bool) -> None:
    assert is_uri(given_text) is expected


@pytest.mark.parametrize(("path", "folder", "expected"), [
    ("a/b", "a", True), ("a", "a", True), ("ab", "a", False), ("a", "a/b", False),
    ("x", ".", True), ("/x", ".", False), ("/a/b", "/a", True),
])  # fmt: skip
def test_inside(path: str, folder: str, expected: bool) -> None:
    assert is_inside(path, folder) is expected


# -- directories that are read again ---------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read, as they are."""
    read: list[str] = []
    read_share = hashing.Share.read

    def noting(share: hashing.Share) -> None:
        read.extend(os.fsdecode(each) for each in share.names)
        read_share(share)

    monkeypatch.setattr(hashing.Share, "read", noting)
    monkeypatch.setattr(directories, "WORTH_REMEMBERING", 1)
    return read


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe every file: none is written twice within one tick here."""
    monkeypatch.setattr(fingerprints, "TICK", 0)


def changed(share: hashing.Share) -> None:
    """Find that all files are others than those that were listed."""
    share.digests = [None] * len(share.names)


def again(top: Path, tmp_path: Path) -> Reader:
    return Reader(str(top), Fingerprints(str(tmp_path / "lineage")))


def test_only_what_has_changed_is_read_again(
    top: Path, tmp_path: Path, reads: list[str], settled: None
) -> None:
    for name in ("a", "in/b", "in/c", "in/deep/d", "other/e"):
        write(top / "data" / name, name)
    (top / "data/link").symlink_to("a")
    first = again(top, tmp_path).read("data", how="declared")
    assert sorted(reads) == ["a", "b", "c", "d", "e"]
    reads.clear()
    reader = again(top, tmp_path)
    assert reader.read("data", how="declared") == first
    assert reads == []
    assert len(reader.manifests) == 4  # all of them: the record is to hold them
    write(top / "data/in/c", "changed")
    write(top / "data/in/new", "new")
    (top / "data/in/b").chmod(0o755)
    (top / "data/other/e").unlink()
    changed = again(top, tmp_path).read("data", how="declared")
    assert sorted(reads) == ["b", "c", "new"]
    fresh = Reader(str(top), Fingerprints(str(tmp_path / "nothing")))
    assert fresh.read("data", how="declared") == changed != first


def test_a_file_within_a_tick_of_the_clock_is_read_again(
    top: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "TICK", 10**15)
    write(top / "data/a", "a")
    again(top, tmp_path).read("data", how="declared")
    write(top / "data/a", "b")  # same size; the clock may not have ticked
    found = again(top, tmp_path).read("data", how="declared")
    assert reads == ["a", "a"]
    assert found == Reader(str(top), Fingerprints(str(tmp_path / "x"))).read("data", how="declared")


def test_what_vanishes_while_it_is_read_was_not_there(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(top / "expected/a", "a")
    for name in ("a", "b", "in/c"):
        write(top / "data" / name, name)
    (top / "data/link").symlink_to("a")
    listed = directories._listed

    def vanishing(path: str) -> directories._Folder:
        found = listed(path)
        for name in ("b", "in/c", "link"):
            (top / "data" / name).unlink(missing_ok=True)
        if (top / "data/in").exists():
            (top / "data/in").rmdir()
        return found

    monkeypatch.setattr(directories, "_listed", vanishing)
    found = again(top, tmp_path).read("data", how="declared")
    assert found.digests == again(top, tmp_path).read("expected", how="declared").digests


def test_what_changes_while_it_is_read_is_told(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str], settled: None
) -> None:
    write(top / "data/a", "a")
    unsteady = hashing.Read(content("b"), hashing.stamp(os.stat("data/a")), is_steady=False)
    with monkeypatch.context() as patch:
        patch.setattr(hashing.Share, "read", changed)
        patch.setattr(hashing, "read_file", lambda path: unsteady)
        reader = again(top, tmp_path)
        reader.read("data", how="declared")
        assert reader.unsteady == [str(top / "data/a")]
    reader = again(top, tmp_path)
    reader.read("data", how="declared")
    assert (reads, reader.unsteady) == (["a"], [])  # it was not remembered


def test_a_file_that_is_written_after_it_was_listed_is_what_it_is_then(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(top / "expected/a", "longer").chmod(0o755)
    write(top / "data/a", "a")
    listed = directories._listed

    def writing(path: str) -> directories._Folder:
        found = listed(path)
        write(top / "data/a", "longer").chmod(0o755)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(directories, "_listed", writing)
        found = again(top, tmp_path).read("data", how="declared")
    assert found == again(top, tmp_path).read("data", how="declared")
    expected = again(top, tmp_path).read("expected", how="declared")
    assert (found.digests, found.size) == (expected.digests, expected.size)


def test_what_cannot_be_read_is_named(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(top / "data/in/a")

    def refuse(path: str) -> hashing.Read:
        raise PermissionError(13, os.strerror(13), path)

    monkeypatch.setattr(hashing.Share, "read", changed)
    monkeypatch.setattr(hashing, "read_file", refuse)
    with pytest.raises(PermissionError) as error:
        again(top, tmp_path).read("data", how="declared")
    assert artifacts.why(error.value, str(top / "data")) == "permission denied: in/a"
    assert artifacts.why(error.value, str(top / "data/in/a")) == "permission denied"


def test_a_repository_inside_is_the_files_that_it_has_checked_out(
    top: Path, reader: Reader
) -> None:
    for name in ("plain/a", "whole/a", "whole/.git/HEAD", "module/a", "module/.git"):
        write(top / name, "same")
    found = [reader.read(name, how="declared") for name in ("plain", "whole", "module")]
    assert len({each.digests["blake3"] for each in found}) == 1


TREES = st.dictionaries(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "x", "y"]),
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TREES, TREES, st.randoms(use_true_random=False))
def test_directories_are_equal_if_and_only_if_their_content_is(
    tmp_path: Path, one: dict[str, str], other: dict[str, str], random: Random
) -> None:
    found = []
    kept: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        for number, tree in enumerate((one, other)):
            top = Path(folder, str(number))
            top.mkdir()
            names = sorted(tree)
            random.shuffle(names)
            made = {}
            for name in names:
                try:
                    made[str(write(top / name, tree[name]).relative_to(top))] = tree[name]
                except (IsADirectoryError, NotADirectoryError, FileExistsError):
                    continue  # it is a folder, or a file is where its folder would be
            kept.append(made)
            reader = Reader(folder, Fingerprints(str(tmp_path / "lineage")))
            found.append(reader.read(str(number), how="declared").digests)
    assert (found[0] == found[1]) == (kept[0] == kept[1])
