//! Nova, as others need it.

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use stackup_core::{Ctx, ServerId};

use crate::CallError;

/// A guest's request to 169.254.169.254.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataRequest {
    /// The server that the network knows behind the source address.
    pub server: ServerId,
    pub source: IpAddr,
    pub method: String,
    /// `/openstack/latest/meta_data.json`
    pub path: String,
    pub body: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataAnswer {
    pub status: u16,
    pub content_type: String,
    pub body: Bytes,
}

/// Nova.
#[async_trait]
pub trait Compute: Send + Sync {
    /// Answers a guest.
    async fn metadata(&self, request: MetadataRequest) -> MetadataAnswer;

    /// The addresses or the state of a port of the server changed (neutron's external event).
    async fn network_changed(&self, cx: &Ctx, server: &ServerId) -> Result<(), CallError>;

    /// Whether the server is there: a port's owner may be.
    async fn exists(&self, cx: &Ctx, server: &ServerId) -> Result<bool, CallError>;
}
