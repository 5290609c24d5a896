//! The extensions: told only where they work, for clients and Tempest believe the list.

/// One extension.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) alias: &'static str,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
}

const fn ext(alias: &'static str, name: &'static str, description: &'static str) -> Extension {
    Extension { alias, name, description }
}

#[rustfmt::skip]
pub(crate) const EXTENSIONS: &[Extension] = &[
    ext("address-scope", "Address scope", "Address spaces in which prefixes do not overlap"),
    ext("agent", "agent", "The agents of the hosts"),
    ext("allowed-address-pairs", "Allowed Address Pairs", "Further addresses that a port may use"),
    ext("availability_zone", "Availability Zone", "Zones of networks and routers"),
    ext("binding", "Port Binding", "Which host a port is plugged on, and how"),
    ext("default-subnetpools", "Default Subnetpools", "The pool that is used when none is named"),
    ext("dhcp_agent_scheduler", "DHCP Agent Scheduler", "Which DHCP agent serves a network"),
    ext("dvr", "Distributed Virtual Router", "Routers that may be on every host"),
    ext("empty-string-filtering", "Empty String Filtering Extension", "Filters by the empty string"),
    ext("ext-gw-mode", "Neutron L3 Configurable external gateway mode", "Routers with and without SNAT"),
    ext("external-net", "Neutron external network", "Networks that lead outside"),
    ext("extra_dhcp_opt", "Neutron Extra DHCP options", "DHCP options of a port"),
    ext("extraroute", "Neutron Extra Route", "Static routes of a router"),
    ext("extraroute-atomic", "Atomically add/remove extra routes", "Adds and removes single routes"),
    ext("fip-port-details", "Floating IP Port Details Extension", "The port behind a floating IP"),
    ext("ip-substring-filtering", "IP address substring filtering", "Ports by a part of an address"),
    ext("l3-ha", "HA Router extension", "Whether a router is on several hosts; with one host, none is"),
    ext("l3_agent_scheduler", "L3 Agent Scheduler", "Which L3 agent serves a router"),
    ext("metering", "Neutron Metering", "Counts what routers forward"),
    ext("metering_source_and_destination_fields", "Neutron Metering with source and destination filtering", "Counts by both ends"),
    ext("net-mtu", "Network MTU", "The MTU of a network"),
    ext("net-mtu-writable", "Network MTU (writable)", "The MTU of a network may be chosen"),
    ext("network-ip-availability", "Network IP Availability", "How many addresses are given"),
    ext("network-ip-availability-details", "Network IP Availability Details", "Pools apart from subnets"),
    ext("network_availability_zone", "Network Availability Zone", "The zones of a network"),
    ext("pagination", "Pagination support", "limit, marker, links"),
    ext("port-security", "Port Security", "Ports with and without anti-spoofing and groups"),
    ext("port-security-groups-filtering", "Port filtering on security groups", "Ports by security group"),
    ext("project-id", "project_id field enabled", "project_id beside tenant_id"),
    ext("provider", "Provider Network", "What a network is made of"),
    ext("quota_details", "Quota details management support", "What is used of a quota"),
    ext("quotas", "Quota management support", "Limits of projects"),
    ext("rbac-address-scope", "Add address_scope type to RBAC", "Address scopes shared with projects"),
    ext("rbac-policies", "RBAC Policies", "Networks shared with projects"),
    ext("rbac-security-groups", "Add security_group type to network RBAC", "Groups shared with projects"),
    ext("rbac-subnetpool", "Add subnetpool type to RBAC", "Subnet pools shared with projects"),
    ext("revision-if-match", "If-Match constraints based on revision_number", "Changes only of a known revision"),
    ext("router", "Neutron L3 Router", "Routers and floating IPs"),
    ext("router-admin-state-down-before-update", "Enforce Router's Admin State Down Before Update Extension", "Only a router that is down becomes distributed"),
    ext("router_availability_zone", "Router Availability Zone", "The zones of a router"),
    ext("security-group", "security-group", "Security groups"),
    ext("security-groups-default-rules", "Default rules for security groups", "The rules new groups begin with"),
    ext("security-groups-normalized-cidr", "Normalized CIDR field for security group rules", "The prefix without host bits"),
    ext("security-groups-rules-belongs-to-default-sg", "Security group rules belongs to default SG", "Whether a rule is of a default group"),
    ext("security-groups-shared-filtering", "Security group filtering on the shared field", "Groups by whether they are shared"),
    ext("service-type", "Neutron Service Type Management", "Who serves what"),
    ext("sorting", "Sorting support", "sort_key and sort_dir"),
    ext("standard-attr-description", "standard-attr-description", "Descriptions"),
    ext("standard-attr-revisions", "Resource revision numbers", "Revisions"),
    ext("standard-attr-tag", "Tag support for resources with standard attribute", "Tags"),
    ext("standard-attr-timestamp", "Resource timestamps", "Times of creation and change"),
    ext("stateful-security-group", "Stateful security group", "Groups with and without connection tracking"),
    ext("subnet-external-network", "Subnet belongs to an external network", "Whether a subnet lies outside"),
    ext("subnet-service-types", "Subnet service types", "Subnets for certain devices only"),
    ext("subnet_allocation", "Subnet Allocation", "Subnets out of pools"),
    ext("subnetpool-prefix-ops", "Subnet Pool Prefix Operations", "Adds and removes prefixes of a pool"),
    ext("tag-creation", "Tag creation", "Several tags at once, and tags of new things"),
];
