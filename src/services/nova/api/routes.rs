//! The table: verb, path, who may, since when, until when, and the handler.

use stackup_web::{Access, Route, action, delete, get, post, put};

use super::{
    FLAVOR_DESCRIPTION, LAST_HOSTS, LAST_HYPERVISOR_STATS, LAST_IMAGE_METADATA, LAST_PROXIES,
    SERVER_MIGRATIONS, TAGS, TOPOLOGY, UUIDS, actions, aggregates, availability_zones, extensions,
    external_events, flavor_extras, flavors, hosts, hypervisors, images, instance_actions,
    interfaces, ips, keypairs, limits, metadata, migrations, network_proxies, quota_sets,
    security_groups, server_extras, server_groups, servers, services, tags, usage, versions,
};
use crate::Nova;
use stackup_core::Mv;

/// Everything nova answers.
pub(crate) fn routes() -> Vec<Route<Nova>> {
    let mut all = open();
    all.extend(servers());
    all.extend(under_servers());
    all.extend(server_actions());
    all.extend(flavors());
    all.extend(of_projects());
    all.extend(of_operators());
    all.extend(proxies());
    all.extend(security_group_proxies());
    all
}

fn open() -> Vec<Route<Nova>> {
    vec![
        get("/", Access::Open, versions::index),
        get("/v2", Access::Open, versions::v2),
        get("/v2/", Access::Open, versions::v2),
        get("/v2.1", Access::Open, versions::v21),
        get("/v2.1/", Access::Open, versions::v21),
        get("/v2.1/versions/{id}", Access::Open, versions::show),
        get("/v2.1/extensions", "os_compute_api:extensions", extensions::index),
        get("/v2.1/extensions/{alias}", "os_compute_api:extensions", extensions::show),
    ]
}

fn servers() -> Vec<Route<Nova>> {
    vec![
        get("/v2.1/servers", "os_compute_api:servers:index", servers::index),
        get("/v2.1/servers/detail", "os_compute_api:servers:detail", servers::detail),
        post("/v2.1/servers", "os_compute_api:servers:create", servers::create),
        get("/v2.1/servers/{id}", "os_compute_api:servers:show", servers::show),
        put("/v2.1/servers/{id}", "os_compute_api:servers:update", servers::update),
        delete("/v2.1/servers/{id}", "os_compute_api:servers:delete", servers::delete),
    ]
}

