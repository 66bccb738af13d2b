"""In what two executions differ. Knows records, manifests and trees of code; runs nothing.

`changes` compares what it is given and reads nothing; `gathering` gets it from the stores.
"""

from __future__ import annotations

from gitlineage.comparison.changes import SECTIONS, Change, Comparison, compare, flat
from gitlineage.comparison.gathering import gather, patch

__all__ = ["SECTIONS", "Change", "Comparison", "compare", "flat", "gather", "patch"]
