//! What glance does: rules on the thing itself, quotas, states, and the door for other services.

pub(crate) mod data;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod intake;
pub(crate) mod members;
pub(crate) mod port;
pub(crate) mod recover;
pub(crate) mod seed;
pub(crate) mod tasks;
