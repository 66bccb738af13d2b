"""Secrets: what is masked, what is not, and that none of it reaches a file or a remote."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import string
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import last, left_running, start, until
from hypothesis import given, settings
from hypothesis import strategies as st
from notebooks import run_cells

import gitlineage
from gitlineage.masking import Masking, look, names, rules, sentence
from gitlineage.masking.stream import LONGEST_KEY, LONGEST_LINE, Stream

LETTERS = string.ascii_letters + string.digits


def some(length: int, letters: str = LETTERS, seed: int = 1) -> str:
    """Return letters that no file has: nothing here is anybody's secret."""
    return "".join(random.Random(seed).choices(letters, k=length))


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


TOKENS = {
    "GitHub Token": "ghp_" + some(36),
    "GitHub Token, new": "github_pat_" + some(60),
    "GitLab Token": "glpat-" + some(20),
    "AWS Access Key": "AKIA" + some(16, string.ascii_uppercase),
    "Slack Token": "xoxb-" + some(11, string.digits) + "-" + some(24).lower(),
    "Stripe Access Key": "sk_live_" + some(24),
    "JSON Web Token": f"{encoded({'alg': 'HS256'})}.{encoded({'sub': 'ada'})}.{some(43)}",
    "Hugging Face Token": "hf_" + some(34, string.ascii_letters),
    "Anthropic API Key": "sk-ant-api03-" + some(90),
    "Google API Key": "AIza" + some(35),
    "SendGrid API Key": "SG." + some(22) + "." + some(43),
    "Telegram Bot Token": some(9, "123456789") + ":" + some(35),
    "Twilio API Key": "SK" + some(32, "0123456789abcdef"),
    "npm Token": "npm_" + some(36),
}
"""One of many kinds that tell by themselves what they are."""

INNOCENT = (
    "commit 9c1185a5c5e9fc54612808977ee8f548b2258d31",
    "blake3:" + some(64, "0123456789abcdef"),
    "sha256=" + some(64, "0123456789abcdef"),
    "tree-id " + some(64, "0123456789abcdef"),
    "integrity sha512-" + base64.b64encode(random.Random(2).randbytes(64)).decode(),
    "run 550e8400-e29b-41d4-a716-446655440000",
    "key=550e8400-e29b-41d4-a716-446655440000",
    "saved /data/experiments/2026-11-23/resnet50-imagenet-baseline-run-0017/checkpoint.pt",
    "--max-tokens=4096 --tokenizer gpt2 tokens: 1234567890 token=1234567890",
    "pad_token=[PAD] eos_token: <|endoftext|> mask_token='<mask>' key=0.001 sort_key=name",
    "--ssh-key ~/.ssh/id_rsa --token-file token.txt --private-key server.pem",
    "Password: ",
    "token: refreshed",
    'password = "$PASSWORD" token=${TOKEN} secret={{ secret }}',
    "https://example.org:8080/a@b http://host/path?page=2&sort=key git@example.org:ada/project.git",
    "ssh://git@example.org/project.git",
    base64.b64encode(random.Random(3).randbytes(300)).decode(),
    "20261123:9c1185a5c5e9fc54612808977ee8f548b2258d31",
    "s3://bucket-us-east-1/model-2024-11-23-AC-final/weights.bin",
)


def masked(text: str, *patterns: str, **variables: str) -> str:
    return Masking(variables, patterns).text(text, "the log")


@pytest.mark.parametrize("kind", TOKENS)
def test_tokens(kind: str) -> None:
    token, kind = TOKENS[kind], kind.partition(",")[0]
    for text in ("{}", "a {} b", "x={}", '"{}"', "https://example.org/{}", "{}\n", "\xe9\xff {}"):
        assert masked(text.format(token)) == text.format(f"***({kind})")


