
-- What is counted on the routers of a project, or of all of them.
CREATE TABLE metering_labels (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    shared      INTEGER NOT NULL               -- on everybody's routers
) STRICT;
CREATE INDEX metering_labels_project ON metering_labels (project_id);

CREATE TABLE metering_label_rules (
    id                    TEXT PRIMARY KEY,
    metering_label_id     TEXT NOT NULL REFERENCES metering_labels (id) ON DELETE CASCADE,
    direction             TEXT NOT NULL,
    excluded              INTEGER NOT NULL,
    remote_ip_prefix      TEXT,
    source_ip_prefix      TEXT,
    destination_ip_prefix TEXT
) STRICT;
CREATE INDEX metering_label_rules_label ON metering_label_rules (metering_label_id);

ALTER TABLE routers ADD COLUMN distributed INTEGER NOT NULL DEFAULT 0;
