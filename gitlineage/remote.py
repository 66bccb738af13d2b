"""What is behind a URI, through fsspec and its file systems: facts, and the content itself.

Knows stores and their answers; knows nothing of records' order or of where content is kept. What
the network or a library does wrong is a `RemoteFailed`, and no credentials are in its words.
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import re
from datetime import datetime

from gitlineage.errors import RemoteFailed, RemoteLibraryMissing
from gitlineage.records import Record
from gitlineage.records.artifact import Remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

CONNECTING, READING = 10, 60
"""Seconds that a connection, and an answer on it, may take."""

CHECKSUMS = {
    "ChecksumSHA256": "sha256", "ChecksumSHA1": "sha1", "ChecksumCRC32": "crc32",
    "ChecksumCRC32C": "crc32c", "ChecksumCRC64NVME": "crc64nvme", "md5Hash": "md5",
    "crc32c": "crc32c", "Content-MD5": "md5", "content_md5": "md5",
}  # fmt: skip
"""What stores call their checksums."""

WHOLE = {"sha256": 32, "sha1": 20, "md5": 16}
"""Checksums that are digests of the content, and their bytes."""

EXTRAS = {"gs": "gcs", "gcs": "gcs"}
"""Extras of this package that bring the library of a scheme; for the others `remote`."""


class Facts(Record):
    """What a store says of a URI."""

    size: int | None = None
    digests: Mapping[str, bytes] = {}
    """Digests of the content, as far as the store states them."""
    remote: Remote


def facts(uri: str) -> Facts:
    """Return what the store says now. Raises RemoteFailed, RemoteLibraryMissing."""
    files, path = _open(uri)
    try:
        info = _info(files, path)
    except Exception as error:
        raise _failed(uri, error) from error
    if info.get("type") == "directory":
        raise RemoteFailed(uri=safe(uri), reason="it is a folder", hint=_HINT_FOLDER)
    return _facts(info)


def fetch(uri: str, into: str, tell: Callable[[int, int], None] = lambda have, total: None) -> None:
    """Write what is behind a URI to a file. Raises RemoteFailed, RemoteLibraryMissing, OSError.

    `tell` is given the bytes that have come, and how many there are, 0 where that is not known.
    """
    files, path = _open(uri)
    from fsspec.callbacks import Callback

    class Told(Callback):  # type: ignore[misc]
        def call(self, *_: object, **__: object) -> None:
            tell(self.value, self.size or 0)

    try:
        files.get_file(path, into, callback=Told())
    except Exception as error:
        raise _failed(uri, error) from error


def matches(pattern: str) -> list[str]:
    """Return the files that a URI with `*` or `**` stands for, sorted. Raises as `facts`."""
    files, path = _open(pattern)
    try:
        # `**.csv` is `**/*.csv` for fsspec.
        found = files.glob(re.sub(r"\*\*(?=[^/*])", "**/*", path), detail=True)
        listed = [name for name, info in found.items() if info.get("type") != "directory"]
        return sorted(files.unstrip_protocol(each) for each in listed)
    except Exception as error:
        raise _failed(pattern, error) from error


def safe(uri: str) -> str:
    """Return a URI without what may be secret in it: password, signature, query."""
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    path, mark, _ = path.partition("?")
    return scheme + separator + host.rpartition("@")[2] + slash + path + ("?..." if mark else "")


def _open(uri: str) -> tuple[Any, str]:
    """Return the file system of a URI, and the path in it."""
    scheme = uri.partition("://")[0].lower()
    try:
        import fsspec  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise RemoteLibraryMissing(uri=safe(uri), extra=EXTRAS.get(scheme, "remote")) from error
    options: dict[str, Any] = {}
    if scheme in ("s3", "s3a"):
        retries = {"max_attempts": 2}
        waits = {"connect_timeout": CONNECTING, "read_timeout": READING, "retries": retries}
        options = {"config_kwargs": waits, "use_listings_cache": False}
    elif scheme in ("gs", "gcs"):
        import logging

        # Its remarks on what it tries would be among what the command says.
        logging.getLogger("gcsfs").addHandler(logging.NullHandler())
        options = {"requests_timeout": READING, "use_listings_cache": False}
    try:
        if scheme in ("http", "https"):
            import aiohttp

            # Of the whole download no limit, of each piece one.
            timeout = aiohttp.ClientTimeout(total=None, connect=CONNECTING, sock_read=READING)
            options = {"client_kwargs": {"timeout": timeout, "trust_env": True}}
        files, path = fsspec.core.url_to_fs(uri, **options)
        return files, path
    except ImportError as error:
        raise RemoteLibraryMissing(uri=safe(uri), extra=EXTRAS.get(scheme, "remote")) from error
    except Exception as error:
        raise _failed(uri, error) from error


def _info(files: Any, path: str) -> Mapping[str, Any]:
    if "s3" in files.protocol:
        bucket, key, version = files.split_path(path)
        if key and not path.endswith("/"):
            # `info` leaves out the checksums, and asks once more where a key is missing.
            asked = {"VersionId": version} if version else {}
            answer: Mapping[str, Any] = files.call_s3(
                "head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED", **asked
            )
            return {**answer, "size": answer["ContentLength"]}
    found: Mapping[str, Any] = files.info(path)
    return found


def _facts(info: Mapping[str, Any]) -> Facts:
    lower = {key.lower().replace("_", "").replace("-", ""): value for key, value in info.items()}
    checksums, digests = {}, {}
    for key, kind in CHECKSUMS.items():
        value = info.get(key)
        if isinstance(value, (bytes, bytearray)):
            value = base64.b64encode(value).decode()
        if not isinstance(value, str) or not value:
            continue
        checksums[kind] = value
        # That of an object in parts is one of checksums: `...-3`.
        if kind in WHOLE and info.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
            content = _decoded(value)
            if len(content) == WHOLE[kind]:
                digests[kind] = content
    version = next((lower[each] for each in ("versionid", "generation") if lower.get(each)), None)
    etag, size = lower.get("etag"), info.get("size")
    return Facts(
        size=size if isinstance(size, int) else None,
        digests=digests,
        remote=Remote(
            etag=etag.removeprefix("W/").strip('"') if isinstance(etag, str) and etag else None,
            version=str(version) if version not in (None, "null") else None,
            checksums=checksums,
            modified_at=_moment(
                lower.get("lastmodified") or lower.get("updated") or lower.get("mtime")
            ),
        ),
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _moment(value: object) -> int | None:
    """Return a time of a store in microseconds, however it is spelled."""
    try:
        if isinstance(value, str):
            found = (
                datetime.fromisoformat(value)
                if value[:4].isdigit()
                else email.utils.parsedate_to_datetime(value)
            )
            return int(found.timestamp() * 1_000_000)
        if isinstance(value, datetime):
            return int(value.timestamp() * 1_000_000)
        return int(value * 1_000_000) if isinstance(value, (int, float)) else None
    except (ValueError, OverflowError, TypeError):
        return None


_HINT_FOLDER = "name a file, or a pattern such as `*`"

_REASONS = {
    400: "the store does not understand what is asked (400)",
    401: "the store wants credentials (401)",
    403: "the store does not allow it (403)",
    404: "there is nothing at that address (404)",
}


def _failed(uri: str, error: BaseException) -> RemoteFailed:
    """Return what went wrong, in words."""
    seen: BaseException | None = error
    status, is_late = None, False
    while seen is not None and status is None:
        answer = getattr(seen, "response", None)
        if isinstance(answer, dict):
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        status = status or getattr(seen, "status", None) or getattr(seen, "code", None)
        status = status if isinstance(status, int) else None
        is_late |= isinstance(seen, TimeoutError) or "Timeout" in type(seen).__name__
        last, seen = seen, seen.__cause__ or seen.__context__
    if status is None and isinstance(error, PermissionError):
        status = 403
    if status is None and type(last) is FileNotFoundError:
        status = 404
    if status is not None:
        reason = _REASONS.get(status, f"the store answers {status}")
    elif is_late:
        reason = "the store does not answer in time"
    elif isinstance(last, ConnectionError):
        reason = "cannot connect to it"
    else:
        text = str(last).replace(uri, safe(uri)).split("\n")[0] or type(last).__name__
        reason = re.sub(r"://[^/\s]*@", "://", text)[:300]
    return RemoteFailed(uri=safe(uri), reason=reason, hint=_hint(status))


def _hint(status: int | None) -> str:
    if status in (401, 403):
        return "the store's own settings say who you are: AWS_PROFILE, ~/.netrc and so on"
    if status == 404:
        return "check its spelling"
    return "is the network there, and the name right?"
