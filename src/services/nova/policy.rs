//! The rules: upstream's names and defaults.

use stackup_policy::{Rule, ScopeKind};

const PROJECT: &[ScopeKind] = &[ScopeKind::Project];

const fn base(name: &'static str, check: &'static str) -> Rule {
    Rule { name, check, scopes: &[], description: "" }
}

const fn rule(name: &'static str, check: &'static str) -> Rule {
    Rule { scopes: PROJECT, ..base(name, check) }
}

/// Every rule; the first ones are there for the others to refer to.
pub const RULES: &[Rule] = &[
    base("context_is_admin", "role:admin"),
    base("admin_or_owner", "is_admin:True or project_id:%(project_id)s"),
    base("admin_api", "is_admin:True"),
    base("project_manager_api", "role:manager and project_id:%(project_id)s"),
    base("project_member_api", "role:member and project_id:%(project_id)s"),
    base("project_reader_api", "role:reader and project_id:%(project_id)s"),
    base("service_api", "role:service"),
    base("project_manager_or_admin", "rule:project_manager_api or rule:context_is_admin"),
    base("project_member_or_admin", "rule:project_member_api or rule:context_is_admin"),
    base("project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin"),
    base("service_or_admin", "rule:service_api or rule:context_is_admin"),
    rule("os_compute_api:os-admin-actions:reset_state", "rule:context_is_admin"),
    rule("os_compute_api:os-admin-actions:inject_network_info", "rule:context_is_admin"),
    rule("os_compute_api:os-admin-password", "rule:project_member_or_admin"),
    rule("os_compute_api:os-aggregates:set_metadata", "rule:context_is_admin"),
    rule("os_compute_api:os-aggregates:add_host", "rule:context_is_admin"),
    rule("os_compute_api:os-aggregates:create", "rule:context_is_admin"),
    rule("os_compute_api:os-aggregates:remove_host", "rule:context_is_admin"),
    rule("os_compute_api:os-aggregates:update", "rule:context_is_admin"),
    rule("os_compute_api:os-aggregates:index", "rule:context_is_admin"),
    rule("os_compute_api:os-aggregates:delete", "rule:context_is_admin"),
    rule("os_compute_api:os-aggregates:show", "rule:context_is_admin"),
    rule("os_compute_api:os-attach-interfaces:list", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-attach-interfaces:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-attach-interfaces:create", "rule:project_member_or_admin"),
    rule("os_compute_api:os-attach-interfaces:delete", "rule:project_member_or_admin"),
    rule("os_compute_api:os-availability-zone:list", "@"),
    rule("os_compute_api:os-availability-zone:detail", "rule:context_is_admin"),
    rule("os_compute_api:os-console-output", "rule:project_member_or_admin"),
    rule("os_compute_api:os-create-backup", "rule:project_member_or_admin"),
    rule("os_compute_api:os-deferred-delete:restore", "rule:project_member_or_admin"),
    rule("os_compute_api:os-deferred-delete:force", "rule:project_member_or_admin"),
    rule("os_compute_api:os-evacuate", "rule:context_is_admin"),
    rule("os_compute_api:os-extended-server-attributes", "rule:context_is_admin"),
    rule("os_compute_api:extensions", "@"),
    rule("os_compute_api:os-flavor-access:add_tenant_access", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-access:remove_tenant_access", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-access", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-extra-specs:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-flavor-extra-specs:create", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-extra-specs:update", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-extra-specs:delete", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-extra-specs:index", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-flavor-manage:create", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-manage:update", "rule:context_is_admin"),
    rule("os_compute_api:os-flavor-manage:delete", "rule:context_is_admin"),
    rule("os_compute_api:os-hosts:list", "rule:context_is_admin"),
    rule("os_compute_api:os-hosts:show", "rule:context_is_admin"),
    rule("os_compute_api:os-hosts:update", "rule:context_is_admin"),
    rule("os_compute_api:os-hosts:reboot", "rule:context_is_admin"),
    rule("os_compute_api:os-hosts:shutdown", "rule:context_is_admin"),
    rule("os_compute_api:os-hosts:start", "rule:context_is_admin"),
    rule("os_compute_api:os-hypervisors:list", "rule:context_is_admin"),
    rule("os_compute_api:os-hypervisors:list-detail", "rule:context_is_admin"),
    rule("os_compute_api:os-hypervisors:statistics", "rule:context_is_admin"),
    rule("os_compute_api:os-hypervisors:show", "rule:context_is_admin"),
    rule("os_compute_api:os-hypervisors:uptime", "rule:context_is_admin"),
    rule("os_compute_api:os-hypervisors:search", "rule:context_is_admin"),
    rule("os_compute_api:os-hypervisors:servers", "rule:context_is_admin"),
    rule("os_compute_api:os-instance-actions:events:details", "rule:context_is_admin"),
    rule("os_compute_api:os-instance-actions:events", "rule:context_is_admin"),
    rule("os_compute_api:os-instance-actions:list", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-instance-actions:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-instance-usage-audit-log:list", "rule:context_is_admin"),
    rule("os_compute_api:os-instance-usage-audit-log:show", "rule:context_is_admin"),
    rule("os_compute_api:ips:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:ips:index", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-keypairs:index", "(rule:context_is_admin) or user_id:%(user_id)s"),
    rule("os_compute_api:os-keypairs:create", "(rule:context_is_admin) or user_id:%(user_id)s"),
    rule("os_compute_api:os-keypairs:delete", "(rule:context_is_admin) or user_id:%(user_id)s"),
    rule("os_compute_api:os-keypairs:show", "(rule:context_is_admin) or user_id:%(user_id)s"),
    rule("os_compute_api:limits", "@"),
    rule("os_compute_api:limits:other_project", "rule:context_is_admin"),
    rule("os_compute_api:os-lock-server:lock", "rule:project_member_or_admin"),
    rule("os_compute_api:os-lock-server:unlock", "rule:project_member_or_admin"),
    rule("os_compute_api:os-lock-server:unlock:unlock_override", "rule:context_is_admin"),
    rule("os_compute_api:os-migrate-server:migrate", "rule:project_manager_or_admin"),
    rule("os_compute_api:os-migrate-server:migrate:host", "rule:context_is_admin"),
    rule("os_compute_api:os-migrate-server:migrate_live", "rule:project_manager_or_admin"),
    rule("os_compute_api:os-migrations:index", "rule:project_manager_or_admin"),
    rule("os_compute_api:os-migrations:index:all_projects", "rule:context_is_admin"),
    rule("os_compute_api:os-migrations:index:host", "rule:context_is_admin"),
    rule("os_compute_api:os-networks:list", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-networks:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-pause-server:pause", "rule:project_member_or_admin"),
    rule("os_compute_api:os-pause-server:unpause", "rule:project_member_or_admin"),
    rule("os_compute_api:os-quota-class-sets:show", "rule:context_is_admin"),
    rule("os_compute_api:os-quota-class-sets:update", "rule:context_is_admin"),
    rule("os_compute_api:os-quota-sets:update", "rule:context_is_admin"),
    rule("os_compute_api:os-quota-sets:defaults", "@"),
    rule("os_compute_api:os-quota-sets:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-quota-sets:delete", "rule:context_is_admin"),
    rule("os_compute_api:os-quota-sets:detail", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-remote-consoles", "rule:project_member_or_admin"),
    rule("os_compute_api:os-rescue", "rule:project_member_or_admin"),
    rule("os_compute_api:os-unrescue", "rule:project_member_or_admin"),
    rule("os_compute_api:os-security-groups:get", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-security-groups:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-security-groups:create", "rule:project_member_or_admin"),
    rule("os_compute_api:os-security-groups:update", "rule:project_member_or_admin"),
    rule("os_compute_api:os-security-groups:delete", "rule:project_member_or_admin"),
    rule("os_compute_api:os-security-groups:rule:create", "rule:project_member_or_admin"),
    rule("os_compute_api:os-security-groups:rule:delete", "rule:project_member_or_admin"),
    rule("os_compute_api:os-security-groups:list", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-security-groups:add", "rule:project_member_or_admin"),
    rule("os_compute_api:os-security-groups:remove", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-diagnostics", "rule:context_is_admin"),
    rule("os_compute_api:os-server-external-events:create", "rule:service_or_admin"),
    rule("os_compute_api:os-server-groups:create", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-groups:delete", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-groups:index", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-server-groups:index:all_projects", "rule:context_is_admin"),
    rule("os_compute_api:os-server-groups:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:server-metadata:index", "rule:project_reader_or_admin"),
    rule("os_compute_api:server-metadata:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:server-metadata:create", "rule:project_member_or_admin"),
    rule("os_compute_api:server-metadata:update_all", "rule:project_member_or_admin"),
    rule("os_compute_api:server-metadata:update", "rule:project_member_or_admin"),
    rule("os_compute_api:server-metadata:delete", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-password:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-server-password:clear", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-tags:delete_all", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-tags:index", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-server-tags:update_all", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-tags:delete", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-tags:update", "rule:project_member_or_admin"),
    rule("os_compute_api:os-server-tags:show", "rule:project_reader_or_admin"),
    rule("compute:server:topology:index", "rule:project_reader_or_admin"),
    rule("compute:server:topology:host:index", "rule:context_is_admin"),
    rule("os_compute_api:servers:index", "rule:project_reader_or_admin"),
    rule("os_compute_api:servers:detail", "rule:project_reader_or_admin"),
    rule("os_compute_api:servers:index:get_all_tenants", "rule:context_is_admin"),
    rule("os_compute_api:servers:detail:get_all_tenants", "rule:context_is_admin"),
    rule("os_compute_api:servers:allow_all_filters", "rule:context_is_admin"),
    rule("os_compute_api:servers:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:servers:show:flavor-extra-specs", "rule:project_reader_or_admin"),
    rule("os_compute_api:servers:show:host_status", "rule:context_is_admin"),
    rule("os_compute_api:servers:show:host_status:unknown-only", "rule:context_is_admin"),
    rule("os_compute_api:servers:create", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:create:forced_host", "rule:context_is_admin"),
    rule("compute:servers:create:requested_destination", "rule:context_is_admin"),
    rule("os_compute_api:servers:create:attach_network", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:create:zero_disk_flavor", "rule:context_is_admin"),
    rule("network:attach_external_network", "rule:context_is_admin"),
    rule("os_compute_api:servers:delete", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:update", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:confirm_resize", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:revert_resize", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:reboot", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:resize", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:rebuild", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:create_image", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:start", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:stop", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:trigger_crash_dump", "rule:project_member_or_admin"),
    rule("os_compute_api:servers:migrations:show", "rule:context_is_admin"),
    rule("os_compute_api:servers:migrations:force_complete", "rule:project_manager_or_admin"),
    rule("os_compute_api:servers:migrations:delete", "rule:project_manager_or_admin"),
    rule("os_compute_api:servers:migrations:index", "rule:project_manager_or_admin"),
    rule("os_compute_api:os-services:list", "rule:context_is_admin"),
    rule("os_compute_api:os-services:update", "rule:context_is_admin"),
    rule("os_compute_api:os-services:delete", "rule:context_is_admin"),
    rule("os_compute_api:os-shelve:shelve", "rule:project_member_or_admin"),
    rule("os_compute_api:os-shelve:unshelve", "rule:project_member_or_admin"),
    rule("os_compute_api:os-shelve:unshelve_to_host", "rule:context_is_admin"),
    rule("os_compute_api:os-shelve:shelve_offload", "rule:context_is_admin"),
    rule("os_compute_api:os-simple-tenant-usage:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-simple-tenant-usage:list", "rule:context_is_admin"),
    rule("os_compute_api:os-suspend-server:resume", "rule:project_member_or_admin"),
    rule("os_compute_api:os-suspend-server:suspend", "rule:project_member_or_admin"),
    rule("os_compute_api:os-tenant-networks:list", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-tenant-networks:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-volumes-attachments:index", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-volumes-attachments:create", "rule:project_member_or_admin"),
    rule("os_compute_api:os-volumes-attachments:show", "rule:project_reader_or_admin"),
    rule("os_compute_api:os-volumes-attachments:update", "rule:project_member_or_admin"),
    rule("os_compute_api:os-volumes-attachments:delete", "rule:project_member_or_admin"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stackup_policy::Policy;
    use stackup_web::Access;

    use super::*;

    #[test]
    fn every_route_has_its_rule() {
        let policy = Policy::new(&[RULES], &BTreeMap::new()).unwrap();
        for route in crate::api::routes() {
            if let Access::Rule(rule) = route.access {
                assert!(policy.knows(rule), "{} {}: {rule}", route.verb, route.path);
            }
        }
    }

    #[test]
    fn no_rule_is_there_twice() {
        let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
