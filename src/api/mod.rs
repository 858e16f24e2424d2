//! The two custom resources and what both controllers say of them.
//!
//! In: nothing. Out: types with their schemas, CEL rules and names. Never: I/O, clocks, clouds.

pub mod condition;
pub mod reference;
pub mod v1alpha1;
