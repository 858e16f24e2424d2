//! Box.
