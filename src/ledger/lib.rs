//! stackup-ledger.
