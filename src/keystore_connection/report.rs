//! Puts one pass of an `AzureKeystoreConnection` into its status.
//!
//! In: what was wanted, seen, planned and done. Out: a [`Report`]. Never: I/O; the driver writes it.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    Pass, Past,
    desired::Desired,
    kek_memory,
    observe::Operation,
    plan::{self, Case, Step},
    usage::Claims,
};
use crate::{
    api::v1alpha1::{
        AzureKeystoreConnection, AzureKeystoreConnectionStatus, AzureStatus, CredentialsInUse, DriftPolicy,
        KeyEncryptionKeyPolicy, KeyEncryptionKeyStatus, Memory, Mode, PendingCreate, UkoStatus,
    },
    clouds::azure::ProvisioningState,
    reconcile::{
        announce::{Age, standing},
        driver::Report,
        expiry::Expiring,
        look::{Look, request, spent_wishes, stamps_due},
        pace::PaceSettings,
        stage::{Seen, Word},
        summary::{self, Done, Frame, summarise, suspend},
    },
};

/// Closed for this long, an earlier reversal is history.
const LASTING: std::time::Duration = std::time::Duration::from_hours(24);

/// Everything a report is made of.
pub(super) struct Told<'a> {
    /// The object.
    pub object: &'a AzureKeystoreConnection,
    /// Its status before.
    pub before: &'a AzureKeystoreConnectionStatus,
    /// What is wanted.
    pub want: &'a Desired,
    /// What status remembered.
    pub past: &'a Past<'a>,
    /// How closely we looked.
    pub look: &'a Look,
    /// What came of it.
    pub pass: &'a Pass,
    /// How old a record of creation may become.
    pub age: Age,
    /// Secrets that end soon.
    pub expiring: Option<Expiring>,
}

/// The report of one pass.
pub(super) fn report(told: &Told<'_>, pace: &PaceSettings, now: Timestamp) -> Report<AzureKeystoreConnectionStatus> {
    let generation = told.object.metadata.generation.unwrap_or_default();
    let pass = told.pass;
    let frame = Frame {
        previous: &told.before.conditions,
        memory: &told.look.memory,
        generation,
        now,
        pace,
        interval: told.past.interval,
        dice: fastrand::f64(),
        mode: told.want.mode,
        quick: pass.quick,
        done: &pass.done,
        report_drift: told.want.drift == DriftPolicy::Report,
        expiring: told.expiring.as_ref(),
        ready: ready(told),
    };
    let summary = summarise(&pass.plan, &frame);
    let tested = pass.tested.is_some();
    let requested = told.look.requested.is_some() && told.look.requested != told.before.last_handled_reconcile_at;
    let done = summary.settled && told.want.mode == Mode::Manage;
    let annotations = told.object.metadata.annotations.as_ref();
    let case = Case { want: told.want, seen: &pass.seen, past: told.past, quick: pass.quick, now };
    let before = [&told.before.last_handled_recreate_at, &told.before.last_handled_take_over].map(Option::as_deref);
    let [last_handled_recreate_at, last_handled_take_over] = spent_wishes(annotations, done, is_taken(case), before);
    let mut status = AzureKeystoreConnectionStatus {
        connection_test: pass.tested.clone().or_else(|| told.before.connection_test.clone()),
        plan: pass.plan.preview(),
        drift: pass.plan.drift.clone(),
        pending_create: pending(told),
        last_failure: summary.failure.or_else(|| told.before.last_failure.clone()),
        last_checked_at: Some(Time(now)),
        last_handled_reconcile_at: told
            .look
            .requested
            .clone()
            .or_else(|| told.before.last_handled_reconcile_at.clone()),
        last_handled_test_at: if tested { request(annotations, "test-requested-at") } else { None }
            .or_else(|| told.before.last_handled_test_at.clone()),
        last_handled_recreate_at,
        last_handled_take_over,
        effective_interval_seconds: u32::try_from(pace.interval(told.object.spec.interval_seconds).as_secs()).ok(),
        observed_generation: generation,
        conditions: summary.conditions,
        ..told.before.clone()
    };
    status.azure = azure(case, told.before.azure.clone());
    status.tls_proxy =
        plan::path::tls_proxy(&told.want.path).or_else(|| status.tls_proxy.filter(|_| path_unread(told)));
    status.uko = uko(told, now);
    status.key_encryption_key = kek(case, told.before.key_encryption_key.clone());
    status.memory = Some(remember(case, told, summary.memory, &status));
    let next = if pass.claims == Claims::Written { std::time::Duration::ZERO } else { summary.next };
    Report { status, next, stamps: requested || stamps_due(told.before.memory.as_ref(), summary.settled, now) }
}