fn under_servers() -> Vec<Route<Nova>> {
    const METADATA: &str = "/v2.1/servers/{id}/metadata";
    const METADATUM: &str = "/v2.1/servers/{id}/metadata/{key}";
    const ALL_TAGS: &str = "/v2.1/servers/{id}/tags";
    const ONE_TAG: &str = "/v2.1/servers/{id}/tags/{tag}";
    const VOLUMES: &str = "/v2.1/servers/{id}/os-volume_attachments";
    const VOLUME: &str = "/v2.1/servers/{id}/os-volume_attachments/{volume}";
    vec![
        get(METADATA, "os_compute_api:server-metadata:index", metadata::index),
        post(METADATA, "os_compute_api:server-metadata:create", metadata::create),
        put(METADATA, "os_compute_api:server-metadata:update_all", metadata::replace),
        get(METADATUM, "os_compute_api:server-metadata:show", metadata::show),
        put(METADATUM, "os_compute_api:server-metadata:update", metadata::update),
        delete(METADATUM, "os_compute_api:server-metadata:delete", metadata::delete),
        get(ALL_TAGS, "os_compute_api:os-server-tags:index", tags::index).since(TAGS),
        put(ALL_TAGS, "os_compute_api:os-server-tags:update_all", tags::replace).since(TAGS),
        delete(ALL_TAGS, "os_compute_api:os-server-tags:delete_all", tags::clear).since(TAGS),
        get(ONE_TAG, "os_compute_api:os-server-tags:show", tags::show).since(TAGS),
        put(ONE_TAG, "os_compute_api:os-server-tags:update", tags::add).since(TAGS),
        delete(ONE_TAG, "os_compute_api:os-server-tags:delete", tags::delete).since(TAGS),
        get("/v2.1/servers/{id}/ips", "os_compute_api:ips:index", ips::index),
        get("/v2.1/servers/{id}/ips/{network}", "os_compute_api:ips:show", ips::show),
        get(
            "/v2.1/servers/{id}/os-interface",
            "os_compute_api:os-attach-interfaces:list",
            interfaces::index,
        ),
        post(
            "/v2.1/servers/{id}/os-interface",
            "os_compute_api:os-attach-interfaces:create",
            interfaces::create,
        ),
        get(
            "/v2.1/servers/{id}/os-interface/{port}",
            "os_compute_api:os-attach-interfaces:show",
            interfaces::show,
        ),
        delete(
            "/v2.1/servers/{id}/os-interface/{port}",
            "os_compute_api:os-attach-interfaces:delete",
            interfaces::delete,
        ),
        get(
            "/v2.1/servers/{id}/os-instance-actions",
            "os_compute_api:os-instance-actions:list",
            instance_actions::index,
        ),
        get(
            "/v2.1/servers/{id}/os-instance-actions/{request}",
            "os_compute_api:os-instance-actions:show",
            instance_actions::show,
        ),
        get(
            "/v2.1/servers/{id}/os-security-groups",
            "os_compute_api:os-security-groups:list",
            server_extras::security_groups,
        ),
        get(
            "/v2.1/servers/{id}/diagnostics",
            "os_compute_api:os-server-diagnostics",
            server_extras::diagnostics,
        ),
        get(
            "/v2.1/servers/{id}/os-server-password",
            "os_compute_api:os-server-password:show",
            server_extras::password,
        ),
        delete(
            "/v2.1/servers/{id}/os-server-password",
            "os_compute_api:os-server-password:clear",
            server_extras::clear_password,
        ),
        get(
            "/v2.1/servers/{id}/topology",
            "compute:server:topology:index",
            server_extras::topology,
        )
        .since(TOPOLOGY),
        get(VOLUMES, "os_compute_api:os-volumes-attachments:index", server_extras::volumes),
        post(VOLUMES, "os_compute_api:os-volumes-attachments:create", server_extras::attach_volume),
        get(VOLUME, "os_compute_api:os-volumes-attachments:show", server_extras::no_volume),
        put(VOLUME, "os_compute_api:os-volumes-attachments:update", server_extras::no_volume),
        delete(VOLUME, "os_compute_api:os-volumes-attachments:delete", server_extras::no_volume),
        get(
            "/v2.1/servers/{id}/migrations",
            "os_compute_api:servers:migrations:index",
            migrations::of_server,
        )
        .since(SERVER_MIGRATIONS),
        get(
            "/v2.1/servers/{id}/migrations/{migration}",
            "os_compute_api:servers:migrations:show",
            migrations::one_of_server,
        )
        .since(SERVER_MIGRATIONS),
        delete(
            "/v2.1/servers/{id}/migrations/{migration}",
            "os_compute_api:servers:migrations:delete",
            migrations::one_of_server,
        )
        .since(Mv(2, 24)),
        action(
            "/v2.1/servers/{id}/migrations/{migration}/action",
            "force_complete",
            "os_compute_api:servers:migrations:force_complete",
            migrations::one_of_server,
        )
        .since(Mv(2, 22)),
        post(
            "/v2.1/servers/{id}/remote-consoles",
            "os_compute_api:os-remote-consoles",
            actions::console,
        )
        .since(Mv(2, 6)),
    ]
}

