"""What a secret is, exactly: the detectors of detect-secrets, and rules of ours beside them.

Imported where the first look has found something: the library takes 100 ms. Works on text in which
each character is a byte.
"""

from __future__ import annotations

import re

from detect_secrets.plugins import (
    aws,
    azure_storage_key,
    cloudant,
    discord,
    github_token,
    gitlab_token,
    ibm_cloud_iam,
    ibm_cos_hmac,
    jwt,
    mailchimp,
    openai,
    pypi_token,
    sendgrid,
    slack,
    softlayer,
    square_oauth,
    stripe,
    telegram_token,
    twilio,
)

from gitlineage.masking.names import is_secret, is_short, is_value_in_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Span = tuple[int, int, str]
"""Where a secret begins and ends, and what kind of secret it is."""

TOKENS = (
    aws.AWSKeyDetector, discord.DiscordBotTokenDetector, github_token.GitHubTokenDetector,
    gitlab_token.GitLabTokenDetector, jwt.JwtTokenDetector, mailchimp.MailchimpDetector,
    openai.OpenAIDetector, pypi_token.PypiTokenDetector, sendgrid.SendGridDetector,
    slack.SlackDetector, square_oauth.SquareOAuthDetector, stripe.StripeDetector,
    telegram_token.TelegramBotTokenDetector, twilio.TwilioKeyDetector,
)  # fmt: skip
"""Detectors of tokens that tell by themselves what they are."""

IN_CONTEXT = (
    azure_storage_key.AzureStorageKeyDetector, cloudant.CloudantDetector,
    ibm_cloud_iam.IbmCloudIamDetector, ibm_cos_hmac.IbmCosHmacDetector,
    softlayer.SoftlayerDetector,
)  # fmt: skip
"""Detectors that look at what stands before, too: the secret is the group, where there is one."""

# Left out: Artifactory's (a prefix of two letters is in ordinary words), those by entropy (git ids,
# digests), public addresses. Ours go further than those for URLs, npm, names and private keys.
NEWER = (
    ("GitHub Token", r"github_pat_\w{22,}"),
    ("Hugging Face Token", r"hf_[A-Za-z0-9]{30,}"),
    ("Anthropic API Key", r"sk-ant-[\w-]{20,}"),
    ("OpenAI Token", r"sk-(?:proj|svcacct)-[\w-]{20,}"),
    ("Google API Key", r"AIza[\w-]{35}"),
    ("Google OAuth Token", r"ya29\.[\w-]{20,}"),
    ("npm Token", r"npm_[A-Za-z0-9]{36}"),
    ("Databricks Token", r"dapi[0-9a-f]{32}"),
    ("NVIDIA API Key", r"nvapi-[\w-]{40,}"),
    ("Stripe Access Key", r"[rs]k_test_[0-9a-zA-Z]{24}"),
    ("Artifactory Credentials", r"AKCp[a-zA-Z0-9]{60,}"),
)

_DETECTORS = [
    *(
        (each.secret_type, regex, True)
        for each in TOKENS
        for regex in each.denylist
        if not regex.groups or each is not aws.AWSKeyDetector
    ),
    *(
        (each.secret_type, regex, False)
        for each in (aws.AWSKeyDetector, *IN_CONTEXT)
        for regex in each.denylist
        if regex.groups or each is not aws.AWSKeyDetector
    ),
    *((kind, re.compile(pattern, re.ASCII), True) for kind, pattern in NEWER),
]

