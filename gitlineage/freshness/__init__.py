"""Whether what was made is what would be made now. Knows code, inputs and outputs by content.

`standings` says so of files and reads nothing; `gathering` gets it what it needs.
"""

from __future__ import annotations

from gitlineage.freshness.gathering import Status, gather
from gitlineage.freshness.standings import STATES, Reason, Standing

__all__ = ["STATES", "Reason", "Standing", "Status", "gather"]