fn server_actions() -> Vec<Route<Nova>> {
    const PATH: &str = "/v2.1/servers/{id}/action";
    vec![
        action(PATH, "os-start", "os_compute_api:servers:start", actions::start),
        action(PATH, "os-stop", "os_compute_api:servers:stop", actions::stop),
        action(PATH, "reboot", "os_compute_api:servers:reboot", actions::reboot),
        action(PATH, "pause", "os_compute_api:os-pause-server:pause", actions::pause),
        action(PATH, "unpause", "os_compute_api:os-pause-server:unpause", actions::unpause),
        action(PATH, "suspend", "os_compute_api:os-suspend-server:suspend", actions::suspend),
        action(PATH, "resume", "os_compute_api:os-suspend-server:resume", actions::resume),
        action(PATH, "lock", "os_compute_api:os-lock-server:lock", actions::lock),
        action(PATH, "unlock", "os_compute_api:os-lock-server:unlock", actions::unlock),
        action(PATH, "rebuild", "os_compute_api:servers:rebuild", actions::rebuild),
        action(PATH, "resize", "os_compute_api:servers:resize", actions::resize),
        action(
            PATH,
            "confirmResize",
            "os_compute_api:servers:confirm_resize",
            actions::confirm_resize,
        ),
        action(
            PATH,
            "revertResize",
            "os_compute_api:servers:revert_resize",
            actions::revert_resize,
        ),
        action(PATH, "createImage", "os_compute_api:servers:create_image", actions::create_image),
        action(PATH, "createBackup", "os_compute_api:os-create-backup", actions::create_backup),
        action(PATH, "rescue", "os_compute_api:os-rescue", actions::rescue),
        action(PATH, "unrescue", "os_compute_api:os-unrescue", actions::unrescue),
        action(PATH, "shelve", "os_compute_api:os-shelve:shelve", actions::shelve),
        action(
            PATH,
            "shelveOffload",
            "os_compute_api:os-shelve:shelve_offload",
            actions::shelve_offload,
        ),
        action(PATH, "unshelve", "os_compute_api:os-shelve:unshelve", actions::unshelve),
        action(
            PATH,
            "changePassword",
            "os_compute_api:os-admin-password",
            actions::change_password,
        ),
        action(
            PATH,
            "addSecurityGroup",
            "os_compute_api:os-security-groups:add",
            actions::add_security_group,
        ),
        action(
            PATH,
            "removeSecurityGroup",
            "os_compute_api:os-security-groups:remove",
            actions::remove_security_group,
        ),
        action(
            PATH,
            "os-getConsoleOutput",
            "os_compute_api:os-console-output",
            actions::console_output,
        ),
        action(PATH, "os-getVNCConsole", "os_compute_api:os-remote-consoles", actions::console)
            .until(Mv(2, 5)),
        action(PATH, "os-getSPICEConsole", "os_compute_api:os-remote-consoles", actions::console)
            .until(Mv(2, 5)),
        action(PATH, "os-getSerialConsole", "os_compute_api:os-remote-consoles", actions::console)
            .until(Mv(2, 5)),
        action(PATH, "os-getRDPConsole", Access::Token, actions::gone).until(Mv(2, 5)),
        action(
            PATH,
            "os-resetState",
            "os_compute_api:os-admin-actions:reset_state",
            actions::reset_state,
        ),
        action(
            PATH,
            "injectNetworkInfo",
            "os_compute_api:os-admin-actions:inject_network_info",
            actions::inject_network_info,
        ),
        action(PATH, "resetNetwork", Access::Token, actions::gone),
        action(
            PATH,
            "forceDelete",
            "os_compute_api:os-deferred-delete:force",
            actions::force_delete,
        ),
        action(PATH, "restore", "os_compute_api:os-deferred-delete:restore", actions::restore),
        action(PATH, "migrate", "os_compute_api:os-migrate-server:migrate", actions::migrate),
        action(
            PATH,
            "os-migrateLive",
            "os_compute_api:os-migrate-server:migrate_live",
            actions::migrate_live,
        ),
        action(PATH, "evacuate", "os_compute_api:os-evacuate", actions::evacuate),
        action(
            PATH,
            "trigger_crash_dump",
            "os_compute_api:servers:trigger_crash_dump",
            actions::trigger_crash_dump,
        )
        .since(Mv(2, 17)),
    ]
}

