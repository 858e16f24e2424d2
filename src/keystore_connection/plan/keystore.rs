//! Stage `KeystoreConnected`: the keystore is registered as asked for, is ours, and UKO reports it healthy.
//!
//! In: the keystore and its health. Out: a verdict. Never: registers a second one; makes one again that somebody removed.

use std::time::Duration;

use super::{
    Case, Step, cost, faulty,
    path::tls_proxy,
    rotation,
    test::{hidden_vault, uko_vault},
};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{Drift, DriftPolicy},
    },
    clouds::{
        http::Class,
        ibm::{
            Health, Keystore, KeystoreChange, UkoVaultId,
            uko::{AzureEnvironment, ConnectionChange, KeystoreKind, LabelChange},
        },
    },
    keystore_connection::{SPREADING, desired::Path},
    reconcile::{
        fault::Fault,
        ownership::{Claim, Mark, cut, unmarked},
        stage::{Seen, Verdict},
        summary::age,
    },
};

/// How long UKO may take for its first look at a keystore.
const FIRST_CHECK: Duration = Duration::from_mins(10);

pub(super) fn keystore_connected(case: Case<'_>, open: Option<ConditionType>, drift: &mut Vec<Drift>) -> Verdict<Step> {
    let keystore = match &case.seen.keystore {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::NotLooked => return unseen(case, open),
        Seen::Absent => return absent(case, open),
        Seen::Present(keystore) => keystore,
    };
    let claim = claim(case, keystore);
    if let Claim::Refused(why) = &claim {
        let text = format!("UKO already has the keystore {} for this Key Vault or of this name: {why}.", keystore.name);
        return Verdict::Blocked(Fault::awaiting_person("ClaimConflict", text));
    }
    let fixed = fixed_differences(case, keystore);
    if !fixed.is_empty() {
        let text = format!(
            "The keystore {} is for something else: {}. Choose another keystore.name.",
            keystore.name,
            fixed.join(", ")
        );
        let reason = if claim == Claim::Ours { "KeystoreMismatch" } else { "AdoptionMismatch" };
        return Verdict::Blocked(Fault::invalid(reason, text));
    }
    if let Some(stage) = open {
        // What UKO says of it is told all the same; only writes wait for the earlier stage.
        return match change(case, keystore, &claim, &mut Vec::new()) {
            Some(_) if healthy(case) => Verdict::Behind(stage),
            Some(_) | None => health(case, keystore),
        };
    }
    change(case, keystore, &claim, drift).unwrap_or_else(|| health(case, keystore))
}

fn unseen(case: Case<'_>, open: Option<ConditionType>) -> Verdict<Step> {
    match (open, uko_vault(case)) {
        (Some(stage), _) => Verdict::Behind(stage),
        (None, Err(verdict)) => verdict,
        (None, Ok(_)) => Verdict::Behind(ConditionType::CredentialsValid),
    }
}

fn absent(case: Case<'_>, open: Option<ConditionType>) -> Verdict<Step> {
    if let Some(fault) = hidden_vault(case) {
        return Verdict::Blocked(fault);
    }
    if case.past.keystore.is_some() && !case.may_recreate() {
        let text = "The keystore was registered and has been removed in UKO. Because it costs money and someone meant it, it is not made again by itself: annotate this object with uko-operator.io/recreate-requested-at: <now, RFC 3339> to have it registered again.";
        return Verdict::Blocked(Fault::awaiting_person("RemovedOutside", text));
    }
    if let Some(stage) = open {
        return Verdict::Behind(stage);
    }
    let vault = match uko_vault(case) {
        Ok(vault) => vault,
        Err(verdict) => return verdict,
    };
    match &case.want.keystores_allowed {
        Some((_, Seen::Unknown(fault))) => return faulty(fault),
        Some((most, Seen::Present(count))) if count >= most => {
            let text = format!(
                "This namespace has or is getting {count} keystores in this UKO, and the operator's policy file allows {most}: each further one costs money{}. Ask whoever runs the operator to raise maxKeystores.",
                cost::beside(*count, case)
            );
            return Verdict::awaiting("AwaitingCostApproval", text);
        }
        Some((_, Seen::Present(_) | Seen::Absent | Seen::NotLooked)) | None => {}
    }
    match case.want.draft(&vault, tls_proxy(&case.want.path)) {
        Ok(draft) => {
            let step = Step::CreateKeystore(draft, cost::of_keystore(case));
            Verdict::step(step, "KeystoreInProgress", "The keystore is being registered.")
        }
        Err(fault) => Verdict::Blocked(fault),
    }
}

