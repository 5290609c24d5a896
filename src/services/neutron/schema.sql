-- Everything neutron remembers. Addresses, prefixes and MACs are text in canonical form; lists and
-- objects are JSON that nothing is looked up by.

CREATE TABLE networks (
    id                      TEXT PRIMARY KEY,
    project_id              TEXT NOT NULL,
    name                    TEXT NOT NULL,
    description             TEXT NOT NULL DEFAULT '',
    admin_state_up          INTEGER NOT NULL,
    status                  TEXT NOT NULL,
    external                INTEGER NOT NULL,
    is_default              INTEGER NOT NULL,
    mtu                     INTEGER NOT NULL,
    port_security_enabled   INTEGER NOT NULL,
    network_type            TEXT NOT NULL,
    physical_network        TEXT UNIQUE,      -- a flat network has the host's bridge for itself
    segmentation_id         INTEGER,
    availability_zone_hints TEXT NOT NULL,
    dhcp_hosted             INTEGER NOT NULL, -- 0: an administrator took the DHCP agent away
    created_at              TEXT NOT NULL,
    updated_at              TEXT NOT NULL,
    revision_number         INTEGER NOT NULL
) STRICT;
CREATE INDEX networks_project ON networks (project_id);

-- Who may use what of another project. A shared or external network has a row for '*'.
CREATE TABLE rbac_policies (
    id            TEXT PRIMARY KEY,
    project_id    TEXT NOT NULL,
    object_type   TEXT NOT NULL,
    object_id     TEXT NOT NULL,
    action        TEXT NOT NULL,
    target_tenant TEXT NOT NULL,
    UNIQUE (object_id, action, target_tenant)
) STRICT;
CREATE INDEX rbac_policies_target ON rbac_policies (target_tenant, object_id);

CREATE TABLE address_scopes (
    id         TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name       TEXT NOT NULL,
    ip_version INTEGER NOT NULL
) STRICT;

CREATE TABLE subnet_pools (
    id                TEXT PRIMARY KEY,
    project_id        TEXT NOT NULL,
    name              TEXT NOT NULL,
    description       TEXT NOT NULL DEFAULT '',
    prefixes          TEXT NOT NULL,
    ip_version        INTEGER NOT NULL,
    default_prefixlen INTEGER NOT NULL,
    min_prefixlen     INTEGER NOT NULL,
    max_prefixlen     INTEGER NOT NULL,
    default_quota     INTEGER,
    address_scope_id  TEXT REFERENCES address_scopes (id),
    is_default        INTEGER NOT NULL,
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    revision_number   INTEGER NOT NULL
) STRICT;

CREATE TABLE subnets (
    id                TEXT PRIMARY KEY,
    project_id        TEXT NOT NULL,
    network_id        TEXT NOT NULL REFERENCES networks (id),
    name              TEXT NOT NULL,
    description       TEXT NOT NULL DEFAULT '',
    ip_version        INTEGER NOT NULL,
    cidr              TEXT NOT NULL,
    gateway_ip        TEXT,
    enable_dhcp       INTEGER NOT NULL,
    allocation_pools  TEXT NOT NULL,
    dns_nameservers   TEXT NOT NULL,
    host_routes       TEXT NOT NULL,
    ipv6_address_mode TEXT,
    ipv6_ra_mode      TEXT,
    subnetpool_id     TEXT,
    service_types     TEXT NOT NULL,
    cursor            TEXT,                   -- the address given last
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    revision_number   INTEGER NOT NULL
) STRICT;
CREATE INDEX subnets_network ON subnets (network_id);
CREATE INDEX subnets_project ON subnets (project_id);
CREATE INDEX subnets_pool ON subnets (subnetpool_id);

CREATE TABLE ports (
    id                    TEXT PRIMARY KEY,
    project_id            TEXT NOT NULL,      -- empty for what belongs to a router or floating IP
    network_id            TEXT NOT NULL REFERENCES networks (id),
    name                  TEXT NOT NULL,
    description           TEXT NOT NULL DEFAULT '',
    mac_address           TEXT NOT NULL,
    admin_state_up        INTEGER NOT NULL,
    status                TEXT NOT NULL,
    device_id             TEXT NOT NULL,
    device_owner          TEXT NOT NULL,
    port_security_enabled INTEGER NOT NULL,
    allowed_address_pairs TEXT NOT NULL,
    extra_dhcp_opts       TEXT NOT NULL,
    vnic_type             TEXT NOT NULL,
    host_id               TEXT NOT NULL,
    profile               TEXT NOT NULL,
    vif_type              TEXT NOT NULL,
    hostname              TEXT,               -- the guest's own name, when nova said it
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL,
    revision_number       INTEGER NOT NULL,
    UNIQUE (network_id, mac_address)
) STRICT;
CREATE INDEX ports_project ON ports (project_id);
CREATE INDEX ports_device ON ports (device_id);
-- One DHCP server a network.
CREATE UNIQUE INDEX ports_dhcp ON ports (network_id) WHERE device_owner = 'network:dhcp';

-- Which port has which address: the one place that makes addresses unique.
CREATE TABLE ip_allocations (
    subnet_id  TEXT NOT NULL REFERENCES subnets (id),
    ip_address TEXT NOT NULL,
    port_id    TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,              -- the order within the port
    PRIMARY KEY (subnet_id, ip_address)
) STRICT;
CREATE INDEX ip_allocations_port ON ip_allocations (port_id);
CREATE INDEX ip_allocations_address ON ip_allocations (ip_address);

