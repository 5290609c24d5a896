//! THE table: what neutron answers, and to whom.
//!
//! Rules that speak of a parent (`network_owner`, `sg_owner`) cannot be asked before the parent is
//! known: their rows need a token only, and `logic/resources.rs` asks.

mod agents;
mod extensions;
mod information;
mod listing;
mod quotas;
mod resources;
mod routers;
mod tags;
mod versions;

use stackup_web::{Access, Route, get, post, put};

use crate::Neutron;
use crate::model::{
    ADDRESS_SCOPE, DEFAULT_RULE, FLOATING_IP, METERING_LABEL, METERING_LABEL_RULE, NETWORK, PORT,
    RBAC_POLICY, ROUTER, SECURITY_GROUP, SECURITY_GROUP_RULE, SUBNET, SUBNET_POOL,
};
use resources::{create, list, remove, show, update};

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route<Neutron>> {
    use stackup_web::delete;
    let mut table = vec![
        get("/", Access::Open, versions::list),
        get("/v2.0", Access::Token, versions::show),
        get("/v2.0/", Access::Token, versions::show),
        get("/v2.0/extensions", Access::Token, extensions::list),
        get("/v2.0/extensions/{alias}", Access::Token, extensions::show),

        get("/v2.0/networks", "get_network", list(&NETWORK)),
        post("/v2.0/networks", "create_network", create(&NETWORK)),
        get("/v2.0/networks/{id}", "get_network", show(&NETWORK)),
        put("/v2.0/networks/{id}", "update_network", update(&NETWORK)),
        delete("/v2.0/networks/{id}", "delete_network", remove(&NETWORK)),
        get("/v2.0/networks/{id}/dhcp-agents", "get_dhcp-agents", agents::of_network),

        get("/v2.0/subnets", "get_subnet", list(&SUBNET)),
        post("/v2.0/subnets", Access::Token, create(&SUBNET)),
        get("/v2.0/subnets/{id}", "get_subnet", show(&SUBNET)),
        put("/v2.0/subnets/{id}", "update_subnet", update(&SUBNET)),
        delete("/v2.0/subnets/{id}", "delete_subnet", remove(&SUBNET)),

        get("/v2.0/ports", "get_port", list(&PORT)),
        post("/v2.0/ports", Access::Token, create(&PORT)),
        get("/v2.0/ports/{id}", "get_port", show(&PORT)),
        put("/v2.0/ports/{id}", "update_port", update(&PORT)),
        delete("/v2.0/ports/{id}", "delete_port", remove(&PORT)),

        get("/v2.0/routers", "get_router", list(&ROUTER)),
        post("/v2.0/routers", "create_router", create(&ROUTER)),
        get("/v2.0/routers/{id}", "get_router", show(&ROUTER)),
        put("/v2.0/routers/{id}", "update_router", update(&ROUTER)),
        delete("/v2.0/routers/{id}", "delete_router", remove(&ROUTER)),
        put("/v2.0/routers/{id}/add_router_interface", "add_router_interface", routers::add_interface),
        put("/v2.0/routers/{id}/remove_router_interface", "remove_router_interface", routers::remove_interface),
        put("/v2.0/routers/{id}/add_extraroutes", "add_extraroutes", routers::add_routes),
        put("/v2.0/routers/{id}/remove_extraroutes", "remove_extraroutes", routers::remove_routes),
        get("/v2.0/routers/{id}/l3-agents", "get_l3-agents", agents::of_router),

        get("/v2.0/floatingips", "get_floatingip", list(&FLOATING_IP)),
        post("/v2.0/floatingips", "create_floatingip", create(&FLOATING_IP)),
        get("/v2.0/floatingips/{id}", "get_floatingip", show(&FLOATING_IP)),
        put("/v2.0/floatingips/{id}", "update_floatingip", update(&FLOATING_IP)),
        delete("/v2.0/floatingips/{id}", "delete_floatingip", remove(&FLOATING_IP)),

        get("/v2.0/security-groups", "get_security_group", list(&SECURITY_GROUP)),
        post("/v2.0/security-groups", "create_security_group", create(&SECURITY_GROUP)),
        get("/v2.0/security-groups/{id}", "get_security_group", show(&SECURITY_GROUP)),
        put("/v2.0/security-groups/{id}", "update_security_group", update(&SECURITY_GROUP)),
        delete("/v2.0/security-groups/{id}", "delete_security_group", remove(&SECURITY_GROUP)),
        get("/v2.0/security-group-rules", Access::Token, list(&SECURITY_GROUP_RULE)),
        post("/v2.0/security-group-rules", Access::Token, create(&SECURITY_GROUP_RULE)),
        get("/v2.0/security-group-rules/{id}", Access::Token, show(&SECURITY_GROUP_RULE)),
        delete("/v2.0/security-group-rules/{id}", Access::Token, remove(&SECURITY_GROUP_RULE)),
        get("/v2.0/default-security-group-rules", "get_default_security_group_rule", list(&DEFAULT_RULE)),
        post("/v2.0/default-security-group-rules", "create_default_security_group_rule", create(&DEFAULT_RULE)),
        get("/v2.0/default-security-group-rules/{id}", "get_default_security_group_rule", show(&DEFAULT_RULE)),
        delete("/v2.0/default-security-group-rules/{id}", "delete_default_security_group_rule", remove(&DEFAULT_RULE)),

        get("/v2.0/subnetpools", "get_subnetpool", list(&SUBNET_POOL)),
        post("/v2.0/subnetpools", "create_subnetpool", create(&SUBNET_POOL)),
        get("/v2.0/subnetpools/{id}", "get_subnetpool", show(&SUBNET_POOL)),
        put("/v2.0/subnetpools/{id}", "update_subnetpool", update(&SUBNET_POOL)),
        delete("/v2.0/subnetpools/{id}", "delete_subnetpool", remove(&SUBNET_POOL)),
        put("/v2.0/subnetpools/{id}/add_prefixes", "add_prefixes", routers::add_prefixes),
        put("/v2.0/subnetpools/{id}/remove_prefixes", "remove_prefixes", routers::remove_prefixes),

        get("/v2.0/address-scopes", "get_address_scope", list(&ADDRESS_SCOPE)),
        post("/v2.0/address-scopes", "create_address_scope", create(&ADDRESS_SCOPE)),
        get("/v2.0/address-scopes/{id}", "get_address_scope", show(&ADDRESS_SCOPE)),
        put("/v2.0/address-scopes/{id}", "update_address_scope", update(&ADDRESS_SCOPE)),
        delete("/v2.0/address-scopes/{id}", "delete_address_scope", remove(&ADDRESS_SCOPE)),

        get("/v2.0/rbac-policies", "get_rbac_policy", list(&RBAC_POLICY)),
        post("/v2.0/rbac-policies", "create_rbac_policy", create(&RBAC_POLICY)),
        get("/v2.0/rbac-policies/{id}", "get_rbac_policy", show(&RBAC_POLICY)),
        put("/v2.0/rbac-policies/{id}", "update_rbac_policy", update(&RBAC_POLICY)),
        delete("/v2.0/rbac-policies/{id}", "delete_rbac_policy", remove(&RBAC_POLICY)),

        get("/v2.0/metering/metering-labels", "get_metering_label", list(&METERING_LABEL)),
        post("/v2.0/metering/metering-labels", "create_metering_label", create(&METERING_LABEL)),
        get("/v2.0/metering/metering-labels/{id}", "get_metering_label", show(&METERING_LABEL)),
        delete("/v2.0/metering/metering-labels/{id}", "delete_metering_label", remove(&METERING_LABEL)),
        get("/v2.0/metering/metering-label-rules", "get_metering_label_rule", list(&METERING_LABEL_RULE)),
        post("/v2.0/metering/metering-label-rules", "create_metering_label_rule", create(&METERING_LABEL_RULE)),
        get("/v2.0/metering/metering-label-rules/{id}", "get_metering_label_rule", show(&METERING_LABEL_RULE)),
        delete("/v2.0/metering/metering-label-rules/{id}", "delete_metering_label_rule", remove(&METERING_LABEL_RULE)),

        get("/v2.0/quotas", Access::Token, quotas::list),
        get("/v2.0/quotas/tenant", Access::Token, quotas::tenant),
        get("/v2.0/quotas/project", Access::Token, quotas::tenant),
        get("/v2.0/quotas/{id}", Access::Token, quotas::show),
        get("/v2.0/quotas/{id}/default", Access::Token, quotas::defaults),
        get("/v2.0/quotas/{id}/details", Access::Token, quotas::details),
        get("/v2.0/quotas/{id}/details.json", Access::Token, quotas::details),
        put("/v2.0/quotas/{id}", "update_quota", quotas::update),
        delete("/v2.0/quotas/{id}", "delete_quota", quotas::reset),

        get("/v2.0/agents", Access::Token, agents::list),
        get("/v2.0/agents/{id}", Access::Token, agents::show),
        get("/v2.0/agents/{id}/dhcp-networks", "get_dhcp-networks", agents::networks),
        post("/v2.0/agents/{id}/dhcp-networks", "create_dhcp-network", agents::add_network),
        delete("/v2.0/agents/{id}/dhcp-networks/{network}", "delete_dhcp-network", agents::remove_network),
        get("/v2.0/agents/{id}/l3-routers", "get_l3-routers", agents::routers),
        get("/v2.0/availability_zones", "get_availability_zone", information::zones),
        get("/v2.0/network-ip-availabilities", Access::Token, information::availabilities),
        get("/v2.0/network-ip-availabilities/{id}", Access::Token, information::availability),
        get("/v2.0/service-providers", "get_service_provider", information::providers),
    ];
    for (resource, all, one) in TAGGED {
        table.push(get(all, Access::Token, tags::list(resource)));
        table.push(put(all, Access::Token, tags::replace(resource)));
        table.push(post(all, Access::Token, tags::add(resource)));
        table.push(delete(all, Access::Token, tags::clear(resource)));
        table.push(get(one, Access::Token, tags::has(resource)));
        table.push(put(one, Access::Token, tags::add_one(resource)));
        table.push(delete(one, Access::Token, tags::remove(resource)));
    }
    table
}

/// What carries tags, and where they are.
#[rustfmt::skip]
const TAGGED: [(&crate::model::Resource, &str, &str); 7] = [
    (&NETWORK, "/v2.0/networks/{id}/tags", "/v2.0/networks/{id}/tags/{tag}"),
    (&SUBNET, "/v2.0/subnets/{id}/tags", "/v2.0/subnets/{id}/tags/{tag}"),
    (&PORT, "/v2.0/ports/{id}/tags", "/v2.0/ports/{id}/tags/{tag}"),
    (&ROUTER, "/v2.0/routers/{id}/tags", "/v2.0/routers/{id}/tags/{tag}"),
    (&FLOATING_IP, "/v2.0/floatingips/{id}/tags", "/v2.0/floatingips/{id}/tags/{tag}"),
    (&SECURITY_GROUP, "/v2.0/security-groups/{id}/tags", "/v2.0/security-groups/{id}/tags/{tag}"),
    (&SUBNET_POOL, "/v2.0/subnetpools/{id}/tags", "/v2.0/subnetpools/{id}/tags/{tag}"),
];