/// Ours = the mark, or the id in status without a foreign mark.
fn claim(case: Case<'_>, keystore: &Keystore) -> Claim {
    let mark = Mark::find(&keystore.description);
    match mark {
        Mark::None if case.past.keystore.as_ref() == Some(&keystore.id) => Claim::Ours,
        Mark::None | Mark::Released(_) | Mark::Of(..) => case.want.owner.claim(&mark, &case.want.adoption),
    }
}

pub(in crate::keystore_connection) fn is_ours(case: Case<'_>, keystore: &Keystore) -> bool {
    claim(case, keystore) == Claim::Ours
}

/// What UKO locks once a keystore is connected \[D\]. An answer without the fact is no difference.
fn fixed_differences(case: Case<'_>, have: &Keystore) -> Vec<String> {
    let want = case.want;
    let mut found = Vec::new();
    let mut differs = |name: &str, want: &str, have: &Option<String>| {
        if have.as_deref().is_some_and(|have| !have.eq_ignore_ascii_case(want)) {
            found.push(format!("{name} is {}", have.as_deref().unwrap_or_default()));
        }
    };
    differs("the Key Vault", &want.vault.name, &have.azure_service_name);
    differs("the subscription", &want.vault.subscription_id, &have.azure_subscription_id);
    differs("the tenant", &want.tenant_id, &have.azure_tenant);
    differs("the resource group", &want.vault.resource_group, &have.azure_resource_group);
    if have.kind != KeystoreKind::AzureKeyVault && !have.kind.as_str().is_empty() {
        found.push(format!("its type is {}", have.kind.as_str()));
    }
    if have.azure_environment.as_ref().is_some_and(|have| *have != AzureEnvironment::of(want.cloud.uko_environment())) {
        found.push("it is in another Azure cloud".to_owned());
    }
    if have.azure_variant.as_ref().is_some_and(|have| *have != want.variant()) {
        found.push("its variant is another one".to_owned());
    }
    found
}

/// Labels and connection never travel in one PATCH \[D\].
fn change(case: Case<'_>, have: &Keystore, claim: &Claim, drift: &mut Vec<Drift>) -> Option<Verdict<Step>> {
    let vault = have.vault_id.clone().or_else(|| uko_vault(case).ok())?;
    let labels = labels(case, have, drift);
    let connection = connection(case, have, drift);
    if proxy_left_over(case, have) {
        let text = format!(
            "The keystore {} still goes through a tls_proxy that the spec no longer names, and UKO has no known way to take it away. Disconnect and reconnect the keystore in UKO, or name the proxy again.",
            have.name
        );
        return Some(Verdict::Blocked(Fault::awaiting_person("ReconnectNeeded", text)));
    }
    let name = have.name.clone();
    let Some(handle) = have.handle() else {
        let wanted = *claim == Claim::Adoptable || connection.is_some() || labels.is_some();
        let text = format!(
            "UKO does not tell the version of the keystore {name}, so it cannot be changed safely. Update UKO, or make the spec fit the keystore."
        );
        return wanted.then(|| Verdict::Blocked(Fault::awaiting_person("KeystoreVersionUnknown", text)));
    };
    if *claim == Claim::Adoptable {
        let change = KeystoreChange::Labels(LabelChange {
            description: Some(case.want.owner.marked(&kept(&unmarked(&have.description)))),
            ..LabelChange::default()
        });
        let step = Step::AdoptKeystore { vault, handle, name, change };
        return Some(Verdict::step(step, "AdoptionInProgress", "The keystore is being taken over."));
    }
    if let Some(connection) = connection {
        return Some(update(vault, handle, name, KeystoreChange::Connection(connection)));
    }
    let labels = labels.filter(|_| case.want.drift == DriftPolicy::Correct)?;
    Some(update(vault, handle, name, KeystoreChange::Labels(labels)))
}

