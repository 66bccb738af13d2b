"""Where an execution ran and on what, as lines for people. Knows records; prints nothing."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.records.end import Container, Environment
    from gitlineage.records.execution import Execution
    from gitlineage.records.launch import Place
    from gitlineage.records.parts import Package, Packages


def where(execution: Execution, packages: Packages | None) -> list[tuple[str, str]]:
    """Return names and values, safe to show; packages are listed where they are given."""
    rows = [*_place(execution.place)] if execution.place else []
    if execution.end and execution.end.environment:
        rows += _environment(execution.end.environment)
        rows += _packages(execution.end.environment, packages)
    return [(name, wording.safe(value)) for name, value in rows if value]


def _place(place: Place) -> Iterator[tuple[str, str]]:
    cloud = place.cloud
    rented = (cloud.provider, cloud.zone or cloud.region, cloud.instance_type) if cloud else ()
    yield "Host", _words(place.host, " ".join(filter(None, rented)))
    if job := place.job:
        number = f"#{job.number}" if job.number else None
        yield "Job", _words(" ".join(filter(None, (job.provider or "CI", number))), job.name)
        yield "", job.url or ""
    if batch := place.batch:
        task = f"[{batch.task}]" if batch.task is not None else ""
        nodes = f"on {batch.nodes}" if batch.nodes else None
        queue = f"queue {batch.queue}" if batch.queue else None
        yield "Batch", _words(f"{batch.scheduler} {batch.job}{task}", batch.cluster, queue, nodes)
    if pod := place.pod:
        name = f"{pod.namespace}/{pod.name}" if pod.namespace else pod.name
        yield "Pod", _words(name, f"on {pod.node}" if pod.node else None)


def _environment(found: Environment) -> Iterator[tuple[str, str]]:
    inside = _container(found.container) if found.container else None
    yield "System", _words(found.distribution or found.system, found.kernel, found.machine, inside)
    gpus = [f"{gpu.name} ({wording.size(gpu.memory)})" if gpu.memory else gpu.name
            for gpu in found.gpus]  # fmt: skip
    shown = [f"{gpus.count(each)} x {each}" for each in dict.fromkeys(gpus)]
    yield "Hardware", _words(_processors(found), _memory(found), found.cpu_model, *shown)
    if found.python_path:
        name = found.python_implementation
        version = f"{name} {found.python}" if name not in (None, "cpython") else found.python
        yield "Python", f"{version or '?'} ({found.python_path})"


def _processors(found: Environment) -> str:
    if not found.cpu_count:
        return ""
    words = f"{found.cpu_count} core{'s' * (found.cpu_count != 1)}"
    if found.cpu_online and found.cpu_online != found.cpu_count:
        words += f" of {found.cpu_online}"
    if found.cpu_limit:
        words += f" (at most {wording.number(found.cpu_limit / 1000)})"
    return words


def _memory(found: Environment) -> str:
    words = wording.size(found.memory) if found.memory else ""
    return words + (f" (at most {wording.size(found.memory_limit)})" if found.memory_limit else "")


def _container(found: Container) -> str:
    about = (found.name, found.id[:12] if found.id else None, found.image)
    words = " ".join(filter(None, about))
    return f"in {found.engine or 'a container'}" + (f" ({words})" if words else "")


def _packages(found: Environment, packages: Packages | None) -> Iterator[tuple[str, str]]:
    if found.packages_count is not None:
        kept = f"{found.manager} in {found.prefix}" if found.prefix else None
        more = None if packages else "git lineage show --packages"
        count = f"{found.packages_count} package{'s' * (found.packages_count != 1)}"
        yield (
            "Packages",
            _words(count, kept) + (f": {more}" if more and found.packages_count else ""),
        )
    elif found.prefix:
        yield "Packages", f"{found.manager} in {found.prefix}"
    if packages:
        yield from (("", _package(each)) for each in (*packages.python, *packages.conda))
    for number, (name, content) in enumerate(found.lock_files.items()):
        yield "Pinned by" if not number else "", f"{name}  blake3:{content.hex()[:8]}"


def _package(found: Package) -> str:
    words = [found.name, found.version]
    words += [found.build] if found.build else []
    words += ["editable"] if found.is_editable else []
    words += [f"from {found.origin}"] if found.origin else []
    return " ".join(words)


def _words(*found: str | None) -> str:
    return ", ".join(each for each in found if each)
