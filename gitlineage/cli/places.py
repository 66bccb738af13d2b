"""Where an execution ran, on what and in which image, in words. Knows records; prints nothing."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.records.end import Container, Environment
    from gitlineage.records.execution import Execution
    from gitlineage.records.launch import Launch
    from gitlineage.records.parts import Package, Packages


def environment(
    execution: Execution, packages: Packages | None
) -> Iterator[tuple[str, str | list[str]]]:
    """Yield names and what is said of each, on what it ran; packages are listed where given."""
    found = execution.end.environment if execution.end else None
    place = execution.place
    cloud = place.cloud if place else None
    rented = (cloud.provider, cloud.zone or cloud.region, cloud.instance_type) if cloud else ()
    hardware = [_processors(found), _memory(found), found.cpu_model, *_gpus(found)] if found else []
    yield "Environment", _words(" ".join(filter(None, rented)), *hardware) or "not known"
    if found is not None:
        inside = _container(found.container) if found.container else None
        system = found.distribution or found.system
        yield "  system", _words(system, found.kernel, found.machine, inside)
        if found.python_path:
            name = found.python_implementation
            version = f"{name} {found.python}" if name not in (None, "cpython") else found.python
            yield "  python", f"{version or '?'} ({found.python_path})"
        yield from _packages(found, packages)
    if launch := execution.launch:
        yield "  variables", wording.shell([f"{n}={text}" for n, text in launch.variables.items()])
        yield "  others", ", ".join(launch.variable_names)


def executor(execution: Execution) -> Iterator[tuple[str, str | list[str]]]:
    """Yield names and what is said of each: the machine that ran it, and what it ran it for."""
    place, launch = execution.place, execution.launch
    if place is None:
        return
    account = launch.agent.login if launch else None
    instance = place.cloud.instance if place.cloud else None
    yield "Executor", _words(place.host, instance, account and f"account {account}")
    if job := place.job:
        number = f"#{job.number}" if job.number else None
        named = _words(" ".join(filter(None, (job.provider or "CI", number))), job.name)
        yield "  job", [named, job.url or ""]
    if batch := place.batch:
        task = f"[{batch.task}]" if batch.task is not None else ""
        nodes = f"on {batch.nodes}" if batch.nodes else None
        queue = f"queue {batch.queue}" if batch.queue else None
        job_id = f"{batch.scheduler} {batch.job}{task}"
        yield "  batch", _words(job_id, batch.cluster, queue, nodes)
    if pod := place.pod:
        name = f"{pod.namespace}/{pod.name}" if pod.namespace else pod.name
        yield "  pod", _words(name, f"on {pod.node}" if pod.node else None)


def image(launch: Launch) -> Iterator[tuple[str, str | list[str]]]:
    """Yield names and what is said of each: the container image, and what it was given."""
    declared = launch.declared_image and f"{launch.declared_image} (declared, not used)"
    used = launch.image
    if used is None:
        yield "Image", declared or "none"
        return
    known = (used.digest or (used.id or "")[:19], used.platform, used.engine)
    yield "Image", [f"{used.name} ({', '.join(filter(None, known))})", declared or ""]
    given = [f"volume {each}" for each in used.volumes]
    given += [f"variable {each}" for each in used.variables]
    given += [f"network {used.network}"] if used.network else []
    given += [f"GPUs {used.gpus}"] if used.gpus else []
    yield "  given", ", ".join(given)


def _gpus(found: Environment) -> list[str]:
    gpus = [f"{gpu.name} ({wording.size(gpu.memory)})" if gpu.memory else gpu.name
            for gpu in found.gpus]  # fmt: skip
    return [f"{gpus.count(each)} x {each}" for each in dict.fromkeys(gpus)]


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


def _packages(
    found: Environment, packages: Packages | None
) -> Iterator[tuple[str, str | list[str]]]:
    kept = f"{found.manager} in {found.prefix}" if found.prefix else None
    count = found.packages_count
    counted = f"{count} package{'s' * (count != 1)}" if count is not None else None
    hint = ": git lineage show --packages" if count and not packages else ""
    listed = [_package(each) for each in (*packages.python, *packages.conda)] if packages else []
    yield "  packages", [_words(counted, kept) + hint, *listed]
    pinned = found.lock_files.items()
    yield "  pinned by", [f"{name}  blake3:{content.hex()[:8]}" for name, content in pinned]


def _package(found: Package) -> str:
    words = [found.name, found.version]
    words += [found.build] if found.build else []
    words += ["editable"] if found.is_editable else []
    words += [f"from {found.origin}"] if found.origin else []
    return " ".join(words)


def _words(*found: str | None) -> str:
    return ", ".join(each for each in found if each)
