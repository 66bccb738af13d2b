"""Packs: what git reads of them is what was put in."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Git

from gitlineage.packing import Pack, tree


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_git_reads_a_pack(algorithm: str, git: Git, isolated: Path) -> None:
    git("init", "-q", f"--object-format={algorithm}")
    pack = Pack(algorithm)
    sizes = (0, 1, 15, 16, 2047, 2048, 70_000, 1 << 20)
    blobs = {pack.add("blob", (b"%d\n" % size * size)[:size]): size for size in sizes}
    files = [(b"%d" % size, name) for name, size in blobs.items()]
    root = pack.add("tree", tree(files))
    pack.add("tree", tree(files))
    who = b"Ada <ada@example.org> 0 +0000"
    head = b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (root.hex().encode(), who, who)
    commit = pack.add("commit", head).hex()
    assert len(pack) == len(sizes) + 2
    folder = Path(".git/objects/pack")
    kept = Path(pack.write(str(folder.resolve())))
    assert sorted(each.suffix for each in folder.iterdir()) == [".idx", ".keep", ".pack"]
    git("verify-pack", str(kept.with_suffix(".idx")))
    again = git("index-pack", "-o", "again.idx", str(kept.with_suffix(".pack")))
    assert again.strip() in kept.name
    assert Path("again.idx").read_bytes() == kept.with_suffix(".idx").read_bytes()
    git("update-ref", "refs/heads/x", commit)
    assert git("fsck", "--strict") == ""
    assert {int(line.split()[3]) for line in git("ls-tree", "-l", commit).splitlines()} == set(
        sizes
    )


def test_what_cannot_be_written_leaves_nothing(isolated: Path) -> None:
    pack = Pack("sha1")
    pack.add("blob", b"x")
    name = pack.content()[-20:].hex()
    Path(f"pack-{name}.pack").mkdir()
    with pytest.raises(OSError, match="directory"):
        pack.write(".")
    assert [each.name for each in Path().iterdir() if each.name.startswith("tmp_")] == []
