"""Whether the images that executions ran in are still what their names stand for.

Knows launches and asks the container engine; where none answers, nothing is known to have changed.
"""

from __future__ import annotations

from gitlineage import encoding
from gitlineage.errors import EngineUnreachable, LineageError
from gitlineage.freshness.standings import Reason
from gitlineage.records.launch import Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitlineage.index import Row
    from gitlineage.records.launch import Image
    from gitlineage.repository import Repository


class Images:
    """The images of some executions, each name asked about once."""

    def __init__(self, repository: Repository, rows: Mapping[str, Row]) -> None:
        contents = repository.contents([f"{row.commit}:launch" for row in rows.values()])
        used = ((id, _image(content)) for id, content in zip(rows, contents, strict=True))
        self._used = {id: image for id, image in used if image is not None and image.id}
        self._now: dict[str, str | None] | None = None

    def reason(self, id: str) -> Reason | None:
        """Return why what an execution made is stale, where its image is another now."""
        image = self._used.get(id)
        if image is None:
            return None
        if self._now is None:
            self._now = _ids({each.name for each in self._used.values()})
        now = self._now.get(image.name)
        if now is None or now == image.id:
            return None
        return Reason(kind="image", path="", name=image.name, was=image.id, now=now)


def _image(launch: bytes | None) -> Image | None:
    if launch is None or b"image" not in launch:  # which is in few, and decoding takes time
        return None
    try:
        return encoding.decode(Launch, launch).image
    except LineageError:
        return None  # a damaged record hides nothing else


def _ids(names: set[str]) -> dict[str, str | None]:
    """Return the ids of the images that names stand for, as far as they are here."""
    from gitlineage.image import Engine  # the SDK takes 135 ms

    try:
        engine = Engine()
    except EngineUnreachable:
        return {}
    return {name: engine.identity(name) for name in names}
