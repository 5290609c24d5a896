//! stackup-contracts.