/// Something was taken from the owner that `take-over` names, and nothing of what we want is another's any more.
fn is_taken(case: Case<'_>) -> bool {
    let (take_over, took) = (&case.want.adoption.take_over, &case.past.memory.took_from);
    let keystore = match &case.seen.keystore {
        Seen::Present(keystore) => plan::is_ours(case, keystore),
        Seen::Absent => true,
        Seen::Unknown(_) | Seen::NotLooked => false,
    };
    let endpoint = match (&case.want.private_endpoint, &case.seen.endpoint) {
        (Some(_), Seen::Present(endpoint)) => plan::private_endpoint::is_ours(case, endpoint),
        (None, _) | (Some(_), Seen::Absent) => true,
        (Some(_), Seen::Unknown(_) | Seen::NotLooked) => false,
    };
    take_over.is_some() && take_over == took && keystore && endpoint
}

fn pending(told: &Told<'_>) -> Option<PendingCreate> {
    let pass = told.pass;
    let creates = pass.step.as_ref().and_then(Step::creates);
    let found = |kind: &str| plan::found(&pass.seen, kind);
    let before = told.before.pending_create.as_ref();
    pass.announced.clone().or_else(|| standing(before, creates, &pass.done, told.age, found))
}

fn ready(told: &Told<'_>) -> Word {
    let vault = &told.want.vault.name;
    Word { reason: "KeysCanFlow", message: format!("UKO can distribute keys into Key Vault {vault}.") }
}

/// The `ConnectorEndpoint` could not be read this time, so what it said last stands.
fn path_unread(told: &Told<'_>) -> bool {
    match &told.want.path {
        super::desired::Path::Connector { found, .. } => found.fault().is_some(),
        super::desired::Path::Direct | super::desired::Path::External(_) => false,
    }
}

fn azure(case: Case<'_>, before: Option<AzureStatus>) -> Option<AzureStatus> {
    let seen = case.seen;
    let mut status = before.unwrap_or_default();
    if let Some(vault) = seen.vault.present() {
        status.vault_id = Some(vault.id.as_str().to_owned());
        status.vault_uri.clone_from(&vault.vault_uri);
        status.location = Some(vault.location.clone());
        status.sku = Some(vault.sku.as_str().to_owned());
        status.public_network_access = Some(vault.public_network_access.as_str().to_owned());
    }
    if case.want.private_endpoint.is_none() {
        (status.private_endpoint_id, status.connection_state, status.private_ip_address) = (None, None, None);
    }
    if matches!(seen.vault, Seen::Absent) {
        (status.vault_id, status.vault_uri, status.location, status.sku, status.public_network_access) =
            (None, None, None, None, None);
    }
    match &seen.endpoint {
        Seen::Present(endpoint) => {
            let ours = plan::private_endpoint::is_ours(case, endpoint);
            status.private_endpoint_id = ours.then(|| endpoint.id.as_str().to_owned());
            let there = seen.vault.present().and_then(|vault| vault.connection_of(&endpoint.id));
            let state = there.map_or(&endpoint.connection, |connection| &connection.state);
            status.connection_state = Some(state.status.as_str().to_owned());
        }
        // Under Report the id stays: it says that there was one, and that it is not to be made again by itself.
        Seen::Absent if case.want.drift == DriftPolicy::Report => status.connection_state = None,
        Seen::Absent => (status.private_endpoint_id, status.connection_state) = (None, None),
        Seen::Unknown(_) | Seen::NotLooked => {}
    }
    match (&seen.interface, &seen.endpoint) {
        (Seen::Present(interface), _) => status.private_ip_address = interface.vault_address().map(str::to_owned),
        (Seen::Absent, _) | (_, Seen::Absent) => status.private_ip_address = None,
        (Seen::Unknown(_) | Seen::NotLooked, _) => {}
    }
    (status != AzureStatus::default()).then_some(status)
}

