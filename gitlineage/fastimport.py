"""Commits as `git fast-import` reads them. Knows the form of its stream, and starts nothing."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.commits import NewCommit


def stream(ref: str, parent: str | None, commits: Sequence[NewCommit]) -> bytes:
    """Return the commits as git fast-import reads them."""
    lines: list[bytes] = []
    for number, commit in enumerate(commits, 1):
        message = commit.text()
        lines += (
            b"commit %s\nmark :%d\n" % (os.fsencode(ref), number),
            b"author %s\ncommitter %s\n" % (commit.author.line(), commit.committer.line()),
            b"data %d\n%s\n" % (len(message), message),
        )
        for nth, each in enumerate(commit.behind(f":{number - 1}" if number > 1 else parent)):
            lines.append(b"%s %s\n" % (b"merge" if nth else b"from", each.encode()))
        lines.append(b"deleteall\n")
        # The tree to begin with sorts first, as it has to.
        for path, content in sorted(commit.files.items()):
            if content is None:
                lines.append(b"D %s\n" % path.encode())
            elif isinstance(content, str):
                mode, name = (b"100644", path.encode()) if path else (b"040000", b'""')
                lines.append(b"M %s %s %s\n" % (mode, content.encode(), name))
            else:
                lines.append(b"M 100644 inline %s\ndata %d\n" % (path.encode(), len(content)))
                lines += (content, b"\n")
        lines.append(b"get-mark :%d\n" % number)
    return b"".join(lines) + b"done\n"
