"""The object that has all parts of the API."""

from __future__ import annotations

from gitlineage.lineage.comparing import Comparing
from gitlineage.lineage.deploying import Deploying
from gitlineage.lineage.filing import Filing
from gitlineage.lineage.repeating import Repeating
from gitlineage.lineage.sharing import Sharing


class Lineage(Repeating, Deploying, Filing, Comparing, Sharing):
    """The executions, tags, aliases and deployments of one repository, and what to do with them."""
