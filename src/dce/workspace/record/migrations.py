"""The store's schema, as a list of migration steps. `PRAGMA user_version` is the number of steps applied.

What must always hold: a released step is never changed, later steps are added; each step runs in one transaction.
"""

import sqlite3

APPLICATION_ID = 0x44434521
"""`PRAGMA application_id` of DCE's files ("DCE!"), so that another program's database is never mistaken for one."""

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE token_counts (
    tokenizer TEXT NOT NULL, sha256 TEXT NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY (tokenizer, sha256)
) WITHOUT ROWID;
CREATE TABLE cycles (
    id INTEGER PRIMARY KEY AUTOINCREMENT, rev INTEGER NOT NULL DEFAULT 1,
    title TEXT NOT NULL, context TEXT NOT NULL, ephemeral TEXT NOT NULL,
    chosen_generation INTEGER REFERENCES generations (id), chosen_slot INTEGER,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, deleted_at REAL
);
CREATE TABLE prompts (
    sha256 TEXT PRIMARY KEY, text TEXT NOT NULL, schema TEXT NOT NULL, nonce TEXT NOT NULL,
    sections TEXT NOT NULL, manifest TEXT NOT NULL, grammar TEXT, created_at REAL NOT NULL
);
CREATE TABLE generations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, cycle INTEGER NOT NULL REFERENCES cycles (id),
    prompt_sha256 TEXT NOT NULL REFERENCES prompts (sha256), model TEXT NOT NULL, n INTEGER NOT NULL,
    max_tokens INTEGER NOT NULL, temperature REAL, seed INTEGER, reasoning_effort TEXT,
    prompt_tokens INTEGER NOT NULL, stream_id TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL, ended_at REAL
);
CREATE INDEX generations_of_cycle ON generations (cycle);
CREATE TABLE responses (
    generation INTEGER NOT NULL REFERENCES generations (id), slot INTEGER NOT NULL, version INTEGER NOT NULL,
    status TEXT NOT NULL, thinking TEXT NOT NULL DEFAULT '', text TEXT NOT NULL DEFAULT '',
    thinking_tokens INTEGER NOT NULL DEFAULT 0, answer_tokens INTEGER NOT NULL DEFAULT 0,
    is_exact INTEGER NOT NULL DEFAULT 0, finish_reason TEXT NOT NULL DEFAULT '', error TEXT,
    started_at REAL, first_token_at REAL, thinking_ended_at REAL, ended_at REAL,
    stream_id TEXT NOT NULL DEFAULT '', stream_index INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, slot, version)
);
CREATE INDEX responses_by_status ON responses (status);
CREATE TABLE pieces (
    id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, slot INTEGER NOT NULL, version INTEGER NOT NULL,
    thinking TEXT NOT NULL, text TEXT NOT NULL,
    FOREIGN KEY (generation, slot, version) REFERENCES responses (generation, slot, version)
);
CREATE INDEX pieces_of_response ON pieces (generation, slot, version);
CREATE TABLE check_reports (
    generation INTEGER NOT NULL, slot INTEGER NOT NULL, version INTEGER NOT NULL, report TEXT NOT NULL,
    PRIMARY KEY (generation, slot, version),
    FOREIGN KEY (generation, slot, version) REFERENCES responses (generation, slot, version)
);
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE acceptances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    generation INTEGER NOT NULL, slot INTEGER NOT NULL, version INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'applied', 'restored', 'undone')), files TEXT NOT NULL,
    created_at REAL NOT NULL, restored_at REAL,
    FOREIGN KEY (generation, slot, version) REFERENCES responses (generation, slot, version)
);
INSERT INTO cycles (id, title, context, ephemeral, created_at, updated_at)
VALUES (0, 'Project scope', '', '', strftime('%s', 'now'), strftime('%s', 'now'));
"""

_HISTORY = """
CREATE INDEX responses_at_a_glance ON responses (generation, slot, version, status, thinking_tokens, answer_tokens);
CREATE VIRTUAL TABLE cycle_search USING fts5 (title, context, ephemeral, content = 'cycles', content_rowid = 'id');
INSERT INTO cycle_search (cycle_search) VALUES ('rebuild');
CREATE TRIGGER cycle_search_new AFTER INSERT ON cycles BEGIN
    INSERT INTO cycle_search (rowid, title, context, ephemeral)
    VALUES (new.id, new.title, new.context, new.ephemeral);
