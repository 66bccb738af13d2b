"""Commands in containers: images, the container of one execution, the process that stands for it.

Knows container engines, through the Docker SDK; knows nothing of git. Imported for `run --image`
only: the SDK takes 135 ms.

`engine` is what an engine is asked, `options` what a container is given, `container` its life,
and `__main__` the process that has our terminal, streams and signals in the command's place.
"""

from __future__ import annotations

from gitlineage.image.container import Container, discard
from gitlineage.image.engine import Engine
from gitlineage.image.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.image.engine import Progress

__all__ = ["Container", "Engine", "Options", "Progress", "discard"]
