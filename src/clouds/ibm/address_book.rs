//! Remembers for a while which address an instance's UKO has.
//!
//! In: region, instance id, an address the broker named. Out: the address, as long as it is fresh.
//! Never: keeps a failure, or more than a few addresses; is written to where others could change it, as a status can be.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::UkoUrl;

/// Instances remembered at a time.
const CAPACITY: usize = 64;
/// How long an address is believed: instances keep theirs, but IBM has moved all of them once \[D\].
const FRESH: Duration = Duration::from_mins(30);

type Entries = HashMap<(String, String), (UkoUrl, Instant)>;

/// Addresses by region and instance. A clone shares them.
#[derive(Clone, Debug, Default)]
pub(in crate::clouds) struct AddressBook {
    entries: Arc<Mutex<Entries>>,
}

impl AddressBook {
    /// The address of an instance, if it was written down lately.
    pub(in crate::clouds) fn find(&self, region: &str, instance_id: &str) -> Option<UkoUrl> {
        let now = Instant::now();
        let entries = self.entries();
        let (base, until) = entries.get(&name(region, instance_id))?;
        (*until > now).then(|| base.clone())
    }

    /// Writes an address down, in place of the one that would be forgotten next when the book is full.
    pub(in crate::clouds) fn note(&self, region: &str, instance_id: &str, base: &UkoUrl) {
        let name = name(region, instance_id);
        let mut entries = self.entries();
        if entries.len() >= CAPACITY && !entries.contains_key(&name) {
            let oldest = entries.iter().min_by_key(|(_, (_, until))| *until).map(|(name, _)| name.clone());
            oldest.map(|name| entries.remove(&name));
        }
        entries.insert(name, (base.clone(), Instant::now() + FRESH));
    }

    /// Drops an address, so that the broker is asked again.
    pub(in crate::clouds) fn forget(&self, region: &str, instance_id: &str) {
        self.entries().remove(&name(region, instance_id));
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Instance ids are UUIDs, the same in any case.
fn name(region: &str, instance_id: &str) -> (String, String) {
    (region.to_owned(), instance_id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(instance: &str) -> UkoUrl {
        UkoUrl::parse_hosted(&format!("https://{instance}.uko.eu-de.hs-crypto.appdomain.cloud")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_believed_for_half_an_hour_in_its_own_region_only() {
        let book = AddressBook::default();
        book.note("eu-de", "AB-1", &base("ab-1"));
        assert_eq!(book.find("eu-de", "ab-1"), Some(base("ab-1")));
        assert_eq!(book.find("us-east", "ab-1"), None);
        assert_eq!(book.find("eu-de", "ab-2"), None);
        tokio::time::advance(FRESH).await;
        assert_eq!(book.find("eu-de", "ab-1"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_can_be_forgotten_and_replaced() {
        let book = AddressBook::default();
        book.note("eu-de", "ab-1", &base("ab-1"));
        book.note("eu-de", "ab-1", &base("ab-2"));
        assert_eq!(book.find("eu-de", "ab-1"), Some(base("ab-2")));
        book.clone().forget("eu-de", "AB-1");
        assert_eq!(book.find("eu-de", "ab-1"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_book_stays_small_and_the_oldest_goes_first() {
        let book = AddressBook::default();
        for n in 0..=CAPACITY {
            tokio::time::advance(Duration::from_millis(1)).await;
            book.note("eu-de", &format!("i-{n}"), &base("ab-1"));
        }
        assert_eq!(book.entries().len(), CAPACITY);
        assert!(book.find("eu-de", "i-0").is_none() && book.find("eu-de", "i-1").is_some());
    }
}
