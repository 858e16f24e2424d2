//! What an object names in its own namespace.
//!
//! In: one object. Out: the names of everything whose change concerns it; what wakes a controller and what it reads are
//! both asked here, so the rule exists once. Never: reads a cluster, knows a namespace.

use std::collections::BTreeSet;

use super::v1alpha1::{
    AzureIdentity, AzureKeystoreConnection, AzureSpec, CaBundle, ConnectorEndpoint, HpcsUko, IbmApiKey,
    IbmAuthentication, IbmTrustedProfile, OidcPassword, OperatorServicePrincipal, SecretHolder, SecretKeyRef,
    SecretRef, ServiceAccountRef, UkoServer, UkoServerAuthentication, UkoServicePrincipal, UkoSpec, WorkloadIdentity,
};

/// Names in the namespace of the object that names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Secrets.
    pub secrets: BTreeSet<String>,
    /// The `ConnectorEndpoint`.
    pub connector_endpoint: Option<String>,
    /// Service accounts for which tokens are minted.
    pub service_accounts: BTreeSet<String>,
}

/// What an `AzureKeystoreConnection` names, whether or not its unions agree with their `type`.
#[must_use]
pub fn of_keystore_connection(object: &AzureKeystoreConnection) -> References {
    let mut found = References {
        connector_endpoint: object.spec.connector_endpoint_ref.as_ref().map(|reference| reference.name.to_string()),
        ..References::default()
    };
    found.azure(&object.spec.azure);
    found.uko(&object.spec.uko);
    found
}

/// What a `ConnectorEndpoint` names, whether or not its union agrees with its `type`.
#[must_use]
pub fn of_connector_endpoint(object: &ConnectorEndpoint) -> References {
    let mut found = References::default();
    found.ibm_authentication(&object.spec.authentication);
    found
}

/// Each of these takes its type apart without `..`: a new member breaks the build until someone has said what it names.
impl References {
    fn azure(&mut self, spec: &AzureSpec) {
        let AzureSpec {
            cloud: _,
            tenant_id: _,
            subscription_id: _,
            resource_group: _,
            vault_name: _,
            service_principal: UkoServicePrincipal { client_id: _, object_id: _, password_secret_ref },
            identity: AzureIdentity { type_: _, service_principal, workload_identity },
            public_network_access: _,
            key_permissions: _,
        } = spec;
        self.secret_key(password_secret_ref);
        if let Some(OperatorServicePrincipal { client_id: _, password_secret_ref, certificate_secret_ref }) =
            service_principal
        {
            for reference in [password_secret_ref, certificate_secret_ref].into_iter().flatten() {
                self.secret_key(reference);
            }
        }
        if let Some(WorkloadIdentity { client_id: _, service_account_ref }) = workload_identity {
            self.service_account(service_account_ref);
        }
    }

    fn uko(&mut self, spec: &UkoSpec) {
        let UkoSpec { hpcs, server, vault: _ } = spec;
        if let Some(HpcsUko { instance_id: _, region: _, authentication }) = hpcs {
            self.ibm_authentication(authentication);
        }
        if let Some(UkoServer { url: _, ca_bundle, authentication }) = server {
            if let Some(CaBundle { secret_ref }) = ca_bundle {
                self.secret_key(secret_ref);
            }
            self.uko_server_authentication(authentication);
        }
    }

    fn ibm_authentication(&mut self, authentication: &IbmAuthentication) {
        let IbmAuthentication { type_: _, api_key, trusted_profile } = authentication;
        if let Some(IbmApiKey { secret_ref }) = api_key {
            self.secret_key(secret_ref);
        }
        if let Some(IbmTrustedProfile { id: _, service_account_ref }) = trusted_profile {
            self.service_account(service_account_ref);
        }
    }

    fn uko_server_authentication(&mut self, authentication: &UkoServerAuthentication) {
        let UkoServerAuthentication { type_: _, oidc_password, passcode, mutual_tls } = authentication;
        if let Some(OidcPassword { provider: _, client_id: _, secret_ref }) = oidc_password {
            self.secret(secret_ref);
        }
        for SecretHolder { secret_ref } in [passcode, mutual_tls].into_iter().flatten() {
            self.secret(secret_ref);
        }
    }

    fn secret_key(&mut self, SecretKeyRef { name, key: _ }: &SecretKeyRef) {
        self.secrets.insert(name.to_string());
    }

    fn secret(&mut self, SecretRef { name }: &SecretRef) {
        self.secrets.insert(name.to_string());
    }

