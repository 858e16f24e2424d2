//! Who signs in where, and whether that is allowed.
//!
//! In: the spec, Secrets and the policy. Out: credentials, or the fault that says which field to mend. Never: sends anything.

use secrecy::SecretString;

use crate::{
    api::v1alpha1::{
        AzureIdentityType, AzureKeystoreConnectionSpec, AzureSpec, UkoServer, UkoServerAuthenticationType, UkoSpec,
    },
    clouds::{
        azure::{Credential, Proof},
        ibm::{IbmCredential, uko::UkoCredential},
    },
    keystore_connection::resolve,
    reconcile::{fault::Fault, policy_file::Policy, secrets::Secrets},
};

/// A UKO and who signs in there.
#[derive(Clone)]
pub(in crate::keystore_connection) struct Login {
    /// Which UKO.
    pub target: Target,
    /// Who.
    pub credential: UkoCredential,
}

/// Which UKO.
#[derive(Clone)]
pub(in crate::keystore_connection) enum Target {
    /// A Hyper Protect Crypto Services instance; its address is asked from the broker.
    Hpcs {
        /// Region.
        region: String,
        /// Id of the instance.
        instance_id: String,
        /// Who asks the broker.
        credential: IbmCredential,
    },
    /// A server of the customer's own.
    Server {
        /// Its URL.
        url: String,
        /// The CA to trust, in PEM.
        ca: Option<SecretString>,
        /// A client certificate with its key, in PEM.
        identity: Option<SecretString>,
    },
}

/// What only spec or policy file can mend. The first one found; nothing outside is touched while it stands.
pub(super) fn refusal(spec: &AzureKeystoreConnectionSpec, namespace: &str, policy: &Policy) -> Option<Fault> {
    same_identity(spec).or_else(|| not_allowed(spec, namespace, policy))
}

/// An identity of a kind that this version cannot use: then nobody else is asked either.
pub(super) fn unsupported(operator: &Result<Credential, Fault>, login: &Result<Login, Fault>) -> Option<Fault> {
    let faults = [operator.as_ref().err(), login.as_ref().err()];
    faults.into_iter().flatten().find(|fault| fault.is_not_yet_supported()).cloned()
}

/// Whoever holds the operator's rights on ARM could give UKO's principal any right, and the other way round.
fn same_identity(spec: &AzureKeystoreConnectionSpec) -> Option<Fault> {
    let own = &spec.azure.service_principal;
    let operator = spec.azure.identity.service_principal.as_ref()?;
    let same_id = operator.client_id.eq_ignore_ascii_case(&own.client_id);
    let same_secret = [&operator.password_secret_ref, &operator.certificate_secret_ref]
        .into_iter()
        .flatten()
        .any(|reference| reference.name == own.password_secret_ref.name);
    (same_id || same_secret).then(|| {
        Fault::invalid(
            "IdentitiesNotSeparated",
            "spec.azure.identity and spec.azure.servicePrincipal are the same identity. Give the operator a service principal of its own, in a Secret of its own.",
        )
    })
}

fn not_allowed(spec: &AzureKeystoreConnectionSpec, namespace: &str, policy: &Policy) -> Option<Fault> {
    let (answer, field) = match (&spec.uko.hpcs, &spec.uko.server) {
        (Some(hpcs), _) => (policy.allows_instance(namespace, &hpcs.instance_id), "spec.uko.hpcs.instanceId"),
        (None, Some(server)) => (policy.allows_server(namespace, &server.url), "spec.uko.server.url"),
        (None, None) => {
            return Some(Fault::invalid(
                "SpecInvalid",
                "Exactly one of spec.uko.hpcs and spec.uko.server must be set.",
            ));
        }
    };
    let refusal = answer.err()?;
    let lines = refusal.lines();
    let text = format!(
        "{field}: {refusal} by the operator's policy file. Ask whoever runs the operator to add under rules:\n{lines}"
    );
    Some(Fault::invalid("TargetNotAllowed", text))
}

/// The policy's limit for this UKO.
pub(super) fn keystores_allowed(uko: &UkoSpec, namespace: &str, policy: &Policy) -> Option<u32> {
    policy.max_keystores(namespace, resolve::target(uko)?)
}

/// A service principal with a client secret.
pub(super) fn with_secret(azure: &AzureSpec, client_id: &str, secret: SecretString) -> Credential {
    Credential { tenant_id: azure.tenant_id.to_string(), client_id: client_id.to_owned(), proof: Proof::Secret(secret) }
}

