"""What a container is given beside its image: as the user says it, and as the engine wants it."""

from __future__ import annotations

import os

from docker.types import DeviceRequest, Mount

from gitlineage.errors import Refused
from gitlineage.records import Record


class Options(Record):
    """What a container is given beside its image, as the user asked for it."""

    volumes: tuple[str, ...] = ()
    """`SOURCE:TARGET[:ro]`: a path of ours, or the name of one of the engine's volumes."""
    variables: tuple[str, ...] = ()
    """`NAME=VALUE`, or `NAME` for one of ours."""
    network: str | None = None
    gpus: str | None = None
    """`all`, a number, or `device=ID,ID`."""

    def named_variables(self) -> dict[str, str]:
        """Return the variables with their values. Raises Refused for one that is not set."""
        found = {}
        for each in self.variables:
            name, separator, value = each.partition("=")
            if not separator and name not in os.environ:
                raise Refused(reason=f"variable {name} is not set")
            found[name] = value if separator else os.environ[name]
        return found

    def mounts(self) -> list[Mount]:
        """Return the volumes as the engine wants them. Raises Refused."""
        found = []
        for each in self.volumes:
            source, _, rest = each.partition(":")
            target, _, mode = rest.partition(":")
            if not source or not target.startswith("/") or mode not in ("", "ro", "rw"):
                raise Refused(reason=f"volume {each} is not SOURCE:TARGET[:ro]")
            is_path = source.startswith(("/", ".", "~"))
            if is_path:
                source = os.path.abspath(os.path.expanduser(source))
                if not os.path.exists(source):
                    raise Refused(reason=f"volume {each}: {source} is not there")
            kind = "bind" if is_path else "volume"
            found.append(Mount(target, source, type=kind, read_only=mode == "ro"))
        return found

    def devices(self) -> list[DeviceRequest]:
        """Return the GPUs as the engine wants them. Raises Refused."""
        if self.gpus is None:
            return []
        kind, _, ids = self.gpus.partition("=")
        wanted: dict[str, object] = {"count": -1}
        if kind == "device" and ids:
            wanted = {"device_ids": ids.split(",")}
        elif self.gpus.isdecimal():
            wanted = {"count": int(self.gpus)}
        elif self.gpus != "all":
            raise Refused(reason=f"--gpus {self.gpus} is not all, a number or device=ID,ID")
        return [DeviceRequest(capabilities=[["gpu"]], **wanted)]
