"""Which names say that a value is secret, and which values are none all the same. Knows text only.

Everything here is used before a command starts: it imports nothing that takes time.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ENDINGS = (
    "password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "apikey",
    "secretkey", "accesskey", "privatekey", "authkey", "accountkey", "encryptionkey", "signingkey",
    "masterkey", "servicekey", "clientkey", "licensekey", "authorization",
)  # fmt: skip
"""What names of secrets end with, in lower case and without what parts them."""

SHORT = ("pass", "pwd", "pw", "pat")
"""Names of secrets, or their last word: as the end of a longer word they mean nothing."""

PASSWORDS = ("password", "passwd", "passphrase", "pass", "pwd", "pw")
"""Of these, a number in a text and a short value in code are secret, too."""

OF_MODELS = ("bos", "cls", "eos", "mask", "max", "pad", "sep", "unk")
"""What stands before `token` where a language model's tokens are meant."""

NOT_VALUES = (
    "none", "null", "true", "false", "yes", "no", "on", "off", "0", "1", "nil",
    "undefined", "default", "required", "optional", "prompt", "redacted", "hidden", "empty",
    "changed", "invalid", "missing",
)  # fmt: skip

KEY_FILES = (".pem", ".key", ".p12", ".pfx", ".jks", ".asc", ".pub", ".json", ".txt", ".env")

_HINTS = ("KEY", "TOKEN", "SECRET", "PASS", "PW", "PAT", "CREDENTIAL", "AUTH")

SHORTEST_KNOWN = 8
"""Characters of a variable's value that is looked for everywhere."""


def is_secret(name: str, patterns: Iterable[str] = ()) -> bool:
    """Tell whether a name, of an option, a parameter or a field, says that its value is secret."""
    parted = name.lower().replace("-", "_").replace(".", "_").strip("_")
    before, _, last = parted.rpartition("_")
    is_ours = last == "token" and before.rpartition("_")[2] in OF_MODELS
    is_named = parted.replace("_", "").endswith(ENDINGS) or last in SHORT
    return (is_named and not is_ours and not parted.startswith("no_")) or any(
        fits(name, each) for each in patterns
    )


def is_name(text: str) -> bool:
    """Tell whether a text is nothing but a name, and no words before one or the URL around it."""
    return bool(text) and text.replace("-", "").replace(".", "").replace("_", "").isalnum()


def takes_text(program: str) -> bool:
    """Tell whether a program takes its text behind `-c`: a shell, Python, or what starts one."""
    name = program.rpartition("/")[2]
    return name.endswith("sh") or name.startswith("python") or name in ("flock", "script", "su")


def hands_on(program: str) -> bool:
    """Tell whether a program hands its words on to a shell, which reads them as its text."""
    return program.rpartition("/")[2] in ("autossh", "mosh", "parallel", "pdsh", "ssh", "watch")


def is_secret_variable(name: str, patterns: Iterable[str] = ()) -> bool:
    """Tell whether a variable's name says so: with them every key is one."""
    if name in ("PWD", "OLDPWD"):
        return False  # folders
    return name.upper().endswith("_KEY") or is_secret(name, patterns)


def fits(name: str, pattern: str) -> bool:
    """Tell whether a name fits a pattern, `*` for anything; case means nothing."""
    first, *rest = pattern.lower().split("*")
    left = name.lower()
    if not rest:
        return left == first
    if not left.startswith(first):
        return False
    left = left[len(first) :]
    for each in rest[:-1]:
        _, found, left = left.partition(each) if each else ("", "*", left)
        if not found:
            return False
    return left.endswith(rest[-1])


def is_value(name: str, value: str) -> bool:
    """Tell whether what stands behind a secret's name can be one: not a path, not a reference."""
    if not value or value[0] in "$<{%*[(" or "***(" in value:
        return False
    return value.lower() not in NOT_VALUES and not is_path(value)


def is_value_in_text(name: str, value: str, *, is_code: bool = False) -> bool:
    """Tell the same of what stands in a text: numbers there count tokens, unless of passwords.

    In code, where names are compared with short words, a short value is none.
    """
    is_password = name.lower().endswith(PASSWORDS)
    if is_code and is_short(name, value):
        return False
    if not is_password and value.replace(".", "").replace(",", "").isdigit():
        return False
    return is_value(name, value)


def is_short(name: str, value: str) -> bool:
    """Tell whether a value is shorter than what such a name's mostly are."""
    return len(value) < (4 if name.lower().endswith(PASSWORDS) else SHORTEST_KNOWN)


def is_path(value: str) -> bool:
    """Tell whether a value names a file: the names of key files are no secrets."""
    return (
        value.startswith(("~/", "./", "../"))
        or value.lower().endswith(KEY_FILES)
        or ("\0" not in value and len(value) < 4096 and os.path.exists(value))
    )


_last: tuple[object, dict[bytes, str]] = (None, {})


def known(variables: Mapping[str, str], patterns: Iterable[str]) -> dict[bytes, str]:
    """Return the values that secret variables have, in all spellings, and the variables' names."""
    global _last
    # Of many records that one process appends, all but the first find what was found before.
    asked = dict(variables), tuple(patterns)
    if _last[0] != asked:
        _last = asked, _known(*asked)
    return _last[1]


def _known(variables: Mapping[str, str], patterns: Sequence[str]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for name, value in variables.items():
        if (
            len(value) >= SHORTEST_KNOWN
            and (patterns or any(each in name.upper() for each in _HINTS))
            and is_secret_variable(name, patterns)
            and is_value_in_text(name, value)
        ):
            for line in value.splitlines():
                if len(line.strip()) >= SHORTEST_KNOWN:
                    for spelling in _spellings(os.fsencode(line.strip())):
                        found.setdefault(spelling, name)
    return found


def _spellings(value: bytes) -> Iterable[bytes]:
    """Yield a value as it stands, quoted for URLs and JSON, and in base64 wherever it begins."""
    import binascii

    yield value
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
    quoted = b"".join(b"%c" % each if each in safe else b"%%%02X" % each for each in value)
    yield quoted
    yield quoted.replace(b"%20", b"+")
    yield quoted.replace(b"%2F", b"/")
    yield value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    for before in range(3):
        # What is left is the same whatever stands before and behind.
        first = (before * 8 + 5) // 6
        encoded = binascii.b2a_base64(b"\0" * before + value, newline=False).rstrip(b"=")
        whole = encoded[first : (before + len(value)) * 8 // 6]
        if len(whole) >= SHORTEST_KNOWN:
            yield whole
            yield whole.replace(b"+", b"-").replace(b"/", b"_")
