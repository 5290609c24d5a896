//! Who may do what. Upstream's rules and defaults.

use stackup_policy::{Rule, ScopeKind};

const PROJECT: &[ScopeKind] = &[ScopeKind::Project];

const fn rule(name: &'static str, check: &'static str, description: &'static str) -> Rule {
    Rule { name, check, scopes: PROJECT, description }
}

const fn base(name: &'static str, check: &'static str) -> Rule {
    Rule { name, check, scopes: &[], description: "" }
}

pub(crate) const RULES: &[Rule] = &[
    base("admin_api", "role:admin"),
    base("service_api", "role:service"),
    base("admin_or_service_api", "role:admin or role:service"),
    base("project_reader_api", "role:reader and project_id:%(project_id)s"),
    base(
        "admin_or_project_reader_or_service_api",
        "role:admin or rule:project_reader_api or role:service",
    ),
    rule(
        "placement:resource_providers:list",
        "rule:admin_or_service_api",
        "GET /resource_providers",
    ),
    rule(
        "placement:resource_providers:create",
        "rule:admin_or_service_api",
        "POST /resource_providers",
    ),
    rule(
        "placement:resource_providers:show",
        "rule:admin_or_service_api",
        "GET /resource_providers/{uuid}",
    ),
    rule(
        "placement:resource_providers:update",
        "rule:admin_or_service_api",
        "PUT /resource_providers/{uuid}",
    ),
    rule(
        "placement:resource_providers:delete",
        "rule:admin_or_service_api",
        "DELETE /resource_providers/{uuid}",
    ),
    rule("placement:resource_classes:list", "rule:admin_or_service_api", "GET /resource_classes"),
    rule(
        "placement:resource_classes:create",
        "rule:admin_or_service_api",
        "POST /resource_classes",
    ),
    rule(
        "placement:resource_classes:show",
        "rule:admin_or_service_api",
        "GET /resource_classes/{name}",
    ),
    rule(
        "placement:resource_classes:update",
        "rule:admin_or_service_api",
        "PUT /resource_classes/{name}",
    ),
    rule(
        "placement:resource_classes:delete",
        "rule:admin_or_service_api",
        "DELETE /resource_classes/{name}",
    ),
    rule(
        "placement:resource_providers:inventories:list",
        "rule:admin_or_service_api",
        "GET /resource_providers/{uuid}/inventories",
    ),
    rule(
        "placement:resource_providers:inventories:create",
        "rule:admin_or_service_api",
        "POST /resource_providers/{uuid}/inventories",
    ),
    rule(
        "placement:resource_providers:inventories:show",
        "rule:admin_or_service_api",
        "GET /resource_providers/{uuid}/inventories/{resource_class}",
    ),
    rule(
        "placement:resource_providers:inventories:update",
        "rule:admin_or_service_api",
        "PUT /resource_providers/{uuid}/inventories; PUT /resource_providers/{uuid}/inventories/{resource_class}",
    ),
    rule(
        "placement:resource_providers:inventories:delete",
        "rule:admin_or_service_api",
        "DELETE /resource_providers/{uuid}/inventories; DELETE /resource_providers/{uuid}/inventories/{resource_class}",
    ),
    rule(
        "placement:resource_providers:aggregates:list",
        "rule:admin_or_service_api",
        "GET /resource_providers/{uuid}/aggregates",
    ),
    rule(
        "placement:resource_providers:aggregates:update",
        "rule:admin_or_service_api",
        "PUT /resource_providers/{uuid}/aggregates",
    ),
    rule(
        "placement:resource_providers:usages",
        "rule:admin_or_service_api",
        "GET /resource_providers/{uuid}/usages",
    ),
    rule("placement:usages", "rule:admin_or_project_reader_or_service_api", "GET /usages"),
    rule("placement:traits:list", "rule:admin_or_service_api", "GET /traits"),
    rule("placement:traits:show", "rule:admin_or_service_api", "GET /traits/{name}"),
    rule("placement:traits:update", "rule:admin_or_service_api", "PUT /traits/{name}"),
    rule("placement:traits:delete", "rule:admin_or_service_api", "DELETE /traits/{name}"),
    rule(
        "placement:resource_providers:traits:list",
        "rule:admin_or_service_api",
        "GET /resource_providers/{uuid}/traits",
    ),
    rule(
        "placement:resource_providers:traits:update",
        "rule:admin_or_service_api",
        "PUT /resource_providers/{uuid}/traits",
    ),
    rule(
        "placement:resource_providers:traits:delete",
        "rule:admin_or_service_api",
        "DELETE /resource_providers/{uuid}/traits",
    ),
    rule("placement:allocations:manage", "rule:admin_or_service_api", "POST /allocations"),
    rule(
        "placement:allocations:list",
        "rule:admin_or_service_api",
        "GET /allocations/{consumer_uuid}",
    ),
    rule(
        "placement:allocations:update",
        "rule:admin_or_service_api",
        "PUT /allocations/{consumer_uuid}",
    ),
    rule(
        "placement:allocations:delete",
        "rule:admin_or_service_api",
        "DELETE /allocations/{consumer_uuid}",
    ),
    rule(
        "placement:resource_providers:allocations:list",
        "rule:admin_or_service_api",
        "GET /resource_providers/{uuid}/allocations",
    ),
    rule(
        "placement:allocation_candidates:list",
        "rule:admin_or_service_api",
        "GET /allocation_candidates",
    ),
    rule("placement:reshaper:reshape", "rule:service_api", "POST /reshaper"),
];
