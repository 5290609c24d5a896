//! What nova does: quotas, scheduling, flows, calls to other services.

pub(crate) mod aggregates;
pub(crate) mod bootstrap;
pub(crate) mod create;
pub(crate) mod flavors;
pub(crate) mod flows;
pub(crate) mod groups;
pub(crate) mod guest;
pub(crate) mod hosts;
pub(crate) mod images;
pub(crate) mod interfaces;
pub(crate) mod keypairs;
pub(crate) mod list;
pub(crate) mod metadata;
pub(crate) mod networks;
pub(crate) mod plug;
pub(crate) mod port;
pub(crate) mod power;
pub(crate) mod quotas;
pub(crate) mod scheduler;
pub(crate) mod servers;
pub(crate) mod usage;
pub(crate) mod work;
