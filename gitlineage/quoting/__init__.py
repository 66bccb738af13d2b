"""Puts text into shell scripts where a placeholder stands, so that it stays text.

Knows how a shell reads quotes; knows no steps, and runs nothing. Where it is not certain how a
shell would read a place, only text without any special character is put there.
"""

from __future__ import annotations

from gitlineage.errors import UnsafeValue
from gitlineage.quoting.readers import NAME, reader
from gitlineage.wording import PLAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

RESERVED = frozenset((
    "if", "then", "elif", "else", "fi", "do", "done", "case", "esac", "while", "until",
    "for", "in", "function", "select", "time", "coproc",
))  # fmt: skip
"""Words that mean something to a shell unless they are quoted."""

ENDS = frozenset(" \t\n;|&)/.,")
"""What may follow text without quotes."""

STARTS = frozenset(" \t\n;|(/.,:=")
"""What may stand before text without quotes."""

BREAKS = frozenset(" \t\n;|&()")
"""What ends a word."""


class Gap:
    """A placeholder in a script, and the words that take its place."""

    __slots__ = ("end", "name", "start", "words")

    def __init__(self, start: int, end: int, name: str, words: Sequence[str]) -> None:
        self.start = start
        self.end = end
        self.name = name
        """As it is written, for messages."""
        self.words = words


def fill(script: str, gaps: Sequence[Gap], *, is_shell: bool = True) -> str:
    """Return a script with its gaps filled, in their order. Raises UnsafeValue.

    Outside of quotes each word of a gap is a word; inside of quotes they are one text.
    """
    scan = _Scan(script, {gap.start: gap.end for gap in gaps})
    if is_shell:
        scan.run()
    pieces, end = [], 0
    for gap in gaps:
        place = scan.places.get(gap.start, "in a place that is not read as plain shell")
        pieces += [script[end : gap.start], _filled(script, gap, place, scan.delimiters)]
        end = gap.end
    return "".join(pieces) + script[end:]


def is_open(script: str) -> bool:
    """Tell whether a shell may read what follows a script as a part of its last word."""
    scan = _Scan(script, {})
    scan.run()
    is_unread = scan.unclear and not set(script[scan.unread :]).isdisjoint("\"'`\\")
    return bool(is_unread) or len(scan.frames) > 1 or script.endswith("\\")


def _filled(script: str, gap: Gap, place: str, delimiters: Sequence[str]) -> str:
    if any("\0" in word for word in gap.words):
        raise UnsafeValue(placeholder=gap.name, place="in a command, and it holds a null character")
    text = " ".join(gap.words)
    if place == "bare":
        is_alone = _stands_alone(script, gap)
        return " ".join(
            each if is_alone and _is_plain(each) else quoted(each) for each in gap.words
        )
    if place == '"':
        escaped = "".join("\\" + each if each in '\\"$`' else each for each in text)
        return ('""' if _follows_variable(script, gap.start) else "") + escaped
    if place == "'":
        return text.replace("'", "'\\''")
    if (
        not all(_is_plain(word) for word in gap.words)
        or _follows_variable(script, gap.start)
        or any(text in delimiter or not text for delimiter in delimiters)
    ):
        raise UnsafeValue(placeholder=gap.name, place=place)
    return text


def quoted(word: str) -> str:
    """Return text as one word of shell, always in quotes."""
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _is_plain(word: str) -> bool:
    """Tell whether a shell reads a word as itself wherever it stands."""
    is_assignment = "=" in word and not word.startswith("-")
    plain = PLAIN - {"%"}
    return bool(word) and set(word) <= plain and word not in RESERVED and not is_assignment


def _stands_alone(script: str, gap: Gap) -> bool:
    before, after = script[: gap.start][-1:], script[gap.end :][:1]
    return (not before or before in STARTS) and (not after or after in ENDS)


def _follows_variable(script: str, at: int) -> bool:
    """Tell whether text here would become part of a variable's name, as after `$HOME`."""
    name = len(script[:at]) - len(script[:at].rstrip("".join(NAME)))
    return script[: at - name].endswith("$")


