//! The identifiers IBM hands out, each a type of its own so that one cannot stand where another is meant.
//!
//! In: the text of a manifest or of an answer. Out: the same text, typed.
//! Never: reads meaning into an id, or changes a letter of it.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// Declares an id. `exact`: two spellings are two ids. `uuid`: two spellings that differ in case are one id.
macro_rules! identifier {
    ($(#[$doc:meta])* exact $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        identifier!(@common $name);
    };
    ($(#[$doc:meta])* uuid $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(String);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.to_ascii_lowercase().cmp(&other.0.to_ascii_lowercase())
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.to_ascii_lowercase().hash(state);
            }
        }

        identifier!(@common $name);
    };
    (@common $name:ident) => {

        impl $name {
            /// Takes the id as it is spelled.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as it is spelled.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

identifier! {
    /// A Satellite connector, or a location where the Link routes of locations are used; base64-looking (`U2F0…`) \[E\].
    exact ConnectorId
}
identifier! {
    /// An endpoint of a connector: `<connector id>_<5 characters>` \[D\].
    exact EndpointId
}
identifier! {
    /// An access rule ("source") of a connector: `<connector id>-Source-<5 characters>` \[D\].
    exact SourceId
}
identifier! {
    /// A UKO vault, a UUID \[S\], whatever its case. Not an Azure Key Vault.
    uuid UkoVaultId
}
identifier! {
    /// A UKO keystore, a UUID \[S\], whatever its case.
    uuid KeystoreId
}
identifier! {
    /// The version of a UKO resource, opaque, sent back unchanged as `If-Match`. Samples have a resolution of one
    /// second \[E\], so two writes within one second may share it \[I\].
    exact ETag
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn a_uuid_is_the_same_in_any_case_and_keeps_its_spelling() {
        let (upper, lower) = (KeystoreId::from("0A1B-C"), KeystoreId::from("0a1b-c"));
        assert_eq!((&upper, upper.as_str()), (&lower, "0A1B-C"));
        assert_eq!(HashSet::from([upper.clone(), lower.clone()]).len(), 1);
        assert_eq!(BTreeSet::from([upper, lower]).len(), 1);
        assert_eq!(UkoVaultId::from("V-1"), UkoVaultId::from("v-1"));
        assert_ne!(UkoVaultId::from("v-1"), UkoVaultId::from("v-2"));
    }

    #[test]
    fn base64_tells_cases_apart() {
        assert_ne!(ConnectorId::from("U2F0"), ConnectorId::from("u2f0"));
        assert_ne!(EndpointId::from("U2F0_aB"), EndpointId::from("U2F0_ab"));
        assert_ne!(ETag::from("A"), ETag::from("a"));
    }
}