fn flavors() -> Vec<Route<Nova>> {
    const SPECS: &str = "/v2.1/flavors/{id}/os-extra_specs";
    const SPEC: &str = "/v2.1/flavors/{id}/os-extra_specs/{key}";
    const ACTION: &str = "/v2.1/flavors/{id}/action";
    vec![
        get("/v2.1/flavors", Access::Token, flavors::index),
        get("/v2.1/flavors/detail", Access::Token, flavors::detail),
        post("/v2.1/flavors", "os_compute_api:os-flavor-manage:create", flavors::create),
        get("/v2.1/flavors/{id}", Access::Token, flavors::show),
        put("/v2.1/flavors/{id}", "os_compute_api:os-flavor-manage:update", flavors::update)
            .since(FLAVOR_DESCRIPTION),
        delete("/v2.1/flavors/{id}", "os_compute_api:os-flavor-manage:delete", flavors::delete),
        get(SPECS, "os_compute_api:os-flavor-extra-specs:index", flavor_extras::specs),
        post(SPECS, "os_compute_api:os-flavor-extra-specs:create", flavor_extras::add_specs),
        get(SPEC, "os_compute_api:os-flavor-extra-specs:show", flavor_extras::spec),
        put(SPEC, "os_compute_api:os-flavor-extra-specs:update", flavor_extras::set_spec),
        delete(SPEC, "os_compute_api:os-flavor-extra-specs:delete", flavor_extras::delete_spec),
        get(
            "/v2.1/flavors/{id}/os-flavor-access",
            "os_compute_api:os-flavor-access",
            flavor_extras::access,
        ),
        action(
            ACTION,
            "addTenantAccess",
            "os_compute_api:os-flavor-access:add_tenant_access",
            flavor_extras::add_access,
        ),
        action(
            ACTION,
            "removeTenantAccess",
            "os_compute_api:os-flavor-access:remove_tenant_access",
            flavor_extras::remove_access,
        ),
    ]
}

fn of_projects() -> Vec<Route<Nova>> {
    const KEYPAIR: &str = "/v2.1/os-keypairs/{name}";
    const QUOTAS: &str = "/v2.1/os-quota-sets/{id}";
    const GROUP: &str = "/v2.1/os-server-groups/{id}";
    vec![
        // Whose keys they are is in the query: the handler checks the rule.
        get("/v2.1/os-keypairs", Access::Token, keypairs::index),
        post("/v2.1/os-keypairs", Access::Token, keypairs::create),
        get(KEYPAIR, Access::Token, keypairs::show),
        delete(KEYPAIR, Access::Token, keypairs::delete),
        get("/v2.1/limits", "os_compute_api:limits", limits::index),
        get(QUOTAS, "os_compute_api:os-quota-sets:show", quota_sets::show),
        put(QUOTAS, "os_compute_api:os-quota-sets:update", quota_sets::update),
        delete(QUOTAS, "os_compute_api:os-quota-sets:delete", quota_sets::delete),
        get(
            "/v2.1/os-quota-sets/{id}/defaults",
            "os_compute_api:os-quota-sets:defaults",
            quota_sets::defaults,
        ),
        get(
            "/v2.1/os-quota-sets/{id}/detail",
            "os_compute_api:os-quota-sets:detail",
            quota_sets::detail,
        ),
        get(
            "/v2.1/os-server-groups",
            "os_compute_api:os-server-groups:index",
            server_groups::index,
        ),
        post(
            "/v2.1/os-server-groups",
            "os_compute_api:os-server-groups:create",
            server_groups::create,
        ),
        get(GROUP, "os_compute_api:os-server-groups:show", server_groups::show),
        delete(GROUP, "os_compute_api:os-server-groups:delete", server_groups::delete),
        get(
            "/v2.1/os-availability-zone",
            "os_compute_api:os-availability-zone:list",
            availability_zones::index,
        ),
        get(
            "/v2.1/os-simple-tenant-usage/{id}",
            "os_compute_api:os-simple-tenant-usage:show",
            usage::show,
        ),
    ]
}

