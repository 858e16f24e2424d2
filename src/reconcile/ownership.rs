//! Who owns what outside: the owner hash, the marks, and the claim that follows from a mark.
//!
//! In: the object's name and a mark found outside. Out: [`Claim`]. Never: the object's uid; replace and restore keep ownership.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE32_NOPAD;

use super::look::request;
use crate::api::v1alpha1::AdoptionPolicy;

const PREFIX: &str = "uko-operator:";
const RELEASED: &str = "released";
/// The annotation by which a person gives a foreign thing to an object.
pub(crate) const TAKE_OVER: &str = "take-over";
/// UKO's descriptions end at 200; 110 are the user's, one is a line break, the rest is the mark.
const MARK_MAX: usize = 89;
/// Longest value of an Azure tag.
const TAG_MAX: usize = 256;
/// Length of an owner hash.
const HASH: usize = 26;

/// The owner of everything that one object makes outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// First 26 base32 characters of SHA-256(`clusterId/kind/namespace/name`), lower case.
    pub hash: String,
    /// `<namespace>/<name>`, for people.
    pub object: String,
}

/// What a mark says about an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It carries our mark.
    Ours,
    /// Nobody's, or given up: may be taken over.
    Adoptable,
    /// Somebody else's, or not to be touched; says whose.
    Refused(String),
}

/// What an object may take that does not carry its mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Adoption {
    /// Whether it may take what nobody owns.
    pub policy: AdoptionPolicy,
    /// Hash of the one owner from whom a person lets it take things.
    pub take_over: Option<String>,
}

/// What stands where a mark would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// No mark at all.
    None,
    /// Given up by the owner of this hash, or by one that a person did not name.
    Released(String),
    /// An owner's hash and the object it names.
    Of(String, String),
}

impl Owner {
    /// The owner that `namespace/name` of `kind` in this cluster is.
    pub(crate) fn new(cluster_id: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let sum = digest(&SHA256, format!("{cluster_id}/{kind}/{namespace}/{name}").as_bytes());
        let mut hash = BASE32_NOPAD.encode(sum.as_ref()).to_ascii_lowercase();
        hash.truncate(HASH);
        Self { hash, object: format!("{namespace}/{name}") }
    }

    /// The first eight characters, for names.
    pub(crate) fn short(&self) -> &str {
        self.hash.get(..8).unwrap_or(&self.hash)
    }

    /// One line, at most 89 characters.
    pub(crate) fn mark(&self) -> String {
        cut(&format!("{PREFIX}{} {}", self.hash, self.object), MARK_MAX)
    }

    /// What a mark becomes when its object is deleted and the thing stays: the owner's hash stays readable, so that the same
    /// owner can take it back under any policy. One line, at most 89 characters.
    pub(crate) fn released(&self) -> String {
        cut(&format!("{PREFIX}{RELEASED} {}", self.released_object()), MARK_MAX)
    }

    /// The same for the tags of a private endpoint: what its owner tag becomes, and its object tag.
    pub(crate) fn released_tags(&self) -> [String; 2] {
        [RELEASED.to_owned(), cut(&self.released_object(), TAG_MAX)]
    }

    fn released_object(&self) -> String {
        format!("{} {}", self.hash, self.object)
    }

    /// A text of a user with our mark as its last line.
    pub(crate) fn marked(&self, text: &str) -> String {
        if text.is_empty() { self.mark() } else { format!("{text}\n{}", self.mark()) }
    }

    /// What `mark` means for us. A foreign mark always wins, unless a person named its owner.
    pub(crate) fn claim(&self, mark: &Mark, adoption: &Adoption) -> Claim {
        match (mark, adoption.policy) {
            (Mark::Of(hash, _), _) if *hash == self.hash => Claim::Ours,
            (Mark::Of(hash, _), _) if adoption.take_over.as_ref() == Some(hash) => Claim::Adoptable,
            (Mark::Of(hash, object), _) => {
                // The same name is another object only in another cluster.
                let elsewhere = if *object == self.object { " of another cluster" } else { "" };
                Claim::Refused(format!(
                    "it belongs to {object}{elsewhere}, whose owner hash is {hash}. To take it away from that owner, annotate this object with uko-operator.io/take-over: {hash}"
                ))
            }
            // We gave it up ourselves: a replaced, restored or re-created object takes its own things back.
            (Mark::Released(hash), _) if *hash == self.hash => Claim::Adoptable,
            (Mark::None | Mark::Released(_), AdoptionPolicy::IfUnowned) => Claim::Adoptable,
            (Mark::None | Mark::Released(_), AdoptionPolicy::Never) => Claim::Refused(
                "nobody marked it as owned; set adoptionPolicy: IfUnowned to take it over, or choose another name"
                    .to_owned(),
            ),
        }
    }
}

impl Adoption {
    /// From the spec and the annotation `take-over`, which acts once: `handled` is the one that status acknowledges. So two
    /// objects that name each other do not take a thing back and forth for ever.
    pub(crate) fn of(
        policy: Option<AdoptionPolicy>,
        annotations: Option<&BTreeMap<String, String>>,
        handled: Option<&str>,
    ) -> Self {
        let take_over = request(annotations, TAKE_OVER).filter(|hash| Some(hash.as_str()) != handled);
        Self { policy: policy.unwrap_or_default(), take_over }
    }
}

impl Mark {
    /// The mark in a text: its last line, or the text itself.
    pub(crate) fn find(text: &str) -> Self {
        let Some(rest) = text.lines().rev().find_map(|line| line.trim().strip_prefix(PREFIX)) else {
            return Self::None;
        };
        let (hash, object) = rest.split_once(' ').unwrap_or((rest, ""));
        Self::from_parts(hash, object)
    }

