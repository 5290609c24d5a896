-- What stackup did to this machine. One file, one writer, written before and after every change.

CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- An install or a reset, from its start to its end. A run without an end was killed.
CREATE TABLE IF NOT EXISTS run (
    id           INTEGER PRIMARY KEY,
    verb         TEXT NOT NULL,              -- install, reset
    profile_hash TEXT NOT NULL,
    started_at   TEXT NOT NULL,
    ended_at     TEXT,
    outcome      TEXT                        -- done, failed, residue
) STRICT;

-- One line a step, the last word about it. Undone from the highest seq down.
CREATE TABLE IF NOT EXISTS step (
    name       TEXT PRIMARY KEY,             -- bridge:br-ex
    run        INTEGER NOT NULL REFERENCES run (id),
    seq        INTEGER NOT NULL,
    kind       TEXT NOT NULL,                -- bridge
    params     TEXT NOT NULL,                -- the step itself, as JSON
    state      TEXT NOT NULL,                -- intended, done, adopted, reverted
    receipt    TEXT NOT NULL,                -- what was there before, and what was made
    error      TEXT,
    changed_at TEXT NOT NULL
) STRICT;
