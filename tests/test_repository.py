"""What is asked of git, and what it answers."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from pathlib import Path

import pytest
from conftest import Git
from repositories import ADA, ODD, REF, commit_of, untracked

from gitlineage import worktree
from gitlineage.errors import GitFailed, NoRepository, NoWorkTree, UnknownId
from gitlineage.gitprocess import GitProcess
from gitlineage.repository import Repository


@pytest.fixture
def plain(repo: Path) -> Repository:
    return Repository.discover(str(repo))


# -- finding it ----------------------------------------------------------------------------------


def test_discover_from_a_folder_inside(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "a/b").mkdir(parents=True)
    monkeypatch.chdir(repo / "a")
    for found, prefix in (
        (Repository.discover(), "a/"),
        (Repository.discover("b"), "a/b/"),
        (Repository.discover(str(repo)), ""),
    ):
        assert (found.top, found.prefix) == (str(repo), prefix)
        assert found.git_dir == found.common_dir == str(repo / ".git")
        assert found.lineage_dir == str(repo / ".git/lineage")
        assert found.work_tree() == str(repo)


def test_discover_a_bare_repository(bare_remote: Path) -> None:
    found = Repository.discover(str(bare_remote))
    assert (found.top, found.git_dir, found.common_dir) == (
        None,
        str(bare_remote),
        str(bare_remote),
    )
    assert found.tips("refs/") == {}
    with pytest.raises(NoWorkTree) as caught:
        found.work_tree()
    assert str(caught.value) == f"this repository has no work tree: {bare_remote}"


def test_discover_from_inside_the_git_folder(repo: Path) -> None:
    found = Repository.discover(str(repo / ".git"))
    assert (found.top, found.git_dir) == (None, str(repo / ".git"))


def test_discover_a_linked_work_tree(repo: Path, git: Git, isolated: Path) -> None:
    git("worktree", "add", "-q", isolated / "linked")
    (isolated / "linked/sub").mkdir()
    found = Repository.discover(str(isolated / "linked/sub"))
    assert (found.top, found.prefix) == (str(isolated / "linked"), "sub/")
    assert found.git_dir == str(repo / ".git/worktrees/linked")
    assert found.common_dir == str(repo / ".git")
    (isolated / "linked/code.py").write_text("1")
    tree = worktree.tree_with(found, ["code.py"])
    assert git("cat-file", "blob", f"{tree}:code.py") == "1"
    assert worktree.status(found).branch == "linked"


def test_discover_through_a_link(repo: Path, isolated: Path) -> None:
    (isolated / "link").symlink_to(repo)
    found = Repository.discover(str(isolated / "link"))
    assert (found.top, found.common_dir) == (str(repo), str(repo / ".git"))


@pytest.mark.parametrize("name", ["with space", "new\nline", "\udcff", "caf\u00e9", "-x", "'\"$;"])
def test_discover_whatever_the_folder_is_called(name: str, isolated: Path, git: Git) -> None:
    top = isolated / name
    git("init", "-q", "--", top)
    (top / name).mkdir()
    found = Repository.discover(str(top / name))
    assert (found.top, found.prefix) == (str(top), f"{name}/")
    assert found.common_dir == str(top / ".git")
    (top / "file").touch()
    assert untracked(found) == ("file",)


@pytest.mark.parametrize("is_relative", [True, False])
def test_git_dir_and_work_tree_of_the_environment_hold_everywhere(
    is_relative: bool, repo: Path, isolated: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = isolated / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    monkeypatch.chdir(elsewhere / "sub")
    monkeypatch.setenv("GIT_DIR", "../../repo/.git" if is_relative else str(repo / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", ".." if is_relative else str(elsewhere))
    found = Repository.discover()
    assert (found.top, found.git_dir, found.prefix) == (str(elsewhere), str(repo / ".git"), "sub/")
    (elsewhere / "file").write_text("1")
    status = worktree.status(found)
    assert untracked(found) == ("file",)
    assert set(status.changed) == {"README.md", "code.py"}
    assert list(found.entries(worktree.tree_with(found, [*status.changed, "file"]))) == ["file"]


def test_git_dir_alone_makes_the_folder_the_work_tree(
    repo: Path, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(isolated / "empty")
    monkeypatch.setenv("GIT_DIR", "../repo/.git")
    found = Repository.discover()
    assert found.top == str(isolated / "empty")
    assert set(worktree.status(found).changed) == {"README.md", "code.py"}


def test_a_folder_in_no_repository(isolated: Path) -> None:
    empty = isolated / "empty"
    with pytest.raises(NoRepository) as caught:
        Repository.discover(str(empty))
    assert str(caught.value) == f"not a git repository: {empty}"
    with pytest.raises(NoRepository, match=r"none \(no such folder\)"):
        Repository.discover(str(empty / "none"))
    (empty / "file").touch()
    with pytest.raises(NoRepository, match=r"file \(no such folder\)"):
        Repository.discover(str(empty / "file"))


def test_a_repository_of_somebody_else_is_refused_in_gits_words(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(NoRepository, match=r"^git does not open another user's .*/repo$"):
        Repository.discover(str(repo))


def test_a_damaged_repository_is_refused_in_gits_words(repo: Path) -> None:
    (repo / ".git/config").write_text("[core\n")
    with pytest.raises(NoRepository, match=r"^git does not open .*/repo: bad config line 1"):
        Repository.discover(str(repo))


# -- the process ---------------------------------------------------------------------------------


def variable(repository: Repository, name: str) -> str:
    return repository.ask("-c", f'alias.x=!printf %s "${name}"', "x").decode()


def test_git_speaks_its_own_words_and_takes_no_locks(
    plain: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "de:fr")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert variable(plain, "LANGUAGE") == "C"
    assert variable(plain, "GIT_OPTIONAL_LOCKS") == "0"
    assert variable(plain, "LC_ALL") == "C.UTF-8"


def test_a_failure_is_told_in_gits_last_words(plain: Repository) -> None:
    with pytest.raises(GitFailed) as caught:
        plain.ask("rev-parse", "--verify", "nothing")
    assert str(caught.value) == "git rev-parse failed: Needed a single revision"
    assert caught.value.facts["exit_code"] == 128


def test_more_is_fed_and_read_than_pipes_hold(plain: Repository) -> None:
    content = bytes(range(256)) * 4096
    blob = plain.ask("hash-object", "-w", "--stdin", content=content).decode().strip()
    assert plain.ask("cat-file", "blob", blob) == content


def test_a_git_that_ends_early_is_not_fed_on(plain: Repository) -> None:
    with pytest.raises(GitFailed):
        plain.ask("hash-object", "--no-such-option", content=b"x" * (1 << 20))
    with pytest.raises(GitFailed):
        process = plain.start("cat-file", "--no-such-option", takes_input=True)
        list(process.stream(b"HEAD\n" for _ in range(100_000)))


def test_no_git_is_an_error_that_says_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo / "none"))
    before = descriptors()
    with pytest.raises(GitFailed, match=r"git version failed: git cannot be run: No such file"):
        GitProcess(["version"], content=b"x")
    assert descriptors() == before


# -- configuration -------------------------------------------------------------------------------


def test_configuration_with_odd_values(plain: Repository, git: Git) -> None:
    with open(".git/config", "ab") as file:
        file.write(
            b"[lineage]\n\talone\n\tempty =\n\ttwice = 1\n\ttwice = 2\n"
            b'\tlines = "one\\ntwo"\n\tequals = a=b\n\tbytes = \xff\n\tMiXed = x\n'
            b'[remote "A.b/C"]\n\turl = u\n'
        )
    found = plain.config()
    assert found["lineage.alone"] == "true"
    assert found["lineage.empty"] == ""
    assert found["lineage.twice"] == "2"
    assert found["lineage.lines"] == "one\ntwo"
    assert found["lineage.equals"] == "a=b"
    assert found["lineage.bytes"] == "\udcff"
    assert found["lineage.mixed"] == "x"
    assert "" not in found
    assert plain.remotes() == {"A.b/C": "u"}


def test_the_remote_of_lineage_is_chosen_as_git_chooses(repo: Path, git: Git) -> None:
    def chosen(branch: str | None = "main") -> str | None:
        return Repository.discover(str(repo)).lineage_remote(branch)

    assert chosen() is None
    git("remote", "add", "only", "u")
    assert chosen() == "only"
    git("remote", "add", "other", "u")
    assert chosen() is None
    git("remote", "add", "origin", "u")
    assert chosen() == "origin"
    git("config", "branch.main.remote", "only")
    assert (chosen(), chosen("side"), chosen(None)) == ("only", "origin", "origin")
    git("config", "remote.pushDefault", "other")
    assert chosen() == "other"
    git("config", "branch.main.pushRemote", "only")
    assert (chosen(), chosen("side")) == ("only", "other")
    git("config", "lineage.remote", "origin")
    assert chosen() == "origin"
    git("config", "lineage.remote", "removed")
    assert chosen() == "only"


# -- refs ----------------------------------------------------------------------------------------


def test_refs_whose_commits_say_odd_things_are_read(plain: Repository, git: Git) -> None:
    ends = "a\x0bb\x0cc\x1cd\x1ee\x85f\u2028g\u2029h\ri"
    (first,) = plain.writer.append(REF, None, [commit_of(ends + "\n")]) or []
    plain.writer.append(REF, first, [commit_of(ODD + "\n\nbody\n")])
    found = plain.refs("refs/lineage/")
    assert list(found) == [REF]
    assert found[REF].parents == (first,)
    assert found[REF].committed_at == ADA.at
    git("update-ref", REF, first)
    assert plain.refs(REF)[REF].subject == ends
    assert plain.tips("refs/lineage/") == {REF: first}


def test_refs_with_odd_names_are_read(plain: Repository, git: Git) -> None:
    odd = ["refs/lineage/tags/a\u2028b", "refs/lineage/tags/a\x85b", "refs/lineage/tags/\u4e2d"]
    head = git("rev-parse", "HEAD")
    for name in odd:
        git("update-ref", name, head)
    assert plain.tips("refs/lineage/") == dict.fromkeys(sorted(odd, key=str.encode), head)
    assert set(plain.refs("refs/lineage/")) == set(odd)
    assert plain.refs("refs/lineage/tags/a") == {}


def test_refs_at_blobs_and_trees_do_not_hide_the_others(plain: Repository, git: Git) -> None:
    git("update-ref", "refs/lineage/ledger/blob", git("hash-object", "-w", "README.md"))
    git("update-ref", "refs/lineage/ledger/tree", "HEAD^{tree}")
    git("tag", "-a", "-m", "x", "v1")
    git("update-ref", "refs/lineage/ledger/tag", git("rev-parse", "v1"))
    (made,) = plain.writer.append(REF, None, [commit_of()]) or []
    found = plain.refs("refs/lineage/ledger/")
    assert found[REF].commit == made
    assert found["refs/lineage/ledger/blob"].tree == ""
    assert len(found) == 4


def test_merge_base_of_unrelated_commits_is_none(plain: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    other = git("commit-tree", "-m", "other", "HEAD^{tree}")
    child = git("commit-tree", "-m", "child", "-p", head, "HEAD^{tree}")
    assert plain.merge_base(head, child) == head
    assert plain.merge_base(head, other) is None
    with pytest.raises(GitFailed):
        plain.merge_base(head, "1" * 40)


def test_commits_are_named_as_git_names_them(plain: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    git("tag", "-a", "-m", "x", "v1")
    assert plain.commit_id("HEAD") == plain.commit_id("v1") == plain.commit_id("main~0") == head
    assert plain.commit_id("HEAD^{tree}") == git("rev-parse", "HEAD^{tree}")
    for asked in ("nothing", "--all", "1" * 40, ""):
        with pytest.raises(UnknownId) as caught:
            plain.commit_id(asked)
        assert caught.value.facts["asked"] == asked


def test_the_moment_of_a_commit_is_read_whatever_git_log_is_told_to_show(
    plain: Repository, git: Git
) -> None:
    git("config", "log.showSignature", "true")
    git("config", "log.decorate", "full")
    raw = git("cat-file", "commit", "HEAD")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n AAAA\n -----END PGP SIGNATURE-----\n"
    head, _, message = raw.partition("\n\n")
    path = Path("signed")
    path.write_text(f"{head}\n{signature}\n{message}\n")
    signed = git("hash-object", "-t", "commit", "-w", path)
    assert plain.committed_at(signed) == 1_767_607_200


def test_commits_of_a_chain_come_oldest_first(plain: Repository, git: Git) -> None:
    ids = plain.writer.append(REF, None, [commit_of(f"{n}\n") for n in range(4)]) or []
    assert [each.id for each in plain.commits([REF])] == ids
    assert [each.id for each in plain.commits([ids[3]], [ids[1]])] == ids[2:]
    assert [each.parents for each in plain.commits([ids[1]])] == [(), (ids[0],)]
    assert plain.commits([ids[0]])[0].tree == git("rev-parse", f"{ids[0]}^{{tree}}")


def test_commits_of_nothing_are_none(plain: Repository, git: Git) -> None:
    assert plain.commits([]) == []
    assert plain.commits(["HEAD"], ["HEAD"]) == []
    assert plain.commits(["1" * 40]) == []
    assert [each.id for each in plain.commits(["1" * 40, "HEAD"])] == [git("rev-parse", "HEAD")]


# -- objects -------------------------------------------------------------------------------------


def test_contents_come_in_the_order_of_the_names(plain: Repository, git: Git) -> None:
    names = ["HEAD:code.py", "HEAD:none", "1" * 40, "", "HEAD:README.md", "HEAD:a\nHEAD:code.py"]
    names += ["HEAD: 5", "HEAD:x blob 7", "not a name at all", "\udcff"]
    expected = [b'print("hello")\n', None, None, None, b"# A project\n", *[None] * 5]
    assert plain.contents(names) == expected
    assert list(plain.stream_contents(names)) == expected
    assert plain.contents([]) == []


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\0\xff\n\n", b"a blob 3\nabc\n", bytes(range(256)) * 1000], ids=len
)
def test_binary_contents_come_as_they_are(content: bytes, plain: Repository, git: Git) -> None:
    Path("file").write_bytes(content)
    blob = git("hash-object", "-w", "--no-filters", "file")
    assert plain.contents([blob, "none", blob]) == [content, None, content]
    assert list(plain.stream_contents([blob, "none", blob])) == [content, None, content]


def test_an_ambiguous_name_is_nothing(plain: Repository, git: Git) -> None:
    # Two contents whose ids begin alike: there is one among a few hundred.
    seen: dict[str, bytes] = {}
    for number in itertools.count():
        content = b"%d" % number
        start = hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()[:4]
        if start in seen:
            break
        seen[start] = content
    for each in (content, seen[start]):
        blob = plain.ask("hash-object", "-w", "--stdin", content=each).decode().strip()
    assert plain.contents([start, blob]) == [None, seen[start]]


def test_large_contents_are_streamed(plain: Repository, git: Git) -> None:
    content = os.urandom(1 << 20) * 20
    Path("large").write_bytes(content)
    blob = git("-c", "core.compression=0", "hash-object", "-w", "large")
    assert list(plain.stream_contents([blob, "HEAD:code.py", blob])) == [
        content,
        b'print("hello")\n',
        content,
    ]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def children() -> set[str]:
    """Return the processes that we have started and not waited for, ended ones included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone since it was listed
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(stat.parent.name)
    return found


