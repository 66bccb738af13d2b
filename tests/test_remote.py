"""What is behind URIs: real servers of S3 and of Google's storage, and a real web server.

All are on loopback.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import Git, Lineage
from executions import last, of

import gitlineage
from gitlineage import identity, remote
from gitlineage.errors import RemoteFailed

CONTENT = b"1,2\n"
TIME = "Mon, 02 Jan 2023 03:04:05 GMT"


class Web(BaseHTTPRequestHandler):
    """A file with an entity tag, and addresses that refuse."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = {"/data.csv": 200, "/secret": 403}.get(path, 404)
        self.send_response(status)
        if status == 200:
            self.send_header("ETag", '"abc"')
            self.send_header("Last-Modified", TIME)
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if status == 200 and self.command == "GET":
            self.wfile.write(CONTENT)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """Start a server of S3 in a process of its own; return a client of it."""
    code = (
        "from moto.server import ThreadedMotoServer as S\n"
        "server = S(ip_address='127.0.0.1', port=0); server.start()\n"
        "print('READY', *server.get_host_and_port(), flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    line = next(line for line in process.stdout if line.startswith("READY "))
    _, host, port = line.split()
    import botocore.session

    session = botocore.session.Session()
    session.set_credentials("key", "secret")
    client = session.create_client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1"
    )
    client.create_bucket(Bucket="data")
    enabled = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket="data", VersioningConfiguration=enabled)
    yield client
    client.close()
    process.communicate("\n")


@pytest.fixture
def bucket(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {
        "AWS_ENDPOINT_URL": s3.meta.endpoint_url, "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return s3


def test_what_s3_says_is_recorded_and_joins(bucket: Any, repo: Path, lineage: Lineage) -> None:
    put = bucket.put_object(Bucket="data", Key="a.csv", Body=CONTENT, ChecksumAlgorithm="SHA256")
    lineage("run", "-q", "--step", "make", "-o", "s3://data/a.csv", "--", "true")
    lineage("run", "-q", "--step", "use", "-i", "s3://data/a.csv", "--", "true")
    for found in (of(last("@make").outputs, "s3://data/a.csv"), last("@use").inputs[0]):
        assert found.remote is not None
        assert found.remote.version == put["VersionId"]
        assert found.remote.etag == hashlib.md5(CONTENT).hexdigest()
        sha256 = hashlib.sha256(CONTENT).digest()
        assert found.remote.checksums["sha256"] == base64.b64encode(sha256).decode()
        assert (found.digests, found.size) == ({"sha256": sha256}, 4)
        assert found.remote.modified_at is not None
    with gitlineage.open() as opened:
        nodes = opened.trace("s3://data/a.csv").nodes
    assert [node.step for node in nodes if node.kind == "execution"] == ["make", "use"]
    bucket.put_object(Bucket="data", Key="a.csv", Body=b"other")
    lineage("run", "-q", "--step", "later", "-i", "s3://data/a.csv", "--", "true")
    with gitlineage.open() as opened:
        nodes = opened.trace("@later").nodes
    assert [node.step for node in nodes if node.kind == "execution"] == ["later"]


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """Start a server of Google's storage in a process of its own; return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from gcp_storage_emulator.server import create_server as create\n"
        f"create('127.0.0.1', {port}, in_memory=True, default_bucket='data').start()\n"
        "print('READY', flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    assert "READY\n" in iter(process.stdout.readline, "")
    yield f"http://127.0.0.1:{port}"
    process.kill()  # its thread would wait for another request
    process.communicate()


@pytest.fixture
def store(google: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], dict[str, Any]]:
    """Return what puts an object into the bucket `data`, and returns what the server says of it."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nobody looks for a cloud around here

    def put(name: str, content: bytes) -> dict[str, Any]:
        asked = {"uploadType": "media", "name": name}
        done = requests.post(f"{google}/upload/storage/v1/b/data/o", params=asked, data=content,
                             headers={"Content-Type": "text/csv"}, timeout=20)  # fmt: skip
        done.raise_for_status()
        found: dict[str, Any] = done.json()
        return found

    return put


def test_what_google_says_is_recorded_and_joins(
    store: Callable[[str, bytes], dict[str, Any]], repo: Path, lineage: Lineage
) -> None:
    put = store("d/a.csv", CONTENT)
    done = lineage("run", "-t", "made", "-o", "gs://data/d/a.csv", "--", "true")
    assert "warning" not in done.stderr
    done = lineage("run", "-i", "gs://data/d/a.csv", "--", "true")
    assert done.stderr.count("\n") == 1  # nothing of what its library remarks
    (used,) = last().inputs
    assert (used.type, used.size) == ("uri", 4)
    assert used.digests["md5"] == hashlib.md5(CONTENT).digest()
    about = used.remote
    assert about is not None
    assert (about.version, about.etag) == (put["generation"], put["etag"])
    assert about.checksums == {"md5": put["md5Hash"], "crc32c": put["crc32c"]}
    assert about.modified_at is not None
    traced = json.loads(lineage("trace", "--up", "gs://data/d/a.csv", "--format", "json").stdout)
    assert {each["kind"] for each in traced["edges"]} == {"generated"}


def test_what_google_has_is_downloaded_once(
    store: Callable[[str, bytes], dict[str, Any]], repo: Path, lineage: Lineage
) -> None:
    store("e/1.csv", b"1\n")
    store("e/2.csv", b"2\n")
    words = ["run", "-i", "rows=gs://data/e/*.csv", "--", "sh", "-c", "cat $VH_INPUTS_DIR/rows/*"]
    done = lineage(*words)
    assert (done.stdout, done.stderr.count("downloading gs://data/e/")) == ("1\n2\n", 2)
    assert {each.path: each.digest is not None for each in last().inputs} == {
        "gs://data/e/1.csv": True, "gs://data/e/2.csv": True,
    }  # fmt: skip
    store("e/2.csv", b"3\n")
    done = lineage(*words)
    assert (done.stdout, done.stderr.count("downloading")) == ("1\n3\n", 1)
    for bad in ("gs://data/none", "gs://nowhere/x"):
        done = lineage("run", "-i", f"rows={bad}", "--", "true", check=False)
        assert (done.returncode, done.stderr.splitlines()) == (125, [
            f"error: {bad}: there is nothing at that address (404)", "hint: check its spelling"
        ])  # fmt: skip


def test_patterns_and_content(bucket: Any, tmp_path: Path) -> None:
    for key in ("p/1.csv", "p/2.csv", "p/q/3.csv"):
        bucket.put_object(Bucket="data", Key=key, Body=key.encode())
    assert remote.matches("s3://data/p/*.csv") == ["s3://data/p/1.csv", "s3://data/p/2.csv"]
    assert len(remote.matches("s3://data/p/**.csv")) == 3
    told: list[tuple[int, int]] = []
    remote.fetch("s3://data/p/1.csv", str(tmp_path / "1"), lambda *each: told.append(each))
    assert (tmp_path / "1").read_bytes() == b"p/1.csv"
    assert told[-1] == (7, 7)


def test_what_a_web_server_says(web: str, tmp_path: Path) -> None:
    found = remote.facts(f"http://{web}/data.csv")
    assert (found.size, found.remote.etag) == (4, "abc")
    assert found.remote.modified_at == 1672628645_000000
    remote.fetch(f"http://{web}/data.csv", str(tmp_path / "data"))
    assert (tmp_path / "data").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://{}/secret", "the store does not allow it (403)"),
        ("http://{}/nowhere", "there is nothing at that address (404)"),
        ("s3://data/nowhere", "there is nothing at that address (404)"),
        ("s3://nobody/nowhere", "there is nothing at that address (404)"),
    ],
)
def test_a_refusal_is_said_in_words(bucket: Any, web: str, uri: str, reason: str) -> None:
    with pytest.raises(RemoteFailed) as raised:
        remote.facts(uri.format(web))
    assert raised.value.facts["reason"] == reason


