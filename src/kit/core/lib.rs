//! The words every crate shares: ids, time, callers, error kinds, pages. No I/O, no tokio, no axum.

mod clock;
mod ctx;
mod error;
pub mod ids;
mod page;
mod secret;
pub mod value;
mod version;
mod wire;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock, Time, TimeError};
pub use ctx::{Caller, Ctx, DomainRef, Origin, Reach, Scope};
pub use error::ErrorKind;
pub use ids::{
    DomainId, FlavorId, ImageId, NetworkId, PortId, ProjectId, ProviderId, RouterId,
    SecurityGroupId, ServerId, SubnetId, UserId, VolumeId,
};
pub use page::{Direction, Page, SortKey};
pub use secret::Secret;
pub use value::{FromValue, ToValue, Value, ValueError};
pub use version::{Mv, MvRange};