END;
CREATE TRIGGER cycle_search_edit AFTER UPDATE OF title, context, ephemeral ON cycles BEGIN
    INSERT INTO cycle_search (cycle_search, rowid, title, context, ephemeral)
    VALUES ('delete', old.id, old.title, old.context, old.ephemeral);
    INSERT INTO cycle_search (rowid, title, context, ephemeral)
    VALUES (new.id, new.title, new.context, new.ephemeral);
END;
CREATE TABLE ended_responses (
    id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, slot INTEGER NOT NULL, version INTEGER NOT NULL,
    UNIQUE (generation, slot, version),
    FOREIGN KEY (generation, slot, version) REFERENCES responses (generation, slot, version)
);
CREATE VIEW response_texts AS
    SELECT ended_responses.id AS id, text FROM ended_responses JOIN responses USING (generation, slot, version);
CREATE VIRTUAL TABLE response_search USING fts5 (text, content = 'response_texts', content_rowid = 'id');
CREATE TRIGGER response_search_end AFTER UPDATE OF status ON responses
WHEN new.status NOT IN ('queued', 'connecting', 'thinking', 'generating') AND new.text != '' BEGIN
    INSERT INTO ended_responses (generation, slot, version) VALUES (new.generation, new.slot, new.version);
    INSERT INTO response_search (rowid, text) SELECT id, new.text FROM ended_responses
    WHERE generation = new.generation AND slot = new.slot AND version = new.version;
END;
CREATE TRIGGER response_search_new AFTER INSERT ON responses
WHEN new.status NOT IN ('queued', 'connecting', 'thinking', 'generating') AND new.text != '' BEGIN
    INSERT INTO ended_responses (generation, slot, version) VALUES (new.generation, new.slot, new.version);
    INSERT INTO response_search (rowid, text) SELECT id, new.text FROM ended_responses
    WHERE generation = new.generation AND slot = new.slot AND version = new.version;
