//! What neutron knows, as tables and pure functions: no async, no SQL, no HTTP.
//!
//! [`attribute`] says what a resource is made of; each resource is one const table. [`body`] reads
//! requests against it, [`record`] is a row of it, `store/records.rs` keeps it.

pub(crate) mod attribute;
pub(crate) mod body;
pub(crate) mod extension;
pub(crate) mod floating_ip;
pub(crate) mod ipam;
pub(crate) mod metering;
pub(crate) mod network;
pub(crate) mod port;
pub(crate) mod rbac_policy;
pub(crate) mod record;
pub(crate) mod router;
pub(crate) mod security_group;
pub(crate) mod security_rule;
pub(crate) mod shape;
pub(crate) mod subnet;
pub(crate) mod subnet_pool;

pub(crate) use attribute::{Kind, Resource};
pub(crate) use body::Fields;
pub(crate) use floating_ip::FLOATING_IP;
pub(crate) use metering::{METERING_LABEL, METERING_LABEL_RULE};
pub(crate) use network::NETWORK;
pub(crate) use port::PORT;
pub(crate) use rbac_policy::RBAC_POLICY;
pub(crate) use record::{Lens, Record, View};
pub(crate) use router::ROUTER;
pub(crate) use security_group::{DEFAULT_RULE, SECURITY_GROUP, SECURITY_GROUP_RULE};
pub(crate) use subnet::SUBNET;
pub(crate) use subnet_pool::{ADDRESS_SCOPE, SUBNET_POOL};
