//! stackup-neutron.

pub mod drivers;