/// What of a text of others fits beside our mark.
fn kept(text: &str) -> String {
    cut(text, 110)
}

fn update(
    vault: UkoVaultId,
    handle: crate::clouds::ibm::KeystoreHandle,
    name: String,
    change: KeystoreChange,
) -> Verdict<Step> {
    let step = Step::UpdateKeystore { vault, handle, name, change };
    Verdict::step(step, "KeystoreUpdateInProgress", "The keystore differs from the spec and is being changed.")
}

fn labels(case: Case<'_>, have: &Keystore, drift: &mut Vec<Drift>) -> Option<LabelChange> {
    let want = &case.want.keystore;
    let mut change = LabelChange::default();
    if want.name_managed && want.name != have.name {
        drift.push(Drift { field: "spec.keystore.name".to_owned(), want: want.name.clone(), have: have.name.clone() });
        change.name = Some(want.name.clone());
    }
    let text = unmarked(&have.description);
    let described = want.description.as_ref().filter(|description| **description != text);
    if let Some(description) = described {
        drift.push(Drift {
            field: "spec.keystore.description".to_owned(),
            want: description.clone(),
            have: text.clone(),
        });
    }
    let marked = matches!(Mark::find(&have.description), Mark::Of(..));
    if described.is_some() || !marked {
        change.description = Some(case.want.owner.marked(described.unwrap_or(&kept(&text))));
    }
    if let Some(groups) = &want.groups {
        let sorted = |groups: &[String]| {
            let mut groups = groups.to_vec();
            groups.sort();
            groups
        };
        if sorted(groups) != sorted(&have.groups) {
            drift.push(Drift {
                field: "spec.keystore.groups".to_owned(),
                want: groups.join(", "),
                have: have.groups.join(", "),
            });
            change.groups = Some(groups.clone());
        }
    }
    (change != LabelChange::default()).then_some(change)
}

/// The password shows as a mask, so a fingerprint of what we sent last says whether it is still the Secret's.
fn connection(case: Case<'_>, have: &Keystore, drift: &mut Vec<Drift>) -> Option<ConnectionChange> {
    let want = case.want;
    let mut change = ConnectionChange::default();
    let mut differs = |field: &str, want: &str, have: &str| {
        let different = want != have;
        if different {
            drift.push(Drift { field: field.to_owned(), want: want.to_owned(), have: have.to_owned() });
        }
        different
    };
    if let (Some(location), Some(have)) = (&want.keystore.location, &have.azure_location)
        && differs("spec.keystore.location", location, have)
        && want.drift == DriftPolicy::Correct
    {
        change.azure_location = Some(location.clone());
    }
    // None is what a keystore without a proxy shows, and perhaps what some UKO shows of each: that one is told only once.
    let told = have.tls_proxy.is_none().then_some(case.past.memory.tls_proxy_sent.as_ref()).flatten();
    if let Some(proxy) = tls_proxy(&want.path).filter(|proxy| told != Some(proxy))
        && differs("status.tlsProxy", &proxy, have.tls_proxy.as_deref().unwrap_or("none"))
        && want.drift == DriftPolicy::Correct
    {
        change.tls_proxy = Some(proxy);
    }
    let client_id = have.azure_service_principal_client_id.as_deref();
    if let Some(client_id) = client_id.filter(|client_id| !client_id.eq_ignore_ascii_case(&want.client_id))
        && differs("spec.azure.servicePrincipal.clientId", &want.client_id, client_id)
        && want.drift == DriftPolicy::Correct
    {
        change.azure_service_principal_client_id = Some(want.client_id.clone());
    }
    let held = case.past.credentials.map(|credentials| &credentials.fingerprint);
    // The password belongs to the principal of the spec: UKO never gets it for another one.
    let same_principal = client_id.is_none_or(|client_id| client_id.eq_ignore_ascii_case(&want.client_id));
    let rotated = same_principal && held != case.past.password_fingerprint.as_ref();
    if rotated || change.azure_service_principal_client_id.is_some() {
        change.azure_service_principal_password = want.password.clone().ok();
    }
    (change != ConnectionChange::default()).then_some(change)
}

