//! The class table of the design, row by row.

use crate::reconcile::{metrics::Outcome, scenario::pace};

use super::*;

const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(NOW + second).unwrap()
}

/// One stage after `KeystoreConnected`, over many passes.
struct Story {
    conditions: Vec<Condition>,
    memory: Memory,
    generation: i64,
    mode: Mode,
    done: Done,
    red: bool,
    drift: Vec<crate::api::v1alpha1::Drift>,
}

impl Story {
    fn new() -> Self {
        Self {
            conditions: Vec::new(),
            memory: Memory::default(),
            generation: 1,
            mode: Mode::Manage,
            done: Done::Nothing,
            red: false,
            drift: Vec::new(),
        }
    }

    fn ready() -> Self {
        let mut story = Self::new();
        story.pass(-60, met());
        story
    }

    fn pass(&mut self, second: i64, verdict: Verdict<()>) -> Duration {
        self.passes(second, vec![verdict])
    }

    fn passes(&mut self, second: i64, verdicts: Vec<Verdict<()>>) -> Duration {
        let kinds =
            [ConditionType::VaultReady, ConditionType::KeystoreConnected, ConditionType::KeyEncryptionKeyHealthy];
        let stages = kinds.into_iter().zip(verdicts);
        let stages = stages.map(|(condition, verdict)| Stage { condition, verdict, red_at_once: self.red }).collect();
        let frame = Frame {
            previous: &self.conditions,
            memory: &self.memory,
            generation: self.generation,
            now: at(second),
            pace: &pace(),
            interval: Duration::from_mins(5),
            dice: 0.5,
            mode: self.mode,
            quick: false,
            done: &self.done,
            report_drift: true,
            expiring: None,
            ready: Word { reason: "AllWell", message: String::new() },
        };
        let summary = summarise(&Plan { stages, drift: self.drift.clone(), later: Vec::new() }, &frame);
        (self.conditions, self.memory) = (summary.conditions, summary.memory);
        summary.next
    }

    /// `False Reason reconciling`.
    fn says(&self) -> String {
        let ready = condition::get(&self.conditions, ConditionType::Ready).unwrap();
        let flag = |kind| condition::get(&self.conditions, kind).is_some();
        let flag = match (flag(ConditionType::Reconciling), flag(ConditionType::Stalled)) {
            (true, true) => panic!("both at once"),
            (true, false) => " reconciling",
            (false, true) => " stalled",
            (false, false) => "",
        };
        assert!(ready.status != "True" || flag.is_empty());
        format!("{} {}{flag}", ready.status, ready.reason)
    }

    fn stage(&self) -> String {
        let stage = condition::get(&self.conditions, ConditionType::VaultReady).unwrap();
        format!("{} {}", stage.status, stage.reason)
    }
}

fn met() -> Verdict<()> {
    Verdict::met("Fine", "")
}

fn blocked(class: Class) -> Verdict<()> {
    Verdict::Blocked(Fault::new(class, "Reason", "Do something."))
}

fn unclear(reason: &'static str) -> Verdict<()> {
    Verdict::Unclear(Fault::new(Class::Transient, reason, "Retried."))
}

fn secs(wait: Duration) -> u64 {
    wait.as_secs()
}

#[test]
fn a_passing_fault_holds_ready_for_the_grace_then_reconciles_until_the_deadline_then_is_red() {
    for class in [Class::Transient, Class::Throttled, Class::Conflict] {
        let mut story = Story::ready();
        story.pass(0, blocked(class));
        assert_eq!((story.says().as_str(), story.stage().as_str()), ("True AllWell", "Unknown Reason"));
        story.pass(299, blocked(class));
        assert_eq!(story.says(), "True AllWell");
        story.pass(300, blocked(class));
        assert_eq!(story.says(), "Unknown Reason reconciling");
        story.pass(300 + 1799, blocked(class));
        assert_eq!(story.says(), "Unknown Reason reconciling");
        story.pass(300 + 1800, blocked(class));
        assert_eq!(story.says(), "False Reason");
        story.pass(4000, met());
        assert_eq!(story.says(), "True AllWell");
        assert!(story.memory.failures.is_empty() && story.memory.progressing_since.is_none());
    }
}

#[test]
fn what_was_never_ready_is_not_held() {
    let mut story = Story::new();
    story.pass(0, blocked(Class::Transient));
    assert_eq!(story.says(), "Unknown Reason reconciling");
}

