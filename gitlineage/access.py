"""For whom the files are that are kept beside git's own: for those whom git's own are for.

Knows modes. Git writes for a group, or for all, where `core.sharedRepository` says so, and makes
its folders so that the others may write to them; that is seen without asking.
"""

from __future__ import annotations

import os

_WRITE, _BOTH = 0o022, 0o066
"""Bits of the group and of all others."""


def make_folder(path: str) -> None:
    """Make a folder, and those above it, for those whom the folder above is for. Raises OSError."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(os.path.abspath(path))
    make_folder(above)
    try:
        os.mkdir(path)
    except FileExistsError:
        return  # somebody was faster
    if (mode := os.stat(above).st_mode) & _WRITE:
        os.chmod(path, mode & 0o7777)


def share(path: str) -> None:
    """Give a file of ours to those who may write to its folder."""
    try:
        wanted = os.stat(os.path.dirname(path)).st_mode & _BOTH
        if wanted & _WRITE and wanted & ~(held := os.stat(path).st_mode):
            os.chmod(path, held & 0o777 | wanted)
    except OSError:
        return  # another user's, who has seen to that
