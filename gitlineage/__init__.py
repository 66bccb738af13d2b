"""git-lineage: how was this file made, and what relies on it, answered inside git.

`gitlineage.open()` gives the lineage of a repository; `gitlineage.log(accuracy=0.93)` attaches
metadata to the execution that is running, and `gitlineage.current()` names it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.lineage import Lineage as Lineage
    from gitlineage.lineage import current as current
    from gitlineage.lineage import log as log
    from gitlineage.lineage import open as open

__version__ = "0.1.0"
__all__ = ["Lineage", "__version__", "current", "log", "open"]


def __getattr__(name: str) -> object:
    # Imported on first use: the command line imports this package before every command that it
    # runs, and each millisecond here is a millisecond of delay (docs/decisions/0003).
    if name in __all__:
        from gitlineage import lineage

        return getattr(lineage, name)
    if name in ("load_ipython_extension", "unload_ipython_extension"):  # asked for by %load_ext
        from gitlineage.cli import magic

        return getattr(magic, name)
    raise AttributeError(f"module 'gitlineage' has no attribute {name!r}")