#[test]
fn one_outage_that_changes_its_reason_or_its_stage_uses_up_one_grace() {
    let mut story = Story::ready();
    for second in (0..300).step_by(60) {
        let reason = if second % 120 == 0 { "AzureUnavailable" } else { "AzureThrottled" };
        story.pass(second, unclear(reason));
        assert_eq!(story.says(), "True AllWell");
    }
    story.passes(300, vec![met(), unclear("UkoUnavailable")]);
    assert_eq!(story.says(), "Unknown UkoUnavailable reconciling");
}

#[test]
fn ready_is_not_held_over_another_generation() {
    let mut story = Story::ready();
    story.generation = 2;
    story.pass(0, blocked(Class::Transient));
    assert_eq!(story.says(), "Unknown Reason reconciling");
}

#[test]
fn progress_reconciles_for_as_long_as_it_takes() {
    for verdict in [Verdict::in_progress("WorkInProgress", "", None), blocked(Class::Provisioning)] {
        let mut story = Story::ready();
        for second in [0, 7200] {
            story.pass(second, verdict.clone());
            assert!(story.says().ends_with("reconciling") && story.says().starts_with("False"), "{}", story.says());
        }
    }
}

#[test]
fn something_missing_reconciles_until_the_deadline() {
    let mut story = Story::ready();
    let first = story.pass(0, blocked(Class::NotFound));
    assert_eq!((story.says().as_str(), secs(first)), ("False Reason reconciling", 30));
    story.pass(1799, blocked(Class::NotFound));
    assert_eq!(story.says(), "False Reason reconciling");
    story.pass(1800, blocked(Class::NotFound));
    assert_eq!(story.says(), "False Reason");
}

#[test]
fn who_waits_for_a_person_is_neither_reconciling_nor_stalled() {
    for verdict in
        [Verdict::awaiting("AwaitingApproval", ""), Verdict::Blocked(Fault::awaiting_person("AwaitingQuota", ""))]
    {
        let mut story = Story::ready();
        for second in [0, 86_400] {
            story.pass(second, verdict.clone());
            assert!(story.says().starts_with("False Awaiting") && !story.says().contains("ing "), "{}", story.says());
            assert!(!story.says().ends_with("reconciling") && !story.says().ends_with("stalled"));
        }
    }
}

#[test]
fn a_missing_role_reconciles_for_five_minutes_only() {
    let mut story = Story::ready();
    for (second, wanted) in [
        (0, "False Reason reconciling"),
        (299, "False Reason reconciling"),
        (300, "False Reason"),
        (90_000, "False Reason"),
    ] {
        story.pass(second, blocked(Class::AwaitingPerson));
        assert_eq!(story.says(), wanted);
    }
}

#[test]
fn what_only_the_spec_can_mend_stalls() {
    for class in [Class::Denied, Class::Invalid] {
        let mut story = Story::ready();
        story.pass(0, blocked(class));
        assert_eq!((story.says().as_str(), story.stage().as_str()), ("False Reason stalled", "False Reason"));
    }
}

#[test]
fn a_loss_is_red_at_once_but_progress_and_outages_are_not() {
    let mut story = Story { red: true, ..Story::ready() };
    story.pass(0, blocked(Class::AwaitingPerson));
    assert_eq!(story.says(), "False Reason");
    story.pass(1, blocked(Class::NotFound));
    assert_eq!(story.says(), "False Reason");
    story.pass(2, blocked(Class::Provisioning));
    assert_eq!(story.says(), "False Reason reconciling");
    let mut story = Story { red: true, ..Story::ready() };
    story.pass(0, blocked(Class::Transient));
    assert_eq!(story.says(), "True AllWell");
}

#[test]
fn what_is_certain_is_told_before_an_outage() {
    let mut story = Story::ready();
    story.passes(0, vec![unclear("AzureUnavailable"), blocked(Class::Invalid)]);
    assert_eq!(story.says(), "False Reason stalled");
}

#[test]
fn a_stage_that_only_waits_never_makes_ready_true() {
    let mut story = Story::ready();
    story.pass(0, Verdict::Behind(ConditionType::CredentialsValid));
    assert_eq!(story.says(), "Unknown WaitingForEarlierStage reconciling");
}

#[test]
fn what_was_not_looked_at_carries_only_where_it_held() {
    let mut story = Story::ready();
    story.pass(0, Verdict::Unchanged);
    assert_eq!((story.says().as_str(), story.stage().as_str()), ("True AllWell", "True Fine"));
    let mut story = Story::new();
    story.pass(0, Verdict::Unchanged);
    assert_eq!((story.says().as_str(), story.stage().as_str()), ("Unknown NotLooked reconciling", "Unknown NotLooked"));
    story.pass(1, blocked(Class::Invalid));
    story.pass(2, Verdict::Unchanged);
    assert_eq!(story.stage(), "False Reason");
    assert!(!story.says().starts_with("True"));
}