    /// Whether it is this owner's, or was before the owner gave it up.
    pub(crate) fn names(&self, owner: &Owner) -> bool {
        match self {
            Self::None => false,
            Self::Released(hash) | Self::Of(hash, _) => *hash == owner.hash,
        }
    }

    /// From the two tags of a private endpoint.
    pub(crate) fn from_parts(hash: &str, object: &str) -> Self {
        match hash {
            "" => Self::None,
            RELEASED => {
                Self::Released(object.split(' ').next().filter(|by| is_hash(by)).unwrap_or_default().to_owned())
            }
            hash => {
                Self::Of(hash.to_owned(), if object.is_empty() { "an object".to_owned() } else { object.to_owned() })
            }
        }
    }
}

/// 26 characters of lower case base32.
fn is_hash(word: &str) -> bool {
    word.len() == HASH && word.chars().all(|c| c.is_ascii_lowercase() || ('2'..='7').contains(&c))
}

/// The text without any mark line.
pub(crate) fn unmarked(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().starts_with(PREFIX)).collect();
    lines.join("\n")
}

/// At most `max` bytes, on a character's border.
pub(crate) fn cut(text: &str, max: usize) -> String {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner::new("cluster", "AzureKeystoreConnection", "keys", "payments")
    }

    fn never() -> Adoption {
        Adoption::default()
    }

    fn if_unowned() -> Adoption {
        Adoption { policy: AdoptionPolicy::IfUnowned, take_over: None }
    }

    #[test]
    fn the_hash_is_26_lower_case_base32_characters_and_does_not_move() {
        assert_eq!(owner().hash.len(), 26);
        assert!(owner().hash.chars().all(|c| c.is_ascii_lowercase() || ('2'..='7').contains(&c)));
        assert_eq!(owner(), owner());
        assert_ne!(owner().hash, Owner::new("other", "AzureKeystoreConnection", "keys", "payments").hash);
    }

    #[test]
    fn a_marked_description_fits_into_200_characters() {
        let long = Owner::new("c", "AzureKeystoreConnection", &"n".repeat(63), &"m".repeat(63));
        assert!(long.marked(&"d".repeat(110)).len() <= 200);
        assert_eq!(Mark::find(&long.marked("text")), Mark::find(&long.mark()));
    }

    #[test]
    fn a_foreign_mark_always_wins() {
        let foreign = Mark::Of("x".repeat(26), "other/thing".to_owned());
        for adoption in [never(), if_unowned()] {
            let Claim::Refused(why) = owner().claim(&foreign, &adoption) else { panic!("{adoption:?} takes it") };
            assert!(why.contains("other/thing") && why.contains(&"x".repeat(26)), "{why}");
        }
        let twin = Owner::new("other", "AzureKeystoreConnection", "keys", "payments");
        let of_twin = owner().claim(&Mark::find(&twin.mark()), &never());
        assert!(matches!(of_twin, Claim::Refused(why) if why.contains("keys/payments of another cluster")));
    }

    #[test]
    fn a_person_gives_a_thing_away_by_naming_its_present_owner() {
        let (hash, other) = ("x".repeat(26), "y".repeat(26));
        let given = Adoption { take_over: Some(hash.clone()), ..never() };
        let claim = |mark: Mark| owner().claim(&mark, &given);
        assert_eq!(claim(Mark::Of(hash, "other/thing".to_owned())), Claim::Adoptable);
        assert!(matches!(claim(Mark::Of(other, "other/thing".to_owned())), Claim::Refused(_)), "of somebody else");
        assert!(matches!(claim(Mark::None), Claim::Refused(_)), "nobody's is not that owner's");
        assert_eq!(claim(Mark::find(&owner().mark())), Claim::Ours);
    }

    #[test]
    fn an_annotation_to_take_over_acts_until_it_is_acknowledged() {
        let set = |hash: &str| BTreeMap::from([("uko-operator.io/take-over".to_owned(), hash.to_owned())]);
        let acts = |handled: Option<&str>| Adoption::of(None, Some(&set("a")), handled).take_over.is_some();
        assert!(acts(None) && acts(Some("b")) && !acts(Some("a")));
    }

    #[test]
    fn unowned_and_released_things_are_taken_over_only_when_the_policy_says_so() {
        for mark in [Mark::None, Mark::find("text\nuko-operator:released keys/payments")] {
            assert_eq!(owner().claim(&mark, &if_unowned()), Claim::Adoptable);
            assert!(matches!(owner().claim(&mark, &never()), Claim::Refused(_)));
        }
    }

    #[test]
    fn what_we_gave_up_ourselves_is_taken_back_under_any_policy_and_stays_others_to_adopt() {
        let other = Owner::new("cluster", "AzureKeystoreConnection", "keys", "heir");
        let [tag, object] = owner().released_tags();
        for mark in [Mark::find(&format!("text\n{}", owner().released())), Mark::from_parts(&tag, &object)] {
            assert_eq!(owner().claim(&mark, &never()), Claim::Adoptable);
            assert!(matches!(other.claim(&mark, &never()), Claim::Refused(_)));
            assert_eq!(other.claim(&mark, &if_unowned()), Claim::Adoptable);
            assert!(mark.names(&owner()) && !mark.names(&other));
        }
        let long = Owner::new("c", "AzureKeystoreConnection", &"n".repeat(63), &"m".repeat(63));
        assert!(long.released().len() <= MARK_MAX && Mark::find(&long.released()).names(&long));
    }

    #[test]
    fn our_own_mark_is_found_whatever_stands_before_it() {
        let text = owner().marked("two\nlines");
        assert_eq!(owner().claim(&Mark::find(&text), &never()), Claim::Ours);
        assert_eq!(unmarked(&text), "two\nlines");
    }
}