END;
INSERT INTO ended_responses (generation, slot, version) SELECT generation, slot, version FROM responses
WHERE status NOT IN ('queued', 'connecting', 'thinking', 'generating') AND text != '';
INSERT INTO response_search (response_search) VALUES ('rebuild');
CREATE TABLE imports (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, sha256 TEXT NOT NULL, imported_at REAL NOT NULL
);
CREATE TABLE origins (
    cycle INTEGER PRIMARY KEY REFERENCES cycles (id), import INTEGER NOT NULL REFERENCES imports (id),
    original_id INTEGER NOT NULL, extra TEXT NOT NULL
);
ALTER TABLE cycles ADD COLUMN card TEXT NOT NULL DEFAULT '';
ALTER TABLE generations ADD COLUMN card TEXT NOT NULL DEFAULT '';
ALTER TABLE generations ADD COLUMN temperature_spread REAL;
"""
# The search tables contain only the index: the texts stay in `cycles` and `responses`. `responses` has no integer key that survives a
# VACUUM, so `ended_responses` gives each ended response a number. Triggers update the index, so no writer can forget it.
# `origins.extra`: fields of an imported cycle that have no column here, as JSON.

_JUDGEMENTS = """
CREATE TABLE judgements (
    generation INTEGER NOT NULL, slot INTEGER NOT NULL, version INTEGER NOT NULL,
    mark TEXT NOT NULL CHECK (mark IN ('', 'shortlisted', 'rejected')),
    rating INTEGER NOT NULL CHECK (rating BETWEEN 0 AND 5), note TEXT NOT NULL, updated_at REAL NOT NULL,
    PRIMARY KEY (generation, slot, version),
    FOREIGN KEY (generation, slot, version) REFERENCES responses (generation, slot, version)
);
"""
# A judgement applies to one version: a regenerated response has not been judged.

_PROMPT_READ = """
ALTER TABLE responses ADD COLUMN prompt_tokens INTEGER;
"""
# How much of the prompt the server read, by its own count: it tells when a server cut a prompt in silence.

_CHECK_KEYS = """
ALTER TABLE check_reports ADD COLUMN checks TEXT NOT NULL DEFAULT '';
ALTER TABLE check_reports ADD COLUMN base TEXT NOT NULL DEFAULT '';
ALTER TABLE check_reports ADD COLUMN answer TEXT NOT NULL DEFAULT '';
ALTER TABLE check_reports ADD COLUMN stamp TEXT NOT NULL DEFAULT '';
CREATE TABLE base_reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT, checks TEXT NOT NULL, base TEXT NOT NULL, report TEXT NOT NULL,
    created_at REAL NOT NULL, UNIQUE (checks, base)
);
"""
# A report is a verdict on one answer, by certain checks, on a certain state of the files: `record/check_reports.py`.

_FOLLOW_UPS = """
CREATE TABLE follow_ups (
    generation INTEGER NOT NULL, slot INTEGER NOT NULL, kind TEXT NOT NULL,
    from_slot INTEGER NOT NULL CHECK (from_slot < slot), from_version INTEGER NOT NULL,
    other_slot INTEGER NOT NULL, other_version INTEGER NOT NULL, request TEXT NOT NULL, created_at REAL NOT NULL,
    PRIMARY KEY (generation, slot),
    FOREIGN KEY (generation, from_slot, from_version) REFERENCES responses (generation, slot, version)
);
"""
# A slot's lineage: `record/follow_ups.py`. All versions of the slot share it.

_PICKS = """
CREATE TABLE picks (
    acceptance INTEGER PRIMARY KEY REFERENCES acceptances (id), rank INTEGER NOT NULL, answers INTEGER NOT NULL,
    verdict TEXT NOT NULL
);
"""
# Where an accepted response stood on the board at that moment: `record/picks.py`.

_COMPARISONS = """
CREATE TABLE comparisons (
    generation INTEGER NOT NULL, slot INTEGER NOT NULL, version INTEGER NOT NULL,
    other INTEGER NOT NULL CHECK (slot < other), other_version INTEGER NOT NULL,
    card TEXT NOT NULL, model TEXT NOT NULL, winner INTEGER NOT NULL, why TEXT NOT NULL,
    said TEXT NOT NULL, said_swapped TEXT NOT NULL, created_at REAL NOT NULL,
    PRIMARY KEY (generation, slot, version, other, other_version),
    FOREIGN KEY (generation, slot, version) REFERENCES responses (generation, slot, version),
    FOREIGN KEY (generation, other, other_version) REFERENCES responses (generation, slot, version)
);
"""
# What a judge said of two versions: `record/comparisons.py`.

_BEHAVIOURS = """
CREATE TABLE behaviours (
    id INTEGER PRIMARY KEY AUTOINCREMENT, generation INTEGER NOT NULL REFERENCES generations (id), base TEXT NOT NULL,
    answers TEXT NOT NULL, probes TEXT NOT NULL, checks TEXT NOT NULL, stamp TEXT NOT NULL, report TEXT NOT NULL,
    created_at REAL NOT NULL, UNIQUE (generation, base, answers, probes, checks)
);
"""
# How a generation's answers behave, compared with each other: `record/behaviours.py`.

STEPS: tuple[str, ...] = (
    _FIRST,
    _HISTORY,
    _JUDGEMENTS,
    _PROMPT_READ,
    _CHECK_KEYS,
    _FOLLOW_UPS,
    _PICKS,
    _COMPARISONS,
    _BEHAVIOURS,
)


def migrate(db: sqlite3.Connection) -> None:
    """Applies the steps that `db` lacks. The caller has checked that the file is DCE's and not newer."""
    while (version := db.execute("PRAGMA user_version").fetchone()[0]) < len(STEPS):
        # Two processes may get here at the same time: the second finds the version already increased, in the check below.
        db.execute("BEGIN EXCLUSIVE")
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] == version:
                for statement in _statements(STEPS[version]):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {version + 1}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise


def _statements(script: str) -> list[str]:
    """The statements of a step. sqlite3's `executescript` would commit the open transaction."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
