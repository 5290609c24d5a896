//! What the kernel is asked to do: the door between neutron's records and the dataplane.
//!
//! `logic` computes a [`Topology`] from the database and hands it to a [`Dataplane`]. The topology
//! is whole, not a difference: a driver compares it with what is there and changes only what
//! differs, so a restart, a reboot or a lost event is repaired by handing it over again.
//!
//! - [`linux`]: bridges, namespaces, nftables, DHCP and metadata of this host.
//! - [`null`]: remembers and agrees; the specification of a driver, and the one of the ci profile.

pub mod linux;
pub mod names;
pub mod null;
mod topology;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

pub use null::NullDataplane;
pub use topology::*;

/// Why the dataplane could not do what it was asked as a whole. Trouble with one network, port or
/// router is not an error but a [`Problem`] of the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum DataplaneError {
    #[error("the host cannot be looked at")]
    Observe(#[source] stackup_system::ExecError),
    #[error("a program gave an answer that cannot be read")]
    Parse(#[source] serde_json::Error),
    #[error("namespace {name} cannot be entered")]
    Namespace {
        name: String,
        #[source]
        source: std::io::Error,
    },
    #[error("port {0} is not part of the topology applied last")]
    UnknownPort(Uuid),
    #[error("device {device} of port {port} is not there")]
    NoDevice { port: Uuid, device: String },
    #[error("port {port} cannot be plugged: {why}")]
    Plug { port: Uuid, why: String },
}

pub type Result<T, E = DataplaneError> = std::result::Result<T, E>;

/// Makes a host carry the networks of a [`Topology`].
///
/// Every method is idempotent and may be called from many tasks: the driver does one at a time.
#[async_trait]
pub trait Dataplane: Send + Sync {
    /// What this driver is and what the host lets it do.
    async fn facts(&self) -> Result<Facts>;

    /// Makes the host carry this topology, assuming that whatever the driver itself made last
    /// time is still there. For use after a change.
    async fn apply(&self, topology: &Topology) -> Result<Report>;

    /// Like `apply`, but trusts nothing: looks at every object and repairs what differs. For use
    /// at the start and on a period.
    async fn repair(&self, topology: &Topology) -> Result<Report>;

    /// Wires the device of a guest's port (named by [`names::tap`]) that has just been made.
    /// Fails when the port is not in the topology applied last, for then nothing would guard it,
    /// or when the device is not there.
    async fn plug(&self, port: Uuid) -> Result<()>;

    /// Says who answers the guests' metadata requests. Until then they are answered with 503.
    fn serve_metadata(&self, handler: Arc<dyn MetadataHandler>);

    /// Ends what runs in the process (DHCP, metadata); guests keep their wiring.
    async fn stop(&self);

    /// Takes everything of ours off the host.
    async fn remove_all(&self) -> Result<Report>;
}

/// Answers what guests ask 169.254.169.254.
#[async_trait]
pub trait MetadataHandler: Send + Sync {
    /// Answers one request. Nothing in it is trusted except `origin` and `source`, which the
    /// anti-spoofing rules guarantee.
    async fn serve(
        &self,
        origin: MetadataOrigin,
        source: IpAddr,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes>;
}

/// Where a metadata request was accepted. With the source address it names one port: addresses
/// are unique on a network, and the networks of a router do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataOrigin {
    /// In the DHCP namespace of this network.
    Network(Uuid),
    /// In the namespace of this router.
    Router(Uuid),
}

/// What a driver is, for `stackup status` and the agents list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `linux` or `null`.
    pub driver: &'static str,
    pub firewall: Firewall,
}

/// How security groups are enforced, the best that the kernel passed a probe for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firewall {
    /// nftables bridge family with its own connection tracking.
    Conntrack,
    /// nftables bridge family, connection state carried in a packet mark by way of br_netfilter.
    Mark,
    /// Only spoofed addresses are dropped: **security group rules are not enforced**.
    AntiSpoofOnly,
    /// Nothing is enforced.
    None,
}

/// What came of an `apply`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Ports that carry traffic: a guest's device on its bridge, a router's or DHCP server's
    /// interface in its namespace. What is not here is `DOWN`.
    pub wired: BTreeSet<Uuid>,
    pub problems: Vec<Problem>,
    /// How many changes were made; 0 when the host was as wanted.
    pub changes: usize,
}

/// Something that could not be made so, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The network, port or router concerned.
    pub subject: Option<Uuid>,
    /// A fragment for people: `bridge br-ex is not there`.
    pub what: String,
}

impl Report {
    pub(crate) fn problem(&mut self, subject: Option<Uuid>, what: impl Into<String>) {
        self.problems.push(Problem { subject, what: what.into() });
    }
}