fn of_operators() -> Vec<Route<Nova>> {
    const CLASS: &str = "/v2.1/os-quota-class-sets/{id}";
    const AGGREGATE: &str = "/v2.1/os-aggregates/{id}";
    const ACTION: &str = "/v2.1/os-aggregates/{id}/action";
    const SERVICE: &str = "/v2.1/os-services/{id}";
    const LAST_ROWS: Mv = Mv(2, 52);
    vec![
        get(CLASS, "os_compute_api:os-quota-class-sets:show", quota_sets::show_class),
        put(CLASS, "os_compute_api:os-quota-class-sets:update", quota_sets::update_class),
        get(
            "/v2.1/os-availability-zone/detail",
            "os_compute_api:os-availability-zone:detail",
            availability_zones::detail,
        ),
        get("/v2.1/os-hypervisors", "os_compute_api:os-hypervisors:list", hypervisors::index),
        get(
            "/v2.1/os-hypervisors/detail",
            "os_compute_api:os-hypervisors:list-detail",
            hypervisors::detail,
        ),
        get(
            "/v2.1/os-hypervisors/statistics",
            "os_compute_api:os-hypervisors:statistics",
            hypervisors::statistics,
        )
        .until(LAST_HYPERVISOR_STATS),
        get("/v2.1/os-hypervisors/{id}", "os_compute_api:os-hypervisors:show", hypervisors::show),
        get(
            "/v2.1/os-hypervisors/{id}/uptime",
            "os_compute_api:os-hypervisors:uptime",
            hypervisors::uptime,
        )
        .until(LAST_HYPERVISOR_STATS),
        get(
            "/v2.1/os-hypervisors/{id}/search",
            "os_compute_api:os-hypervisors:search",
            hypervisors::search,
        )
        .until(LAST_ROWS),
        get(
            "/v2.1/os-hypervisors/{id}/servers",
            "os_compute_api:os-hypervisors:servers",
            hypervisors::with_servers,
        )
        .until(LAST_ROWS),
        get("/v2.1/os-services", "os_compute_api:os-services:list", services::index),
        put(SERVICE, "os_compute_api:os-services:update", services::act).until(LAST_ROWS),
        put(SERVICE, "os_compute_api:os-services:update", services::update).since(UUIDS),
        delete(SERVICE, "os_compute_api:os-services:delete", services::delete),
        get("/v2.1/os-aggregates", "os_compute_api:os-aggregates:index", aggregates::index),
        post("/v2.1/os-aggregates", "os_compute_api:os-aggregates:create", aggregates::create),
        get(AGGREGATE, "os_compute_api:os-aggregates:show", aggregates::show),
        put(AGGREGATE, "os_compute_api:os-aggregates:update", aggregates::update),
        delete(AGGREGATE, "os_compute_api:os-aggregates:delete", aggregates::delete),
        action(ACTION, "add_host", "os_compute_api:os-aggregates:add_host", aggregates::add_host),
        action(
            ACTION,
            "remove_host",
            "os_compute_api:os-aggregates:remove_host",
            aggregates::remove_host,
        ),
        action(
            ACTION,
            "set_metadata",
            "os_compute_api:os-aggregates:set_metadata",
            aggregates::set_metadata,
        ),
        get(
            "/v2.1/os-simple-tenant-usage",
            "os_compute_api:os-simple-tenant-usage:list",
            usage::index,
        ),
        get("/v2.1/os-migrations", "os_compute_api:os-migrations:index", migrations::index),
        post(
            "/v2.1/os-server-external-events",
            "os_compute_api:os-server-external-events:create",
            external_events::create,
        ),
        get(
            "/v2.1/os-instance_usage_audit_log",
            "os_compute_api:os-instance-usage-audit-log:list",
            hosts::audit_log,
        ),
        get(
            "/v2.1/os-instance_usage_audit_log/{before}",
            "os_compute_api:os-instance-usage-audit-log:show",
            hosts::audit_log_before,
        ),
        get("/v2.1/os-hosts", "os_compute_api:os-hosts:list", hosts::index).until(LAST_HOSTS),
        get("/v2.1/os-hosts/{name}", "os_compute_api:os-hosts:show", hosts::show).until(LAST_HOSTS),
        put("/v2.1/os-hosts/{name}", "os_compute_api:os-hosts:update", hosts::update)
            .until(LAST_HOSTS),
        get("/v2.1/os-hosts/{name}/reboot", "os_compute_api:os-hosts:reboot", hosts::power)
            .until(LAST_HOSTS),
        get("/v2.1/os-hosts/{name}/shutdown", "os_compute_api:os-hosts:shutdown", hosts::power)
            .until(LAST_HOSTS),
        get("/v2.1/os-hosts/{name}/startup", "os_compute_api:os-hosts:start", hosts::power)
            .until(LAST_HOSTS),
    ]
}

