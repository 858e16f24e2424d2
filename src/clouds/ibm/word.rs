//! Words of a wire enum that a newer server may extend.
//!
//! In: the list of known words. Out: an enum that keeps an unknown word instead of failing.
//! Never: drops a value it does not know.

/// Defines a lenient enum: every known word is a variant, everything else is kept in `Other`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word this version does not know, as the server spelled it; empty when it sent none.
            Other(String),
        }

        impl $name {
            /// The word as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }

            /// Reads the wire's word; the case of letters is not significant.
            #[must_use]
            pub fn of(word: &str) -> Self {
                $(if word.eq_ignore_ascii_case($word) {
                    return Self::$variant;
                })+
                Self::Other(word.to_owned())
            }
        }
    };
}

pub(super) use words;

#[cfg(test)]
mod tests {
    use crate::clouds::ibm::satellite::EndpointStatus;

    #[test]
    fn an_unknown_word_is_kept_as_it_was_spelled() {
        let draining = EndpointStatus::of("Draining");
        assert_eq!(draining, EndpointStatus::Other("Draining".to_owned()));
        assert_eq!(draining.as_str(), "Draining");
    }

    #[test]
    fn a_known_word_is_recognised_in_any_case_and_written_as_documented() {
        assert_eq!(EndpointStatus::of("ENABLED"), EndpointStatus::Enabled);
        assert_eq!(EndpointStatus::of("disabled").as_str(), "disabled");
    }
}
