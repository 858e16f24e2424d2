//! The key-encryption key through both windows, and the tokens that open them.

use super::{Azure, KEK, Value, json};
use uko_operator::clouds::{
    azure::{Audience, Credential, Proof},
    hosts::AzureCloud,
    http::Class,
};

#[tokio::test]
async fn a_key_made_through_resource_manager_is_seen_through_both_windows() {
    let azure = Azure::start().await;
    let vault = azure.vault();
    assert!(azure.arm().key(&vault, KEK).await.unwrap().is_none());
    assert!(azure.data().key(&vault.name, KEK).await.unwrap().is_none());
    let made = azure.arm().writer().create_key(&vault, KEK, 4096).await.unwrap();
    let again = azure.arm().writer().create_key(&vault, KEK, 2048).await.unwrap();
    assert_eq!(
        (made.version.clone(), again.size_bits),
        (again.version, Some(4096)),
        "the key that is there is returned unchanged"
    );
    let inside = azure.data().key(&vault.name, KEK).await.unwrap().unwrap();
    let outside = azure.arm().key(&vault, KEK).await.unwrap().unwrap();
    for key in [inside, outside] {
        assert_eq!((key.kty.as_str(), key.size_bits, key.ops), ("RSA-HSM", Some(4096), vec!["import".to_owned()]));
        assert!(key.enabled && key.version == made.version);
    }
}

#[tokio::test]
async fn a_deleted_key_is_found_and_recovered_by_the_data_plane_alone() {
    let azure = Azure::start().await;
    let vault = azure.vault();
    azure.arm().writer().create_key(&vault, KEK, 4096).await.unwrap();
    let deleted = json!({"azure": {"vaults": {&vault.name: {"keys": {KEK: {"deleted": {"deletedDate": 1_700_000_000, "scheduledPurgeDate": 1_907_776_000}}}}}}});
    azure.patch(&deleted);
    assert!(azure.data().key(&vault.name, KEK).await.unwrap().is_none());
    assert!(azure.arm().key(&vault, KEK).await.unwrap().is_none());
    let twin = azure.data().deleted_key(&vault.name, KEK).await.unwrap().unwrap();
    assert_eq!(twin.scheduled_purge_at, Some(1_907_776_000));
    let refused = azure.arm().writer().create_key(&vault, KEK, 4096).await.unwrap_err();
    assert_eq!(refused.reason, "KekSoftDeleted");
    azure.data().writer().recover_key(&vault.name, KEK).await.unwrap();
    assert!(azure.data().key(&vault.name, KEK).await.unwrap().is_some());
    assert!(azure.data().deleted_key(&vault.name, KEK).await.unwrap().is_none());
}

#[tokio::test]
async fn where_the_operator_stands_is_told_apart_from_what_it_may_do() {
    let azure = Azure::start().await;
    let vault = azure.vault();
    let reason = async || azure.data().key(&vault.name, KEK).await.unwrap_err().reason;
    let closed = |access: &str| json!({"azure": {"vaults": {&vault.name: {"publicNetworkAccess": access}}}});
    azure.patch(&closed("Disabled"));
    assert_eq!(reason().await, "NotOnPrivatePath");
    assert!(azure.arm().key(&vault, KEK).await.unwrap().is_none(), "Resource Manager's window stays open");
    azure.patch(&closed("SecuredByPerimeter"));
    assert_eq!(reason().await, "BlockedByPerimeter");
    azure.patch(&closed("Enabled"));
    azure.patch(&json!({"azure": {"vaults": {&vault.name: {"networkAcls": {"defaultAction": "Deny"}}}}}));
    assert_eq!(reason().await, "BlockedByVaultFirewall");
    azure.patch(&json!({"azure": {"vaults": {&vault.name: {"networkAcls": null, "accessPolicies": []}}}}));
    assert_eq!(reason().await, "VaultAccessDenied");
    azure.patch(&json!({"azure": {"vaults": {&vault.name: {"enableRbacAuthorization": true}}}}));
    assert_eq!(reason().await, "VaultRoleMissing");
    azure.patch(&json!({"settings": {"armKeyForbiddenByRbac": true}}));
    assert_eq!(azure.arm().key(&vault, KEK).await.unwrap_err().reason, "VaultRoleMissing");
}

