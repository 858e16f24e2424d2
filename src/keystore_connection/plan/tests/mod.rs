//! Tests of the plan: verdicts of every stage, and what follows from them over many passes against a model of the clouds.
#![expect(clippy::similar_names, reason = "want, wait, word and world are the words of this house")]

mod act;
mod bookkeeping;
mod changes;
mod connection_test;
mod cost;
mod credentials;
mod kek_repair;
mod key_encryption_key;
mod keystore;
mod look;
mod network_access;
mod path;
mod private_endpoint;
mod properties;
mod rotation;
mod scenarios;
mod sim;
mod vault;
mod world;

use crate::reconcile::stage::Verdict;

/// A verdict in two or three words: `Met VaultReady`, `Blocked VaultNotFound NotFound`.
fn word(verdict: &Verdict<super::Step>) -> String {
    match verdict {
        Verdict::Met(word) => format!("Met {}", word.reason),
        Verdict::Do(_, word) => format!("Do {}", word.reason),
        Verdict::Wait(waiting) if waiting.person => format!("Await {}", waiting.word.reason),
        Verdict::Wait(waiting) => format!("Wait {}", waiting.word.reason),
        Verdict::Blocked(fault) => format!("Blocked {} {:?}", fault.reason, fault.class),
        Verdict::Unclear(fault) => format!("Unclear {}", fault.reason),
        Verdict::Behind(on) => format!("Behind {}", on.as_str()),
        Verdict::Skipped(word) => format!("Skipped {}", word.reason),
        Verdict::Unchanged => "Unchanged".to_owned(),
    }
}
