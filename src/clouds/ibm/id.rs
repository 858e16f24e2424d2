//! The identifiers IBM hands out, each a type of its own so that one cannot stand where another is meant.
//!
//! In: the text of a manifest or of an answer. Out: the same text, typed.
//! Never: reads meaning into an id, or changes a letter of it.

use std::fmt;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

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
    ConnectorId
}
identifier! {
    /// An endpoint of a connector: `<connector id>_<5 characters>` \[D\].
    EndpointId
}
identifier! {
    /// An access rule ("source") of a connector: `<connector id>-Source-<5 characters>` \[D\].
    SourceId
}
identifier! {
    /// A UKO vault, a UUID \[S\]. Not an Azure Key Vault.
    UkoVaultId
}
identifier! {
    /// A UKO keystore, a UUID \[S\].
    KeystoreId
}
identifier! {
    /// The version of a UKO resource, opaque, sent back unchanged as `If-Match`. Samples have a resolution of one
    /// second \[E\], so two writes within one second may share it \[I\].
    ETag
}
