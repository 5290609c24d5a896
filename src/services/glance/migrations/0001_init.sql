-- The tables of glance. A column says here what it means when its name does not.

CREATE TABLE images (
    id               TEXT PRIMARY KEY,
    name             TEXT,
    status           TEXT NOT NULL,
    visibility       TEXT NOT NULL,
    owner            TEXT,             -- a project; NULL is everybody's
    disk_format      TEXT,             -- as claimed
    container_format TEXT,
    size             INTEGER,          -- bytes of the data, or of what is staged
    virtual_size     INTEGER,          -- bytes of the disk that the data describes
    checksum         TEXT,             -- MD5, in hex
    os_hash_algo     TEXT,
    os_hash_value    TEXT,
    min_disk         INTEGER NOT NULL, -- GiB
    min_ram          INTEGER NOT NULL, -- MiB
    protected        INTEGER NOT NULL,
    os_hidden        INTEGER NOT NULL,
    found_format     TEXT,             -- what the inspector saw in the data
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
) STRICT;

CREATE INDEX images_by_time ON images (created_at, id);
CREATE INDEX images_by_owner ON images (owner);

-- Everything a user adds; a NULL value is a property that is null, not one that is absent.
CREATE TABLE image_properties (
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    value    TEXT,
    PRIMARY KEY (image_id, name)
) STRICT;

CREATE TABLE image_tags (
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    tag      TEXT NOT NULL,
    PRIMARY KEY (image_id, tag)
) STRICT;

-- The projects with which a shared image is shared.
CREATE TABLE image_members (
    image_id   TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    member_id  TEXT NOT NULL,
    status     TEXT NOT NULL,          -- pending, accepted, rejected
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (image_id, member_id)
) STRICT;

CREATE INDEX image_members_by_member ON image_members (member_id);

-- Imports, while they run and for a while after.
CREATE TABLE tasks (
    id         TEXT PRIMARY KEY,
    type       TEXT NOT NULL,          -- import, api_image_import
    status     TEXT NOT NULL,          -- pending, processing, success, failure
    owner      TEXT NOT NULL,
    input      TEXT NOT NULL,          -- JSON
    result     TEXT,                   -- JSON
    message    TEXT NOT NULL,
    image_id   TEXT,
    request_id TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    expires_at TEXT,                   -- set when it ends
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE INDEX tasks_by_image ON tasks (image_id);

-- Images that were registered from the configuration: never a second time, even when deleted.
CREATE TABLE seeded (
    image_id TEXT PRIMARY KEY
) STRICT;
