-- Nova's state. Times are RFC 3339 in UTC, flags 0 or 1, compound values JSON.

-- Servers, the deleted ones too: they stay visible to administrators.
CREATE TABLE servers (
    id             TEXT PRIMARY KEY,
    row            INTEGER NOT NULL UNIQUE,  -- instance-0000000a is row 10
    project_id     TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    name           TEXT NOT NULL,
    hostname       TEXT NOT NULL,
    description    TEXT,
    vm_state       TEXT NOT NULL,            -- where it is
    task_state     TEXT,                     -- what is being done to it
    power_state    INTEGER NOT NULL,         -- what the hypervisor says
    progress       INTEGER NOT NULL,
    host           TEXT,
    zone           TEXT,
    pinned_zone    TEXT,                     -- the zone that was asked for
    flavor_id      TEXT NOT NULL,
    vcpus          INTEGER NOT NULL,         -- these three are summed for quotas and hypervisors
    memory_mb      INTEGER NOT NULL,
    disk_gb        INTEGER NOT NULL,
    flavor         TEXT NOT NULL,            -- JSON: the flavor as it was
    image_id       TEXT,
    image          TEXT,                     -- JSON: the image as it was
    key_pair       TEXT,                     -- JSON: the public key as it was
    user_data      TEXT,
    config_drive   INTEGER NOT NULL,
    metadata       TEXT NOT NULL,            -- JSON
    tags           TEXT NOT NULL,            -- JSON
    reservation_id TEXT NOT NULL,
    launch_index   INTEGER NOT NULL,
    access_ipv4    TEXT,
    access_ipv6    TEXT,
    disk_config    TEXT NOT NULL,
    locked         TEXT,                     -- JSON: by whom, why
    fault          TEXT,                     -- JSON: why it is in error
    boot           TEXT NOT NULL,            -- JSON: networks, groups, hints: what a build needs
    files          TEXT,                     -- JSON: what the driver made on the host
    old_size       TEXT,                     -- JSON: before a resize that is not confirmed
    password       TEXT NOT NULL,            -- encrypted by the guest for its user
    created_at     TEXT NOT NULL,
    updated_at     TEXT,
    launched_at    TEXT,
    terminated_at  TEXT,
    deleted_at     TEXT
) STRICT;
CREATE INDEX servers_by_project ON servers (project_id, deleted_at);
CREATE INDEX servers_by_host ON servers (host, deleted_at);
CREATE INDEX servers_by_created ON servers (created_at, row);
CREATE INDEX servers_by_task ON servers (task_state);

-- What was done to servers, by whom, and how it went.
CREATE TABLE actions (
    row        INTEGER PRIMARY KEY,
    server_id  TEXT NOT NULL,
    action     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    user_id    TEXT,
    project_id TEXT,
    started_at TEXT NOT NULL,
    updated_at TEXT,
    message    TEXT,
    events     TEXT NOT NULL                 -- JSON
) STRICT;
CREATE INDEX actions_by_server ON actions (server_id, row);
CREATE INDEX actions_by_request ON actions (request_id);

CREATE TABLE migrations (
    row        INTEGER PRIMARY KEY,
    uuid       TEXT NOT NULL UNIQUE,
    server_id  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    status     TEXT NOT NULL,
    source     TEXT NOT NULL,
    target     TEXT NOT NULL,
    old_flavor TEXT NOT NULL,
    new_flavor TEXT NOT NULL,
    project_id TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT
) STRICT;
CREATE INDEX migrations_by_server ON migrations (server_id);

CREATE TABLE flavors (
    row          INTEGER NOT NULL UNIQUE,
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    memory_mb    INTEGER NOT NULL,
    vcpus        INTEGER NOT NULL,
    root_gb      INTEGER NOT NULL,
    ephemeral_gb INTEGER NOT NULL,
    swap_mb      INTEGER NOT NULL,
    extra_specs  TEXT NOT NULL,              -- JSON
    rxtx_factor  REAL NOT NULL,
    public       INTEGER NOT NULL,
    description  TEXT,
    created_at   TEXT NOT NULL,
    updated_at   TEXT
) STRICT;

-- Who may use a flavor that is not public.
CREATE TABLE flavor_access (
    flavor_id  TEXT NOT NULL REFERENCES flavors (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL,
    PRIMARY KEY (flavor_id, project_id)
) STRICT;

CREATE TABLE keypairs (
    row         INTEGER NOT NULL UNIQUE,
    user_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT;

CREATE TABLE server_groups (
    row        INTEGER NOT NULL UNIQUE,
    id         TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    policy     TEXT NOT NULL,
    rules      TEXT NOT NULL,                -- JSON
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX server_groups_by_project ON server_groups (project_id);

CREATE TABLE server_group_members (
    group_id  TEXT NOT NULL REFERENCES server_groups (id) ON DELETE CASCADE,
    server_id TEXT NOT NULL,
    PRIMARY KEY (group_id, server_id)
) STRICT;
CREATE INDEX server_group_members_by_server ON server_group_members (server_id);

-- Limits that differ from the configuration: of a project, or of the class `default`.
CREATE TABLE quotas (
    project_id TEXT NOT NULL,
    resource   TEXT NOT NULL,
    ceiling    INTEGER NOT NULL,
    PRIMARY KEY (project_id, resource)
) STRICT;
CREATE TABLE quota_classes (
    class    TEXT NOT NULL,
    resource TEXT NOT NULL,
    ceiling  INTEGER NOT NULL,
    PRIMARY KEY (class, resource)
) STRICT;

CREATE TABLE services (
    row             INTEGER NOT NULL UNIQUE,
    id              TEXT PRIMARY KEY,
    binary_name     TEXT NOT NULL,
    host            TEXT NOT NULL,
    disabled        INTEGER NOT NULL,
    disabled_reason TEXT,
    forced_down     INTEGER NOT NULL,
    seen_at         TEXT NOT NULL,
    UNIQUE (binary_name, host)
) STRICT;

CREATE TABLE aggregates (
    row        INTEGER PRIMARY KEY,
    uuid       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL UNIQUE,
    metadata   TEXT NOT NULL,                -- JSON
    hosts      TEXT NOT NULL,                -- JSON
    created_at TEXT NOT NULL,
    updated_at TEXT
) STRICT;

-- What nova remembers of itself: the boot id of the host it last ran on.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
