"""The machine as its system describes it: this one, and others whose files are laid out."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from gitlineage.machine import AZURE_TAG, Machine
from gitlineage.records.end import Container, Gpu
from gitlineage.records.launch import Cloud

ID = "0123456789abcdef" * 4


def laid(isolated: Path, files: dict[str, str]) -> Machine:
    for name, content in files.items():
        path = isolated / "root" / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Machine(str(isolated / "root"))


def test_same_as_lscpu() -> None:
    lines = subprocess.check_output(["lscpu"], text=True).splitlines()
    pairs = (line.partition(":") for line in lines)
    said = {name.strip(): value.strip() for name, _, value in pairs}
    machine = Machine()
    assert machine.cpu_model() == said["Model name"]
    cores = int(said["Core(s) per socket"]) * int(said["Socket(s)"])
    assert machine.cpu_cores() == cores


def test_same_as_the_system_says() -> None:
    machine = Machine()
    assert machine.distribution() == platform.freedesktop_os_release()["PRETTY_NAME"]
    total = Path("/proc/meminfo").read_text().split()[1]
    assert machine.memory() == int(total) << 10


def test_nothing_can_be_read(isolated: Path) -> None:
    machine = Machine(str(isolated / "no-such-folder"))
    assert machine.distribution() is machine.cpu_model() is machine.cpu_cores() is None
    assert machine.cpu_limit() is machine.memory_limit() is machine.cloud() is None
    assert (machine.gpus(), machine.container({}), machine.namespace()) == ((), None, None)
    assert machine.memory() is not None  # the C library knows too


def test_threads_of_a_core_count_once(isolated: Path) -> None:
    cpu = "processor: {}\nmodel name\t: Xeon\nphysical id: {}\ncore id: {}\n\n"
    places = [(0, 0), (0, 1), (1, 0), (1, 1)] * 2
    content = "".join(cpu.format(n, *place) for n, place in enumerate(places))
    machine = laid(isolated, {"/proc/cpuinfo": content})
    assert (machine.cpu_cores(), machine.cpu_model()) == (4, "Xeon")


def test_arm(isolated: Path) -> None:
    files = {"/proc/cpuinfo": "processor: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"}
    for n in range(4):
        siblings = f"/sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list"
        files[siblings] = f"{n // 2 * 2}-{n // 2 * 2 + 1}\n"
    machine = laid(isolated, files)
    assert machine.cpu_model() == "ARM implementer 0x41, part 0xd0c"
    assert machine.cpu_cores() == 2


def test_limits_of_control_groups(isolated: Path) -> None:
    machine = laid(isolated, {
        "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/a/cpu.max": "150000 100000\n", "/sys/fs/cgroup/a/b/memory.max": "max\n",
        "/sys/fs/cgroup/a/memory.max": "1048576\n", "/sys/fs/cgroup/memory.max": "2097152\n",
    })  # fmt: skip
    assert (machine.cpu_limit(), machine.memory_limit()) == (1500, 1 << 20)


def test_limits_of_control_groups_of_old(isolated: Path) -> None:
    machine = laid(isolated, {
        "/proc/self/cgroup": "4:memory:/x\n3:cpuacct,cpu:/x\n0::/\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "1\n",
        "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "50000\n",
        "/sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "4096\n",
    })  # fmt: skip
    assert (machine.cpu_limit(), machine.memory_limit()) == (500, 4096)


@pytest.mark.parametrize(("files", "variables", "expected"), [
    ({"/.dockerenv": ""}, {}, Container(engine="docker")),
    ({"/.dockerenv": "", "/proc/self/cgroup": f"4:memory:/docker/{ID}\n"}, {},
     Container(engine="docker", id=ID)),
    ({"/.dockerenv": "", "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo":
      f"1 2 0:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"},
     {}, Container(engine="docker", id=ID)),
    ({"/proc/self/mountinfo":  # another's, as the host sees it
      f"1 2 0:1 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw\n"}, {}, None),
    ({"/run/.containerenv": f'engine="podman-4.3.1"\nname="train"\nid="{ID}"\n'
      'image="docker.io/library/python:3.11"\nimageid="abc"\nrootless=1\n'}, {},
     Container(engine="podman", id=ID, name="train", image="docker.io/library/python:3.11",
               image_id="abc")),
    ({"/run/.containerenv": "", "/proc/self/cgroup": f"0::/machine.slice/libpod-{ID}.scope\n"}, {},
     Container(engine="podman", id=ID)),
    ({"/proc/self/cgroup": f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n"},
     {}, Container(engine="kubernetes", id=ID)),
    ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Container(engine="kubernetes")),
    ({}, {"APPTAINER_CONTAINER": "/images/x.sif"},
     Container(engine="apptainer", image="/images/x.sif")),
    ({}, {"container": "lxc"}, Container(engine="lxc")),
    ({"/run/systemd/container": "systemd-nspawn\n"}, {}, Container(engine="systemd-nspawn")),
    ({"/proc/self/cgroup": "4:memory:/lxc/web\n"}, {}, Container(engine="lxc")),
    ({"/proc/self/cgroup": "0::/user.slice/user-1000.slice\n"}, {}, None),
])  # fmt: skip
def test_containers(
    isolated: Path, files: dict[str, str], variables: dict[str, str], expected: Container | None
) -> None:
    assert laid(isolated, files).container(variables) == expected


@pytest.mark.parametrize(("files", "expected"), [
    ({"sys_vendor": "Amazon EC2\n", "product_name": "m5.large\n"},
     Cloud(provider="aws", instance_type="m5.large")),
    ({"sys_vendor": "Xen\n", "product_name": "HVM domU\n", "bios_version": "4.11.amazon\n"},
     Cloud(provider="aws")),
    ({"sys_vendor": "Google\n", "product_name": "Google Compute Engine\n"}, Cloud(provider="gcp")),
    ({"sys_vendor": "Microsoft Corporation\n", "product_name": "Virtual Machine\n",
      "chassis_asset_tag": AZURE_TAG + "\n"}, Cloud(provider="azure")),
    ({"sys_vendor": "Microsoft Corporation\n", "product_name": "Virtual Machine\n"}, None),
    ({"sys_vendor": "LENOVO\n", "product_name": "20XW\n"}, None),
])  # fmt: skip
def test_clouds(isolated: Path, files: dict[str, str], expected: Cloud | None) -> None:
    dmi = {f"/sys/class/dmi/id/{name}": content for name, content in files.items()}
    assert laid(isolated, dmi).cloud() == expected


def test_gpus_as_the_driver_lists_them(isolated: Path) -> None:
    machine = laid(isolated, {
        "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  "
        "535.129.03  Thu Oct 19 18:56:32 UTC 2023\nGCC version:  gcc version 12.2.0\n",
        "/proc/driver/nvidia/gpus/0000:3b:00.0/information": "Model: \t\t NVIDIA A100-SXM4-40GB\n"
        "IRQ:   \t\t 183\nGPU UUID: \t GPU-5b1e\n",
    })  # fmt: skip
    assert machine.gpus() == (
        Gpu(name="NVIDIA A100-SXM4-40GB", driver="535.129.03", uuid="GPU-5b1e"),
    )


def test_files_of_clusters(isolated: Path) -> None:
    machine = laid(isolated, {
        "/var/run/secrets/kubernetes.io/serviceaccount/namespace": "ml", "/nodes": "a\na\nb\n\n",
    })  # fmt: skip
    assert (machine.namespace(), machine.nodes("/nodes")) == ("ml", "a,b")
    assert machine.nodes("/none") is None
