"""What a cloud's metadata service tells; the services are played on loopback."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import last

from gitlineage import metadata_service
from gitlineage.errors import InvalidSetting
from gitlineage.machine import Machine
from gitlineage.records.launch import Cloud

Answers = dict[str, tuple[str, str, str]]
"""Path to the header that is needed, its value, and the answer."""

AWS: Answers = {
    "PUT /latest/api/token": ("X-aws-ec2-metadata-token-ttl-seconds", "60", "T0K3N"),
    "GET /latest/dynamic/instance-identity/document": (
        "X-aws-ec2-metadata-token", "T0K3N",
        json.dumps({"accountId": "123456789012", "region": "eu-west-1", "instanceType": "m5.large",
                    "availabilityZone": "eu-west-1b", "instanceId": "i-0a1b"}),
    ),
}  # fmt: skip
GCP: Answers = {
    f"GET /computeMetadata/v1/instance/{name}": ("Metadata-Flavor", "Google", answer)
    for name, answer in (
        ("zone", "projects/1/zones/europe-west1-b"), ("id", "42"),
        ("machine-type", "projects/1/machineTypes/n1-standard-4"),
    )
}  # fmt: skip
AZURE: Answers = {
    "GET /metadata/instance/compute?api-version=2021-02-01&format=json": (
        "Metadata", "true",
        json.dumps({"location": "westeurope", "vmSize": "Standard_F2s_v2", "vmId": "13f5",
                    "zone": "", "customData": "t0p-secret"}),
    )
}  # fmt: skip
FOUND = {
    "aws": (AWS, Cloud(provider="aws", region="eu-west-1", zone="eu-west-1b", instance="i-0a1b",
                       instance_type="m5.large")),
    "gcp": (GCP, Cloud(provider="gcp", region="europe-west1", zone="europe-west1-b", instance="42",
                       instance_type="n1-standard-4")),
    "azure": (AZURE, Cloud(provider="azure", region="westeurope", instance="13f5",
                           instance_type="Standard_F2s_v2")),
}  # fmt: skip


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], str]]:
    """Answer requests that have the right header, as one cloud would, and return the address."""
    servers = []

    def start(answers: Answers) -> str:
        class Service(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                key, value, content = answers.get(f"{self.command} {self.path}", ("", "-", ""))
                is_right = self.headers.get(key) == value
                self.send_response(200 if is_right else 401)
                self.end_headers()
                self.wfile.write(content.encode() if is_right else b"{}")

            do_GET = do_PUT = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("provider", FOUND)
def test_each_cloud(serve: Callable[[Answers], str], provider: str) -> None:
    answers, expected = FOUND[provider]
    url = serve(answers)
    assert metadata_service.start(url, None)() == expected
    assert metadata_service.start(url + "/", Cloud(provider=provider))() == expected
    other = Cloud(provider="aws" if provider != "aws" else "gcp", instance_type="x")
    assert metadata_service.start(url, other)() == other


@pytest.mark.parametrize("answer", ["", "[]", "no json", '{"region": 7', "\udcff"])
def test_answers_that_say_nothing(serve: Callable[[Answers], str], answer: str) -> None:
    answers = {**AWS}
    path = "GET /latest/dynamic/instance-identity/document"
    answers[path] = (*AWS[path][:2], answer.encode("utf-8", "replace").decode())
    assert metadata_service.start(serve(answers), None)() is None


def test_a_service_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_service, "PATIENCE", 0.2)
    known = Cloud(provider="aws")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert metadata_service.start(url, known)() == known
    assert metadata_service.start(url, known)() == known  # nobody listens
    assert metadata_service.start("http://:x", None)() is None


@pytest.mark.parametrize(("setting", "expected"), [
    ("true", "http://169.254.169.254"), ("ON", "http://169.254.169.254"), ("false", None),
    ("no", None), ("http://127.0.0.1:1", "http://127.0.0.1:1"),
])  # fmt: skip
def test_settings(setting: str, expected: str | None) -> None:
    assert metadata_service.address(setting) == expected


def test_of_an_execution(
    repo: Path, lineage: Lineage, git: Git, serve: Callable[[Answers], str]
) -> None:
    lineage("run", "-q", "--", "true")
    execution = last()
    assert execution.place is not None and execution.place.cloud == Machine().cloud()
    git("config", "lineage.metadataService", serve(AWS))
    lineage("run", "-q", "--", "true")
    execution = last()
    assert execution.launch is not None and execution.launch.place.cloud is None
    assert execution.place is not None
    assert (execution.place.kind, execution.place.cloud) == ("cloud", FOUND["aws"][1])
    found = json.loads(lineage("show", "--json").stdout)["place"]
    assert found["cloud"]["region"] == "eu-west-1"
    assert "\nEnvironment:  aws eu-west-1b m5.large, " in lineage("show").stdout


def test_a_setting_that_means_nothing(repo: Path, lineage: Lineage, git: Git) -> None:
    git("config", "lineage.metadataService", "perhaps")
    done = lineage("run", "--", "touch", "ran", check=False)
    assert (done.returncode, Path("ran").exists()) == (125, False)
    assert done.stderr == (
        "error: lineage.metadataService is perhaps, which means nothing\n"
        "hint: lineage.metadataService may be true, false, or a URL that begins with http://\n"
    )
    with pytest.raises(InvalidSetting):
        metadata_service.address("https://example.org")
