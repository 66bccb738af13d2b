"""A first look at bytes: whether, and where, secrets may be. Never misses what the rules find.

It reads a hundred MB a second and imports nothing. What it points at is looked at once more with
the rules, so it may be wrong in one direction only.
"""

from __future__ import annotations

from gitlineage.masking.names import is_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORDS = (b"pass", b"pw", b"secret", b"token", b"key", b"credential", b"authorization", b"_pat")
"""At least one of these is in every name that is a secret's."""

PREFIXES = (
    b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_",
    b"glpat-", b"gldt-", b"glft-", b"glsoat-", b"glrt-", b"GR1348941", b"glcbt-", b"glimt-",
    b"glptt-", b"glagent-", b"gloas-",
    b"A3T", b"ABIA", b"ACCA", b"AKIA", b"ASIA",
    b"T3BlbkFJ", b"sk-ant-", b"sk-proj-", b"sk-svcacct-", b"pypi-Ag", b"k_live_", b"k_test_",
    b"sq0csp-", b"hf_", b"AIza", b"npm_", b"dapi", b"AKCp", b"nvapi-",
)  # fmt: skip
"""What tokens begin with, or have inside."""

_MARKED = {
    mark: tuple(each for each in PREFIXES if mark in each and (mark == b"_" or b"_" not in each))
    for mark in (b"_", b"-")
}
_UNMARKED = tuple(each for each in PREFIXES if b"_" not in each and b"-" not in each)
"""The same by a character that they have: of base64, which can be long, few are looked for."""

BEFORE = 9
"""Characters before a run that tell whether it is one."""

SHORTEST_RUN = 20
"""Characters in a row that the shortest of these tokens has."""

_SIMPLE = (b"eyJ", b"xox", b"bearer ", b"softlayer")
_NO_LETTERS = b"0123456789 .,:+\"'{}[]"
_LETTERS = tuple(each.lower().translate(None, _NO_LETTERS) for each in (*WORDS, *_SIMPLE, b"://"))
_NAME = b"abcdefghijklmnopqrstuvwxyz0123456789_-."
_TOKEN = _NAME[:-1] + b"ABCDEFGHIJKLMNOPQRSTUVWXYZ\\"
_HEX = b"0123456789abcdef-"
_CLOSING = b"\"'`]),\\ \t\0"
_RUNS = bytes(120 if each in _TOKEN else 32 for each in range(256))
_RUN = b"x" * SHORTEST_RUN
_FAR = 160
"""Bytes behind a name in which its value begins."""


def places(
    text: bytes,
    known: Sequence[bytes] = (),
    words: Sequence[bytes] = (),
    patterns: Sequence[str] = (),
) -> Iterator[int]:
    """Yield where a secret may be: of a name, a token or a URL some place in it.

    `known` are values, `words` what is in the names that fit the patterns, in lower case.
    """
    # Bytes that are no text have such words by chance: looking for them twice would take longer.
    if b"\0" in text[:4096] or b"://" in text or _may_have(text, words):
        yield from _at_words(text, words, patterns)
    runs = text.translate(_RUNS)
    harmless: set[bytes] = set()
    at = runs.find(_RUN)
    while at >= 0:
        end = runs.find(b" ", at + SHORTEST_RUN)
        end = len(text) if end < 0 else end
        run = text[max(at - BEFORE, 0) : end]
        if run not in harmless:  # ids of git, of which records have the same again and again
            if _is_token(text, at, end):
                yield at
            else:
                harmless.add(run)
        at = runs.find(_RUN, end)
    for value in known:
        at = text.find(value)
        while at >= 0:
            yield at
            at = text.find(value, at + len(value))