def test_a_reader_that_stops_early_leaves_no_process_and_no_pipe(
    plain: Repository, git: Git
) -> None:
    before, others = descriptors(), children()
    found = plain.stream_contents("HEAD:code.py" for _ in range(50_000))
    assert next(found) == b'print("hello")\n'
    found.close()  # type: ignore[attr-defined]
    for _ in range(3):
        names = iter(["HEAD:code.py", "HEAD:README.md"])
        pairs = plain.stream_contents(names)
        assert list(zip([1], pairs, pairs, strict=False))
        del pairs
    assert descriptors() == before
    assert children() <= others  # servers of other tests may still run


def test_a_damaged_object_is_as_good_as_missing(plain: Repository, git: Git) -> None:
    blob = git("rev-parse", "HEAD:code.py")
    path = Path(plain.git_dir, "objects", blob[:2], blob[2:])
    path.chmod(0o644)
    for content in (b"", b"garbage"):
        path.write_bytes(content)
        names = [blob, "HEAD:README.md", "HEAD:code.py"]
        assert plain.contents(names) == [None, b"# A project\n", None]
        assert list(plain.stream_contents(names)) == [None, b"# A project\n", None]


def test_what_is_readable_is_told(plain: Repository, git: Git) -> None:
    names = ["HEAD", "HEAD:code.py", "HEAD:none", "1" * 40, "HEAD^{tree}", "a\nb", "a\rb", "a\r\r"]
    assert plain.are_readable(names) == [True, True, False, False, True, False, False, False]