@pytest.mark.parametrize(("text", "then"), [
    ("password=hunter2", "password=***(password)"),
    ("DB_PASSWORD: 'correct horse'", "DB_PASSWORD: '***(DB_PASSWORD)'"),
    ("--password hunter2 -v", "--password ***(password) -v"),
    ("['--api-key', 'abcd1234efgh']", "['--api-key', '***(api-key)']"),
    ('{"clientSecret": "abc-defg-h"}', '{"clientSecret": "***(clientSecret)"}'),
    ('{\\"secret\\": \\"abc-defg-h\\"}', '{\\"secret\\": \\"***(secret)\\"}'),
    ("aws_secret_access_key = wJalr/XUtn+FEMI", "aws_secret_access_key = "
     "***(aws_secret_access_key)"),
    ("Authorization: Bearer abc.def-12345", "Authorization: Bearer ***(Authorization)"),
    ("-H 'X: bearer abcdefghijklmnop0'", "-H 'X: bearer ***(bearer)'"),
    ("postgres://ada:p@ss:w/rd!@db/x", "postgres://ada:***(Basic Auth Credentials)@db/x"),
    ("redis://:hunter2@cache:6379", "redis://:***(Basic Auth Credentials)@cache:6379"),
    ("https://h/x?X-Amz-Signature=0123abcd&v=1", "https://h/x?X-Amz-Signature=***(signature)&v=1"),
])  # fmt: skip
def test_names_and_urls(text: str, then: str) -> None:
    assert masked(text) == then


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent(text: str) -> None:
    assert masked(text) == text


def test_values_of_variables_are_found_in_all_their_spellings() -> None:
    value = 'my "pass/word" 1'
    for spelling in (value, "my%20%22pass%2Fword%22%201", "my+%22pass%2Fword%22+1",
                     json.dumps(value)[1:-1]):  # fmt: skip
        assert masked(f"a {spelling} b", DB_PASSWORD=value) == "a ***(DB_PASSWORD) b"
    for before in ("", "a", "ab", "abc", "user:"):
        text = base64.b64encode(f"{before}{value} and more".encode()).decode()
        assert "***(DB_PASSWORD)" in masked(text, DB_PASSWORD=value)
        assert base64.b64encode(value.encode()).decode()[4:-4] not in masked(
            text, DB_PASSWORD=value
        )


@pytest.mark.parametrize("name", ["HF_TOKEN", "WANDB_API_KEY", "MY_KEY", "DB_PASS", "A_SECRET"])
def test_variables_with_a_secrets_name(name: str) -> None:
    assert masked("<so-very-plain>", **{name: "so-very-plain"}) == f"<***({name})>"


@pytest.mark.parametrize("name", ["PWD", "KEYBOARD", "TOKENIZERS_PARALLELISM", "MONKEY", "PATH"])
def test_variables_without(name: str) -> None:
    assert masked("so-very-plain /tmp", **{name: "so-very-plain"}) == "so-very-plain /tmp"
    assert masked("/tmp /tmp/", **{name: "/tmp"}) == "/tmp /tmp/"


def test_short_values_and_files_are_not_looked_for() -> None:
    assert masked("test /etc/passwd", A_TOKEN="test", B_KEY="/etc/passwd") == "test /etc/passwd"


def test_names_of_the_configuration() -> None:
    assert masked("licence_no=abcd-efgh-1", "licence*") == "licence_no=***(licence_no)"
    assert masked("x abcd-efgh-1", "LIC*NO", LICENCE_NO="abcd-efgh-1") == "x ***(LICENCE_NO)"


@pytest.mark.parametrize(("name", "pattern", "does"), [
    ("A", "a", True), ("AB", "a", False), ("AB", "a*", True), ("XAB", "*ab", True),
    ("XABY", "*ab*", True), ("a", "*", True), ("abcd", "a*c*d", True), ("abc", "a*c*d", False),
])  # fmt: skip
def test_patterns(name: str, pattern: str, does: bool) -> None:
    assert names.fits(name, pattern) is does


def test_private_keys_are_masked_to_their_end() -> None:
    lines = ["-----BEGIN OPENSSH PRIVATE KEY-----", some(64), some(64, seed=2), some(20, seed=3),
             "-----END OPENSSH PRIVATE KEY-----"]  # fmt: skip
    text = "before\n" + "\n".join(lines) + "\nafter\n"
    assert masked(text) == "before\n" + "***(Private Key)\n" * 5 + "after\n"
    assert some(20, seed=3) not in masked(json.dumps({"key": text}))
    assert masked(lines[0] + "\nwas expected here\n").endswith("\nwas expected here\n")


