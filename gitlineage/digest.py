"""The identity of content: BLAKE3 of its bytes. Knows files; knows nothing of git or records."""

from __future__ import annotations

import os

import blake3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHA256_LIMIT = 256 << 20
"""Files up to this size get a sha256 too: in-toto, RO-Crate and LFS readers know nothing else, and
above it sha256, three times slower than BLAKE3, would decide how long a run takes."""

CHUNK = 1 << 20

PIECE = 2 << 20
"""Bytes at once where several threads share the work."""

ID_LENGTH = 40


def preload() -> None:
    """Import what reading a file needs, while there is time for it."""
    import hashlib  # noqa: F401


def of_bytes(content: bytes | memoryview) -> bytes:
    """Return the 32 bytes of the BLAKE3 of `content`."""
    return blake3.blake3(content).digest()


def of_pieces(pieces: Iterable[bytes]) -> bytes:
    """Return the BLAKE3 of what comes in pieces."""
    hasher = blake3.blake3()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def of_text(digest: bytes) -> str:
    """Return the spelling of a content digest that people see: `blake3:<64 hex>`."""
    return "blake3:" + digest.hex()


def of_file(path: str, *, sha256_limit: int = SHA256_LIMIT) -> tuple[Mapping[str, bytes], int]:
    """Return the digests of a file, by algorithm, and the size that was read.

    Raises OSError. The file may change meanwhile: compare what `os.stat` says before and after.
    """
    with open(path, "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size > sha256_limit:
            found, size = of_descriptor(file.fileno())
            return {"blake3": found}, size
        import hashlib  # 3 ms: only once there is something to hash

        hasher, sha256, size = blake3.blake3(), hashlib.sha256(), 0
        while chunk := file.read(CHUNK):
            # Both let go of the interpreter's lock, but one pass on one core is cheaper than a
            # second thread below this size.
            hasher.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return {"blake3": hasher.digest(), "sha256": sha256.digest()}, size


def of_descriptor(descriptor: int) -> tuple[bytes, int]:
    """Return the BLAKE3 of an open file, from where it stands, and the size that was read.

    Raises OSError. Not by `mmap`: a file that becomes shorter meanwhile would end the process.
    """
    hasher = blake3.blake3(max_threads=blake3.blake3.AUTO)
    piece = memoryview(bytearray(PIECE))
    size = count = os.readv(descriptor, [piece])
    if count < PIECE:  # most likely all of it
        while count:
            hasher.update(piece[:count])
            size += (count := os.readv(descriptor, [piece]))
        return hasher.digest(), size
    from concurrent.futures import ThreadPoolExecutor  # 5 ms: only for what is large

    other = memoryview(bytearray(PIECE))
    with ThreadPoolExecutor(1) as reader:
        while count:  # the next piece is read while this one is hashed
            following = reader.submit(os.readv, descriptor, [other])
            hasher.update(piece[:count])
            count = following.result()
            size += count
            piece, other = other, piece
    return hasher.digest(), size


def execution_id(launch: bytes) -> str:
    """Return an execution's id: 40 hex digits over the stored bytes of its launch part."""
    return blake3.blake3(b"execution\0" + launch).hexdigest()[:ID_LENGTH]


def record_id(kind: str, parts: Iterable[tuple[str, bytes]]) -> str:
    """Return a record's id: 40 hex digits over its kind and all its stored parts.

    Each part goes in as name, NUL, length, NUL and bytes, sorted by name, so that no two sets of
    parts have the same pre-image.
    """
    hasher = blake3.blake3(b"record\0" + kind.encode() + b"\0")
    for name, content in sorted(parts):
        hasher.update(b"%s\0%d\0" % (name.encode(), len(content)))
        hasher.update(content)
    return hasher.hexdigest()[:ID_LENGTH]
