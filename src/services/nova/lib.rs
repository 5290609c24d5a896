//! Nova: servers on hypervisors.

pub mod drivers;
pub mod model;