_REST = re.compile(r"(?:[.=+/:]?[\w-])*=*", re.ASCII)
_URL = re.compile(r"://[^\s/@:'\"<>]*:(?!\d{1,5}/)([^\s\"'<>]+)@|://([^\s/@:\"'<>]{20,})@")
_SIGNED = re.compile(r"[?&;](?:[\w-]*signature|sig)=([^\s&\"'<>]{8,})", re.IGNORECASE)
_NAMED = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]++)(?:\\?["'`\])]){0,3}
    (?:\s{0,20}(?:=>|:=|==?|::?)\s{0,20}|(?P<gap>,?[ \t]{1,9}))
    (?:(?P<scheme>bearer|basic|token|digest)\s+)?
    (?:\\?(?P<quote>["'`])(?P<quoted>.*?)\\?(?P=quote)|(?P<plain>[^\s"'`&]+))""",
    re.IGNORECASE | re.VERBOSE,
)
_IN_SHELL = re.compile(r"(?:\\[^\"'`\r\n]|[^\s\"'`&;|)\\])*")
"""A word of a shell's text, at whose end another command may begin."""
_BEARER = re.compile(r"\bbearer\s+([\w.~+/=-]{16,})", re.IGNORECASE)
_PROSE = re.compile(r"[A-Za-z]?[a-z]+[.,;!]?$")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\s|\\[rn])*(?:[\w-]+: [^\r\n]*|[A-Za-z0-9+/=]{16,}))*)"
)
_LINE = re.compile(r"[^\r\n]+")


def find(
    text: str,
    known: Mapping[bytes, str],
    patterns: Sequence[str],
    *,
    is_code: bool = False,
    is_shell: bool = False,
) -> list[Span]:
    """Return where secrets are, in order, none of them inside of another."""
    found = sorted(
        (start, -end, order, kind)
        for order, spans in enumerate(
            (
                _known(text, known),
                _detected(text),
                _in_urls(text),
                _named(text, patterns, is_code=is_code, is_shell=is_shell),
            )
        )
        for start, end, kind in spans
    )
    joined: list[tuple[int, int, int, str]] = []
    for start, negative, order, kind in found:
        end = -negative
        if joined and start < joined[-1][1]:
            first, last, best, called = joined[-1]
            best, called = min((best, called), (order, kind))
            joined[-1] = (first, max(last, end), best, called)
        else:
            joined.append((start, end, order, kind))
    return [(start, end, kind) for start, end, _, kind in joined]


def _known(text: str, known: Mapping[bytes, str]) -> Iterator[Span]:
    for value, name in known.items():
        spelling = value.decode("latin-1")
        at = text.find(spelling)
        while at >= 0:
            yield at, at + len(spelling), name
            at = text.find(spelling, at + len(spelling))


def _detected(text: str) -> Iterator[Span]:
    for kind, regex, is_whole in _DETECTORS:
        for match in regex.finditer(text):
            start, end = match.span()
            if not is_whole and match.lastindex:
                start, end = match.span(match.lastindex)
            elif is_whole:
                rest = _REST.match(text, end)
                end = rest.end() if rest else end
            if not match[0].rpartition(":")[2].strip("0123456789abcdef"):
                continue  # a number and a digest look as Telegram's tokens do
            yield start, end, kind
    for match in _PRIVATE_KEY.finditer(text):
        for line in _LINE.finditer(text, *match.span()):  # as many lines as before
            yield *line.span(), "Private Key"


def _in_urls(text: str) -> Iterator[Span]:
    for match in _URL.finditer(text):
        yield *match.span(match.lastindex or 0), "Basic Auth Credentials"
    for match in _SIGNED.finditer(text):
        yield *match.span(1), "signature"


def _named(text: str, patterns: Sequence[str], *, is_code: bool, is_shell: bool) -> Iterator[Span]:
    at = 0
    while match := _NAMED.search(text, at):
        name = match["name"]
        at = match.end("name")
        if not is_secret(name, patterns) or (match["gap"] and not name.startswith("-")):
            continue
        if is_code and match["plain"] is not None:
            continue  # the name of something else
        group = "plain" if match["plain"] is not None else "quoted"
        value = match[group]
        start, end = match.span(group)
        if group == "plain":
            word = _IN_SHELL.match(text, start) if is_shell else None
            stripped = word[0] if word else value.rstrip(",;)}]\\")
            end = start + len(stripped)
            value = stripped
            is_prose = ":" in text[at : match.start("plain")] and _PROSE.match(value)
            if is_prose and not name.lower().endswith("password"):
                continue
            if match["gap"] and not is_shell and value.isalpha() and is_short(name, value):
                continue  # in what a command prints of its options
        if is_value_in_text(name, value, is_code=is_code):
            yield start, end, name.strip("-.")[-40:]
            at = end
    for match in _BEARER.finditer(text):
        yield *match.span(1), "bearer"