def test_a_server_that_is_not_there_is_a_warning(repo: Path, lineage: Lineage) -> None:
    said = lineage("run", "-i", "http://ada:pw@127.0.0.1:9/x?sig=abcdef", "--", "true").stderr
    assert said.startswith("warning: http://127.0.0.1:9/x?...: ")
    assert "pw" not in said and "abcdef" not in said
    (found,) = last().inputs
    assert (found.path, found.remote) == ("http://127.0.0.1:9/x", None)


def test_without_the_library_a_uri_is_only_named(
    repo: Path, lineage: Lineage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fsspec.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = lineage("run", "-q", "-i", "gs://bucket/x", "--", "true").stderr
    missing = "what reads such URIs, git-lineage[gcs], is not installed"
    assert said == f"warning: gs://bucket/x: {missing}\n"
    assert last().inputs[0].path == "gs://bucket/x"


def test_a_signed_url_is_the_same_each_time() -> None:
    first = identity.address("https://u:p@h/k?X-Amz-Signature=1&X-Amz-Date=1")
    assert first == identity.address("https://h/k?X-Amz-Signature=2&X-Amz-Date=2") == "https://h/k"
    assert identity.address("https://h/k?page=2") == "https://h/k?page=2"


def test_nothing_of_it_is_imported_without_a_uri(repo: Path, git: Git) -> None:
    Path("f").write_text("x")
    code = (
        "import sys, gitlineage.lineage as l\n"
        "with l.open() as o: o.run(['true'], inputs=['f'])\n"
        "print(sorted({'fsspec', 's3fs', 'aiohttp', 'gitlineage.remote'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
    assert os.path.exists("f")
