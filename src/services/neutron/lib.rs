//! stackup-neutron.
