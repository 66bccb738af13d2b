"""What content is known by besides our own digest: digests of others, versions of a URI.

Pure: knows how such a name is spelled; knows nothing of who keeps what.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LENGTHS = {"sha256": 32, "sha512": 64, "sha384": 48, "sha224": 28, "sha1": 20, "md5": 16}
"""Digests of the whole content that others state, and their bytes. Checksums of a few bytes are no
identity."""

SIGNATURES = ("x-amz-signature=", "x-goog-signature=", "signature=", "sig=")
"""What a URL that was signed for a while has in its query."""


def names(path: str, digests: Mapping[str, Any], remote: Mapping[str, Any]) -> list[str]:
    """Return by what an artifact is known besides blake3, the best first.

    Digests as `sha256:<hex>`; of a URI also `URI#version=...` and `URI#etag=...`. The arguments
    are parts of a record as they are stored; what has another shape than it must have is left out.
    """
    found = []
    for algorithm, length in LENGTHS.items():
        value = digests.get(algorithm)
        if type(value) is bytes and len(value) == length:
            found.append(f"{algorithm}:{value.hex()}")
    for kind in ("version", "etag"):
        value = remote.get(kind)
        if type(value) is str and value and type(path) is str:
            found.append(f"{without_signature(path)}#{kind}={value}")
    return found


def is_name(text: str) -> bool:
    """Tell whether text is spelled like one of these names."""
    algorithm, _, value = text.partition(":")
    if algorithm in LENGTHS:
        return len(value) == 2 * LENGTHS[algorithm] and set(value) <= set("0123456789abcdef")
    return "://" in text and ("#version=" in text or "#etag=" in text)


def address(uri: str) -> str:
    """Return a URI as it is recorded: without user, password and signature."""
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return without_signature(scheme + separator + host.rpartition("@")[2] + slash + path)


def without_signature(uri: str) -> str:
    """Return a URI without the query of a signed URL, which is another one each time."""
    start, _, query = uri.partition("?")
    return start if any(each in query.lower() for each in SIGNATURES) else uri
