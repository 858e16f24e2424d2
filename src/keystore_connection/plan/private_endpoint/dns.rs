//! Address and name of an approved private endpoint: its network interface and its DNS zone group.
//!
//! In: interface, zone groups, A record. Out: a verdict. Never: changes a zone group that the operator did not make.

use super::connection::lagging;
use crate::{
    api::v1alpha1::{Drift, DriftPolicy},
    clouds::azure::{ArmId, DnsZoneGroup, PrivateEndpoint, ProvisioningState},
    keystore_connection::{
        ZONE_GROUP,
        desired::PrivateEndpointWanted,
        plan::{Case, Step, faulty},
    },
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
    },
};

const FIELD: &str = "spec.privateEndpoint.privateDnsZoneId";

pub(super) fn addressed(
    case: Case<'_>,
    wanted: &PrivateEndpointWanted,
    endpoint: &PrivateEndpoint,
    drift: &mut Vec<Drift>,
) -> Verdict<Step> {
    let address = match &case.seen.interface {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Present(interface) => interface.vault_address(),
        Seen::Absent | Seen::NotLooked => None,
    };
    let Some(address) = address else {
        return lagging(case, &format!("Private endpoint {} has no address yet.", endpoint.name));
    };
    let met = |dns: &str| {
        Verdict::met(
            "PrivateEndpointReady",
            format!("Private endpoint {} is approved and has the address {address}.{dns}", endpoint.name),
        )
    };
    let Some(zone) = &wanted.zone else { return met("") };
    let groups = match &case.seen.zone_groups {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Present(groups) => groups.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    match (groups.iter().find(|group| group.covers(zone)), groups.first()) {
        (Some(group), _) | (None, Some(group)) if group.provisioning_state.is_running() => Verdict::in_progress(
            "DnsZoneGroupInProgress",
            "Azure is changing the private endpoint's DNS zone group.",
            None,
        ),
        (Some(group), _)
            if matches!(group.provisioning_state, ProvisioningState::Failed | ProvisioningState::Canceled) =>
        {
            let text = format!(
                "Azure could not finish the DNS zone group {} of private endpoint {}. Look at the activity log; delete the group to have it made anew.",
                group.name, endpoint.name
            );
            Verdict::Blocked(Fault::awaiting_person("DnsZoneGroupFailed", text))
        }
        (Some(_), _) => met(record(case, address)),
        (None, Some(other)) if other.name.eq_ignore_ascii_case(ZONE_GROUP) => {
            drift.push(differs(zone, other));
            if case.want.drift == DriftPolicy::Report {
                return met(" Its DNS zone group is for another zone (DriftReported).");
            }
            // Its record goes with the group, so the zone that is to hold the next one must be there, and be seen.
            match &case.seen.links {
                Seen::Unknown(fault) => return faulty(fault),
                Seen::Absent | Seen::NotLooked => return lagging(case, "The new DNS zone has not been looked at yet."),
                Seen::Present(_) => {}
            }
            // Azure takes another zone into a group that is there, but does not do it reliably [P].
            let step = Step::RemoveDnsZoneGroup { group: other.id.clone() };
            let text = "The DNS zone group is for another zone and is being replaced.";
            Verdict::step(step, "DnsZoneGroupInProgress", text)
        }
        (None, Some(other)) => {
            drift.push(differs(zone, other));
            let text = format!(
                "Private endpoint {} has the DNS zone group {}, which is for another zone than spec.privateEndpoint.privateDnsZoneId, and which the operator did not make. Azure keeps one group an endpoint: correct the spec, or delete that group.",
                endpoint.name, other.name
            );
            Verdict::Blocked(Fault::awaiting_person("DnsZoneGroupMismatch", text))
        }
        (None, None) if case.only_reports() => {
            drift.push(Drift { field: FIELD.to_owned(), want: zone.as_str().to_owned(), have: String::new() });
            met(" Its DNS zone group is gone (DriftReported).")
        }
        (None, None) => {
            let step = Step::CreateDnsZoneGroup { endpoint: endpoint.id.clone(), zone: zone.clone() };
            Verdict::step(step, "DnsZoneGroupInProgress", "The DNS zone group is being created.")
        }
    }
}

fn differs(zone: &ArmId, group: &DnsZoneGroup) -> Drift {
    let zones = group.zones.iter().filter_map(|config| config.zone_id.as_ref());
    let have = zones.map(|zone| zone.as_str().to_owned()).collect::<Vec<_>>().join(", ");
    Drift { field: FIELD.to_owned(), want: zone.as_str().to_owned(), have }
}

/// Advisory: whether anyone can resolve the name shows in UKO's own health.
fn record(case: Case<'_>, address: &str) -> &'static str {
    match &case.seen.record {
        Seen::Present(record) if record.is_exactly(address) => "",
        Seen::Present(_) => " Its A record says something else (DnsRecordMismatch).",
        Seen::Absent => " Its A record is not there yet.",
        Seen::Unknown(_) | Seen::NotLooked => "",
    }
}
