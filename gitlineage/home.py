"""Parts of records that are not sent: files of this machine, by execution. Knows files only.

What the configuration keeps from remotes is taken out of a record before it is pushed, and stays
here: `lineage/home/<execution>/<part>` in the git directory.
"""

from __future__ import annotations

import os

from gitlineage import access

KEPT = {"log": ("log",), "code": ("notebook", "config")}
"""What can be kept from remotes, and the parts of records that it is."""


class Home:
    """What stays on this machine of the records of one repository."""

    def __init__(self, lineage_dir: str) -> None:
        self._folder = os.path.join(lineage_dir, "home")

    def is_used(self) -> bool:
        """Tell whether anything is kept here."""
        return os.path.isdir(self._folder)

    def keep(self, execution: str, part: str, content: bytes) -> None:
        """Keep a part, flushed to disk. Raises OSError."""
        folder = os.path.join(self._folder, execution)
        access.make_folder(folder)
        path = os.path.join(folder, part)
        with open(path + ".new", "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)

    def part(self, execution: str, part: str) -> bytes | None:
        """Return a part that is kept here."""
        try:
            with open(os.path.join(self._folder, execution, part), "rb") as file:
                return file.read()
        except OSError:
            return None

    def forget(self, execution: str) -> None:
        """Remove what is kept of an execution."""
        folder = os.path.join(self._folder, execution)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            os.unlink(os.path.join(folder, name))
        if os.path.isdir(folder):
            os.rmdir(folder)
