"""The machine, as its system describes it: processors, memory, container, cloud. Starts nothing.

Each fact is read for itself, below `root`: one that cannot be read is None and costs no other.
"""

from __future__ import annotations

import os

from gitlineage.records.end import Container, Gpu
from gitlineage.records.launch import Cloud

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
"""What the chassis of every machine of Azure is labelled."""

UNLIMITED = 1 << 60
"""Bytes from which on a limit of a control group, version 1, means none."""

OWN_FILES = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
"""Files that container engines mount from a folder of the container's own."""


class Machine:
    """The machine below a root folder."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._cpuinfo = self._pairs("/proc/cpuinfo")

    # -- system ----------------------------------------------------------------------------

    def distribution(self) -> str | None:
        """Return what the operating system calls itself."""
        for line in self._lines("/etc/os-release") or self._lines("/usr/lib/os-release"):
            name, _, value = line.partition("=")
            if name == "PRETTY_NAME":
                return value.strip().strip("\"'") or None
        return None

    def cpu_model(self) -> str | None:
        """Return what the processor calls itself; of ARM its numbers, since it has no name."""
        said = dict(reversed(self._cpuinfo))
        for name in ("model name", "cpu model", "cpu", "Model"):
            if said.get(name):
                return said[name]
        maker, part = said.get("CPU implementer"), said.get("CPU part")
        return f"ARM implementer {maker}, part {part}" if maker and part else None

    def cpu_cores(self) -> int | None:
        """Return how many cores there are; threads of one core count once."""
        socket, cores = "0", set()
        for name, value in self._cpuinfo:
            if name == "physical id":
                socket = value
            elif name == "core id":
                cores.add((socket, value))
        if not cores:
            folder = "/sys/devices/system/cpu"
            for name in self._names(folder):
                if name[:3] == "cpu" and name[3:].isdecimal():
                    siblings = self._read(f"{folder}/{name}/topology/thread_siblings_list")
                    if siblings:
                        cores.add(("", siblings.strip()))
        return len(cores) or None

    def memory(self) -> int | None:
        """Return bytes of memory."""
        for line in self._lines("/proc/meminfo"):
            if line.startswith("MemTotal:"):
                words = line.split()
                return int(words[1]) << 10 if words[1:] and words[1].isdecimal() else None
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return None

    def gpus(self) -> tuple[Gpu, ...]:
        """Return NVIDIA's processors, as the kernel's driver lists them."""
        folder, found = "/proc/driver/nvidia", []
        words = (self._read(f"{folder}/version") or "").partition("\n")[0].split()
        driver = next((each for each in words if each[0].isdigit() and "." in each), None)
        for name in sorted(self._names(f"{folder}/gpus")):
            said = dict(self._pairs(f"{folder}/gpus/{name}/information"))
            if said.get("Model"):
                found.append(Gpu(name=said["Model"], driver=driver, uuid=said.get("GPU UUID")))
        return tuple(found)

    # -- limits ----------------------------------------------------------------------------

    def cpu_limit(self) -> int | None:
        """Return thousandths of a processor that the control groups allow."""
        found = []
        for folder in self._groups("cpu"):
            words = (self._read(f"{folder}/cpu.max") or "").split() or [
                (self._read(f"{folder}/cpu.cfs_{each}_us") or "").strip()
                for each in ("quota", "period")
            ]
            if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
                found.append(int(words[0]) * 1000 // int(words[1]))
        return min(found, default=None)

    def memory_limit(self) -> int | None:
        """Return bytes that the control groups allow."""
        found = []
        for folder in self._groups("memory"):
            for name in ("memory.max", "memory.limit_in_bytes"):
                said = (self._read(f"{folder}/{name}") or "").strip()
                if said.isdecimal() and int(said) < UNLIMITED:
                    found.append(int(said))
        return min(found, default=None)

    def _groups(self, controller: str) -> Iterator[str]:
        """Yield the folders of the control groups that we are in, up to the root's."""
        for line in self._lines("/proc/self/cgroup"):
            number, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if number == "0":
                top = "/sys/fs/cgroup"
            elif controller in names.split(","):
                top = f"/sys/fs/cgroup/{controller}"
            else:
                continue
            path = path.rstrip("/")
            while path.startswith("/") and "/.." not in path:
                yield top + path
                path = path.rpartition("/")[0]
            yield top

    # -- container -------------------------------------------------------------------------

    def container(self, variables: Mapping[str, str]) -> Container | None:
        """Return the container that we are in, as far as it shows."""
        image = next(
            (variables[f"{each}_CONTAINER"] for each in ("APPTAINER", "SINGULARITY")
             if variables.get(f"{each}_CONTAINER")), None)  # fmt: skip
        if image:
            return Container(engine="apptainer", image=image)
        if self._is_there("/run/.containerenv"):
            said: dict[str, str | None] = {}
            for line in self._lines("/run/.containerenv"):
                name, _, value = line.partition("=")
                said[name] = value.strip().strip('"') or None
            return Container(
                engine=(said.get("engine") or "podman").partition("-")[0],
                id=said.get("id") or self._container_id(),
                name=said.get("name"),
                image=said.get("image"),
                image_id=said.get("imageid"),
            )
        identity = self._container_id()
        groups = self._read("/proc/self/cgroup") or ""
        if variables.get("KUBERNETES_SERVICE_HOST") or "/kubepods" in groups:
            return Container(engine="kubernetes", id=identity)
        if self._is_there("/.dockerenv"):
            return Container(engine="docker", id=identity)
        told = (self._read("/run/systemd/container") or "").strip() or variables.get("container")
        if told or identity:
            engine = "docker" if told is None and "docker" in groups else told
            return Container(engine=engine, id=identity)
        return Container(engine="lxc") if ":/lxc/" in groups else None

    def _container_id(self) -> str | None:
        """Return the 64 digits that our control group or our own mounts have in their names."""
        places = [line.rpartition(":")[2] for line in self._lines("/proc/self/cgroup")]
        for line in self._lines("/proc/self/mountinfo"):
            words = line.split()
            if len(words) > 4 and words[4] in OWN_FILES:
                places.append(words[3])
        for place in places:
            for word in reversed(place.replace("-", "/").replace(".", "/").split("/")):
                if len(word) == 64 and all(each in "0123456789abcdef" for each in word):
                    return word
        return None

    # -- cloud -----------------------------------------------------------------------------

    def cloud(self) -> Cloud | None:
        """Return the cloud that the firmware says it belongs to."""
        folder = "/sys/class/dmi/id"
        vendor, product, tag = (
            (self._read(f"{folder}/{each}") or "").strip()
            for each in ("sys_vendor", "product_name", "chassis_asset_tag")
        )
        if vendor == "Amazon EC2":
            return Cloud(provider="aws", instance_type=product if "." in product else None)
        if "amazon" in (self._read(f"{folder}/bios_version") or "").lower():
            return Cloud(provider="aws")
        if product == "Google Compute Engine" or (vendor == "Google" and "Compute" in product):
            return Cloud(provider="gcp")
        return Cloud(provider="azure") if tag == AZURE_TAG else None

    # -- cluster ---------------------------------------------------------------------------

    def namespace(self) -> str | None:
        """Return the namespace of the pod that we are."""
        found = self._read("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        return found.strip() or None if found else None

    def nodes(self, path: str) -> str | None:
        """Return the nodes that a scheduler lists in a file, one line for each process there."""
        return ",".join(dict.fromkeys(filter(None, map(str.strip, self._lines(path))))) or None

    # -- files -----------------------------------------------------------------------------

    def _is_there(self, path: str) -> bool:
        return os.path.exists(self._root + path)

    def _names(self, path: str) -> list[str]:
        try:
            return os.listdir(self._root + path)
        except OSError:
            return []

    def _pairs(self, path: str) -> list[tuple[str, str]]:
        pairs = (line.partition(":") for line in self._lines(path))
        return [(name.strip(), value.strip()) for name, _, value in pairs]

    def _lines(self, path: str) -> list[str]:
        return (self._read(path) or "").splitlines()

    def _read(self, path: str) -> str | None:
        try:
            with open(self._root + path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return None
