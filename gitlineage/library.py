"""A repository as libgit2 sees it: the same append as by git's executable. Knows pygit2."""

from __future__ import annotations

import os

from gitlineage.commits import Ref
from gitlineage.errors import GitFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from gitlineage.commits import NewCommit


class Library:
    """One repository, opened by libgit2."""

    def __init__(self, pygit2: Any, repository: Any) -> None:
        self._pygit2 = pygit2
        self._repository = repository

    @classmethod
    def of(cls, git_dir: str) -> Library | Literal[False]:
        """Return the library's view of a repository, or False where it refuses it."""
        import pygit2  # 90 ms: only for a process that appends many records

        try:
            return cls(pygit2, pygit2.Repository(git_dir))
        except (pygit2.GitError, KeyError, ValueError):
            return False

    def tip(self, name: str) -> Ref | None:
        """As `Repository.tip`."""
        held = self._repository.references.get(name)
        if held is None:
            return None
        commit = self._repository[held.target]
        subject = commit.raw_message.partition(b"\n")[0]
        return Ref(
            name=name,
            commit=str(commit.id),
            tree=str(commit.tree_id),
            committed_at=commit.commit_time,
            subject=os.fsdecode(subject),
            parents=tuple(map(str, commit.parent_ids)),
        )

    def append(
        self, ref: str, expected: str | None, commits: Sequence[NewCommit]
    ) -> list[str] | None:
        """As `Writer.append`, without what is derived."""
        pygit2, repository = self._pygit2, self._repository
        try:
            # The reference object remembers what it was read as, and libgit2 moves it only from
            # there: reading it again before moving it would undo the comparison.
            held = repository.references.get(ref)
            if (str(held.target) if held else None) != expected:
                return None
            made: list[str] = []
            parent = expected
            for commit in commits:
                parents = commit.behind(parent)
                # Not create_commit: it writes no name that is not UTF-8.
                if not all(each in repository for each in parents):
                    raise GitFailed(command="append", reason="a parent is missing")
                head = [
                    b"tree %s" % str(self._tree(commit.files)).encode(),
                    *(b"parent %s" % each.encode() for each in parents),
                    b"author " + commit.author.line(),
                    b"committer " + commit.committer.line(),
                ]
                content = b"\n".join(head) + b"\n\n" + commit.text()
                parent = str(repository.write(pygit2.enums.ObjectType.COMMIT, content))
                made.append(parent)
            if held is None:
                repository.references.create(ref, made[-1])
            else:
                held.set_target(made[-1])
        except pygit2.AlreadyExistsError:
            return None
        except (pygit2.GitError, ValueError, OSError) as error:
            if self._moved(ref, expected) or "lock" in str(error):
                return None
            raise GitFailed(command="append", reason=str(error)) from error
        return made

    def _moved(self, ref: str, expected: str | None) -> bool:
        held = self._repository.references.get(ref)
        return (str(held.target) if held else None) != expected

    def _tree(self, files: Mapping[str, bytes | str | None]) -> Any:
        folders: dict[str, dict[str, bytes | str | None]] = {}
        start = files.get("")
        builder = self._repository.TreeBuilder(*([self._repository[start]] if start else []))
        modes = self._pygit2.enums.FileMode
        for path, content in files.items():
            folder, _, name = path.partition("/")
            if not path:
                continue
            if name:
                folders.setdefault(folder, {})[name] = content
            elif content is None:
                if builder.get(path) is not None:
                    builder.remove(path)
            else:
                blob = content if type(content) is str else self._repository.create_blob(content)
                builder.insert(path, blob, modes.BLOB)
        for folder, held in folders.items():
            before = builder.get(folder)
            is_there = before is not None and before.filemode == modes.TREE
            if is_there:
                held[""] = str(before.id)
            tree = self._tree(held)
            if len(self._repository[tree]):
                builder.insert(folder, tree, modes.TREE)
            elif is_there:
                builder.remove(folder)
        return builder.write()