# -- the first look --------------------------------------------------------------------------------


BYTES = st.characters(max_codepoint=255)


@pytest.mark.parametrize("number", range(len(rules._DETECTORS)))
@settings(max_examples=30)
@given(data=st.data())
def test_the_first_look_misses_nothing_that_the_detectors_find(
    number: int, data: st.DataObject
) -> None:
    _, regex, _ = rules._DETECTORS[number]
    before = data.draw(st.sampled_from(["", "a ", "x=", "\n", "\xff", '"', "9 "]))
    after = data.draw(st.sampled_from(["", " b", "\n", '"', ".", "\n\n"]))
    found = data.draw(st.from_regex(regex, alphabet=BYTES, fullmatch=True))
    text = before + found + after
    if rules.find(text, {}, ()):
        assert list(look.places(text.encode("latin-1"))), text


@given(st.text(BYTES, max_size=200), st.sampled_from(
    ["password=", "token: ", "://a:", "@", "eyJ", "AKIA", "secret", " = ", "--api-key ", "pw"]),
    st.text(BYTES, max_size=100))  # fmt: skip
def test_the_first_look_misses_nothing_in_odd_text(before: str, middle: str, after: str) -> None:
    text = before + middle + after
    if rules.find(text, {}, ()):
        assert list(look.places(text.encode("latin-1"))), text


# -- as it streams ---------------------------------------------------------------------------------


def streamed(content: bytes, cuts: list[int]) -> bytes:
    taken: list[bytes] = []
    stream = Masking({"DB_PASSWORD": "so-very-plain"}).stream(taken.append)
    for start_, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        stream.take(content[start_:end])
    stream.close()
    return b"".join(taken)


PRINTED = (
    f"epoch 1\ntoken {TOKENS['GitHub Token']} end\r\nprogress 1%\rprogress 2%\r\n\n"
    f"so-very-plain\n-----BEGIN PRIVATE KEY-----\n{some(64)}\n{some(64, seed=5)}\n"
    f"-----END PRIVATE KEY-----\nhttps://u:hunter2@h/\nlast"
).encode()


@given(st.lists(st.integers(0, len(PRINTED)), max_size=30).map(sorted))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    assert streamed(PRINTED, cuts) == streamed(PRINTED, [])
    assert b"hunter2" not in streamed(PRINTED, cuts)
    assert streamed(PRINTED, cuts).count(b"\n") == PRINTED.count(b"\n")


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5).map(sorted))
def test_anything_else_stays_as_it_is(content: bytes, cuts: list[int]) -> None:
    taken: list[bytes] = []
    stream = Stream(lambda each: each, taken.append)
    for start_, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        stream.take(content[start_:end])
    stream.close()
    assert b"".join(taken) == content


@pytest.mark.parametrize("at", [0, 10, LONGEST_LINE - 40, LONGEST_LINE - 4096, LONGEST_LINE])
@pytest.mark.parametrize("filler", ["x", "ab ", "\xff"])
def test_lines_without_end_are_cut_beside_secrets(at: int, filler: str) -> None:
    line = (filler * LONGEST_LINE * 2).encode("latin-1")
    token = b" " + TOKENS["GitLab Token"].encode() + b" "
    content = line[:at] + token + line[at:]
    for size in (1 << 10, 1 << 16):
        found = streamed(content, list(range(size, len(content), size)))
        assert found == line[:at] + b" ***(GitLab Token) " + line[at:]


