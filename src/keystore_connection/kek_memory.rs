//! What one pass remembers of the key-encryption key for the next.
//!
//! In: what was seen and done. Out: a few lines of `status.memory`. Never: decides; losing them costs waiting, or a warning.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::{
    Case, Step,
    kek::judge,
    kek_repair::code,
    kek_words::{NEWS, REMEMBERED},
};
use crate::{
    api::v1alpha1::{KekRefusal, KekRepair, KekState, Memory},
    reconcile::summary::{Done, age},
};

/// Counting further would only rewrite status.
const MOST: u32 = 100;

pub(super) fn remember(case: Case<'_>, done: &Done, step: Option<&Step>, memory: &mut Memory) {
    let judged = judge(case);
    if let Some(key) = judged.filter(|judged| judged.state == KekState::Healthy).and_then(|judged| judged.key) {
        memory.kek_refusal = None;
        memory.kek_repair = memory.kek_repair.take().filter(|repair| age(&repair.done_at, case.now) < REMEMBERED);
        version(case, key.version.as_deref(), memory);
    }
    let made = match step {
        Some(Step::RecoverKey) => false,
        Some(Step::RecreateKey { .. }) => true,
        Some(_) | None => return,
    };
    let before = memory.kek_repair.as_ref().map_or(0, |repair| repair.count);
    let mended = |count| Some(KekRepair { made, done_at: Time(case.now), count });
    match done {
        Done::Wrote => {
            memory.kek_repair = mended(before.saturating_add(1).min(MOST));
            memory.kek_refusal = None;
        }
        // It may have been carried out: that is waited for, but it counts as nothing.
        Done::Failed(fault) if fault.outcome_unknown => memory.kek_repair = mended(before),
        Done::Failed(fault) if !fault.is_passing() => {
            let before = memory.kek_refusal.as_ref().map_or(0, |refusal| refusal.count);
            let count = before.saturating_add(1).min(MOST);
            memory.kek_refusal = Some(KekRefusal { code: code(fault), refused_at: Time(case.now), count });
            return;
        }
        Done::Failed(_) | Done::Nothing | Done::Asked | Done::Answered | Done::Held(..) => return,
    }
    // Whatever version there is next is the operator's own.
    if made {
        (memory.kek_version, memory.kek_changed_at) = (None, None);
    }
}

/// The first version counts as known, another one after a while.
fn version(case: Case<'_>, version: Option<&str>, memory: &mut Memory) {
    let Some(version) = version else { return };
    if memory.kek_version.as_deref().is_none_or(|known| known == version) {
        memory.kek_version = Some(version.to_owned());
        memory.kek_changed_at = None;
        return;
    }
    let since = memory.kek_changed_at.get_or_insert(Time(case.now)).clone();
    if age(&since, case.now) >= NEWS {
        memory.kek_version = Some(version.to_owned());
        memory.kek_changed_at = None;
    }
}
