//! `cloud-in-a-box`: see the crate's documentation.
fn main() {}
