"""Whatever a value is, it reaches the program as that text, or is refused: a real shell says so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitlineage.errors import UnsafeValue
from gitlineage.quoting import Gap, fill, is_open

SHELLS = [each for each in ("bash", "dash") if shutil.which(each)]

# `show` prints its arguments, each in angle brackets; @ is the placeholder, and in what is
# expected the value. None: only plain values may stand there.
PLACES: list[tuple[str, str | None]] = [
    ("show @", "<@>"),
    ("show a @ b", "<a><@><b>"),
    ("show --name=@", "<--name=@>"),
    ("show x@y", "<x@y>"),
    ("show @@", "<@@>"),
    ("show dir/@.csv", "<dir/@.csv>"),
    ("show ~@", "<~@>"),
    ('show "@"', "<@>"),
    ('show "v=@ end"', "<v=@ end>"),
    ('show "$EMPTY@"', "<@>"),
    ('show $EMPTY@', "<@>"),
    ('show "$SET@"', "<set@>"),
    ('show "$(show "@")"', "<<@>>"),
    ('show "$(show @)"', "<<@>>"),
    ('show "$(show \'@\')" @', "<<@>><@>"),
    ("show $(true)@", "<@>"),
    ("show '@'", "<@>"),
    ("show 'it'\\''s @'", "<it's @>"),
    ('show "\\"@\\""', '<"@">'),
    ("X=@; show \"$X\"", "<@>"),
    ("X=@ Y=1 && show \"$X\"", "<@>"),
    ("export X=@; show \"$X\"", "<@>"),
    ('X="@"; show "$X"', "<@>"),
    ("(show @)", "<@>"),
    ("{ show @; }", "<@>"),
    ("for x in @; do show \"$x\"; done", "<@>"),
    ("case @ in zzz) show no;; *) show @;; esac", "<@>"),
    ("case x in x) show @;; esac", "<@>"),
    ("if true; then show @; fi # it's", "<@>"),
    ("show a # it's\nshow @", "<a><@>"),
    ("show '' @", "<><@>"),
    ("show \"\"#'@'", "<#@>"),
    ("show \\'@", "<'@>"),
    ("show '\\'@", "<\\@>"),
    ("show a 2>&1 @", "<a><@>"),
    ("show ${EMPTY}@${SET}", "<@set>"),
    ("true || false; show @", "<@>"),
    ("show @ | cat", "<@>"),
    ("bash -c 'printf \"<%s>\" \"$1\"' name @", "<@>"),
    ("make --version >/dev/null; show @", "<@>"),
    ("make LR=@", None),
    ("python -c 'print(\"@\")'", None),
    ("show `show @`", None),
    ('show "`show @`"', None),
    ("show $((1 + @))", None),
    ("show $((1 + 2)) @", "<3><@>"),
    ('show "$((1 + 1))@"', "<2@>"),
    ("X=${SET%t}; show $X@", "<se@>"),
    ('show "${#SET}@"', "<3@>"),
    ("show $[1 + @]", None),
    ("show $((1 + $(show @)))", None),
    ("cat <<END\n@\nEND", None),
    ("show \\@", None),
    ('show "\\@"', None),
    ("show $'@'", None),
    ("eval show @", None),
    ('eval "show @"', None),
    ('bash -c "show @"', None),
    ("bash -c 'show @'", None),
    ("bash 2>&1 -ec 'show @'", None),
    ("bash -o pipefail -c 'show @'", None),
    ("env A=1 bash -c 'show @'", None),
    ("nohup sh -c 'show @'", None),
    ("$SHELL_NAME -c 'show @'", None),
    ("if bash -c 'show @'; then :; fi", None),
    ('bash -c "$(printf "show %s" @)"', None),
    ("trap 'show @' EXIT", None),
    ("if [[ @ -eq 1 ]]; then :; fi", None),
    ("(( @ ))", None),
    ('show "$(case x in x) show @;; esac)"', None),
    ("show ${EMPTY:-@}", None),
    ("show ${EMPTY:-'@'}", None),
    ("show a # @", None),
]  # fmt: skip

SHOW = """show() { for each in "$@"; do printf '<%s>' "$each"; done; }
SET=set EMPTY= SHELL_NAME=bash
"""

DANGEROUS = st.sampled_from([
    "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "\n", "\\", "'",
    '"', "$", "#", " ", "&", "|", ";", "~", "*", "=", "!", "{a,b}", "\r", "\t", "END", "\nEND\n",
    "a[$(touch pwned)]", "x", "1", "-", "/", ".", ")", "(", "<", ">", "%", "\u00e9", "\x7f", "if",
])  # fmt: skip
OTHERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
VALUES = st.lists(DANGEROUS | OTHERS, max_size=6).map("".join)


def run(shell: str, script: str, folder: Path) -> str:
    done = subprocess.run(
        [shell, "-c", SHOW + script], cwd=folder, capture_output=True, timeout=20,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout.decode(errors="surrogateescape")


def put(script: str, value: str) -> str:
    return fill(script, [Gap(m.start(), m.end(), "@", [value]) for m in re.finditer("@", script)])


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("script", "shown"), [each for each in PLACES if each[1] is not None])
@settings(max_examples=30)
@given(value=VALUES)
@example(value="$(touch pwned)")
@example(value="it's `touch pwned` \"; touch pwned; \\")
@example(value="")
@example(value="if")
@example(value="A=b")
def test_value_arrives_as_it_is(
    shell: str, script: str, shown: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert run(shell, put(script, value), folder) == shown.replace("@", value)
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize(("script", "shown"), [each for each in PLACES if each[1] is None])
@settings(max_examples=30)
@given(value=VALUES)
@example(value="$(touch pwned)")
@example(value="a[$(touch pwned)]")
@example(value="'$(touch pwned)'")
@example(value="\nEND\ntouch pwned\n")
@example(value="END")
@example(value="E")
def test_value_is_refused_or_harmless(
    script: str, shown: None, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        filled = put(script, value)
    except UnsafeValue:
        return
    assert re.fullmatch(r"[\w./:@%+,=-]+", value, re.ASCII)
    run("bash", filled, folder)
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize(("script", "opened"), [
    ("show a", False), ('show "a"', False), ("show 'a", True), ('show "a', True), ("show \\", True),
    ('show "$(show a', True), ("show $((1 + 2))", False), ("cat <<END\nit\nEND", False),
    ("cat <<END\nit's\nEND", True), ("show a # it's", False), ("show `a", True), ("(show a", True),
])  # fmt: skip
def test_what_follows_may_be_a_part_of_it(script: str, opened: bool) -> None:
    assert is_open(script) == opened
