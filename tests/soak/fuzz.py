"""Feed bytes that atheris invents to all that reads what strangers wrote.

`python tests/soak/fuzz.py tests/soak/corpus -max_total_time=600`; what crashes is written to a file
`crash-*`, to be kept in `tests/soak/corpus`, which the suite reads as well.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["gitlineage"]):
    from gitlineage import chains, encoding
    from gitlineage.commits import Identity
    from gitlineage.errors import LineageError
    from gitlineage.index.parts import name_in
    from gitlineage.ledger import Stored
    from gitlineage.records.alias import Alias
    from gitlineage.records.deployment import Deployment
    from gitlineage.records.end import End
    from gitlineage.records.launch import Launch
    from gitlineage.records.metadata import Metadata
    from gitlineage.records.redaction import Redaction
    from gitlineage.series import Series
    from gitlineage.tags import name_of

KINDS = (Launch, End, Deployment, Metadata, Alias, Redaction)


def read(content: bytes) -> None:
    """Read some bytes as everything that they could be; refusing them is fine."""
    for kind in KINDS:
        try:
            encoding.encode(encoding.decode(kind, content))
        except LineageError:
            pass
    for record in (
        Stored(commit="0" * 40, tree="0" * 40, launch=content, record=content),
        Stored(commit="0" * 40, tree="0" * 40, launch=None, record=content),
    ):
        name_in(record)
    try:
        list(Series([content], "x").points())
    except LineageError:
        pass
    text = content.decode(errors="surrogateescape")
    Identity.parse(text).line()
    name_of("refs/lineage/tags/" + text)
    chains.generation(text)
    chains.again_of(b"tree x\n" + content)


def main() -> None:
    """Fuzz until told to stop."""
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
