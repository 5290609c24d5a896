//! Neutron, as others need it.

use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use stackup_core::{Ctx, NetworkId, PortId, ProjectId, SecurityGroupId, ServerId, SubnetId};

use crate::CallError;

/// A network with its subnets, as others need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    pub id: NetworkId,
    pub name: String,
    pub project_id: ProjectId,
    pub shared: bool,
    pub external: bool,
    pub admin_state_up: bool,
    pub mtu: u32,
    pub port_security: bool,
    pub subnets: Vec<SubnetInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetInfo {
    pub id: SubnetId,
    pub cidr: IpNet,
    pub gateway: Option<IpAddr>,
    pub dhcp: bool,
    pub dns: Vec<IpAddr>,
    /// Destination and next hop.
    pub routes: Vec<(IpNet, IpAddr)>,
    /// `slaac`, `dhcpv6-stateful`, `dhcpv6-stateless`, for IPv6.
    pub ipv6_address_mode: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedIp {
    pub subnet_id: SubnetId,
    pub address: IpAddr,
    /// The floating addresses that lead here.
    pub floating: Vec<IpAddr>,
}

/// A port, as others need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    pub id: PortId,
    pub name: String,
    pub network: NetworkInfo,
    pub project_id: ProjectId,
    /// Lower case, with colons.
    pub mac: String,
    pub fixed_ips: Vec<FixedIp>,
    pub security_groups: Vec<SecurityGroupInfo>,
    pub device_id: String,
    pub device_owner: String,
    pub admin_state_up: bool,
    /// `ACTIVE`, `DOWN`, `BUILD`.
    pub status: String,
    /// The tap that a guest's interface must have.
    pub tap: String,
    /// `bridge` once it is bound to a host, else `unbound` or `binding_failed`.
    pub vif_type: String,
    pub vnic_type: String,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupInfo {
    pub id: SecurityGroupId,
    pub name: String,
    pub description: String,
    pub project_id: ProjectId,
}

/// A group with the rules for what comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupRules {
    pub group: SecurityGroupInfo,
    pub ingress: Vec<IngressRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngressRule {
    pub id: String,
    pub group_id: SecurityGroupId,
    /// `None` is any.
    pub protocol: Option<String>,
    /// The first and the last port, or ICMP's type and code.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// `None` is anywhere, unless `remote_group` says otherwise.
    pub cidr: Option<String>,
    pub remote_group: Option<SecurityGroupInfo>,
}

/// An ingress rule to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIngressRule {
    pub group_id: SecurityGroupId,
    pub protocol: Option<String>,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub source: RuleSource,
}

/// Where that comes from which a rule lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSource {
    Cidr(IpNet),
    Group(SecurityGroupId),
}

/// Which groups are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichGroups {
    /// Those of the caller's project.
    OfProject,
    /// All that the caller may see.
    Visible,
    /// One, if the caller may see it: not found otherwise.
    This(SecurityGroupId),
}

/// An address that a port shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedIp {
    pub subnet_id: Option<SubnetId>,
    pub address: Option<IpAddr>,
}

/// A port to make for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPort {
    pub network_id: NetworkId,
    pub project_id: ProjectId,
    pub fixed_ips: Vec<RequestedIp>,
    /// `None` is the project's `default` group.
    pub security_groups: Option<Vec<SecurityGroupId>>,
    pub binding: Binding,
}

/// Which server on which host has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub server_id: ServerId,
    /// `compute:<availability zone>`.
    pub device_owner: String,
    pub host: String,
    /// The guest's name, for DHCP and DNS.
    pub hostname: String,
}

/// Neutron. Everything is done with the rights in `cx`.
#[async_trait]
pub trait Networks: Send + Sync {
    /// The networks that servers of the caller's project may use: its own and the shared ones.
    async fn available(&self, cx: &Ctx) -> Result<Vec<NetworkInfo>, CallError>;

    async fn network(&self, cx: &Ctx, id: &NetworkId) -> Result<NetworkInfo, CallError>;

    async fn port(&self, cx: &Ctx, id: &PortId) -> Result<PortInfo, CallError>;

    /// The ports of a server, in the order they were made.
    async fn ports_of(&self, cx: &Ctx, server: &ServerId) -> Result<Vec<PortInfo>, CallError>;

    /// The ports of several servers at once: for lists.
    async fn ports_of_all(
        &self,
        cx: &Ctx,
        servers: &[ServerId],
    ) -> Result<Vec<PortInfo>, CallError>;

    async fn create_port(&self, cx: &Ctx, new: NewPort) -> Result<PortInfo, CallError>;

    /// Gives a port that a user made to a server. Conflict when another one has it.
    async fn bind_port(&self, cx: &Ctx, id: &PortId, to: Binding) -> Result<PortInfo, CallError>;

    /// Takes a port from its server and leaves it to its user.
    async fn unbind_port(&self, cx: &Ctx, id: &PortId) -> Result<(), CallError>;

    /// A port that is gone already is fine.
    async fn delete_port(&self, cx: &Ctx, id: &PortId) -> Result<(), CallError>;

    /// The tap of the port is there now: wires it, and answers when it is wired.
    async fn plugged(&self, cx: &Ctx, id: &PortId) -> Result<(), CallError>;

    /// A group of the caller's project by id or name. Conflict when a name means several.
    async fn security_group(
        &self,
        cx: &Ctx,
        id_or_name: &str,
    ) -> Result<SecurityGroupInfo, CallError>;

    /// Replaces the groups of a port.
    async fn set_security_groups(
        &self,
        cx: &Ctx,
        id: &PortId,
        groups: &[SecurityGroupId],
    ) -> Result<(), CallError>;

    /// Groups with their ingress rules, each after the other by project and name.
    async fn security_groups(
        &self,
        cx: &Ctx,
        which: WhichGroups,
    ) -> Result<Vec<SecurityGroupRules>, CallError>;

    /// Makes a group of the caller's project. Conflict for a second `default`, and over quota.
    async fn create_security_group(
        &self,
        cx: &Ctx,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules, CallError>;

    /// Renames a group. Conflict when it is, or would be, the default group.
    async fn update_security_group(
        &self,
        cx: &Ctx,
        id: &SecurityGroupId,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules, CallError>;

    /// Conflict when a port has the group, or when it is the project's default group.
    async fn delete_security_group(&self, cx: &Ctx, id: &SecurityGroupId) -> Result<(), CallError>;

    /// Conflict when the group has such a rule, and over quota.
    async fn create_security_group_rule(
        &self,
        cx: &Ctx,
        new: NewIngressRule,
    ) -> Result<IngressRule, CallError>;

    async fn delete_security_group_rule(&self, cx: &Ctx, id: &str) -> Result<(), CallError>;
}
