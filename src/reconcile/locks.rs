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
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by: HashMap<String, (String, Instant)>,
    cleared: HashMap<String, (String, Instant)>,
}

impl Locks {
    /// Takes all of `keys` for `owner`, or none when another owner holds one of them, or has changed one since `looked`:
    /// what was seen then may be true no longer. What `owner` itself changed, it has seen.
    pub(crate) fn take(&self, keys: &[String], owner: &str, looked: Instant) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.by.retain(|_, (_, since)| since.elapsed() < LONGEST);
        held.cleared.retain(|_, (_, at)| at.elapsed() < LONGEST);
        let others = |key: &String| held.by.get(key).is_some_and(|(holder, _)| holder != owner);
        let changed = |key: &String| held.cleared.get(key).is_some_and(|(by, at)| by != owner && *at >= looked);
        if keys.iter().any(|key| others(key) || changed(key)) {
            return false;
        }
        for key in keys {
            held.by.insert(key.clone(), (owner.to_owned(), Instant::now()));
        }
        true
    }

    /// Clears everything that `owner` holds: a read showed that its change has ended.
    pub(crate) fn clear(&self, owner: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let ended: Vec<String> =
            held.by.iter().filter(|(_, (holder, _))| holder == owner).map(|(key, _)| key.clone()).collect();
        held.end(&ended, owner);
    }

    /// Clears `keys` alone: what `owner` wanted to change there was refused.
    pub(crate) fn release(&self, keys: &[String], owner: &str) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).end(keys, owner);
    }
}

impl Held {
    fn end(&mut self, keys: &[String], owner: &str) {
        for key in keys {
            if self.by.get(key).is_some_and(|(holder, _)| holder == owner) {
                self.by.remove(key);
                self.cleared.insert(key.clone(), (owner.to_owned(), Instant::now()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_owner_waits_until_the_first_has_ended() {
        let (locks, looked) = (Locks::default(), Instant::now());
        let keys = ["vault".to_owned(), "subnet".to_owned()];
        assert!(locks.take(&keys, "a", looked));
        assert!(locks.take(&keys, "a", looked));
        assert!(!locks.take(&keys[1..], "b", looked));
        locks.clear("a");
        assert!(!locks.take(&keys, "b", looked), "what b saw is from before a's change");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(locks.take(&keys, "b", Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_ended_a_change_itself_may_begin_the_next_at_once() {
        let (locks, looked) = (Locks::default(), Instant::now());
        let keys = ["keystores".to_owned()];
        assert!(locks.take(&keys, "a", looked));
        locks.clear("a");
        assert!(!locks.take(&keys, "b", looked), "b has not seen what a did");
        assert!(locks.take(&keys, "a", looked));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_refused_at_one_place_keeps_the_other() {
        let locks = Locks::default();
        let [vault, subnet] = ["vault".to_owned(), "subnet".to_owned()].map(|key| [key]);
        assert!(locks.take(&vault, "a", Instant::now()) && locks.take(&subnet, "a", Instant::now()));
        locks.release(&subnet, "a");
        locks.release(&vault, "b");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(locks.take(&subnet, "b", Instant::now()));
        assert!(!locks.take(&vault, "b", Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_nobody_cleared_ends_by_itself() {
        let locks = Locks::default();
        assert!(locks.take(&["vault".to_owned()], "a", Instant::now()));
        tokio::time::advance(LONGEST).await;
        assert!(locks.take(&["vault".to_owned()], "b", Instant::now()));
    }
}