def test_entries_are_named_as_they_are(plain: Repository, git: Git) -> None:
    Path("f").mkdir()
    odd = os.fsdecode(b"f/\xff\t\n ")
    Path(odd).write_text("x")
    Path("link").symlink_to("code.py")
    Path("code.py").chmod(0o755)
    git("add", ".")
    found = plain.entries(git("write-tree"))
    assert {name: mode for name, (mode, _) in found.items()} == {
        "README.md": "100644",
        "code.py": "100755",
        odd: "100644",
        "link": "120000",
    }
    assert found["README.md"][1] == git("rev-parse", "HEAD:README.md")
    assert plain.entries("1" * 40) == plain.entries("nothing") == {}


def test_many_files_of_one_commit(repo: Path, git: Git) -> None:
    (repo / "d").mkdir()
    for number in range(60):
        (repo / f"d/ü {number}").write_text(str(number))
    git("add", ".")
    git("commit", "-q", "-m", "Many")
    head = git("rev-parse", "HEAD")
    names = [f"{head}:d/ü {number}" for number in range(60)]
    found = Repository.discover(str(repo))
    odd = [f"{head}:d", f"{head}:d/nothing", f"{head}:d/ü 1\n", head]
    contents = found.contents([*odd, *names])
    assert contents[4:] == [str(number).encode() for number in range(60)]
    assert contents[:4] == found.contents(odd)
    assert found.are_readable([*names, *odd]) == [True] * 60 + found.are_readable(odd)
