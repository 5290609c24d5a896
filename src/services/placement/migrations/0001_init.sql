-- What placement knows: who offers how much of what, and who uses it.

-- Something that has resources: a compute host, a storage pool, a NUMA cell below a host.
CREATE TABLE provider (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    -- Grows with every change; a writer that names an old one is refused.
    generation INTEGER NOT NULL,
    parent_id  TEXT REFERENCES provider (id),
    -- The top of the tree; a provider without parent is its own.
    root_id    TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX provider_root ON provider (root_id);

CREATE TABLE inventory (
    provider_id      TEXT NOT NULL REFERENCES provider (id),
    resource_class   TEXT NOT NULL,
    total            INTEGER NOT NULL,
    reserved         INTEGER NOT NULL,
    min_unit         INTEGER NOT NULL,
    max_unit         INTEGER NOT NULL,
    step_size        INTEGER NOT NULL,
    allocation_ratio REAL NOT NULL,
    PRIMARY KEY (provider_id, resource_class)
) STRICT;

CREATE TABLE provider_trait (
    provider_id TEXT NOT NULL REFERENCES provider (id),
    trait       TEXT NOT NULL,
    PRIMARY KEY (provider_id, trait)
) STRICT;

CREATE TABLE provider_aggregate (
    provider_id TEXT NOT NULL REFERENCES provider (id),
    aggregate   TEXT NOT NULL,
    PRIMARY KEY (provider_id, aggregate)
) STRICT;

-- Names that users added; the standard ones are part of the program.
CREATE TABLE custom_class (
    name       TEXT PRIMARY KEY,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE custom_trait (
    name       TEXT PRIMARY KEY,
    created_at TEXT NOT NULL
) STRICT;

-- Who uses resources: a server, a migration.
CREATE TABLE consumer (
    id         TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    -- INSTANCE, MIGRATION; NULL when it came by an API older than 1.38.
    kind       TEXT,
    generation INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX consumer_project ON consumer (project_id);

CREATE TABLE allocation (
    consumer_id    TEXT NOT NULL REFERENCES consumer (id),
    provider_id    TEXT NOT NULL REFERENCES provider (id),
    resource_class TEXT NOT NULL,
    used           INTEGER NOT NULL,
    PRIMARY KEY (consumer_id, provider_id, resource_class)
) STRICT;
CREATE INDEX allocation_provider ON allocation (provider_id, resource_class);

-- How many writes there have been: whoever holds a picture of all providers sees whether it is true.
CREATE TABLE revision (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    writes INTEGER NOT NULL
) STRICT;
INSERT INTO revision (id, writes) VALUES (1, 0);
