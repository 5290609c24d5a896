//! What neutron says when it says no. The variants carry upstream's class names: a client reads
//! them as the `type` of the fault.

use axum::response::{IntoResponse, Response};
use stackup_contracts::CallError;
use stackup_core::ErrorKind;
use stackup_policy::Denied;
use stackup_store::StoreError;
use stackup_web::Fault;

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Bodies and queries: upstream has no classes of its own for these.
    #[error("{0}")]
    BadBody(String),
    #[error("Unrecognized attribute(s) '{0}'")]
    Unrecognized(String),
    #[error("Failed to parse request. Required attribute '{0}' not specified")]
    Missing(String),
    #[error("Attribute '{0}' not allowed in POST")]
    NotInPost(String),
    #[error("Cannot update read-only attribute {0}")]
    ReadOnly(String),
    #[error("Invalid input for {attribute}. Reason: {reason}.")]
    InvalidAttribute { attribute: String, reason: String },
    #[error(
        "Specifying 'project_id' or 'tenant_id' other than authenticated project in request requires admin privileges"
    )]
    ForeignProject,

    // 404
    #[error("Network {0} could not be found.")]
    NetworkNotFound(String),
    #[error("Subnet {0} could not be found.")]
    SubnetNotFound(String),
    #[error("Port {0} could not be found.")]
    PortNotFound(String),
    #[error("Router {0} could not be found")]
    RouterNotFound(String),
    #[error("Router {router} does not have an interface with id {port}")]
    RouterInterfaceNotFound { router: String, port: String },
    #[error("Router {router} has no interface on subnet {subnet}")]
    RouterInterfaceNotFoundForSubnet { router: String, subnet: String },
    #[error("Floating IP {0} could not be found")]
    FloatingIPNotFound(String),
    #[error(
        "External network {network} is not reachable from subnet {subnet}.  Therefore, cannot associate Port {port} with a Floating IP."
    )]
    ExternalGatewayForFloatingIPNotFound { network: String, subnet: String, port: String },
    #[error("Security group {0} does not exist")]
    SecurityGroupNotFound(String),
    #[error("Security group rule {0} does not exist")]
    SecurityGroupRuleNotFound(String),
    #[error("Default Security Group rule {0} does not exist")]
    DefaultSecurityGroupRuleNotFound(String),
    #[error("Subnet pool {0} could not be found.")]
    SubnetPoolNotFound(String),
    #[error("Address scope {0} could not be found")]
    AddressScopeNotFound(String),
    #[error("RBAC policy with ID {0} not found")]
    RbacPolicyNotFound(String),
    #[error("Metering label {0} does not exist")]
    MeteringLabelNotFound(String),
    #[error("Metering label rule {0} does not exist")]
    MeteringLabelRuleNotFound(String),
    #[error("Agent {0} could not be found")]
    AgentNotFound(String),
    #[error("Extension with alias {0} does not exist")]
    ExtensionNotFound(String),
    #[error("Tag {0} could not be found.")]
    TagNotFound(String),
    #[error("No default router:external network")]
    AutoAllocationFailure,

    // 400
    #[error("{0}")]
    Invalid(String),
    #[error("Invalid input for operation: {0}.")]
    InvalidInput(String),
    #[error("Bad {resource} request: {message}.")]
    BadRequest { resource: &'static str, message: String },
    #[error("IP address {0} is not a valid IP for any of the subnets on the specified network.")]
    InvalidIpForNetwork(String),
    #[error("IP address {0} is not a valid IP for the specified subnet.")]
    InvalidIpForSubnet(String),
    #[error("The allocation pool {pool} is not valid.")]
    InvalidAllocationPool { pool: String },
    #[error("The allocation pool {pool} spans beyond the subnet cidr {cidr}.")]
    OutOfBoundsAllocationPool { pool: String, cidr: String },
    #[error("Invalid format for routes: {routes}, {reason}")]
    InvalidRoutes { routes: String, reason: String },
    #[error(
        "Security group rule protocol {0} not supported. Only protocol values [None, 'ah', 'dccp', 'egp', 'esp', 'gre', 'icmp', 'icmpv6', 'igmp', 'ipip', 'ipv6-encap', 'ipv6-frag', 'ipv6-icmp', 'ipv6-nonxt', 'ipv6-opts', 'ipv6-route', 'ospf', 'pgm', 'rsvp', 'sctp', 'tcp', 'udp', 'udplite', 'vrrp'] and integer representations [0 to 255] are supported."
    )]
    SecurityGroupRuleInvalidProtocol(String),
    #[error("For TCP/UDP protocols, port_range_min must be <= port_range_max")]
    SecurityGroupInvalidPortRange,
    #[error("Invalid value for port {0}")]
    SecurityGroupInvalidPortValue(i64),
    #[error("Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255.")]
    SecurityGroupInvalidIcmpValue { field: &'static str, attribute: &'static str, value: i64 },
    #[error(
        "ICMP code (port-range-max) {0} is provided but ICMP type (port-range-min) is missing."
    )]
    SecurityGroupMissingIcmpType(i64),
    #[error("Must also specify protocol if port range is given.")]
    SecurityGroupProtocolRequiredWithPorts,
    #[error("Only remote_ip_prefix or remote_group_id may be provided.")]
    SecurityGroupRemoteGroupAndRemoteIpPrefix,
    #[error("Invalid ethertype {ethertype} for protocol {protocol}.")]
    SecurityGroupEthertypeConflictWithProtocol { ethertype: String, protocol: String },
    #[error("Conflicting value ethertype {ethertype} for CIDR {cidr}")]
    SecurityGroupRuleParameterConflict { ethertype: String, cidr: String },
    #[error("Illegal prefix bounds: {0}.")]
    IllegalSubnetPoolPrefixBounds(String),
    #[error("Illegal subnetpool update : {0}.")]
    IllegalSubnetPoolUpdate(String),
    #[error("Illegal subnetpool association: {0}.")]
    IllegalSubnetPoolAssociation(String),
    #[error("Empty subnet pool prefix list.")]
    EmptySubnetPoolPrefixList,
    #[error("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")]
    PrefixVersionMismatch,
    #[error(
        "Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {bound}."
    )]
    MinPrefixSubnetAllocationError { length: i64, bound: i64 },
    #[error(
        "Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {bound}."
    )]
    MaxPrefixSubnetAllocationError { length: i64, bound: i64 },
    #[error("Invalid action '{action}' for object type '{object_type}'.")]
    InvalidRbacAction { action: String, object_type: String },

    #[error("Unable to find any IP address on external network {0}.")]
    ExternalIpAddressExhausted(String),

    // 409
    #[error("Subnet on port {port} does not match the requested subnet {subnet}.")]
    SubnetMismatchForPort { port: String, subnet: String },
    #[error("Quota exceeded for resources: ['{0}'].")]
    OverQuota(&'static str),
    #[error(
        "Unable to complete operation on network {network}. There are one or more ports still in use on the network, id for these ports is {ports}."
    )]
    NetworkInUse { network: String, ports: String },
    #[error(
        "Unable to complete operation on subnet {0}: One or more ports have an IP allocation from this subnet."
    )]
    SubnetInUse(String),
    #[error(
        "Unable to complete operation on port {port} for network {network}. Port already has an attached device {device}."
    )]
    PortInUse { port: String, network: String, device: String },
    #[error(
        "Unable to complete operation on port {port}, port is already bound, port type: {vif_type}, old_mac {old}, new_mac {new}."
    )]
    PortBound { port: String, vif_type: String, old: String, new: String },
    #[error("Port {port} cannot be deleted directly via the port API: {reason}.")]
    ServicePortInUse { port: String, reason: String },
    #[error("Unable to complete operation for network {network}. The mac address {mac} is in use.")]
    MacAddressInUse { network: String, mac: String },
    #[error("IP address {address} already allocated in subnet {subnet}")]
    IpAddressAlreadyAllocated { address: String, subnet: String },
    #[error("No more IP addresses available on network {0}.")]
    IpAddressGenerationFailure(String),
    #[error("Gateway ip {address} conflicts with allocation pool {pool}.")]
    GatewayConflictWithAllocationPools { address: String, pool: String },
    #[error("Current gateway ip {address} already in use by port {port}. Unable to update.")]
    GatewayIpInUse { address: String, port: String },
    #[error("Found overlapping allocation pools: {one} {other} for subnet {cidr}.")]
    OverlappingAllocationPools { one: String, other: String, cidr: String },
    #[error("Port Security must be enabled in order to have allowed address pairs on a port.")]
    AddressPairAndPortSecurityRequired,
    #[error(
        "Port has security group associated. Cannot disable port security or IP address until security group is removed."
    )]
    PortSecurityPortHasSecurityGroup,
    #[error(
        "Port security must be enabled and port must have an IP address in order to use security groups."
    )]
    PortSecurityAndIPRequiredForSecurityGroups,
    #[error("Unable to create the flat network. Physical network {0} is in use.")]
    FlatNetworkInUse(String),
    #[error(
        "Invalid extension: external network {0} cannot be updated to be made non-external, since it has existing gateway ports."
    )]
    ExternalNetworkInUse(String),
    #[error(
        "Unable to reconfigure sharing settings for network {0}. Multiple tenants are using it."
    )]
    InvalidSharedSetting(String),
    #[error("A default external network already exists: {0}.")]
    DefaultExternalNetworkExists(String),
    #[error("Router {router} {reason}")]
    RouterInUse { router: String, reason: String },
    #[error(
        "Router interface for subnet {subnet} on router {router} cannot be deleted, as it is required by one or more floating IPs."
    )]
    RouterInterfaceInUseByFloatingIP { router: String, subnet: String },
    #[error(
        "Router interface for subnet {subnet} on router {router} cannot be deleted, as it is required by one or more routes."
    )]
    RouterInterfaceInUseByRoute { router: String, subnet: String },
    #[error(
        "Gateway cannot be updated for router {router}, since a gateway to external network {network} is required by one or more floating IPs."
    )]
    RouterExternalGatewayInUseByFloatingIp { router: String, network: String },
    #[error(
        "Cannot associate floating IP {address} ({id}) with port {port} using fixed IP {fixed}, as that fixed IP already has a floating IP on external network {network}."
    )]
    FloatingIPPortAlreadyAssociated {
        address: String,
        id: String,
        port: String,
        fixed: String,
        network: String,
    },
    #[error("The network {0} has been already hosted by the DHCP Agent.")]
    NetworkHostedByDHCPAgent(String),
    #[error("The network {0} is not hosted by the DHCP agent.")]
    NetworkNotHostedByDhcpAgent(String),
    #[error("Security Group {0} in use.")]
    SecurityGroupInUse(String),
    #[error("Insufficient rights for removing default security group.")]
    SecurityGroupCannotRemoveDefault,
    #[error("Updating default security group not allowed.")]
    SecurityGroupCannotUpdateDefault,
    #[error("Default security group already exists.")]
    SecurityGroupDefaultAlreadyExists,
    #[error("Security group rule already exists. Rule id is {0}.")]
    SecurityGroupRuleExists(String),
    #[error("Metering label rule with remote_ip_prefix {0} overlaps another")]
    MeteringLabelRuleOverlaps(String),
    #[error(
        "Not enough l3 agents available to ensure HA. Minimum required {needed}, available {there}."
    )]
    HANotEnoughAvailableAgents { needed: i64, there: i64 },
    #[error("Subnet pool {0} cannot be deleted: Subnet pool has existing allocations.")]
    SubnetPoolDeleteError(String),
    #[error("Failed to allocate subnet: {0}.")]
    SubnetAllocationError(String),
    #[error("Per-tenant subnet pool prefix quota exceeded.")]
    SubnetPoolQuotaExceeded,
    #[error(
        "Unable to complete operation on address scope {0}. There are one or more subnet pools in use on the address scope."
    )]
    AddressScopeInUse(String),
    #[error(
        "RBAC policy on object {object} cannot be removed because other objects depend on it. {details}"
    )]
    RbacPolicyInUse { object: String, details: String },
    #[error("An RBAC policy already exists with those values.")]
    RbacPolicyDuplicate,
    #[error("Unable to deallocate the topology of project {0}: its network is in use.")]
    AutoAllocatedTopologyInUse(String),

    // 412
    #[error("Constrained to revision number {wanted}, but current revision is {found}.")]
    RevisionNumberConstraintFailed { wanted: i64, found: i64 },

    // 403, and what comes from below
    #[error("rule:{0} is disallowed by policy")]
    PolicyNotAuthorized(String),
    #[error(transparent)]
    Request(Refused),
    #[error("the dataplane failed")]
    Dataplane(#[source] crate::drivers::DataplaneError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A fault that the kit found in a query or a body.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Refused(Box<Fault>);

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The variant's own name, which is upstream's class.
    fn class(&self) -> String {
        let text = format!("{self:?}");
        let end = text.find(|c: char| !c.is_alphanumeric());
        text.get(..end.unwrap_or(text.len())).unwrap_or_default().to_owned()
    }

    fn kind(&self) -> ErrorKind {
        use Error as E;
        match self {
            E::BadBody(_)
            | E::Unrecognized(_)
            | E::Missing(_)
            | E::NotInPost(_)
            | E::ReadOnly(_)
            | E::InvalidAttribute { .. }
            | E::ForeignProject
            | E::Invalid(_)
            | E::InvalidInput(_)
            | E::BadRequest { .. }
            | E::InvalidIpForNetwork(_)
            | E::InvalidIpForSubnet(_)
            | E::InvalidAllocationPool { .. }
            | E::OutOfBoundsAllocationPool { .. }
            | E::InvalidRoutes { .. }
            | E::SecurityGroupRuleInvalidProtocol(_)
            | E::SecurityGroupInvalidPortRange
            | E::SecurityGroupInvalidPortValue(_)
            | E::SecurityGroupInvalidIcmpValue { .. }
            | E::SecurityGroupMissingIcmpType(_)
            | E::SecurityGroupProtocolRequiredWithPorts
            | E::SecurityGroupRemoteGroupAndRemoteIpPrefix
            | E::SecurityGroupEthertypeConflictWithProtocol { .. }
            | E::SecurityGroupRuleParameterConflict { .. }
            | E::IllegalSubnetPoolPrefixBounds(_)
            | E::IllegalSubnetPoolUpdate(_)
            | E::IllegalSubnetPoolAssociation(_)
            | E::EmptySubnetPoolPrefixList
            | E::PrefixVersionMismatch
            | E::MinPrefixSubnetAllocationError { .. }
            | E::MaxPrefixSubnetAllocationError { .. }
            | E::ExternalIpAddressExhausted(_)
            | E::InvalidRbacAction { .. } => ErrorKind::BadRequest,
            E::NetworkNotFound(_)
            | E::SubnetNotFound(_)
            | E::PortNotFound(_)
            | E::RouterNotFound(_)
            | E::RouterInterfaceNotFound { .. }
            | E::RouterInterfaceNotFoundForSubnet { .. }
            | E::FloatingIPNotFound(_)
            | E::ExternalGatewayForFloatingIPNotFound { .. }
            | E::SecurityGroupNotFound(_)
            | E::SecurityGroupRuleNotFound(_)
            | E::DefaultSecurityGroupRuleNotFound(_)
            | E::SubnetPoolNotFound(_)
            | E::AddressScopeNotFound(_)
            | E::RbacPolicyNotFound(_)
            | E::MeteringLabelNotFound(_)
            | E::MeteringLabelRuleNotFound(_)
            | E::AgentNotFound(_)
            | E::ExtensionNotFound(_)
            | E::TagNotFound(_)
            | E::AutoAllocationFailure => ErrorKind::NotFound,
            E::PolicyNotAuthorized(_) => ErrorKind::Forbidden,
            E::RevisionNumberConstraintFailed { .. } => ErrorKind::PreconditionFailed,
            E::Request(fault) => fault.0.kind,
            E::Call(error) => error.kind,
            E::Store(_) | E::Dataplane(_) => ErrorKind::Internal,
            _ => ErrorKind::Conflict,
        }
    }

    /// What the client is told.
    pub(crate) fn fault(self) -> Fault {
        let bare = matches!(
            self,
            Error::BadBody(_)
                | Error::Unrecognized(_)
                | Error::Missing(_)
                | Error::NotInPost(_)
                | Error::ReadOnly(_)
                | Error::InvalidAttribute { .. }
                | Error::ForeignProject
        );
        match self {
            Error::Store(error) => error.into(),
            Error::Dataplane(error) => Fault::internal(&error),
            Error::Call(error) => error.into(),
            Error::Request(Refused(fault)) => *fault,
            // The kit's name for the status: HTTPBadRequest.
            other if bare => Fault::new(other.kind(), other.to_string()),
            other => Fault::new(other.kind(), other.to_string()).name(other.class()),
        }
    }

    /// As the caller of another service hears it.
    pub(crate) fn call(self) -> CallError {
        if let Error::Call(error) = self {
            return error;
        }
        let name = match &self {
            Error::NetworkNotFound(_) => "NetworkNotFound",
            Error::PortNotFound(_) => "PortNotFound",
            Error::SecurityGroupNotFound(_) => "SecurityGroupNotFound",
            Error::PortInUse { .. } => "PortInUse",
            Error::OverQuota(_) => "OverQuota",
            Error::IpAddressAlreadyAllocated { .. } => "IpAddressInUse",
            Error::IpAddressGenerationFailure(_) => "IpAddressGenerationFailure",
            Error::InvalidIpForNetwork(_) | Error::InvalidIpForSubnet(_) => "InvalidIpForNetwork",
            _ => "",
        };
        let fault = self.fault();
        if let Some(cause) = &fault.cause {
            tracing::error!(cause, "a call from another service failed");
        }
        CallError::new(fault.kind, name, fault.message)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Request(Refused(Box::new(fault)))
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Error::PolicyNotAuthorized(denied.rule)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.fault().into_response()
    }
}

/// What the kit's own check of a route's rule says.
pub(crate) fn denied(denied: Denied) -> Fault {
    Error::from(denied).fault()
}