fn healthy(case: Case<'_>) -> bool {
    case.seen.health.present().is_some_and(|status| status.health == Health::Ok)
}

fn proxy_left_over(case: Case<'_>, have: &Keystore) -> bool {
    matches!(case.want.path, Path::Direct) && have.tls_proxy.as_ref().is_some_and(|proxy| !proxy.is_empty())
}

fn health(case: Case<'_>, keystore: &Keystore) -> Verdict<Step> {
    let name = &keystore.name;
    let status = match &case.seen.health {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => return Verdict::Unchanged,
        Seen::Present(status) => status,
    };
    let stage = ConditionType::KeystoreConnected.as_str();
    // Once that was too long, it stays too long.
    let unchecked = case.past.memory.failures.iter().find(|row| row.stage == stage).is_some_and(|row| {
        row.reason == "HealthUnknown"
            || row.reason == "HealthCheckInProgress" && age(&row.since, case.now) >= FIRST_CHECK
    });
    match &status.health {
        Health::Ok => {
            Verdict::met("KeystoreHealthy", format!("UKO reaches the Key Vault through the keystore {name}."))
        }
        Health::PendingCheck if !unchecked => Verdict::in_progress(
            "HealthCheckInProgress",
            format!("UKO has not looked at the keystore {name} yet."),
            None,
        ),
        Health::PendingCheck => Verdict::Unclear(Fault::new(
            Class::Transient,
            "HealthUnknown",
            format!("UKO has not looked at the keystore {name} for over ten minutes. Look at it in the UKO console."),
        )),
        Health::NotResponding => unhealthy(
            case,
            "UkoNotResponding",
            format!(
                "UKO gets no answer from the Key Vault through the keystore {name}. Look at the connector's agents, the private endpoint and its DNS name."
            ),
        ),
        Health::ConfigurationError => unhealthy(
            case,
            "UkoConfigurationError",
            format!(
                "UKO is refused by the Key Vault through the keystore {name}. Look at the service principal's secret, its key permissions and the tenant."
            ),
        ),
        Health::Other(_) => Verdict::Unclear(Fault::new(
            Class::Transient,
            "HealthUnknown",
            format!("UKO says something of the keystore {name} that this version does not know."),
        )),
    }
}

/// Just after a change, UKO may not have looked again yet.
fn unhealthy(case: Case<'_>, reason: &'static str, text: String) -> Verdict<Step> {
    if let Some(fault) = super::network_access::path_lost(case) {
        return Verdict::Blocked(fault);
    }
    let recent = case.past.memory.registered_at.as_ref().is_some_and(|at| age(at, case.now) < SPREADING)
        || case.past.memory.inputs_changed_at.as_ref().is_some_and(|at| age(at, case.now) < SPREADING);
    let class = if recent { Class::Provisioning } else { Class::AwaitingPerson };
    Verdict::Blocked(rotation::unhealthy(case, class, Fault::new(class, reason, text), SPREADING))
}
