"""What the index shows to people who ask it in SQL: views with names that stay.

Knows the tables; the page docs/sql.md is made of this.
"""

from __future__ import annotations

from gitlineage.index.schema import DIRECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    View = tuple[str, tuple[tuple[str, str, str], ...], str]
    """What a row is; of each column its name, what it is made of, and what it says; the tables."""


def _moment(column: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1e6, 'unixepoch')"


def _hex(column: str) -> str:
    return f"lower(hex({column}))"


def _digest(column: str) -> str:
    # What is known by another name is a digest of that name, and the name.
    name = f"CAST(substr({column}, 33) AS TEXT)"
    return f"CASE WHEN length({column}) > 32 THEN {name} ELSE 'blake3:' || {_hex(column)} END"


_DIRECTION = " ".join(f"WHEN {n} THEN '{name}'" for n, name in enumerate(DIRECTIONS))

_ID = ("execution", _hex("r.name"), "id of the execution")

# Others open this file: DuckDB's parser wants a condition behind each JOIN, and none behind CROSS
# JOIN, which for SQLite keeps the order in which the tables are looked at.
VIEWS: dict[str, View] = {
    "executions": (
        "an execution",
        (
            ("id", _hex("r.name"), "40 digits"),
            ("step", "step.text", "what the step is called"),
            ("title", "r.title", "what this one is called"),
            ("status", "status.text", "succeeded, failed, stopped, interrupted"),
            ("exit_code", "r.exit_code", "as a shell reports it"),
            ("started_at", _moment("r.started_at"), "UTC, as text that sorts"),
            ("finished_at", _moment("r.finished_at"), "the same"),
            ("duration_seconds", "r.duration / 1e6", "by a clock that nobody sets"),
            ("agent_name", "agent.name", "who ran it"),
            ("agent_email", "agent.email", "their address"),
            ("host", "host.text", "where it ran"),
            ("code_commit", _hex('code."commit"'), "HEAD"),
            ("code_tree", _hex("code.tree"), "the code as it ran"),
            ("is_adhoc", "r.is_adhoc", "1: the code differed from the commit"),
            ("branch", "branch.text", "what was checked out"),
            ("command", "r.command", "as a shell would read it, up to 500 characters"),
            ("parent", _hex("r.parent"), "the execution that it ran inside of"),
            ("reproduces", _hex("r.reproduces"), "the execution that it repeats"),
            ("verdict", "r.verdict", "how the repetition came out"),
            ("inputs_count", "r.inputs_count", "how many inputs"),
            ("outputs_count", "r.outputs_count", "how many outputs"),
            ("warnings_count", "r.warnings_count", "how many warnings"),
            ("cost", "CAST(cost.amount AS REAL)", "the amount, good for sums of one currency"),
            ("currency", "cost.currency", "three letters"),
            ("record", 'lower(hex(r."commit"))', "the commit of the ledger that holds it"),
        ),
        "record r LEFT JOIN text step ON step.id = r.step"
        " LEFT JOIN text status ON status.id = r.status LEFT JOIN text host ON host.id = r.host"
        " LEFT JOIN text branch ON branch.id = r.branch LEFT JOIN agent ON agent.id = r.agent"
        " LEFT JOIN code ON code.id = r.code LEFT JOIN cost ON cost.record = r.id"
        " WHERE r.is_shown AND r.kind = 0",
    ),
    "parameters": (
        "a parameter of an execution",
        (
            _ID,
            ("name", "each.key", "its name"),
            ("value", "each.value", "number or text; lists and maps as JSON"),
        ),
        "record r CROSS JOIN json_each(r.parameters) each WHERE r.is_shown AND r.kind = 0",
    ),
    "metadata": (
        "the last value of a metadata key, as the execution told it",
        (
            _ID,
            ("name", "each.key", "its name"),
            ("value", "each.value", "number or text; lists and maps as JSON"),
        ),
        "record r CROSS JOIN json_each(r.metadata) each WHERE r.is_shown AND r.kind = 0",
    ),
    "file_metadata": (
        "the last value of a metadata key, as it was said of a file's content",
        (
            ("digest", _digest("s.subject"), "`blake3:` and 64 digits"),
            ("name", "s.key", "its name"),
            ("value", "s.value", "number or text; lists and maps as JSON"),
            ("said_at", _moment("s.said_at"), "when, in UTC"),
        ),
        # SQLite takes the value from the row that has the maximum.
        "(SELECT subject, each.key, each.value, max(said_at) AS said_at"
        ' FROM said CROSS JOIN json_each(said."values") each WHERE length(subject) = 32'
        " GROUP BY subject, each.key) s",
    ),
    "artifacts": (
        "a file or directory as an execution or a deployment has it",
        (
            ("id", _hex("r.name"), "of the execution or deployment"),
            ("direction", f"CASE a.direction {_DIRECTION} END", ", ".join(DIRECTIONS)),
            ("path", "path.text", "relative to the top of the work tree"),
            ("digest", _digest("content.digest"), "`blake3:` and 64 digits; or another name"),
            ("size", "a.size", "bytes"),
            ("type", "m.type", "file, directory, uri, special"),
            ("how", "m.how", "how it is known"),
            ("role", "m.role", "the name that it was given"),
            ("change", "m.change", "created, overwritten, appended, renamed or deleted"),
        ),
        "artifact a CROSS JOIN record r"
        " LEFT JOIN content ON content.id = a.content LEFT JOIN text path ON path.id = a.path"
        " LEFT JOIN manner m ON m.id = a.manner WHERE r.id = a.record AND r.is_shown",
    ),
    "tags": (
        "a tag on an execution or on content",
        (
            ("tag", "t.tag", "the tag"),
            ("id", "t.member", "execution, or the digits of a digest"),
            ("added_at", _moment("t.added_at"), "when, in UTC"),
        ),
        "tagged t",
    ),
    "deployments": (
        "a deployment",
        (
            ("id", _hex("r.name"), "40 digits"),
            ("name", "step.text", "what is deployed"),
            ("version", "d.version", "which version of it"),
            ("target", "d.target", "where it was put"),
            ("deployed_at", _moment("r.started_at"), "UTC"),
            ("agent_name", "agent.name", "who deployed it"),
        ),
        "record r JOIN deployment d ON d.record = r.id LEFT JOIN text step ON step.id = r.step"
        " LEFT JOIN agent ON agent.id = r.agent WHERE r.is_shown AND r.kind = 1",
    ),
}


def statements() -> Iterator[str]:
    """Yield what makes the views."""
    for name, (_, columns, tables) in VIEWS.items():
        # The hexadecimal digits of what is not there are none.
        shown = ", ".join(
            f"nullif({made}, '') AS \"{column}\"" if "hex(" in made else f'{made} AS "{column}"'
            for column, made, _ in columns
        )
        yield f"CREATE VIEW {name} AS SELECT {shown} FROM {tables}"  # noqa: S608 - of constants
