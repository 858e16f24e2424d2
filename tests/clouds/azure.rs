//! The Azure clients against the cloud in a box: the whole private path here, refusals and the HTTP stack beside.
//!
//! In: a box of its own for every test. Out: what the clients make of its answers, good and bad.
//! Never: shares a box, sleeps, or asserts an order of calls.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "azure_keys.rs"]
mod keys;
#[path = "azure_refusals.rs"]
mod refusals;
#[path = "azure_stack.rs"]
mod stack;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cloud_in_a_box::server::{self, Options, Running};
use serde_json::{Value, json};
use tempfile::TempDir;
use uko_operator::clouds::{
    azure::{
        Accepted, ArmId, ConnectionStatus, Credential, Entra, KeyVaultData, OperationState, PrivateEndpoint,
        PrivateEndpointDraft, Proof, ProvisioningState, PublicAccess, ResourceManager, Sku, UKO_KEY_PERMISSIONS,
        VaultId,
    },
    hosts::AzureCloud,
    http::{CloudMetrics, Http, HttpSettings, ProxySettings},
    token::TokenCache,
};

const KEK: &str = "EKMF-BYOK-KEK-FOR-IMPORT";

/// A box, and clients that reach nothing else.
struct Azure {
    running: Running,
    seed: Value,
    http: Http,
    cache: Arc<TokenCache>,
    folder: TempDir,
}

impl Azure {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let running = server::start(Options::anywhere(folder.path().to_owned())).await.unwrap();
        let seed = std::fs::read(folder.path().join("seed.json")).unwrap();
        let http = Http::new(&settings(&running, &folder), &CloudMetrics::default()).unwrap();
        Self { running, seed: serde_json::from_slice(&seed).unwrap(), http, cache: Arc::default(), folder }
    }

    /// A member of `seed.json`.
    fn text(&self, pointer: &str) -> String {
        let found = self.seed.pointer(pointer).unwrap();
        found.as_str().unwrap().to_owned()
    }

    fn id(&self, pointer: &str) -> ArmId {
        ArmId::parse(&self.text(pointer)).unwrap()
    }

    fn patch(&self, patch: &Value) {
        self.running.core.world().merge(patch).unwrap();
    }

    fn fault(&self, rule: Value) {
        self.running.core.faults().add(rule).unwrap();
    }

    /// The calls a service got, oldest first, as `GET /requests` shows them.
    fn calls(&self, service: &str) -> Vec<Value> {
        let log = serde_json::to_value(self.running.core.log().after(0)).unwrap();
        let all = log.as_array().unwrap().iter();
        all.filter(|call| call["service"] == service).cloned().collect()
    }

    fn credential(&self, who: &str) -> Credential {
        Credential {
            tenant_id: self.text("/azure/tenantId"),
            client_id: self.text(&format!("/azure/{who}/clientId")),
            proof: Proof::Secret(self.text(&format!("/azure/{who}/clientSecret")).into()),
        }
    }

    fn entra(&self) -> Entra {
        Entra::new(self.http.clone(), Arc::clone(&self.cache))
    }

    fn arm(&self) -> ResourceManager {
        let credential = self.credential("operator");
        ResourceManager::new(self.http.clone(), self.entra(), AzureCloud::Public, credential)
    }

    fn data(&self) -> KeyVaultData {
        let credential = self.credential("operator");
        KeyVaultData::new(self.http.clone(), self.entra(), AzureCloud::Public, credential)
    }

    fn vault(&self) -> VaultId {
        VaultId {
            subscription_id: self.text("/azure/subscriptionId"),
            resource_group: self.text("/azure/resourceGroup"),
            name: self.text("/azure/vaults/premium/name"),
        }
    }

    fn endpoint_id(&self) -> ArmId {
        let subscription = self.text("/azure/subscriptionId");
        let group = self.text("/azure/networkResourceGroup");
        ArmId::of(&subscription, &group, "Microsoft.Network/privateEndpoints", "payments-kv-pe").unwrap()
    }

    fn draft(&self) -> PrivateEndpointDraft {
        PrivateEndpointDraft {
            location: self.text("/azure/location"),
            tags: BTreeMap::from([("uko-operator-owner".into(), "hash".into())]),
            subnet_id: self.id("/azure/subnetId"),
            vault_id: self.vault().arm_id().unwrap(),
            network_interface_name: Some("payments-kv-pe-nic".into()),
            private_ip_address: None,
            manual_request: None,
        }
    }

    /// Asks until an accepted operation is over; the box counts polls, so no clock is involved.
    async fn over(&self, accepted: Accepted) -> OperationState {
        let Some(url) = accepted.operation else {
            return OperationState::Succeeded;
        };
        loop {
            match self.arm().operation(&url).await.unwrap() {
                OperationState::Running { .. } => {}
                done @ (OperationState::Succeeded | OperationState::Failed(_)) => return done,
            }
        }
    }

    async fn endpoint(&self) -> PrivateEndpoint {
        let draft = self.draft();
        let accepted = self.arm().writer().put_private_endpoint(&self.endpoint_id(), &draft).await.unwrap();
        assert!(matches!(self.over(accepted).await, OperationState::Succeeded));
        self.arm().private_endpoint(&self.endpoint_id()).await.unwrap().unwrap()
    }
}