#[tokio::test]
async fn a_hundred_looks_cost_one_token_which_names_its_bearer() {
    let azure = Azure::start().await;
    let credential = azure.credential("servicePrincipal");
    let entra = azure.entra();
    let looks = (0..100).map(|_| entra.token(AzureCloud::Public, &credential, Audience::KeyVault));
    let tokens = futures::future::join_all(looks).await;
    let oid = azure.text("/azure/servicePrincipal/objectId");
    for token in tokens {
        assert_eq!(token.unwrap().claims.oid.as_deref(), Some(oid.as_str()));
    }
    assert_eq!(azure.calls("entra").len(), 1);
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_and_a_right_one_works_at_once() {
    let azure = Azure::start().await;
    let entra = azure.entra();
    let right = azure.credential("operator");
    let refused = async |credential: Credential| {
        let error = entra.token(AzureCloud::Public, &credential, Audience::ResourceManager).await.unwrap_err();
        (error.class, error.reason, error.code.clone(), error.request_id.is_some())
    };
    let wrong_secret = Credential { proof: Proof::Secret("wrong".into()), ..right.clone() };
    assert_eq!(refused(wrong_secret).await, (Class::Denied, "ClientSecretInvalid", Some("AADSTS7000215".into()), true));
    let wrong_app = Credential { client_id: "11111111-1111-4111-8111-111111111111".into(), ..right.clone() };
    assert_eq!(refused(wrong_app).await.1, "ApplicationNotFound");
    let wrong_tenant = Credential { tenant_id: "11111111-1111-4111-8111-111111111111".into(), ..right.clone() };
    assert_eq!(refused(wrong_tenant).await.1, "TenantNotFound");
    assert!(entra.token(AzureCloud::Public, &right, Audience::ResourceManager).await.is_ok());
}

#[tokio::test]
async fn a_federated_token_is_exchanged_and_a_foreign_subject_is_not() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let azure = Azure::start().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let assertion = |subject: &str| {
        let claims = json!({"iss": "https://kubernetes.default.svc", "sub": subject, "aud": ["api://AzureADTokenExchange"], "iat": now, "nbf": now, "exp": now + 3600});
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        Proof::Assertion(format!("{}.{}.c2ln", part(json!({"alg": "RS256", "kid": "k"})), part(claims)).into())
    };
    let credential = |subject: &str| Credential { proof: assertion(subject), ..azure.credential("operator") };
    let token = |credential: Credential| {
        let entra = azure.entra();
        async move { entra.token(AzureCloud::Public, &credential, Audience::ResourceManager).await }
    };
    let good = token(credential("system:serviceaccount:uko-operator:uko-operator")).await.unwrap();
    assert_eq!(good.claims.oid, Some(azure.text("/azure/operator/objectId")));
    let foreign = token(credential("system:serviceaccount:default:default")).await.unwrap_err();
    assert_eq!((foreign.class, foreign.reason), (Class::AwaitingPerson, "FederatedIdentityMismatch"));
}

#[tokio::test]
async fn the_other_clouds_have_hosts_of_their_own() {
    let azure = Azure::start().await;
    for (cloud, member) in [(AzureCloud::China, "azureChina"), (AzureCloud::UsGovernment, "azureUSGovernment")] {
        let text = |name: &str| azure.text(&format!("/{member}/{name}"));
        let credential = Credential {
            tenant_id: text("tenantId"),
            client_id: text("operator/clientId"),
            proof: Proof::Secret(text("operator/clientSecret").into()),
        };
        let (arm, data) = (
            super::ResourceManager::new(azure.http.clone(), azure.entra(), cloud, credential.clone()),
            super::KeyVaultData::new(azure.http.clone(), azure.entra(), cloud, credential),
        );
        let vault = super::VaultId {
            subscription_id: text("subscriptionId"),
            resource_group: text("resourceGroup"),
            name: text("vaults/premium/name"),
        };
        let uri = arm.vault(&vault).await.unwrap().unwrap().vault_uri.unwrap();
        assert!(uri.contains(cloud.vault_suffix()));
        assert!(data.key(&vault.name, KEK).await.unwrap().is_none());
    }
    assert!(azure.calls("unknown").is_empty());
}
