-- Keystone's state. Times are RFC 3339 UTC, flags 0/1, `extra` is a JSON object of what users add.

-- Projects and domains: a domain is a project with is_domain = 1, without domain and parent.
-- What was issued up to revoked_before does not work for it any more.
CREATE TABLE projects (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    domain_id      TEXT REFERENCES projects (id),
    parent_id      TEXT REFERENCES projects (id),
    is_domain      INTEGER NOT NULL,
    enabled        INTEGER NOT NULL,
    description    TEXT,
    options        TEXT NOT NULL,
    extra          TEXT NOT NULL,
    revoked_before TEXT
) STRICT;
CREATE UNIQUE INDEX projects_name ON projects (COALESCE(domain_id, ''), name);
CREATE INDEX projects_parent ON projects (parent_id);
CREATE INDEX projects_domain ON projects (domain_id);

CREATE TABLE project_tags (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT;

CREATE TABLE users (
    id                 TEXT PRIMARY KEY,
    name               TEXT NOT NULL,
    domain_id          TEXT NOT NULL REFERENCES projects (id),
    enabled            INTEGER NOT NULL,
    default_project_id TEXT,
    options            TEXT NOT NULL,
    extra              TEXT NOT NULL,
    revoked_before     TEXT,
    failed_count       INTEGER NOT NULL,
    failed_at          TEXT
) STRICT;
CREATE UNIQUE INDEX users_name ON users (domain_id, name);

-- The newest row of a user is the password in force; older ones are its history.
CREATE TABLE passwords (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash         TEXT NOT NULL,
    self_service INTEGER NOT NULL,
    created_at   TEXT NOT NULL,
    expires_at   TEXT
) STRICT;
CREATE INDEX passwords_user ON passwords (user_id, created_at);

CREATE TABLE user_groups (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    domain_id   TEXT NOT NULL REFERENCES projects (id),
    description TEXT,
    extra       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX user_groups_name ON user_groups (domain_id, name);

CREATE TABLE memberships (
    group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) STRICT;
CREATE INDEX memberships_user ON memberships (user_id);

-- A role without domain is global.
CREATE TABLE roles (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    domain_id   TEXT REFERENCES projects (id),
    description TEXT,
    options     TEXT NOT NULL,
    extra       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX roles_name ON roles (COALESCE(domain_id, ''), name);

CREATE TABLE implied_roles (
    prior_id   TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    implied_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (prior_id, implied_id)
) STRICT;

-- Who (user, group) has which role on what (project, domain, system); the system's id is 'system'.
-- An inherited one holds for the projects below, not for the target itself.
CREATE TABLE assignments (
    actor_kind  TEXT NOT NULL,
    actor_id    TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    role_id     TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    inherited   INTEGER NOT NULL,
    PRIMARY KEY (actor_id, target_id, role_id, inherited, actor_kind, target_kind)
) STRICT;
CREATE INDEX assignments_target ON assignments (target_id);

CREATE TABLE regions (
    id          TEXT PRIMARY KEY,
    parent_id   TEXT REFERENCES regions (id),
    description TEXT NOT NULL,
    extra       TEXT NOT NULL
) STRICT;

CREATE TABLE services (
    id      TEXT PRIMARY KEY,
    type    TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    extra   TEXT NOT NULL
) STRICT;

-- A url that begins with / is seeded: it is shown below the address by which the caller came.
CREATE TABLE endpoints (
    id         TEXT PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    region_id  TEXT REFERENCES regions (id),
    interface  TEXT NOT NULL,
    url        TEXT NOT NULL,
    enabled    INTEGER NOT NULL,
    extra      TEXT NOT NULL
) STRICT;
CREATE INDEX endpoints_service ON endpoints (service_id);

-- blob is encrypted with the credential keys.
CREATE TABLE credentials (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    project_id TEXT,
    type       TEXT NOT NULL,
    blob       TEXT NOT NULL,
    extra      TEXT NOT NULL
) STRICT;
CREATE INDEX credentials_user ON credentials (user_id, type);

CREATE TABLE application_credentials (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    description  TEXT,
    secret_hash  TEXT NOT NULL,
    expires_at   TEXT,
    unrestricted INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX application_credentials_name ON application_credentials (user_id, name);

CREATE TABLE application_credential_roles (
    application_credential_id TEXT NOT NULL REFERENCES application_credentials (id) ON DELETE CASCADE,
    role_id                   TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (application_credential_id, role_id)
) STRICT;

CREATE TABLE access_rules (
    id      TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    service TEXT NOT NULL,
    method  TEXT NOT NULL,
    path    TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX access_rules_key ON access_rules (user_id, service, method, path);

CREATE TABLE application_credential_access_rules (
    application_credential_id TEXT NOT NULL REFERENCES application_credentials (id) ON DELETE CASCADE,
    access_rule_id            TEXT NOT NULL REFERENCES access_rules (id),
    PRIMARY KEY (application_credential_id, access_rule_id)
) STRICT;

-- A trustor lends roles on a project to a trustee. remaining_uses counts down; null is no end.
CREATE TABLE trusts (
    id                   TEXT PRIMARY KEY,
    trustor_user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    trustee_user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id           TEXT REFERENCES projects (id) ON DELETE CASCADE,
    impersonation        INTEGER NOT NULL,
    expires_at           TEXT,
    remaining_uses       INTEGER,
    redelegated_trust_id TEXT REFERENCES trusts (id) ON DELETE CASCADE,
    redelegation_count   INTEGER NOT NULL,
    extra                TEXT NOT NULL
) STRICT;
CREATE INDEX trusts_trustor ON trusts (trustor_user_id);
CREATE INDEX trusts_trustee ON trusts (trustee_user_id);

CREATE TABLE trust_roles (
    trust_id TEXT NOT NULL REFERENCES trusts (id) ON DELETE CASCADE,
    role_id  TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (trust_id, role_id)
) STRICT;

CREATE TABLE policies (
    id    TEXT PRIMARY KEY,
    type  TEXT NOT NULL,
    blob  TEXT NOT NULL,
    extra TEXT NOT NULL
) STRICT;

CREATE TABLE registered_limits (
    id            TEXT PRIMARY KEY,
    service_id    TEXT NOT NULL REFERENCES services (id),
    region_id     TEXT REFERENCES regions (id),
    resource_name TEXT NOT NULL,
    default_limit INTEGER NOT NULL,
    description   TEXT
) STRICT;
CREATE UNIQUE INDEX registered_limits_key
    ON registered_limits (service_id, COALESCE(region_id, ''), resource_name);

CREATE TABLE limits (
    id                  TEXT PRIMARY KEY,
    registered_limit_id TEXT NOT NULL REFERENCES registered_limits (id),
    project_id          TEXT REFERENCES projects (id) ON DELETE CASCADE,
    domain_id           TEXT REFERENCES projects (id) ON DELETE CASCADE,
    resource_limit      INTEGER NOT NULL,
    description         TEXT
) STRICT;
CREATE UNIQUE INDEX limits_key
    ON limits (registered_limit_id, COALESCE(project_id, ''), COALESCE(domain_id, ''));

-- Tokens revoked one by one, until they would have expired anyway.
CREATE TABLE revoked_tokens (
    audit_id   TEXT PRIMARY KEY,
    expires_at TEXT NOT NULL
) STRICT;