#[test]
fn a_skipped_stage_does_not_count() {
    let mut story = Story::new();
    story.pass(0, Verdict::Skipped(Word { reason: "Skipped", message: String::new() }));
    assert_eq!((story.says().as_str(), story.stage().as_str()), ("True AllWell", "Unknown Skipped"));
}

#[test]
fn plan_mode_plans_only_what_it_would_do_and_never_reconciles() {
    let step = || Verdict::step((), "WorkInProgress", "");
    let mut story = Story { mode: Mode::Plan, ..Story::new() };
    story.pass(0, step());
    assert_eq!(story.says(), "False ChangesPlanned");
    story.pass(1, Verdict::in_progress("CloudInProgress", "", None));
    assert_eq!(story.says(), "False CloudInProgress");
    story.pass(2, blocked(Class::NotFound));
    assert_eq!(story.says(), "False Reason");
    story.pass(3, blocked(Class::Invalid));
    assert_eq!(story.says(), "False Reason stalled");
    story.pass(4, met());
    assert_eq!(story.says(), "True NothingToDo");
}

#[test]
fn after_a_write_the_next_look_is_at_once_unless_it_does_not_take() {
    let mut story = Story { done: Done::Wrote, ..Story::new() };
    let waits: Vec<u64> =
        (0..9).map(|second| secs(story.pass(second, Verdict::step((), "WorkInProgress", "")))).collect();
    assert_eq!(waits, [0, 0, 2, 4, 8, 16, 32, 64, 64]);
    assert_eq!(story.memory.last_write_at, Some(Time(at(8))));
    // An answer is looked at at once, however often it was asked for.
    let mut story = Story { done: Done::Answered, ..Story::new() };
    for second in 0..20 {
        assert_eq!(secs(story.pass(second, Verdict::step((), "TestInProgress", ""))), 0);
    }
    // Waiting for a turn is no write.
    let held = Done::Held(Word { reason: "OtherChangeInProgress", message: String::new() }, Duration::from_secs(2));
    let mut story = Story { done: held, ..Story::new() };
    for second in 0..20 {
        assert_eq!(secs(story.pass(second, Verdict::step((), "WorkInProgress", ""))), 2);
    }
    story.done = Done::Wrote;
    assert_eq!(secs(story.pass(20, Verdict::step((), "WorkInProgress", ""))), 0);
}

#[test]
fn a_failed_write_is_told_and_paced_by_its_class() {
    let mut story = Story { done: Done::Failed(Fault::new(Class::Conflict, "ConcurrentChange", "")), ..Story::new() };
    let waits: Vec<u64> =
        (0..4).map(|second| secs(story.pass(second, Verdict::step((), "WorkInProgress", "")))).collect();
    assert_eq!(waits, [0, 4, 8, 16]);
    assert_eq!(story.stage(), "Unknown ConcurrentChange");
}

#[test]
fn only_the_first_step_is_tried_and_the_rest_is_preview() {
    let mut story = Story { done: Done::Failed(Fault::awaiting_person("RoleMissing", "")), ..Story::new() };
    let step = |reason| Verdict::step((), reason, "");
    story.passes(0, vec![step("FirstInProgress"), step("SecondInProgress")]);
    assert_eq!(story.stage(), "False RoleMissing");
    let second = condition::get(&story.conditions, ConditionType::KeystoreConnected).unwrap();
    assert_eq!(second.reason, "SecondInProgress");
}

#[test]
fn a_reason_keeps_its_first_time_and_counts_up_to_eight() {
    let mut story = Story::new();
    for second in 0..20 {
        story.pass(second, blocked(Class::NotFound));
    }
    assert!(matches!(story.memory.failures.as_slice(), [row] if row.since == Time(at(0)) && row.attempts == 8));
    story.pass(20, Verdict::in_progress("WorkInProgress", "", None));
    assert!(matches!(story.memory.failures.as_slice(), [row] if row.since == Time(at(20)) && row.attempts == 1));
}

#[test]
fn waiting_for_a_person_and_a_changed_input_start_the_time_for_progress_anew() {
    let mut story = Story::new();
    story.pass(0, blocked(Class::NotFound));
    story.pass(9_000, Verdict::awaiting("AwaitingApproval", ""));
    assert_eq!(story.memory.progressing_since, None);
    story.pass(9_001, blocked(Class::NotFound));
    assert_eq!(story.says(), "False Reason reconciling");
    story.pass(20_000, blocked(Class::NotFound));
    assert_eq!(story.says(), "False Reason");
    story.memory.inputs_changed_at = Some(Time(at(20_001)));
    story.pass(20_001, blocked(Class::NotFound));
    assert_eq!(story.says(), "False Reason reconciling");
}