fn uko(told: &Told<'_>, now: Timestamp) -> Option<UkoStatus> {
    let seen = &told.pass.seen;
    let mut status = told.before.uko.clone().unwrap_or_default();
    if seen.base_url.is_some() {
        status.base_url.clone_from(&seen.base_url);
    }
    if let Some([vault]) = seen.uko_vaults.present().map(Vec::as_slice) {
        status.vault_id = Some(vault.id.as_str().to_owned());
    }
    let case = Case { want: told.want, seen, past: told.past, quick: told.pass.quick, now };
    match &seen.keystore {
        // A former one is named until nothing claims to be used by it any more.
        Seen::Present(keystore)
            if plan::is_ours(case, keystore) && (told.pass.claims == Claims::Right || status.keystore_id.is_none()) =>
        {
            status.keystore_id = Some(keystore.id.as_str().to_owned());
        }
        // The id of a removed keystore stays: it says that there was one, and that it is not to be made again by itself.
        Seen::Present(_) | Seen::Absent | Seen::Unknown(_) | Seen::NotLooked => {}
    }
    match (&seen.health, &seen.keystore) {
        (Seen::Present(health), _) => {
            status.health = Some(health.health.as_str().to_owned());
            status.last_heartbeat = health.last_heartbeat.and_then(|at| Timestamp::from_second(at).ok()).map(Time);
        }
        (_, Seen::Absent) => (status.health, status.last_heartbeat) = (None, None),
        (Seen::Absent | Seen::Unknown(_) | Seen::NotLooked, _) => {}
    }
    status.credentials = credentials(case, told, status.credentials);
    (status != UkoStatus::default()).then_some(status)
}

/// Which password UKO has, and whether it was seen well with it.
fn credentials(case: Case<'_>, told: &Told<'_>, before: Option<CredentialsInUse>) -> Option<CredentialsInUse> {
    let fingerprint = told.past.password_fingerprint.clone();
    let secret_name = told.want.password_secret.clone();
    match (sends_password(told), &told.pass.done) {
        (true, Done::Wrote) => fingerprint.map(|fingerprint| CredentialsInUse {
            // The same password once more replaces nothing.
            previous_secret_name: before.and_then(|before| {
                let same = before.fingerprint == fingerprint;
                if same { before.previous_secret_name } else { Some(before.secret_name) }
            }),
            secret_name,
            fingerprint,
            since: Time(case.now),
            proven_at: None,
        }),
        // UKO may have either now, so it gets the Secret's again, whichever that is by then.
        (true, Done::Failed(fault)) if fault.outcome_unknown => {
            before.map(|before| CredentialsInUse { fingerprint: "unknown".to_owned(), ..before })
        }
        (true | false, _) => before.map(|before| {
            // Another Secret with the same password is no rotation, but it is the one in use.
            let same = fingerprint.as_ref() == Some(&before.fingerprint);
            CredentialsInUse {
                secret_name: if same { secret_name } else { before.secret_name },
                proven_at: before.proven_at.or_else(|| plan::rotation::proof(case)),
                ..before
            }
        }),
    }
}

/// Whether the step of this pass brings UKO the password.
fn sends_password(told: &Told<'_>) -> bool {
    use crate::clouds::ibm::KeystoreChange;
    match &told.pass.step {
        Some(Step::CreateKeystore(..)) => true,
        Some(Step::UpdateKeystore { change: KeystoreChange::Connection(change), .. }) => {
            change.azure_service_principal_password.is_some()
        }
        Some(_) | None => false,
    }
}