fn settings(running: &Running, folder: &TempDir) -> HttpSettings {
    HttpSettings {
        extra_ca_file: Some(folder.path().join("ca.pem")),
        proxy: ProxySettings { https_proxy: Some(format!("http://{}", running.proxy)), ..ProxySettings::default() },
        read_retry_initial: Duration::from_millis(1),
        ..HttpSettings::default()
    }
}

#[tokio::test]
async fn the_whole_path_is_built_read_back_and_closed() {
    let azure = Azure::start().await;
    let (arm, writer, vault) = (azure.arm(), azure.arm().writer(), azure.vault());
    let seen = arm.vault(&vault).await.unwrap().unwrap();
    assert_eq!((seen.sku, seen.public_network_access), (Sku::Premium, PublicAccess::Enabled));
    assert!(arm.private_endpoint(&azure.endpoint_id()).await.unwrap().is_none());

    let accepted = writer.put_private_endpoint(&azure.endpoint_id(), &azure.draft()).await.unwrap();
    assert!(accepted.operation.is_some() && accepted.retry_after.is_some());
    let half = arm.private_endpoint(&azure.endpoint_id()).await.unwrap().unwrap();
    assert!(half.provisioning_state.is_running(), "the first answer is no success");
    assert!(matches!(azure.over(accepted).await, OperationState::Succeeded));

    let endpoint = arm.private_endpoint(&azure.endpoint_id()).await.unwrap().unwrap();
    assert_eq!(endpoint.provisioning_state, ProvisioningState::Succeeded);
    assert_eq!(endpoint.connection.status, ConnectionStatus::Approved);
    assert_eq!((endpoint.manual, endpoint.group_ids.as_slice()), (false, ["vault".to_owned()].as_slice()));
    let nic = arm.network_interface(&endpoint.nic_id.unwrap()).await.unwrap().unwrap();
    let address = nic.vault_address().unwrap().to_owned();

    let zone = azure.id("/azure/privateDnsZoneId");
    assert_eq!(arm.private_link_zone(&vault).await.unwrap().as_deref(), Some("privatelink.vaultcore.azure.net"));
    assert!(arm.a_record(&zone, &vault.name).await.unwrap().is_none());
    let accepted = writer.put_dns_zone_group(&azure.endpoint_id(), "uko-operator", &zone).await.unwrap();
    assert!(matches!(azure.over(accepted).await, OperationState::Succeeded));
    let groups = arm.dns_zone_groups(&azure.endpoint_id()).await.unwrap();
    assert!(groups.len() == 1 && groups[0].covers(&zone));
    assert!(arm.a_record(&zone, &vault.name).await.unwrap().unwrap().is_exactly(&address));
    let network = azure.id("/azure/vnetId");
    let links = arm.virtual_network_links(&zone).await.unwrap();
    assert!(links.iter().any(|link| link.is_ready() && link.leads_to(&network)));

    writer.close_public_access(&vault).await.unwrap();
    let closed = arm.vault(&vault).await.unwrap().unwrap();
    assert_eq!(closed.public_network_access, PublicAccess::Disabled);
    assert_eq!(closed.connection_of(&azure.endpoint_id()).unwrap().state.status, ConnectionStatus::Approved);
    assert!(azure.calls("unknown").is_empty());
}

#[tokio::test]
async fn a_manual_endpoint_waits_until_its_connection_is_approved() {
    let azure = Azure::start().await;
    let draft = PrivateEndpointDraft {
        manual_request: Some("please".into()),
        private_ip_address: Some("10.0.0.10".into()),
        ..azure.draft()
    };
    let writer = azure.arm().writer();
    let accepted = writer.put_private_endpoint(&azure.endpoint_id(), &draft).await.unwrap();
    assert!(matches!(azure.over(accepted).await, OperationState::Succeeded));
    let waiting = azure.arm().private_endpoint(&azure.endpoint_id()).await.unwrap().unwrap();
    assert!(waiting.manual && waiting.connection.status == ConnectionStatus::Pending);
    assert_eq!(waiting.static_ip.as_deref(), Some("10.0.0.10"));

    let connections = azure.arm().private_endpoint_connections(&azure.vault()).await.unwrap();
    let is_ours = |id: &ArmId| id.same_as(&azure.endpoint_id());
    let ours =
        connections.iter().find(|connection| connection.private_endpoint_id.as_ref().is_some_and(is_ours)).unwrap();
    let accepted = writer.approve_connection(&azure.vault(), &ours.name).await.unwrap();
    assert!(matches!(azure.over(accepted).await, OperationState::Succeeded));
    let approved = azure.arm().private_endpoint(&azure.endpoint_id()).await.unwrap().unwrap();
    assert_eq!(approved.connection.status, ConnectionStatus::Approved);
}

