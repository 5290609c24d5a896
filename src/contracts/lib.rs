//! How the services of one process speak to one another: traits and plain types, no I/O.
//!
//! Where OpenStack's services call each other over HTTP, ours call these traits. What can be seen
//! from outside is the same: states, request ids, and the errors when one side says no.
//!
//! [`Hub`] breaks the cycles: services are built with the hub, and each puts itself into it.

mod compute;
mod error;
mod hub;
mod identity;
mod images;
mod networks;
mod placement;

pub use compute::{Compute, MetadataAnswer, MetadataRequest};
pub use error::CallError;
pub use hub::Hub;
pub use identity::{AuthError, Identity, ProjectInfo, UserInfo};
pub use images::{ImageData, ImageInfo, ImageQuery, Images, NewImage};
pub use networks::{
    Binding, FixedIp, IngressRule, NetworkInfo, Networks, NewIngressRule, NewPort, PortInfo,
    RequestedIp, RuleSource, SecurityGroupInfo, SecurityGroupRules, SubnetInfo, WhichGroups,
};
pub use placement::{
    Allocation, Candidate, CandidateQuery, Consumer, Inventory, Placement, ProviderSpec, Resources,
};