class _Scan:
    """Reads a script as a shell does, as far as is needed to tell where its gaps stand.

    `places` says of each gap: `bare`, `"`, `'`, or in words why nothing special may stand there.
    """

    def __init__(self, script: str, gaps: dict[int, int]) -> None:
        self.script = script
        self.gaps = gaps
        self.places: dict[int, str] = {}
        self.delimiters: list[str] = []
        self.frames = ["bare"]
        """What is open here, the innermost last: `bare`, `(`, `$(`, `"`, `'`."""
        self.commands: list[list[str]] = [[""]]
        """The words so far of the command that each `bare`, `(` and `$(` is at."""
        self.unclear = ""
        """Why nothing can be told of any place from here on."""
        self.unread = len(script)
        """Where that begins."""
        self.at = 0

    def run(self) -> None:
        while self.at < len(self.script):
            if self.at in self.gaps:
                self.note()
                self.at = self.gaps[self.at]
            elif self.unclear or self.frames[-1] == "'":
                self.close("'")
            else:
                self.step()

    def note(self) -> None:
        """Say where the gap here stands."""
        place = self.unclear or self.frames[-1].replace("$(", "bare").replace("(", "bare")
        for words in self.commands:
            if found := reader(words):
                place = f"in what `{found}` reads as code"
        if self.script[: self.at].endswith("$"):
            place = "behind `$`"
        self.places[self.at] = place
        self.commands[-1][-1] += "?"

    def close(self, quote: str) -> None:
        """Go on, and out of these quotes where they end."""
        character = self.script[self.at]
        if not self.unclear and character == quote:
            self.frames.pop()
        else:
            self.commands[-1][-1] += character
        self.at += 1

    def step(self) -> None:
        rest = self.script[self.at : self.at + 3]
        is_text = self.frames[-1] == '"'
        if rest[0] == "\\":
            if self.at + 1 in self.gaps:
                self.places[self.at + 1] = "behind a backslash"
                self.at = self.gaps[self.at + 1]
            else:
                self.commands[-1][-1] += "_" if rest[1:2].isspace() else rest[1:2]
                self.at += 2
        elif rest[0] == "`":
            self.skip_backquotes()
        elif rest[0] == "$":
            self.expand(rest, is_text)
        elif is_text:
            self.close('"')
        else:
            self.read(rest)

    def expand(self, rest: str, is_text: bool) -> None:
        """Read what begins with `$`."""
        if rest == "$((" or rest[:2] == "$[":
            self.skip_simple("))" if rest[2:] else "]", "in arithmetic")
        elif rest[:2] == "$(":
            self.open("$(", 2)
        elif rest[:2] == "$'" and not is_text:
            self.give_up("in `$'...'`, or behind it")
        elif rest[:2] == "${" and self.at + 1 not in self.gaps:
            self.skip_simple("}", "in `${...}`")
        else:
            self.commands[-1][-1] += "$"
            self.at += 1

    def read(self, rest: str) -> None:
        """Read one character outside of quotes."""
        words = self.commands[-1]
        if rest[0] in "\"'":
            self.frames.append(rest[0])
            self.at += 1
        elif rest == "<<<":
            self.at += 3
        elif rest[:2] == "<<":
            line = self.script[self.at + 2 :].lstrip("- \t").partition("\n")[0]
            self.delimiters.append("".join(each for each in line if each not in "\"'\\"))
            self.give_up("in a here-document, or behind it")
        elif rest[:2] == "((":
            self.skip_simple("))", "in arithmetic")
        elif rest[0] == "#" and not words[-1] and self.script[: self.at][-1:] in ("", *BREAKS):
            self.skip_comment()
        elif rest[0] == "(":
            self.open("(", 1)
        elif rest[0] == ")" and len(self.frames) > 1:
            self.commands.pop()
            if self.frames.pop() == "$(":
                self.commands[-1][-1] += "?"
            self.at += 1
        elif rest[0] in ");|&\n" and not self.is_redirection():
            words[:] = [""]
            self.at += 1
        elif rest[0] in " \t":
            if words[-1] == "case" and '"' in self.frames:
                self.give_up("behind a `case` in a substitution")
            if words[-1]:
                words.append("")
            self.at += 1
        else:
            words[-1] += rest[0]
            self.at += 1

    def is_redirection(self) -> bool:
        """Tell whether the `&` or `|` here is a part of `2>&1`, `&>` or `>|`."""
        return (
            self.script[self.at] in "&|" and self.script[: self.at][-1:] in ("<", ">")
        ) or self.script[self.at : self.at + 2] == "&>"

    def open(self, frame: str, size: int) -> None:
        self.frames.append(frame)
        self.commands.append([""])
        self.at += size

    def give_up(self, why: str) -> None:
        self.unclear = why
        self.unread = self.at
        self.at += 1

    def skip_comment(self) -> None:
        end = self.script.find("\n", self.at)
        self.pass_over(len(self.script) if end < 0 else end, "in a comment")

    def skip_backquotes(self) -> None:
        end = self.at + 1
        while end < len(self.script) and self.script[end] != "`":
            end += 2 if self.script[end] == "\\" else 1
        if end >= len(self.script):
            self.give_up("in backquotes")
            return
        self.pass_over(end + 1, "in backquotes")
        self.commands[-1][-1] += "`"

    def pass_over(self, end: int, place: str) -> None:
        """Go to `end`; the gaps on the way stand at `place`."""
        self.places |= {start: place for start in self.gaps if self.at <= start < end}
        self.at = max(end, *(self.gaps[start] for start in self.gaps if start < end), end)

    def skip_simple(self, closing: str, place: str) -> None:
        """Go behind what is closed by this, where nothing in it can be misread."""
        end = self.script.find(closing, self.at)
        held = self.script[self.at :].lstrip("$({[").partition(closing)[0]
        misread = "{\"'`\\()" if closing == "}" else "{\"'`\\()[#<\n"
        if end < 0 or set(held) & set(misread):
            self.give_up(f"{place}, or behind it")
        else:
            self.pass_over(end + len(closing), place)
            self.commands[-1][-1] += "$"
