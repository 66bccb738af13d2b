"""The refs of a repository as libgit2 reads and moves them. Knows pygit2; makes no objects."""

from __future__ import annotations

import os

from gitlineage.commits import Ref
from gitlineage.errors import GitFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal


class Library:
    """The refs of one repository, opened by libgit2."""

    def __init__(self, pygit2: Any, repository: Any, common_dir: str) -> None:
        self._pygit2 = pygit2
        self._repository = repository
        self._common_dir = common_dir
        self._seen: tuple[str, int, int, int] | None = None
        """Whose family was looked for in which state of `packed-refs`."""
        self._found: list[str] = []

    @classmethod
    def of(cls, git_dir: str, common_dir: str) -> Library | Literal[False]:
        """Return the library's view of a repository, or False where it refuses it.

        It refuses those whose refs are no files.
        """
        import pygit2  # 90 ms: only for a process that appends many records

        try:
            return cls(pygit2, pygit2.Repository(git_dir), common_dir)
        except (pygit2.GitError, KeyError, ValueError):
            return False

    def tip(self, name: str) -> Ref | None:
        """As `Repository.tip`."""
        try:
            held = self._repository.references.get(name)
            if held is None:
                return None
            commit = self._repository[held.target]
        except (self._pygit2.GitError, KeyError) as error:
            raise GitFailed(command="for-each-ref", reason=str(error)) from error
        subject = commit.raw_message.partition(b"\n")[0]
        return Ref(
            name=name,
            commit=str(commit.id),
            tree=str(commit.tree_id),
            committed_at=commit.commit_time,
            subject=os.fsdecode(subject),
            parents=tuple(map(str, commit.parent_ids)),
        )

    def move(self, name: str, commit: str, expected: str | None) -> bool:
        """Move a ref if it still is what was expected; tell whether it was. Raises GitFailed."""
        pygit2, references = self._pygit2, self._repository.references
        try:
            # The reference object remembers what it was read as, and libgit2 moves it only from
            # there: reading it again before moving it would undo the comparison.
            held = references.get(name)
            if (str(held.target) if held else None) != expected:
                return False
            if held is None:
                references.create(name, commit)
            else:
                held.set_target(commit)
        except pygit2.AlreadyExistsError:
            return False
        except (pygit2.GitError, ValueError, OSError) as error:
            if self._moved(name, expected) or "lock" in str(error):
                return False
            raise GitFailed(command="update-ref", reason=str(error)) from error
        return True

    def family(self, name: str) -> list[str]:
        """As `Repository.family`: two looks into a folder where git would be a process.

        The files first: a ref that is packed meanwhile is in `packed-refs` before its file goes.
        """
        folder, _, last = name.rpartition("/")
        try:
            listed = os.listdir(os.path.join(self._common_dir, folder))
        except OSError:
            listed = []
        found = {
            f"{folder}/{each}"
            for each in listed
            if each == last or (each.startswith(last + ".") and not each.endswith(".lock"))
        }
        return sorted(found.union(self._packed(name)))

    def _packed(self, name: str) -> list[str]:
        """Return those of a family that are in `packed-refs`, which is read when it has changed."""
        path = os.path.join(self._common_dir, "packed-refs")
        try:
            state = os.stat(path)
            seen = (name, state.st_mtime_ns, state.st_size, state.st_ino)
            if seen != self._seen:
                with open(path, "rb") as file:
                    content = file.read()
                self._seen, self._found = seen, _family(content, os.fsencode(name))
        except FileNotFoundError:
            self._seen, self._found = None, []
        return self._found

    def _moved(self, ref: str, expected: str | None) -> bool:
        held = self._repository.references.get(ref)
        return (str(held.target) if held else None) != expected


def _family(packed: bytes, name: bytes) -> list[str]:
    lines = (line.partition(b" ")[2] for line in packed.split(b"\n") if name in line)
    return [os.fsdecode(each) for each in lines if each == name or each.startswith(name + b".")]