#[test]
fn complaints_are_there_only_while_they_are_true() {
    let has = |story: &Story, kind| condition::get(&story.conditions, kind).is_some_and(|found| found.status == "True");
    let mut story = Story::new();
    story.drift =
        vec![crate::api::v1alpha1::Drift { field: "spec.a".to_owned(), want: String::new(), have: String::new() }];
    story.pass(0, Verdict::Blocked(Fault::awaiting_person("ClaimConflict", "")));
    assert!(has(&story, ConditionType::ClaimConflict) && has(&story, ConditionType::Drifted));
    story.drift.clear();
    story.pass(1, met());
    assert!(!has(&story, ConditionType::ClaimConflict) && !has(&story, ConditionType::Drifted));
}

#[test]
fn what_failed_at_a_cloud_is_kept_for_a_support_case() {
    let call = crate::reconcile::fault::FailedCall {
        operation: "arm/GetVault".to_owned(),
        code: Some("Code".to_owned()),
        request_id: None,
        field: None,
    };
    let fault = Fault { call: Some(Box::new(call)), ..Fault::new(Class::Transient, "AzureUnavailable", "") };
    assert_eq!(last_failure(&fault, at(0)).map(|failure| failure.operation), Some("arm/GetVault".to_owned()));
    assert_eq!(last_failure(&Fault::invalid("Ours", ""), at(0)), None);
}

#[test]
fn an_event_tells_a_change_once_and_warns_only_of_what_is_bad() {
    let mut story = Story::new();
    let mut before = Vec::new();
    let mut told = |story: &Story| {
        let events = transitions(&before, &story.conditions);
        before.clone_from(&story.conditions);
        events
            .into_iter()
            .map(|event| format!("{:?} {} {}", event.type_, event.action, event.reason))
            .collect::<Vec<_>>()
    };
    story.pass(0, Verdict::in_progress("WorkInProgress", "", None));
    assert_eq!(told(&story), ["Normal VaultReady WorkInProgress"]);
    story.pass(1, Verdict::in_progress("WorkInProgress", "", None));
    assert_eq!(told(&story), Vec::<String>::new());
    story.pass(2, met());
    assert_eq!(told(&story), ["Normal Ready AllWell", "Normal VaultReady Fine"]);
    story.pass(3, Verdict::Blocked(Fault::awaiting_person("ClaimConflict", "")));
    assert_eq!(told(&story), ["Warning VaultReady ClaimConflict", "Warning ClaimConflict ClaimConflict"]);
    story.pass(4, blocked(Class::Invalid));
    assert_eq!(told(&story), ["Warning VaultReady Reason"]);
    story.pass(5, Verdict::awaiting("AwaitingApproval", ""));
    assert_eq!(told(&story), ["Normal VaultReady AwaitingApproval"]);
    story.pass(6, unclear("AzureUnavailable"));
    assert_eq!(told(&story), Vec::<String>::new());
}

#[test]
fn a_suspended_object_keeps_what_was_known() {
    let mut story = Story::ready();
    suspend(&mut story.conditions, 2, at(0));
    assert_eq!((story.says().as_str(), story.stage().as_str()), ("True Suspended", "True Fine"));
    let mut story = Story::new();
    story.pass(0, blocked(Class::Invalid));
    suspend(&mut story.conditions, 2, at(1));
    assert_eq!((story.says().as_str(), story.stage().as_str()), ("False Suspended", "False Reason"));
}

#[test]
fn an_outcome_is_settled_progressing_or_failed() {
    let of = |verdict| {
        let mut story = Story::new();
        story.pass(0, verdict);
        outcome(&story.conditions)
    };
    assert!(matches!(of(met()), Outcome::Settled));
    assert!(matches!(of(blocked(Class::NotFound)), Outcome::Progressing));
    assert!(matches!(of(blocked(Class::Invalid)), Outcome::Failed));
}

#[test]
fn the_next_look_is_the_soonest_that_any_stage_asks_for_and_never_later_than_the_interval() {
    let mut story = Story::new();
    let waits = story.passes(
        0,
        vec![blocked(Class::Invalid), Verdict::in_progress("WorkInProgress", "", Some(Duration::from_secs(7)))],
    );
    assert_eq!(secs(waits), 7);
    assert!(secs(story.pass(1, blocked(Class::Invalid))) <= 300);
    assert!((240..=300).contains(&secs(story.pass(2, met()))));
}