CREATE TABLE security_groups (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL,
    name            TEXT NOT NULL,
    description     TEXT NOT NULL DEFAULT '',
    stateful        INTEGER NOT NULL,
    default_of      TEXT UNIQUE,              -- the project whose default group this is
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    revision_number INTEGER NOT NULL
) STRICT;
CREATE INDEX security_groups_project ON security_groups (project_id);

CREATE TABLE security_group_rules (
    id                TEXT PRIMARY KEY,
    project_id        TEXT NOT NULL,
    security_group_id TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,
    direction         TEXT NOT NULL,
    ethertype         TEXT NOT NULL,
    protocol          TEXT,
    port_range_min    INTEGER,
    port_range_max    INTEGER,
    remote_ip_prefix  TEXT,
    remote_group_id   TEXT REFERENCES security_groups (id) ON DELETE CASCADE,
    normalized_cidr   TEXT,
    description       TEXT NOT NULL DEFAULT '',
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    revision_number   INTEGER NOT NULL
) STRICT;
CREATE INDEX security_group_rules_group ON security_group_rules (security_group_id);
CREATE INDEX security_group_rules_remote ON security_group_rules (remote_group_id);
CREATE INDEX security_group_rules_project ON security_group_rules (project_id);

-- What new groups begin with.
CREATE TABLE default_rules (
    id                     TEXT PRIMARY KEY,
    direction              TEXT NOT NULL,
    ethertype              TEXT NOT NULL,
    protocol               TEXT,
    port_range_min         INTEGER,
    port_range_max         INTEGER,
    remote_ip_prefix       TEXT,
    remote_group_id        TEXT,              -- or 'PARENT'
    description            TEXT NOT NULL DEFAULT '',
    used_in_default_sg     INTEGER NOT NULL,
    used_in_non_default_sg INTEGER NOT NULL
) STRICT;

CREATE TABLE port_security_groups (
    port_id           TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    security_group_id TEXT NOT NULL REFERENCES security_groups (id),
    PRIMARY KEY (port_id, security_group_id)
) STRICT;
CREATE INDEX port_security_groups_group ON port_security_groups (security_group_id);

-- A router's inner interfaces are its ports: device_id, network:router_interface.
CREATE TABLE routers (
    id                      TEXT PRIMARY KEY,
    project_id              TEXT NOT NULL,
    name                    TEXT NOT NULL,
    description             TEXT NOT NULL DEFAULT '',
    admin_state_up          INTEGER NOT NULL,
    status                  TEXT NOT NULL,
    routes                  TEXT NOT NULL,
    availability_zone_hints TEXT NOT NULL,
    gateway_port_id         TEXT REFERENCES ports (id),
    enable_snat             INTEGER NOT NULL,
    created_at              TEXT NOT NULL,
    updated_at              TEXT NOT NULL,
    revision_number         INTEGER NOT NULL
) STRICT;
CREATE INDEX routers_project ON routers (project_id);
CREATE INDEX routers_gateway ON routers (gateway_port_id);

CREATE TABLE floating_ips (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    description         TEXT NOT NULL DEFAULT '',
    floating_network_id TEXT NOT NULL REFERENCES networks (id),
    floating_ip_address TEXT NOT NULL,
    floating_port_id    TEXT NOT NULL REFERENCES ports (id),
    port_id             TEXT REFERENCES ports (id),
    fixed_ip_address    TEXT,
    router_id           TEXT REFERENCES routers (id),
    status              TEXT NOT NULL,
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL,
    revision_number     INTEGER NOT NULL,
    UNIQUE (port_id, fixed_ip_address, floating_network_id)
) STRICT;
CREATE INDEX floating_ips_project ON floating_ips (project_id);
CREATE INDEX floating_ips_router ON floating_ips (router_id);
CREATE INDEX floating_ips_port ON floating_ips (floating_port_id);

CREATE TABLE tags (
    resource_id TEXT NOT NULL,
    tag         TEXT NOT NULL,
    PRIMARY KEY (resource_id, tag)
) STRICT;
CREATE INDEX tags_tag ON tags (tag);

-- What differs from the defaults in config.rs. -1 is no limit.
CREATE TABLE quotas (
    project_id TEXT NOT NULL,
    resource   TEXT NOT NULL,
    amount     INTEGER NOT NULL,
    PRIMARY KEY (project_id, resource)
) STRICT;

-- What was made on day one: deleted things do not come back at the next start.
CREATE TABLE seeded (
    name TEXT PRIMARY KEY
) STRICT;

-- Upstream's beginnings: everything out; into a default group, only from itself.
INSERT INTO default_rules
    (id, direction, ethertype, remote_group_id, used_in_default_sg, used_in_non_default_sg)
VALUES
    ('6a3f7c2e-0d5b-4b0e-9a61-1f7d3c5e0001', 'egress', 'IPv4', NULL, 1, 1),
    ('6a3f7c2e-0d5b-4b0e-9a61-1f7d3c5e0002', 'egress', 'IPv6', NULL, 1, 1),
    ('6a3f7c2e-0d5b-4b0e-9a61-1f7d3c5e0003', 'ingress', 'IPv4', 'PARENT', 1, 0),
    ('6a3f7c2e-0d5b-4b0e-9a61-1f7d3c5e0004', 'ingress', 'IPv6', 'PARENT', 1, 0);

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
