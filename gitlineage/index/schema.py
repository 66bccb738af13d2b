"""The tables of the index: their columns, the orders they are kept in, what numbers stand for.

Must not know what is asked, nor how records become rows.
"""

from __future__ import annotations

VERSION = 14
"""Of the schema. A file of another version is built anew, never migrated. 2: metadata.
3: cost; 4: who reproduces whom; 5: views; 6: aliases, and the end of deployments;
7: other names of content; 8: metadata of files as a view; 9: directories; 10: redactions;
11: directions beside content; 12: views that DuckDB can read; 13: less of names, trees and
digests; 14: numbers that are not finite."""

KINDS = (
    "execution",
    "deployment",
    "damaged",
    "newer",
    "metadata",
    "alias",
    "retirement",
    "redaction",
)
EXECUTION, DEPLOYMENT, DAMAGED, NEWER, METADATA, ALIAS, RETIREMENT, REDACTION = range(8)

DIRECTIONS = ("input", "output", "deployed", "unchanged")
"""How a record has an artifact. `unchanged`: named as an output, but the same path held the same
content before, or it was deleted: nothing was made."""
INPUT, OUTPUT, DEPLOYED, UNCHANGED = range(4)

SUCCEEDED = 1
"""Key of that word."""

NAME_START, NAME_LENGTH = "substr(name, 1, 6)", 6
"""What of a record's name has an index: the rest is compared where the record is."""

TREE_LENGTH = 12
"""Bytes of a record's tree that are kept: they tell the few records of one name apart."""

# A digest's first 31 bits are its key: feeding computes it instead of looking it up, and no second
# copy of all digests is needed to find one. Should two digests share them, the later one gets a
# key beyond 31 bits, and `collided` names it. Paths, steps and so on are stored once, as
# text or, where they are not UTF-8, as blob. `manner` holds what artifacts have in common.
# Of one record that stands in several chains, `record` has the newest commit and `elsewhere` the
# others: dropping one must not lose the record. `id` is the order in which commits were fed.
# `known_as` has the digest of content that is known by another name too, such as `sha256:<hex>` or
# a version of a URI; until that is known, what stands for it: a digest of the name, and the name.
# `held` has what folders hold, one row for each entry of each manifest: `content` is the first 63
# bits of its digest, `rest` the bytes from the eighth on. Files that are known in there only have
# no row in `content`.
# `said` has metadata that was added later to an execution (20 bytes) or to content (32).
# `alias` has moves, of which the last counts; a digest is lacking where the alias was deleted.
SCHEMA = """
CREATE TABLE tip (ref TEXT PRIMARY KEY, "commit" TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE text (id INTEGER PRIMARY KEY, text UNIQUE NOT NULL);
INSERT INTO text VALUES (1, 'succeeded');
CREATE TABLE agent (id INTEGER PRIMARY KEY, name, email, UNIQUE (name, email));
CREATE TABLE code (id INTEGER PRIMARY KEY, tree, "commit", UNIQUE (tree, "commit"));
CREATE TABLE manner (id INTEGER PRIMARY KEY, type, how, role, change);
CREATE TABLE content (id INTEGER PRIMARY KEY, digest BLOB NOT NULL);
CREATE TABLE collided (digest BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, is_shown INTEGER NOT NULL, name BLOB NOT NULL,
  tree BLOB NOT NULL, "commit" BLOB NOT NULL, step INTEGER, title TEXT, status INTEGER,
  exit_code INTEGER, started_at INTEGER, finished_at INTEGER, duration INTEGER, agent INTEGER,
  host INTEGER, code INTEGER, is_adhoc INTEGER, branch INTEGER, command TEXT, parent BLOB,
  metadata TEXT, parameters TEXT, is_cut INTEGER, inputs_count INTEGER, outputs_count INTEGER,
  warnings_count INTEGER, is_recovered INTEGER, reproduces BLOB, verdict TEXT,
  is_checkable INTEGER, ends_count INTEGER
);
CREATE TABLE cost (record INTEGER PRIMARY KEY, amount TEXT NOT NULL, currency TEXT NOT NULL);
CREATE TABLE deployment (record INTEGER PRIMARY KEY, version TEXT, target TEXT);
CREATE TABLE retirement (record INTEGER PRIMARY KEY, deployment BLOB, retired_at INTEGER);
CREATE TABLE alias (
  alias TEXT, moved_at INTEGER, record INTEGER, position INTEGER, digest BLOB, path INTEGER,
  PRIMARY KEY (alias, moved_at, record, position)
) WITHOUT ROWID;
CREATE TABLE elsewhere (
  "commit" BLOB PRIMARY KEY, record INTEGER NOT NULL, sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE artifact (
  record INTEGER, direction INTEGER, position INTEGER, content INTEGER, path INTEGER,
  size INTEGER, manner INTEGER, previous INTEGER, PRIMARY KEY (record, direction, position)
) WITHOUT ROWID;
CREATE TABLE folder (id INTEGER PRIMARY KEY, digest BLOB UNIQUE NOT NULL);
CREATE TABLE held (
  folder INTEGER, name, content INTEGER NOT NULL, rest BLOB NOT NULL, kind INTEGER NOT NULL,
  size INTEGER NOT NULL, PRIMARY KEY (folder, name)
) WITHOUT ROWID;
CREATE TABLE tagged (tag TEXT, member TEXT, added_at INTEGER, PRIMARY KEY (tag, member))
  WITHOUT ROWID;
CREATE TABLE said (record INTEGER, subject BLOB, said_at INTEGER, "values" TEXT);
CREATE TABLE known_as (name TEXT PRIMARY KEY, digest BLOB NOT NULL, is_open INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE INDEX known_as_open ON known_as (name) WHERE is_open;
CREATE INDEX known_as_digest ON known_as (digest);
CREATE INDEX said_record ON said (record);
CREATE INDEX said_subject ON said (subject);
CREATE INDEX alias_record ON alias (record);
CREATE INDEX alias_digest ON alias (digest);
CREATE INDEX retirement_deployment ON retirement (deployment);
CREATE INDEX record_name ON record (substr(name, 1, 6));
CREATE INDEX elsewhere_record ON elsewhere (record);
CREATE INDEX tagged_member ON tagged (member);
"""

# Sorting once is several times cheaper than keeping order while 100,000 records come in, so these
# are made after the first feeding.
ORDERS = {
    "record_started": "record (started_at) WHERE is_shown AND kind = 0",
    "record_step": "record (step, started_at) WHERE is_shown AND kind = 0",
    # Few fail; nearly all succeed, for which record_started serves.
    "record_status": "record (status, started_at) WHERE is_shown AND kind = 0"
    f" AND status <> {SUCCEEDED}",
    "record_deployed": "record (step, started_at) WHERE is_shown AND kind = 1",
    "record_code": "record (code)",
    "record_parent": "record (parent) WHERE parent IS NOT NULL",
    "record_reproduces": "record (reproduces) WHERE reproduces IS NOT NULL",
    "record_problem": "record (kind) WHERE kind > 1",
    "artifact_content": "artifact (content, direction) WHERE content IS NOT NULL",
    "artifact_path": "artifact (path)",
    "held_content": "held (content)",
}