fn kek(case: Case<'_>, before: Option<KeyEncryptionKeyStatus>) -> Option<KeyEncryptionKeyStatus> {
    if case.want.kek == KeyEncryptionKeyPolicy::Ignore {
        return None;
    }
    let Some(judged) = plan::kek::judge(case) else { return before };
    let at = |seconds: i64| Timestamp::from_second(seconds).ok().map(Time);
    let key = judged.key;
    // The id of a lost key stays: it says that there was one, so that its loss is never taken for a key still to come.
    let last_id = before.and_then(|before| before.key_id);
    Some(KeyEncryptionKeyStatus {
        state: judged.state,
        key_id: key.and_then(|key| key.id.clone()).or(last_id),
        key_type: key.map(|key| key.kty.clone()),
        key_size_bits: key.and_then(|key| key.size_bits),
        operations: key.map(|key| key.ops.clone()).unwrap_or_default(),
        enabled: key.map(|key| key.enabled),
        expires_at: key.and_then(|key| key.expires).and_then(at),
        scheduled_purge_at: judged.purge_at.and_then(at),
        observed_at: Some(Time(case.now)),
        observed_through: Some(judged.through.to_owned()),
    })
}

/// Times that the next pass needs. Each can be lost: then only waiting is.
fn remember(case: Case<'_>, told: &Told<'_>, mut memory: Memory, status: &AzureKeystoreConnectionStatus) -> Memory {
    let now = || Some(Time(case.now));
    let registered = status.uko.as_ref().is_some_and(|uko| uko.keystore_id.is_some());
    let wrote =
        |wanted: fn(&Step) -> bool| told.pass.done == Done::Wrote && told.pass.step.as_ref().is_some_and(wanted);
    if wrote(|step| matches!(step, Step::CreateKeystore(..))) || (registered && memory.registered_at.is_none()) {
        memory.registered_at = now();
    }
    if wrote(|step| matches!(step, Step::RetryPrivateEndpoint { .. })) {
        memory.private_endpoint_retries = Some(memory.private_endpoint_retries.unwrap_or_default().saturating_add(1));
    } else if match &case.seen.endpoint {
        Seen::Absent => true,
        Seen::Present(endpoint) => endpoint.provisioning_state == ProvisioningState::Succeeded,
        Seen::Unknown(_) | Seen::NotLooked => false,
    } {
        memory.private_endpoint_retries = None;
    }
    let tagged = matches!(&told.pass.step, Some(Step::TagPrivateEndpoint { adopt: false, .. }));
    let refused = matches!(&told.pass.done, Done::Failed(fault) if !fault.is_passing());
    if tagged && (refused || told.pass.done == Done::Wrote) {
        memory.tags_set_at = now();
    }
    if wrote(|step| matches!(step, Step::RemovePrivateEndpoint { .. })) {
        memory.replaced_for = case.past.replace_requested.map(Time);
    }
    if wrote(Step::adopts) {
        memory.took_from.clone_from(&case.want.adoption.take_over);
    }
    private_endpoint(case, &mut memory, wrote(|step| matches!(step, Step::CreatePrivateEndpoint { .. })));
    memory.heartbeat_before_rotation = heartbeat_before_rotation(case, told, memory.heartbeat_before_rotation.take());
    tls_proxy_sent(case, told, &mut memory);
    network_access(case, told, &mut memory);
    kek_memory::remember(case, &told.pass.done, told.pass.step.as_ref(), &mut memory);
    memory
}

/// The contact from which another one must differ. The first look after UKO took a password notes it: what was seen before may
/// be older than a contact that UKO made with the earlier password while the change was on its way.
fn heartbeat_before_rotation(case: Case<'_>, told: &Told<'_>, noted: Option<Time>) -> Option<Time> {
    if sends_password(told) && told.pass.done == Done::Wrote {
        return None;
    }
    let waiting =
        case.past.credentials.is_some_and(|held| held.previous_secret_name.is_some() && held.proven_at.is_none());
    let health = case.seen.health.present().filter(|_| waiting && noted.is_none());
    noted
        .or_else(|| health.and_then(|health| Timestamp::from_second(health.last_heartbeat.unwrap_or(0)).ok()).map(Time))
}

