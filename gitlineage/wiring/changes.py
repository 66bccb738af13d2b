"""What `init` has changed, remembered in `lineage/wired`, a line each. Knows no git."""

from __future__ import annotations

import os

from gitlineage import access


class Changes:
    """The list of one repository."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "wired")

    def lines(self) -> list[str] | None:
        """Return what was changed, a line each; None when that is not known."""
        try:
            with open(self._path, errors="surrogateescape") as file:
                return file.read().splitlines()
        except OSError:
            return None

    def of(self, kind: str) -> list[str]:
        """Return what was changed of a kind, as `hook` or `exclude`."""
        start = f"{kind} "
        return [each[len(start) :] for each in self.lines() or () if each.startswith(start)]

    def has(self, line: str) -> bool:
        """Tell whether something is of our making; where nothing is known, what looks like it."""
        lines = self.lines()
        return lines is None or line in lines

    def has_refspec(self, spec: str) -> bool:
        """Tell whether a refspec is of our making, whatever its remote was called then."""
        lines = self.lines()
        return lines is None or any(
            each.startswith("remote.") and each.endswith(f".fetch {spec}") for each in lines
        )

    def add(self, line: str) -> None:
        """Remember a change, once."""
        lines = self.lines() or []
        if line not in lines:
            self.write([*lines, line])

    def write(self, lines: list[str]) -> None:
        """Remember these and no others."""
        if lines:
            access.make_folder(os.path.dirname(self._path))
            with open(self._path, "w", errors="surrogateescape") as file:
                file.writelines(each + "\n" for each in lines)
            access.share(self._path)
        elif os.path.exists(self._path):
            os.unlink(self._path)