def test_a_key_without_end_is_let_go() -> None:
    line = b"some words that are no key\n"
    content = b"-----BEGIN PRIVATE KEY-----\n" + line * (2 * LONGEST_KEY // len(line))
    taken: list[bytes] = []
    stream = Masking({}).stream(taken.append)
    stream.take(content)
    assert b"".join(taken).endswith(line * 1000)


# -- what is said ----------------------------------------------------------------------------------


def test_what_was_masked_is_said() -> None:
    masking = Masking({"DB_PASSWORD": "so-very-plain"})
    assert sentence(masking.found()) is None
    for _ in range(3):
        masking.text("so-very-plain password=hunter2", "the log")
    masking.text("password=other1", "the log")
    assert sentence(masking.found()) == (
        "3 values were masked: DB_PASSWORD in the log, password in the log"
    )
    masking.text("password=hunter2", "the command")
    assert sentence(masking.found()) == "1 value was masked: password in the command"


# -- all of it -------------------------------------------------------------------------------------

PLAIN = "wh1te-rabbit.0bject"
"""The value of a variable: nothing tells that it is secret but the variable's name."""

LICENSED = "Zx81-4711-alpha"
ENCODED = base64.b64encode(f"ada:{PLAIN}".encode()).decode()
KEY_LINES = [some(64, seed=number) for number in (20, 21)]
KEY = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *KEY_LINES, "-----END RSA PRIVATE KEY-----"])

