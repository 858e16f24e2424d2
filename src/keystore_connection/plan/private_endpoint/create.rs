//! A private endpoint that is not there yet: what must be known and free before it is made.
//!
//! In: subnet, network, neighbours, vault. Out: a verdict. Never: makes a second one in the same network.

use crate::{
    api::condition::ConditionType,
    clouds::{
        azure::{ArmId, PrivateEndpoint, PrivateEndpointDraft, same_location},
        http::Class,
    },
    keystore_connection::{
        desired::PrivateEndpointWanted,
        plan::{Case, Step, faulty},
    },
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
    },
};

pub(super) fn create(case: Case<'_>, wanted: &PrivateEndpointWanted) -> Verdict<Step> {
    let subnet = match &case.seen.subnet {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => {
            let text = format!(
                "There is no subnet {}. Correct spec.privateEndpoint.subnetId in a new object, or create it.",
                wanted.subnet.as_str()
            );
            return Verdict::Blocked(Fault::new(Class::NotFound, "SubnetNotFound", text));
        }
        Seen::Present(subnet) => subnet,
    };
    if let Some(delegation) = subnet.delegations.first() {
        let text = format!(
            "The subnet {} is delegated to {delegation} and takes no private endpoint. Choose another subnet in a new object, or remove the delegation.",
            wanted.subnet.last_segment()
        );
        return Verdict::Blocked(Fault::new(Class::Denied, "SubnetDelegated", text));
    }
    if subnet.provisioning_state.is_running() {
        return Verdict::in_progress("SubnetInProgress", "Azure is changing the subnet.", None);
    }
    let network = match &case.seen.network {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => {
            let text = format!("There is no virtual network {}.", wanted.network.as_str());
            return Verdict::Blocked(Fault::new(Class::NotFound, "VirtualNetworkNotFound", text));
        }
        Seen::Present(network) => network,
    };
    if let Some(location) = wanted.location.as_deref().filter(|location| !same_location(location, &network.location)) {
        let text = format!(
            "spec.privateEndpoint.location is {location}, but the virtual network is in {}. A private endpoint must be where its network is.",
            network.location
        );
        return Verdict::Blocked(Fault::invalid("LocationInvalid", text));
    }
    let neighbours = match &case.seen.neighbours {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Present(neighbours) => neighbours.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    let in_network = |other: &&PrivateEndpoint| {
        other.subnet_id.as_ref().and_then(ArmId::parent).is_some_and(|network| network.same_as(&wanted.network))
    };
    if let Some(other) = neighbours.iter().find(in_network) {
        let text = format!(
            "Private endpoint {} already leads to this Key Vault from the same virtual network; a second one would take over its name in DNS. Name that one in spec.privateEndpoint with adoptionPolicy IfUnowned, or remove it.",
            other.name
        );
        return Verdict::Blocked(Fault::awaiting_person("PrivateEndpointDuplicate", text));
    }
    let Some(vault_id) = case.seen.vault.present().map(|vault| vault.id.clone()) else {
        return Verdict::Behind(ConditionType::VaultReady);
    };
    let draft = PrivateEndpointDraft {
        location: network.location.clone(),
        tags: wanted.tags.clone(),
        subnet_id: wanted.subnet.clone(),
        vault_id,
        network_interface_name: wanted.network_interface_name.clone(),
        private_ip_address: wanted.address.clone(),
        manual_request: wanted.manual_request.clone(),
    };
    let step = Step::CreatePrivateEndpoint { id: wanted.id.clone(), draft };
    Verdict::step(step, "PrivateEndpointInProgress", "The private endpoint is being created.")
}