    fn service_account(&mut self, ServiceAccountRef { name }: &ServiceAccountRef) {
        self.service_accounts.insert(name.to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
        names.into_iter().map(str::to_owned).collect()
    }

    /// A connection whose parts are given; what names nothing is the same each time.
    fn connection(identity: &Value, uko: &Value) -> AzureKeystoreConnection {
        let guid = "00000000-0000-4000-8000-000000000000";
        serde_json::from_value(json!({
            "apiVersion": "uko-operator.io/v1alpha1",
            "kind": "AzureKeystoreConnection",
            "metadata": { "name": "payments", "namespace": "keys" },
            "spec": {
                "azure": {
                    "cloud": "AzurePublic", "tenantId": guid, "subscriptionId": guid,
                    "resourceGroup": "rg-keys", "vaultName": "payments-kv",
                    "servicePrincipal": { "clientId": guid, "passwordSecretRef": { "name": "payments-sp" } },
                    "identity": identity,
                },
                "connectorEndpointRef": { "name": "payments" },
                "uko": uko,
                "keystore": { "variant": "Premium" },
            },
        }))
        .unwrap()
    }

    #[test]
    fn secrets_of_a_hosted_uko_are_found() {
        let guid = "00000000-0000-4000-8000-000000000000";
        let found = of_keystore_connection(&connection(
            &json!({ "type": "ServicePrincipal", "servicePrincipal": { "clientId": guid, "certificateSecretRef": { "name": "azure-operator" } } }),
            &json!({
                "hpcs": { "instanceId": guid, "region": "eu-de",
                    "authentication": { "type": "APIKey", "apiKey": { "secretRef": { "name": "ibm-cloud" } } } },
                "vault": { "name": "payments" },
            }),
        ));
        assert_eq!(
            found,
            References {
                secrets: set(["azure-operator", "ibm-cloud", "payments-sp"]),
                connector_endpoint: Some("payments".to_owned()),
                service_accounts: BTreeSet::new(),
            }
        );
    }

    #[test]
    fn secrets_of_a_self_managed_uko_and_service_accounts_are_found() {
        let guid = "00000000-0000-4000-8000-000000000000";
        for (member, authentication) in [
            (
                "oidc",
                json!({ "type": "OidcPassword", "oidcPassword": { "provider": "P", "clientId": "c", "secretRef": { "name": "oidc" } } }),
            ),
            ("passcode", json!({ "type": "Passcode", "passcode": { "secretRef": { "name": "passcode" } } })),
            ("mutual-tls", json!({ "type": "MutualTLS", "mutualTLS": { "secretRef": { "name": "mutual-tls" } } })),
        ] {
            let found = of_keystore_connection(&connection(
                &json!({ "type": "WorkloadIdentity", "workloadIdentity": { "clientId": guid, "serviceAccountRef": { "name": "azure-keys" } } }),
                &json!({
                    "server": { "url": "https://uko.example.com", "caBundle": { "secretRef": { "name": "uko-ca" } },
                        "authentication": authentication },
                    "vault": { "name": "payments" },
                }),
            ));
            assert_eq!(found.secrets, set([member, "payments-sp", "uko-ca"]));
            assert_eq!(found.service_accounts, set(["azure-keys"]));
        }
    }

    #[test]
    fn a_connector_endpoint_names_its_key_or_its_service_account() {
        let endpoint = |authentication: Value| -> ConnectorEndpoint {
            serde_json::from_value(json!({
                "apiVersion": "uko-operator.io/v1alpha1",
                "kind": "ConnectorEndpoint",
                "metadata": { "name": "payments" },
                "spec": {
                    "connector": { "id": "U2F0" },
                    "authentication": authentication,
                    "destination": { "host": "payments-kv.privatelink.vaultcore.azure.net", "port": 443 },
                },
            }))
            .unwrap()
        };
        let by_key = of_connector_endpoint(&endpoint(
            json!({ "type": "APIKey", "apiKey": { "secretRef": { "name": "ibm-cloud", "key": "k" } } }),
        ));
        assert_eq!(by_key.secrets, set(["ibm-cloud"]));
        let by_profile = of_connector_endpoint(&endpoint(
            json!({ "type": "TrustedProfile", "trustedProfile": { "id": "Profile-1", "serviceAccountRef": { "name": "ibm" } } }),
        ));
        assert_eq!(by_profile.service_accounts, set(["ibm"]));
        assert!(by_profile.secrets.is_empty() && by_profile.connector_endpoint.is_none());
    }
}
