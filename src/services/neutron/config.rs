//! What an operator may choose.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// The service's section of the profile.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name of this host, as nova's services carry it.
    pub host: String,
    /// Physical networks and the host's bridges for them.
    pub bridges: BTreeMap<String, String>,
    /// Bytes of a packet on networks whose user does not say.
    pub mtu: u32,
    /// Handed to guests on subnets that name no servers of their own. Empty by default: a lab may
    /// have no way out.
    pub dns_servers: Vec<IpAddr>,
    /// The domain handed to guests.
    pub dns_domain: String,
    /// Rows that one answer may have; none is no limit.
    pub max_limit: Option<usize>,
    pub quota: Quota,
    /// What is there on day one; `None` makes nothing.
    pub initial: Option<Initial>,
    /// An operator's policy file: rule to check.
    pub policy: BTreeMap<String, String>,
}

/// How much a project may have; -1 is no limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    pub network: i64,
    pub subnet: i64,
    pub subnetpool: i64,
    pub port: i64,
    pub router: i64,
    pub floatingip: i64,
    pub security_group: i64,
    pub security_group_rule: i64,
    pub rbac_policy: i64,
}

/// The networks of day one, by the names that textbooks use.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Initial {
    pub physical_network: String,
    pub public_network: String,
    pub public_subnet: String,
    pub public_cidr: IpNet,
    pub public_gateway: IpAddr,
    /// The first and the last floating address.
    pub public_pool: (IpAddr, IpAddr),
    pub pool: String,
    pub pool_cidr: IpNet,
    pub pool_prefix_length: u8,
    /// Who owns the private network and the router; none of them when there is no such project.
    pub project: String,
    pub private_network: String,
    pub private_subnet: String,
    pub router: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            bridges: BTreeMap::from([("public".to_owned(), "br-ex".to_owned())]),
            mtu: 1500,
            dns_servers: Vec::new(),
            dns_domain: "openstacklocal".to_owned(),
            max_limit: None,
            quota: Quota::default(),
            initial: Some(Initial::default()),
            policy: BTreeMap::new(),
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            network: 100,
            subnet: 100,
            subnetpool: -1,
            port: 500,
            router: 10,
            floatingip: 50,
            security_group: 10,
            security_group_rule: 100,
            rbac_policy: 10,
        }
    }
}

impl Quota {
    /// The default limit of a resource.
    pub(crate) fn of(&self, resource: &str) -> Option<i64> {
        Some(match resource {
            "network" => self.network,
            "subnet" => self.subnet,
            "subnetpool" => self.subnetpool,
            "port" => self.port,
            "router" => self.router,
            "floatingip" => self.floatingip,
            "security_group" => self.security_group,
            "security_group_rule" => self.security_group_rule,
            "rbac_policy" => self.rbac_policy,
            _ => return None,
        })
    }
}

impl Default for Initial {
    fn default() -> Self {
        let v4 = |a, b, c, d| IpAddr::from([a, b, c, d]);
        let net = |address, length| IpNet::new_assert(address, length);
        Self {
            physical_network: "public".to_owned(),
            public_network: "public".to_owned(),
            public_subnet: "public-subnet".to_owned(),
            public_cidr: net(v4(172, 24, 4, 0), 24),
            public_gateway: v4(172, 24, 4, 1),
            public_pool: (v4(172, 24, 4, 2), v4(172, 24, 4, 254)),
            pool: "shared-default-subnetpool-v4".to_owned(),
            pool_cidr: net(v4(10, 0, 0, 0), 22),
            pool_prefix_length: 26,
            project: "demo".to_owned(),
            private_network: "private".to_owned(),
            private_subnet: "private-subnet".to_owned(),
            router: "router1".to_owned(),
        }
    }
}
