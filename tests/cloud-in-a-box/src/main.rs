//! Box.
fn main() {}