def _may_have(text: bytes, words: Sequence[bytes]) -> bool:
    """Tell whether any of the words may be in a text; surely so if it is.

    Of lines of numbers this leaves a fifth to look at, and of lines that are alike only one.
    """
    letters = text.translate(None, _NO_LETTERS)
    line = letters[: letters.find(b"\n") + 1]
    if line and letters.count(line) * len(line) == len(letters):
        letters = line
    letters = letters.lower()
    further = (each.translate(None, _NO_LETTERS) for each in words)
    return any(word in letters for word in (*_LETTERS, *further))


def _at_words(text: bytes, words: Sequence[bytes], patterns: Sequence[str]) -> Iterator[int]:
    lower = text.lower()
    for word in (*WORDS, *words):
        at = lower.find(word)
        while at >= 0:
            end = at + len(word)
            # Of `_pat` nearly all are paths; other words may go on and still be a secret's.
            is_path = word == b"_pat" and lower[end : end + 1].isalnum()
            if not is_path and _is_named(lower, at, end, patterns):
                yield at
            at = lower.find(word, at + 1)
    at = lower.find(b"://")
    while at >= 0:
        url = lower[at : at + 2048].split(None, 1)[0]
        if b"@" in url or b"sig" in url or b"hooks.slack" in url:
            yield at
        at = lower.find(b"://", at + 3)
    for word in _SIMPLE:
        place = lower if word.islower() else text
        at = place.find(word)
        while at >= 0:
            yield at
            at = place.find(word, at + 1)


def _is_named(lower: bytes, start: int, end: int, patterns: Sequence[str]) -> bool:
    """Tell whether a word is the end of a name, and a value that may be secret stands behind it."""
    before, after = lower[max(start - 40, 0) : start], lower[end : end + _FAR]
    if before.endswith(b"private "):
        return True
    if b"aws" in before and (b'"' in after or b"'" in after):
        return True
    rest = after.lstrip(_NAME)
    value = rest.lstrip(_CLOSING)
    if not value:
        return bool(rest)  # it is further away, or the text ends here
    name = before[len(before.rstrip(_NAME)) :] + lower[start:end] + after[: -len(rest)]
    if value[:1] in (b"=", b":"):
        value = value.lstrip(b"=:> \"'`[\\\t")
        is_number = value[:1].isdigit() and not value.split(None, 1)[0].strip(b"0123456789.,;)}")
        may_be = value[:1] not in (b"$", b"<", b"{", b"%", b"*", b"(") and not is_number
        if may_be or b"pass" in name or b"pw" in name:
            if is_secret(name.decode("latin-1"), patterns):
                return True
    elif value == rest:
        return False
    elif name.startswith(b"-") and is_secret(name.decode("latin-1"), patterns):
        return True
    return not value or len(value) - len(value.lstrip(_TOKEN)) >= 24


def _is_token(text: bytes, start: int, end: int) -> bool:
    """Tell whether a long run of letters and digits may be a token, or the end of one."""
    run = text[start:end]
    before = text[max(start - BEFORE, 0) : start]
    if before[-1:] == b":" and before[:8].isdigit():
        return True  # of Telegram
    if before[-1:] == b"." and (before[-3:-1] == b"SG" or before[-8:-7] == b"."):
        return True  # of SendGrid; of Discord
    if before.endswith(b"ya29."):
        return True  # of Google
    if not run.strip(_HEX):
        return False  # git's ids, digests, UUIDs
    if any(prefix in run for prefix in _UNMARKED):
        return True
    for mark, prefixes in _MARKED.items():
        if mark in run and any(prefix in run for prefix in prefixes):
            return True
    for prefix in (b"AC", b"SK"):  # of Twilio
        at = run.find(prefix)
        while at >= 0:
            rest = run[at + 2 : at + 34]
            if len(rest) == 32 and rest.isalnum() and rest == rest.lower():
                return True
            at = run.find(prefix, at + 1)
    at = run.find(b"-us", 32)
    while at >= 0:  # of Mailchimp
        if run[at - 32 : at].isalnum() and run[at + 3 : at + 4].isdigit():
            return True
        at = run.find(b"-us", at + 1)
    return False
