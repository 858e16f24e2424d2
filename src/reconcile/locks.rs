//! One mutation at a time for each Key Vault, subnet and connector.
//!
//! In: a key and who asks. Out: whether it may go on. Never: waits; lives in the leader's memory only, other clusters exist and conflicts stay normal.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Longer than any operation of a cloud lasts; a lock that nobody cleared does not hold for ever.
const LONGEST: Duration = Duration::from_mins(15);

/// Who is changing what.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    held: Mutex<HashMap<String, (String, Instant)>>,
}

impl Locks {
    /// Takes all of `keys` for `owner`, or none when another owner holds one of them.
    pub(crate) fn take(&self, keys: &[String], owner: &str) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (_, since)| since.elapsed() < LONGEST);
        if keys.iter().any(|key| held.get(key).is_some_and(|(holder, _)| holder != owner)) {
            return false;
        }
        for key in keys {
            held.insert(key.clone(), (owner.to_owned(), Instant::now()));
        }
        true
    }

    /// Clears everything that `owner` holds: a read showed that its change has ended.
    pub(crate) fn clear(&self, owner: &str) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (holder, _)| holder != owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_owner_waits_until_the_first_has_ended() {
        let locks = Locks::default();
        let keys = ["vault".to_owned(), "subnet".to_owned()];
        assert!(locks.take(&keys, "a"));
        assert!(locks.take(&keys, "a"));
        assert!(!locks.take(&keys[1..], "b"));
        locks.clear("a");
        assert!(locks.take(&keys, "b"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_nobody_cleared_ends_by_itself() {
        let locks = Locks::default();
        assert!(locks.take(&["vault".to_owned()], "a"));
        tokio::time::advance(LONGEST).await;
        assert!(locks.take(&["vault".to_owned()], "b"));
    }
}
