"""The container that a command is to run in, and how it is observed there. Knows a request.

Knows what the settings of a repository allow; starts nothing of the command's.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.capture import Request
    from gitlineage.image import Container, Progress
    from gitlineage.observation.within import Within
    from gitlineage.repository import Repository
    from gitlineage.underway import Recording

VARIABLES = "lineage.imageenv"
"""Setting with the names of variables that go into every container."""


def contained(
    repository: Repository, request: Request, on_pull: Progress | None
) -> tuple[Request, Container | None]:
    """Return a request with the shell that its image has, and the container that is to be.

    Raises EngineUnreachable, UnknownImage, PullFailed, Refused.
    """
    if request.image is None:
        return request, None
    container = _container(repository, request.image, request, on_pull)
    if request.plan is not None and request.plan.shells:
        shell = container.first_of(request.plan.shells)
        request = request.replace(command=(shell, *request.command[1:]))
    if request.notebook is not None:
        from gitlineage.papermill import PYTHONS

        python = container.first_of(PYTHONS)
        request = request.replace(command=(python, *request.command[1:]))
    return request, container


def _container(
    repository: Repository, image: str, request: Request, on_pull: Progress | None
) -> Container:
    """Return a container that is yet to be made, its image at hand."""
    from gitlineage.image import Container, Options  # the SDK takes 135 ms

    allowed = repository.config().get(VARIABLES, "").split()
    described = request.plan.variables if request.plan else {}
    options = Options(
        volumes=(*(request.plan.mounts if request.plan else ()), *request.volumes),
        variables=(
            *(each for each in allowed if each in os.environ),
            *(f"{name}={value}" for name, value in described.items()),
            *(each for each in request.variables if each not in described),
        ),
        network=request.network,
        gpus=request.gpus,
    )
    folders = (repository.work_tree(), repository.common_dir)
    return Container(image, options, folders, on_pull)


def within(container: Container, recording: Recording) -> Within:
    """Return what a recording's container is to whoever observes in it."""
    from gitlineage.observation.tracer import reason_of
    from gitlineage.observation.within import Within

    def attempt(words: Sequence[str]) -> tuple[bool, str]:
        went_well, said = container.attempt(recording.id, words)
        return went_well, reason_of(said)

    return Within(
        image=container.image.name,
        directory=container.directory,
        path=recording.entry.calls_path,
        places=container.places,
        carry=container.carry,
        attempt=attempt,
    )