fn proxies() -> Vec<Route<Nova>> {
    const METADATA: &str = "/v2.1/images/{id}/metadata";
    const METADATUM: &str = "/v2.1/images/{id}/metadata/{key}";
    let images = vec![
        get("/v2.1/images", Access::Token, images::index),
        get("/v2.1/images/detail", Access::Token, images::detail),
        get("/v2.1/images/{id}", Access::Token, images::show),
        delete("/v2.1/images/{id}", Access::Token, images::delete),
        get("/v2.1/os-networks", "os_compute_api:os-networks:list", network_proxies::networks),
        get("/v2.1/os-networks/{id}", "os_compute_api:os-networks:show", network_proxies::network),
        get(
            "/v2.1/os-tenant-networks",
            "os_compute_api:os-tenant-networks:list",
            network_proxies::tenant_networks,
        ),
        get(
            "/v2.1/os-tenant-networks/{id}",
            "os_compute_api:os-tenant-networks:show",
            network_proxies::tenant_network,
        ),
    ];
    let metadata = vec![
        get(METADATA, Access::Token, images::metadata),
        post(METADATA, Access::Token, images::add_metadata),
        put(METADATA, Access::Token, images::replace_metadata),
        get(METADATUM, Access::Token, images::metadata_item),
        put(METADATUM, Access::Token, images::set_metadata_item),
        delete(METADATUM, Access::Token, images::delete_metadata_item),
    ];
    let images = images.into_iter().map(|route| route.until(LAST_PROXIES));
    let metadata = metadata.into_iter().map(|route| route.until(LAST_IMAGE_METADATA));
    images.chain(metadata).collect()
}

fn security_group_proxies() -> Vec<Route<Nova>> {
    const GROUPS: &str = "/v2.1/os-security-groups";
    const GROUP: &str = "/v2.1/os-security-groups/{id}";
    const RULES: &str = "/v2.1/os-security-group-rules";
    const RULE: &str = "/v2.1/os-security-group-rules/{id}";
    let all = [
        get(GROUPS, "os_compute_api:os-security-groups:get", security_groups::index),
        post(GROUPS, "os_compute_api:os-security-groups:create", security_groups::create),
        get(GROUP, "os_compute_api:os-security-groups:show", security_groups::show),
        put(GROUP, "os_compute_api:os-security-groups:update", security_groups::update),
        delete(GROUP, "os_compute_api:os-security-groups:delete", security_groups::delete),
        post(RULES, "os_compute_api:os-security-groups:rule:create", security_groups::create_rule),
        delete(RULE, "os_compute_api:os-security-groups:rule:delete", security_groups::delete_rule),
    ];
    all.into_iter().map(|route| route.until(LAST_PROXIES)).collect()
}
