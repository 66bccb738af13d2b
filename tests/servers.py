"""Git servers on loopback: `git daemon`, `git http-backend` behind nginx, `sshd`, and a bad line.

Each is a context that gives the beginning of URLs of the repositories in a folder.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from executions import until

PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))

NGINX = """\
daemon off;
{user}
pid {here}/nginx.pid;
error_log {here}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        auth_basic git;
        auth_basic_user_file {here}/users;
        location / {{
            fastcgi_pass unix:{here}/fcgi;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
            fastcgi_param GIT_PROTOCOL $http_git_protocol;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param SCRIPT_FILENAME {backend};
            fastcgi_param PATH_INFO $uri;
            fastcgi_param GIT_PROJECT_ROOT {root};
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
        }}
    }}
}}
"""

SSHD = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {here}/host
PidFile none
AuthorizedKeysFile {here}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv GIT_PROTOCOL
MaxStartups 200
"""

SSH = """\
Host *
    Port {port}
    User {user}
    IdentityFile {here}/user
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {here}/known
    StrictHostKeyChecking yes
    BatchMode yes
    SendEnv GIT_PROTOCOL
"""

NO_ENDING = struct.pack("ii", 1, 0)
"""Closes a connection by a reset, as where a machine is gone."""


class Missing(Exception):
    """A server's program is not installed."""


def program(name: str) -> str:
    """Return where a server's program is. Raises Missing."""
    if (found := shutil.which(name, path=PATH)) is None:
        raise Missing(f"{name} is not installed")
    return found


def of_git(name: str) -> Path:
    """Return where a program of git's own is. Raises Missing."""
    folder = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    if not (found := Path(folder.stdout.strip()) / name).exists():
        raise Missing(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def is_open(address: tuple[str, int] | str) -> bool:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as asked:
        return asked.connect_ex(address) == 0


@contextlib.contextmanager
def served(*command: str | Path, address: tuple[str, int] | str) -> Iterator[None]:
    """Run a server, awaited at its address."""
    # A group of its own: servers have children, and all of them are to end.
    silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    process = subprocess.Popen(command, start_new_session=True, **silent)
    try:
        until(lambda: is_open(address) or process.poll() is not None, str(command[0]))
        assert process.poll() is None, f"{command[0]} has ended"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def http(root: Path, here: Path) -> Iterator[str]:
    """Serve the repositories in a folder to those who know the password `difference engine`."""
    nginx, fcgiwrap, port = program("nginx"), program("fcgiwrap"), free_port()
    here.mkdir()
    (here / "users").write_text("ada:{PLAIN}difference engine\n")
    (here / "nginx.conf").write_text(NGINX.format(
        here=here, port=port, backend=of_git("git-http-backend"), root=root,
        user="user root;" if os.geteuid() == 0 else "",
    ))  # fmt: skip
    helper = '!f() { echo username=ada; echo "password=difference engine"; }; f'
    subprocess.run(["git", "config", "--global", "credential.helper", helper], check=True)
    words = (nginx, "-p", here, "-c", here / "nginx.conf", "-e", here / "error.log")
    with (
        served(fcgiwrap, "-c", "4", "-s", f"unix:{here}/fcgi", address=f"{here}/fcgi"),
        served(*words, address=("127.0.0.1", port)),
    ):
        yield f"http://127.0.0.1:{port}/"


@contextlib.contextmanager
def daemon(root: Path) -> Iterator[str]:
    """Serve the repositories in a folder by git's own daemon, to anybody."""
    port = free_port()
    words = ("--export-all", "--enable=receive-pack", "--reuseaddr", "--listen=127.0.0.1")
    where = (f"--port={port}", f"--base-path={root}")
    with served(of_git("git-daemon"), *words, *where, address=("127.0.0.1", port)):
        yield f"git://127.0.0.1:{port}/"


@contextlib.contextmanager
def ssh(root: Path, here: Path) -> Iterator[str]:
    """Serve the repositories in a folder by an sshd with keys of its own."""
    sshd, port, user = program("sshd"), free_port(), getpass.getuser()
    here.mkdir()
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", here / name]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    key = (here / "host.pub").read_text()
    (here / "known").write_text(f"[127.0.0.1]:{port} {key}")
    (here / "sshd.conf").write_text(SSHD.format(here=here, port=port))
    (here / "config").write_text(SSH.format(here=here, port=port, user=user))
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where sshd locks itself in
    command = f"ssh -F '{here}/config'"
    subprocess.run(["git", "config", "--global", "core.sshCommand", command], check=True)
    with served(sshd, "-D", "-f", here / "sshd.conf", address=("127.0.0.1", port)):
        yield f"ssh://127.0.0.1{root}/"


class BadLine:
    """A way to a server that is cut once so many bytes went up, or came down, a connection."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.up: int | None = None
        self.down: int | None = None
        """Bytes to a connection's end; None for a good line."""
        self.answer: int | None = None
        """Bytes that go up, after which no answer comes down."""
        self.cut_count = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no more connections, and wait for the end of those that there are."""
        self._listening.shutdown(socket.SHUT_RDWR)
        for each in self._threads:
            each.join(10)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                self._threads.append(threading.Thread(target=self._carry, args=(client,)))
                self._threads[-1].start()

    def _carry(self, client: socket.socket) -> None:
        left = {"up": self.up, "down": self.down}
        sent = 0
        with client, contextlib.suppress(OSError), socket.socket() as server:
            server.connect(self._target)
            ways = {client: ("up", server), server: ("down", client)}
            while ways:
                for source in select.select(list(ways), [], [])[0]:
                    way, target = ways[source]
                    if not (chunk := source.recv(4096)):
                        target.shutdown(socket.SHUT_WR)
                        del ways[source]
                        continue
                    sent += len(chunk) if way == "up" else 0
                    is_lost = way == "down" and self.answer is not None and sent > self.answer
                    most = 0 if is_lost else left[way]
                    if most is None or len(chunk) < most:
                        target.sendall(chunk)
                        left[way] = None if most is None else most - len(chunk)
                        continue
                    target.sendall(chunk[:most])
                    self.cut_count += 1
                    for each in (client, server):
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_ENDING)
                    return