SCRIPT = """
import json, os, sys
import gitlineage
secrets = json.loads(os.environ["PLANTED"])
for kind, value in secrets.items():
    print("out", value)
    print("err", value, file=sys.stderr)
    print(json.dumps({"note": value, "step": 1}))
    gitlineage.log(text=value, nested={"list": [value]})
word = os.environ["PLANTED_TEXT"]
gitlineage.log(password=word + "-logged")
print(json.dumps({"password": word + "-printed"}))
print("login as ada, password=" + word)
print(os.environ["PLANTED_KEY_TEXT"], flush=True)
for value in secrets.values():  # in two writes, the half of a line in each
    sys.stdout.write("half " + value[:7])
    sys.stdout.flush()
    sys.stdout.write(value[7:] + "\\n")
    sys.stdout.flush()
    os.write(2, b"half " + value[:5].encode())
    os.write(2, value[5:].encode())  # and no end of the line
if len(sys.argv) > 1 and sys.argv[1] == "wait":
    open("ready", "w").close()
    import time
    time.sleep(600)  # until it is killed
"""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the secrets, and let commands know them."""
    secrets = {**TOKENS, "plain": PLAIN, "licensed": LICENSED}
    monkeypatch.setenv("PLANTED", json.dumps(secrets))
    monkeypatch.setenv("PLANTED_KEY_TEXT", KEY)
    monkeypatch.setenv("PLANTED_TEXT", "hunter2")
    monkeypatch.setenv("DB_PASSWORD", PLAIN)
    monkeypatch.setenv("ACME_LICENCE", LICENSED)
    monkeypatch.setenv("PYTHONPATH", f"/nowhere/{TOKENS['GitLab Token']}")
    monkeypatch.setenv("SERVICE_LOGIN", f"ada {PLAIN}")
    return {
        **TOKENS,
        "plain": PLAIN,
        "licensed": LICENSED,
        "first": KEY_LINES[0],
        "second": KEY_LINES[1],
        "base64": ENCODED[8:-4],
        "password": "hunter2",
    }


def check_none(planted: dict[str, str], content: bytes, where: object) -> None:
    for kind, value in planted.items():
        at = content.find(value.encode())
        assert at < 0, f"{kind} in {where}: {content[max(at - 60, 0) : at + 60]!r}"


def check_nowhere(planted: dict[str, str], remote: Path) -> None:
    """Look at every object of a remote, its refs, and every file that is ours in the repository."""
    for folder in (remote, Path()):
        listed = subprocess.run(
            ["git", "cat-file", "--batch-all-objects", "--batch"],
            cwd=folder, capture_output=True, check=True,
        ).stdout  # fmt: skip
        assert b"***(GitHub Token)" in listed
        check_none(planted, listed, f"the objects of {folder}")
        refs = subprocess.check_output(["git", "for-each-ref"], cwd=folder)
        check_none(planted, refs, f"the refs of {folder}")
    files = [each for each in Path(".git/lineage").rglob("*") if each.is_file()]
    assert files
    for each in files:
        check_none(planted, each.read_bytes(), each)


def test_no_secret_reaches_a_file_or_a_remote(
    repo: Path, bare_remote: Path, git: Git, lineage: Lineage, planted: dict[str, str]
) -> None:
    Path("script.py").write_text(SCRIPT)
    git("add", ".")
    git("commit", "-q", "-m", "Script")
    git("remote", "add", "origin", bare_remote)
    git("push", "-q", "-u", "origin", "main")
    git("remote", "add", "other", "https://ada:hunter2@example.org/x.git")
    git("config", "--add", "lineage.env", "SERVICE_*")
    git("config", "--add", "lineage.env", "NOTHING OTHER")
    git("config", "--add", "lineage.secretNames", "acme_*")
    git("config", "lineage.envNames", "true")
    python = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {SCRIPT}"]
    done = lineage(
        "run", "--title", f"with {TOKENS['GitHub Token']}", "-p", "password=hunter2",
        "-p", f"note={TOKENS['GitHub Token']}", "-p", f"plain=x{PLAIN}x",
        "-i", "https://ada:hunter2@example.org/data.csv",
        "-i", f"https://example.org/d?token={TOKENS['GitLab Token']}&sig=hunter2hunter2",
        "--", *python, "arg", *TOKENS.values(), PLAIN, ENCODED, LICENSED, KEY,
        "--password", "hunter2", "--token=hunter2-long",
        "-H", "Authorization: Bearer hunter2-hunter2", f"--db=postgres://u:{PLAIN}@host/db",
        env={"PYTHONPATH": os.environ["PYTHONPATH"]},
    )  # fmt: skip
    assert PLAIN in done.stdout and KEY_LINES[0] in done.stdout  # the user's terminal is theirs
    assert "values were masked: " in done.stderr and "DB_PASSWORD in the log" in done.stderr
    found = last()
    assert found.launch is not None and found.end is not None
    assert found.launch.is_masked
    assert found.launch.title == "with ***(GitHub Token)"
    assert found.launch.parameters["password"] == "***(password)"
    assert found.launch.variables["SERVICE_LOGIN"] == "ada ***(DB_PASSWORD)"
    assert "PLANTED" in found.launch.variable_names
    assert found.end.points_count == 2 * (len(TOKENS) + 2) + 2
    lineage("run", "-q", "--step", "quiet", "--", *python[:2], "print('nothing to see here')")
    assert not last().end.masked  # type: ignore[union-attr]

    # A recorder that is killed, with all of it printed already.
    recorder = start("git", "lineage", "run", "--", *python, "wait", *TOKENS.values(),
                     start_new_session=True)  # fmt: skip
    until(lambda: Path("ready").exists() or recorder.poll() is not None)
    for name in left_running(repo):
        check_none(planted, Path(".git/lineage/running", name).read_bytes(), name)
    os.killpg(recorder.pid, signal.SIGKILL)
    recorder.communicate()
    until(lambda: "interrupted" in lineage("log", "--json").stdout)
    assert last().status == "interrupted"
    assert "in the log" in " ".join(last().end.warnings)  # type: ignore[union-attr]
    assert b"***(GitHub Token)" in lineage("output").stdout.encode()

    lineage("push", "origin")
    lineage("log")
    check_nowhere(planted, bare_remote)


CELLS = (
    "%load_ext gitlineage",
    "import json\nsecrets = json.loads('''{}''')\npassword = 'hunter2'",
    "%%lineage\nprint(secrets['GitHub Token'], password == secrets)",
)


def test_no_secret_of_a_cell_reaches_a_file_or_a_remote(
    repo: Path, bare_remote: Path, git: Git, lineage: Lineage
) -> None:
    planted = {**TOKENS, "password": "hunter2"}
    ran = run_cells(*(each.replace("{}", json.dumps(TOKENS)) for each in CELLS))
    assert [each["status"] for each in ran] == ["ok"] * 3, ran
    assert TOKENS["GitHub Token"] in ran[2]["stdout"]
    said = lineage("code", "--cells").stdout
    assert "password = '***(password)'" in said and "***(GitHub Token)" in said
    check_none(planted, said.encode(), "the cells")
    assert "in the cells" in " ".join(last().end.warnings)  # type: ignore[union-attr]
    git("remote", "add", "origin", bare_remote)
    lineage("push", "origin")
    check_nowhere(planted, bare_remote)


@pytest.mark.parametrize(("name", "content", "kind"), [
    ("new.py", "key = '{}'", "GitHub Token"),
    ("code.py", "password = 'hunter2hunter2'", "password"),
    ("run.sh", "export API_TOKEN=abcd-efgh-ijkl", "API_TOKEN"),
    ("a.py", "token = os.environ['TOKEN']; password = getpass.getpass('Password: ')", None),
    ("b.bin", "\0 password=hunter2hunter2", None),
])  # fmt: skip
def test_code_that_holds_a_secret_is_kept_and_said(
    repo: Path, lineage: Lineage, name: str, content: str, kind: str | None
) -> None:
    Path(name).write_text(content.replace("{}", TOKENS["GitHub Token"]) + "\n")
    said = (f"{name} is kept as code and seems to hold secrets ({kind})",) if kind else ()
    assert last_warnings(lineage, "true") == said
    with gitlineage.open() as opened, opened.begin(command=["x"]):
        pass
    assert last().end.warnings == said  # type: ignore[union-attr]


def test_committed_code_is_not_looked_at(repo: Path, git: Git, lineage: Lineage) -> None:
    for number in range(8):
        Path(f"{number}.py").write_text(f"password = 'hunter{number}hunter'\n")
    assert last_warnings(lineage, "true")[4:] == (
        "4.py is kept as code and seems to hold secrets (password)",
        "3 more files seem to hold secrets",
    )
    git("add", ".")
    git("commit", "-q", "-m", "Too late")
    Path("new.py").write_text("1\n")
    assert last_warnings(lineage, "true") == ()
    git("config", "lineage.mask", "false")
    Path("new.py").write_text("password = 'hunter2hunter2'\n")
    assert last_warnings(lineage, "true") == ()


def last_warnings(lineage: Lineage, *command: str) -> tuple[str, ...]:
    lineage("run", "-q", "--", *command)
    end = last().end
    assert end is not None
    return end.warnings


def test_the_command_gets_what_it_was_given(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "--", "echo", "--password", "hunter2")
    assert done.stdout == "--password hunter2\n"
    assert last().launch.command == ("echo", "--password", "***(password)")  # type: ignore[union-attr]
    assert lineage("output").stdout == "--password ***(password)\n"
    again = lineage("reproduce", "@", check=False)
    assert again.returncode and "secrets that it needs are masked" in again.stderr


@pytest.mark.parametrize(("given", "then"), [
    (["--token", "hunter2"], ["--token", "***(token)"]),
    (["--secret", "hunter2"], ["--secret", "***(secret)"]),
    (["--api-key", "abcd"], ["--api-key", "***(api-key)"]),
    (["--token", "12345678"], ["--token", "***(token)"]),
    (["--token=7x"], ["--token=***(token)"]),
    (["token=abc"], ["token=***(token)"]),
    (["token=12345678"], ["token=***(token)"]),
    (["password=correct horse; b"], ["password=***(password)"]),
    (["https://h/x?token=abc123&n=2"], ["https://h/x?token=***(token)&n=2"]),
    (["--token", "true", "--secret=none", "--api-key", "a.txt", "--token="], None),
    (["--pad-token", "PAD", "--eos_token=50256", "--no-token", "train", "--use-token=1"], None),
])  # fmt: skip
def test_short_values_of_a_command(
    repo: Path, lineage: Lineage, given: list[str], then: list[str] | None
) -> None:
    done = lineage("run", "--", "true", *given)
    assert last().launch.command == ("true", *(then or given))  # type: ignore[union-attr]
    assert ("masked" in done.stderr) == (then is not None)


def test_short_values_of_parameters(repo: Path, lineage: Lineage) -> None:
    given = {"token": "hunter2", "api_key": "12345678", "pad_token": "0", "secret": "false"}
    options = [each for pair in given.items() for each in ("-p", "=".join(pair))]
    lineage("run", *options, "--", "true")
    assert last().launch.parameters == {  # type: ignore[union-attr]
        "token": "***(token)", "api_key": "***(api_key)", "pad_token": 0, "secret": False
    }  # fmt: skip


@pytest.mark.parametrize(("text", "then"), [
    ("echo password=hunter2secret; echo done", "echo password=***(password); echo done"),
    ("export PASSWORD=x; true && echo b", "export PASSWORD=***(PASSWORD); true && echo b"),
    ("PASSWORD=x; echo done", "PASSWORD=***(PASSWORD); echo done"),
    ("TOKEN=a1b true", "TOKEN=***(TOKEN) true"),
    ("(token=a1b) | cat", "(token=***(token)) | cat"),
    ("token=a1b|cat", "token=***(token)|cat"),
    ("true --token hunter2&& true", "true --token ***(token)&& true"),
    ("password=a\\;b\\ c; true", "password=***(password); true"),
    ("PASSWORD='correct horse;' true", "PASSWORD='***(PASSWORD)' true"),
    ("true 'https://h/x?token=abc123' b", "true 'https://h/x?token=***(token)' b"),
    ('PASSWORD=$(cat x); true "$PASSWORD"', None),
])  # fmt: skip
def test_a_value_in_a_shells_text_ends_where_the_shell_ends_it(text: str, then: str | None) -> None:
    masking = Masking({})
    assert masking._words_of(["/bin/sh", "-ec", text]) == ("/bin/sh", "-ec", then or text)
    for command in (["ssh", "h"], ["srun", "/usr/bin/ssh", "-p", "22", "h"], ["su", "ada", "-c"]):
        assert masking._words_of([*command, text]) == (*command, then or text)
    assert masking._words_of(["ssh", "h", "a;" + text])[2] == "a;" + (then or text)


def test_short_values_in_a_log() -> None:
    assert masked("--token hunter2 token=abc") == "--token ***(token) token=***(token)"
    usage = "--token TOKEN  token of yours"
    assert masked(usage) == usage
    code = b"if token == 'abc': sep_token = 'a'"
    assert Masking({}).mask(code, "the cells", is_code=True) == code


def test_switched_off(repo: Path, git: Git, lineage: Lineage) -> None:
    git("config", "lineage.mask", "false")
    code = "import gitlineage; gitlineage.log(password='hunter2'); print('password=hunter2')"
    lineage("run", "-p", "password=hunter2", "--", sys.executable, "-c", code)
    found = last()
    assert found.launch is not None and not found.launch.is_masked
    assert found.launch.parameters == {"password": "hunter2"}
    assert found.metadata == {"password": "hunter2"}
    assert lineage("output").stdout == "password=hunter2\n"


def test_a_session_masks_what_it_logs(repo: Path, git: Git, lineage: Lineage) -> None:
    git("config", "lineage.secretNames", "acme_*")
    code = (
        "import gitlineage\nwith gitlineage.open().begin(command=['x']) as s:\n"
        "    s.log(acme_licence='abcd-efgh')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert last().metadata == {"acme_licence": "***(acme_licence)"}


def test_variables_by_allow_list(repo: Path, git: Git, lineage: Lineage) -> None:
    given_ = {"OMP_NUM_THREADS": "4", "MY_MODE": "fast", "OTHER": "x", "CUDA_VISIBLE_DEVICES": ""}
    lineage("run", "-q", "--", "true", env=given_)
    launch = last().launch
    assert launch is not None
    assert launch.variables["OMP_NUM_THREADS"] == "4"
    assert launch.variables["CUDA_VISIBLE_DEVICES"] == ""
    assert "MY_MODE" not in launch.variables and not launch.variable_names
    git("-c", "lineage.env=MY_*", "lineage", "run", "-q", "--", "true", **given_)
    assert last().launch.variables["MY_MODE"] == "fast"  # type: ignore[union-attr]
    shown = lineage("show").stdout
    assert "MY_MODE=fast" in shown
    assert json.loads(lineage("show", "--json").stdout)["variables"]["MY_MODE"] == "fast"
