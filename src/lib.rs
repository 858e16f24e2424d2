//! uko-operator