fn tls_proxy_sent(case: Case<'_>, told: &Told<'_>, memory: &mut Memory) {
    use crate::clouds::ibm::KeystoreChange;
    if case.seen.keystore.present().is_some_and(|keystore| keystore.tls_proxy.is_some()) {
        memory.tls_proxy_sent = None;
    }
    let sent = match &told.pass.step {
        Some(Step::CreateKeystore(draft, _)) => draft.tls_proxy.clone(),
        Some(Step::UpdateKeystore { change: KeystoreChange::Connection(change), .. }) => change.tls_proxy.clone(),
        Some(_) | None => None,
    };
    if told.pass.done == Done::Wrote && sent.is_some() {
        memory.tls_proxy_sent = sent;
    }
}

/// When it was made, or first seen as ours, and which of its tags are ours.
fn private_endpoint(case: Case<'_>, memory: &mut Memory, made: bool) {
    if made {
        memory.private_endpoint_at = Some(Time(case.now));
    }
    match (&case.want.private_endpoint, &case.seen.endpoint) {
        (None, _) => (memory.private_endpoint_at, memory.tag_names) = (None, Vec::new()),
        (Some(wanted), Seen::Present(endpoint)) if plan::private_endpoint::is_ours(case, endpoint) => {
            memory.private_endpoint_at.get_or_insert(Time(case.now));
            memory.tag_names = plan::private_endpoint::set_by_us(memory, wanted, endpoint);
        }
        (Some(_), Seen::Absent) => memory.tag_names.clear(),
        (Some(_), Seen::Present(_) | Seen::Unknown(_) | Seen::NotLooked) => {}
    }
}

fn network_access(case: Case<'_>, told: &Told<'_>, memory: &mut Memory) {
    use crate::clouds::{azure::PublicAccess, ibm::Health};
    if !case.want.close_public_access {
        (memory.path_facts_since, memory.closed_at, memory.reopened_by_others, memory.path_lost) =
            (None, None, None, None);
        return;
    }
    if !case.quick && matches!(case.seen.operation, Operation::None) {
        let proven = plan::network_access::unproven(case).is_none();
        memory.path_facts_since = if proven { memory.path_facts_since.take().or(Some(Time(case.now))) } else { None };
    }
    let open = case.seen.vault.present().is_some_and(|vault| vault.public_network_access == PublicAccess::Enabled);
    if told.pass.done == Done::Wrote && matches!(told.pass.step, Some(Step::ClosePublicAccess)) {
        if memory.closed_at.is_some() {
            memory.reopened_by_others = Some(memory.reopened_by_others.unwrap_or_default().saturating_add(1));
        }
        memory.closed_at = Some(Time(case.now));
    }
    // Its answer or its record was lost. Somebody else's closing in that moment is taken for ours: that only keeps us from another.
    let closed = case.seen.vault.present().is_some_and(|vault| vault.public_network_access == PublicAccess::Disabled);
    if closed && case.past.was_public && memory.closed_at.is_none() && case.want.mode == Mode::Manage {
        memory.closed_at = Some(Time(case.now));
    }
    let lost = case
        .seen
        .health
        .present()
        .is_some_and(|status| matches!(status.health, Health::NotResponding | Health::ConfigurationError));
    let young = memory.closed_at.as_ref().is_some_and(|at| summary::age(at, case.now) < super::SPREADING);
    if !open && lost && young {
        memory.path_lost = Some(true);
    }
    let long_closed = memory.closed_at.as_ref().is_some_and(|at| summary::age(at, case.now) > LASTING);
    if !open && long_closed {
        memory.reopened_by_others = None;
    }
}

/// Nothing was looked at because the spec says so.
pub(super) fn suspended(
    mut status: AzureKeystoreConnectionStatus,
    generation: i64,
    now: Timestamp,
) -> Report<AzureKeystoreConnectionStatus> {
    status.observed_generation = generation;
    let next = suspend(&mut status.conditions, generation, now);
    Report { status, next, stamps: false }
}
