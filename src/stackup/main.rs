//! stackup.
fn main() {}