/// The operator's own identity towards Azure.
pub(super) fn operator(azure: &AzureSpec, secrets: &Secrets) -> Result<Credential, Fault> {
    let cure = "Use type ServicePrincipal with passwordSecretRef.";
    match (azure.identity.type_, &azure.identity.service_principal) {
        (AzureIdentityType::ServicePrincipal, Some(principal)) => match &principal.password_secret_ref {
            Some(reference) => {
                let field = "spec.azure.identity.servicePrincipal.passwordSecretRef";
                let secret = secrets.value(field, reference, "clientSecret")?;
                Ok(with_secret(azure, &principal.client_id, secret))
            }
            None => Err(Fault::not_yet_supported("spec.azure.identity.servicePrincipal.certificateSecretRef", cure)),
        },
        (AzureIdentityType::ServicePrincipal, None) => Err(Fault::invalid(
            "SpecInvalid",
            "spec.azure.identity.servicePrincipal must be set for type ServicePrincipal.",
        )),
        (AzureIdentityType::WorkloadIdentity, _) => {
            Err(Fault::not_yet_supported("spec.azure.identity.type: WorkloadIdentity", cure))
        }
        (AzureIdentityType::OperatorIdentity, _) => {
            Err(Fault::not_yet_supported("spec.azure.identity.type: OperatorIdentity", cure))
        }
    }
}

/// The UKO and who signs in there.
pub(super) fn login(uko: &UkoSpec, secrets: &Secrets) -> Result<Login, Fault> {
    match (&uko.hpcs, &uko.server) {
        (Some(hpcs), _) => {
            let key = secrets.ibm_api_key("spec.uko.hpcs.authentication", &hpcs.authentication)?;
            let credential = IbmCredential::ApiKey(key);
            Ok(Login {
                target: Target::Hpcs {
                    region: hpcs.region.to_string(),
                    instance_id: hpcs.instance_id.to_string(),
                    credential: credential.clone(),
                },
                credential: UkoCredential::Iam(credential),
            })
        }
        (None, Some(server)) => server_login(server, secrets),
        (None, None) => {
            Err(Fault::invalid("SpecInvalid", "Exactly one of spec.uko.hpcs and spec.uko.server must be set."))
        }
    }
}

fn server_login(server: &UkoServer, secrets: &Secrets) -> Result<Login, Fault> {
    const AUTHENTICATION: &str = "spec.uko.server.authentication";
    let ca = server
        .ca_bundle
        .as_ref()
        .map(|bundle| secrets.value("spec.uko.server.caBundle.secretRef", &bundle.secret_ref, "ca.crt"))
        .transpose()?;
    let authentication = &server.authentication;
    let incomplete =
        || Fault::invalid("SpecInvalid", format!("{AUTHENTICATION}: the member that type names must be set."));
    let mut identity = None;
    let credential = match authentication.type_ {
        UkoServerAuthenticationType::OidcPassword => {
            let oidc = authentication.oidc_password.as_ref().ok_or_else(incomplete)?;
            let (field, name) = ("spec.uko.server.authentication.oidcPassword.secretRef", &oidc.secret_ref.name);
            UkoCredential::OidcPassword {
                provider: oidc.provider.to_string(),
                client_id: oidc.client_id.to_string(),
                client_secret: secrets.optional_key(field, name, "clientSecret")?,
                username: secrets.key(field, name, "username")?,
                password: secrets.key(field, name, "password")?,
            }
        }
        UkoServerAuthenticationType::Passcode => {
            let holder = authentication.passcode.as_ref().ok_or_else(incomplete)?;
            let (field, name) = ("spec.uko.server.authentication.passcode.secretRef", &holder.secret_ref.name);
            UkoCredential::Passcode {
                user_id: secrets.key(field, name, "userId")?,
                passcode: secrets.key(field, name, "passcode")?,
            }
        }
        UkoServerAuthenticationType::MutualTLS => {
            let holder = authentication.mutual_tls.as_ref().ok_or_else(incomplete)?;
            let (field, name) = ("spec.uko.server.authentication.mutualTLS.secretRef", &holder.secret_ref.name);
            let (certificate, key) = (secrets.key(field, name, "tls.crt")?, secrets.key(field, name, "tls.key")?);
            identity = Some(super::super::joined(&certificate, &key));
            UkoCredential::MutualTls
        }
    };
    Ok(Login { target: Target::Server { url: server.url.to_string(), ca, identity }, credential })
}
