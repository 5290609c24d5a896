//! What neutron does.
//!
//! A request is one unit of work ([`work::Work`]): one transaction, rules asked inside it, hints
//! given after it. [`resources`] is the road that every resource takes; what is special to one is
//! in the file of its name.

pub(crate) mod access;
pub(crate) mod address_scopes;
pub(crate) mod availability;
pub(crate) mod bootstrap;
pub(crate) mod floating_ips;
pub(crate) mod group_port;
pub(crate) mod ipam;
pub(crate) mod metadata;
pub(crate) mod metering;
pub(crate) mod networks;
pub(crate) mod port;
pub(crate) mod ports;
pub(crate) mod quotas;
pub(crate) mod rbac_policies;
pub(crate) mod resources;
pub(crate) mod routers;
pub(crate) mod security_groups;
pub(crate) mod subnet_pools;
pub(crate) mod subnets;
pub(crate) mod tags;
pub(crate) mod topology;
pub(crate) mod wiring;
pub(crate) mod work;

pub(crate) use work::Work;