#[tokio::test]
async fn a_change_of_tags_is_over_at_once_and_loses_nothing() {
    let azure = Azure::start().await;
    let before = azure.endpoint().await;
    let changes = BTreeMap::from([("uko-operator-owner".to_owned(), Some("other".to_owned()))]);
    let accepted = azure.arm().writer().update_private_endpoint_tags(&before, &changes).await.unwrap();
    assert!(accepted.operation.is_none());
    let after = azure.arm().private_endpoint(&azure.endpoint_id()).await.unwrap().unwrap();
    assert_eq!(after.tag("uko-operator-owner"), Some("other"));
    assert_eq!((after.nic_id, after.connection, after.target_id), (before.nic_id, before.connection, before.target_id));
}

#[tokio::test]
async fn a_deleted_endpoint_is_gone_and_deleting_it_again_is_a_success() {
    let azure = Azure::start().await;
    azure.endpoint().await;
    let writer = azure.arm().writer();
    let accepted = writer.delete_private_endpoint(&azure.endpoint_id()).await.unwrap();
    assert!(matches!(azure.over(accepted).await, OperationState::Succeeded));
    assert!(azure.arm().private_endpoint(&azure.endpoint_id()).await.unwrap().is_none());
    assert!(writer.delete_private_endpoint(&azure.endpoint_id()).await.unwrap().operation.is_none());
}

#[tokio::test]
async fn the_surroundings_are_read_page_by_page_and_in_any_case() {
    let azure = Azure::start().await;
    azure.patch(&json!({"settings": {"pageSize": 1, "idCase": "mixed"}}));
    azure.endpoint().await;
    let subnet = azure.arm().subnet(&azure.id("/azure/subnetId")).await.unwrap().unwrap();
    assert_eq!((subnet.prefixes.as_slice(), subnet.delegations.len()), (["10.0.0.0/24".to_owned()].as_slice(), 0));
    assert!(subnet.private_endpoint_ids.iter().any(|id| id.same_as(&azure.endpoint_id())));
    let network = azure.arm().virtual_network(&azure.id("/azure/vnetId")).await.unwrap().unwrap();
    assert_eq!(network.location, azure.text("/azure/location"));
    let vault = azure.arm().vault(&azure.vault()).await.unwrap().unwrap();
    assert!(vault.id.same_as(&azure.vault().arm_id().unwrap()) && vault.connection_of(&azure.endpoint_id()).is_some());
}

#[tokio::test]
async fn missing_key_permissions_are_added_and_others_are_kept() {
    let azure = Azure::start().await;
    let (tenant, stranger) = (azure.text("/azure/tenantId"), "11111111-1111-4111-8111-111111111111");
    let before = azure.arm().vault(&azure.vault()).await.unwrap().unwrap();
    assert_eq!(before.missing_key_permissions(&tenant, stranger), UKO_KEY_PERMISSIONS);
    assert!(before.missing_key_permissions(&tenant, &azure.text("/azure/servicePrincipal/objectId")).is_empty());
    let writer = azure.arm().writer();
    writer.add_access_policy(&azure.vault(), &tenant, stranger, &UKO_KEY_PERMISSIONS).await.unwrap();
    let after = azure.arm().vault(&azure.vault()).await.unwrap().unwrap();
    assert!(after.missing_key_permissions(&tenant, stranger).is_empty());
    assert_eq!(after.access_policies.len(), before.access_policies.len() + 1);
}

#[tokio::test]
async fn roles_on_the_vault_are_listed_for_one_identity() {
    let azure = Azure::start().await;
    let owner = azure.arm().role_assignments(&azure.vault(), &azure.text("/azure/operator/objectId")).await.unwrap();
    assert!(!owner.is_empty() && owner.iter().all(|assignment| assignment.covers(&azure.vault().arm_id().unwrap())));
    let nobody =
        azure.arm().role_assignments(&azure.vault(), &azure.text("/azure/servicePrincipal/objectId")).await.unwrap();
    assert!(nobody.is_empty());
}
