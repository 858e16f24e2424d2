//! A UKO keystore of type Azure Key Vault: what is read, what is asked for, what is changed.
//!
//! In: nothing. Out: the types the planner compares and builds.
//! Never: holds the password that UKO shows; it is a mask.

use secrecy::{ExposeSecret, SecretString};

use crate::clouds::ibm::{ETag, KeystoreId, UkoVaultId, word::words};

words! {
    /// What kind of keystore it is; only Azure Key Vaults are made here, but names are shared by all kinds \[S\].
    KeystoreKind {
        /// An Azure Key Vault.
        AzureKeyVault = "azure_key_vault",
        /// AWS KMS.
        AwsKms = "aws_kms",
        /// A CCA keystore.
        Cca = "cca",
        /// Google Cloud KMS.
        GoogleKms = "google_kms",
        /// IBM Cloud KMS.
        IbmCloudKms = "ibm_cloud_kms",
    }
}

words! {
    /// The Azure cloud, in UKO's words \[S\].
    AzureEnvironment {
        /// The public cloud.
        Azure = "azure",
        /// Azure in China.
        AzureChina = "azure_china",
        /// Azure in Germany, closed by Microsoft in 2021.
        AzureGermany = "azure_germany",
        /// Azure for the US government.
        AzureUsGovernment = "azure_us_government",
    }
}

words! {
    /// The tier of the Key Vault; known to servers since 4.13 \[S\].
    AzureVariant {
        /// Software keys.
        Standard = "standard",
        /// Keys in an HSM as well.
        Premium = "premium",
    }
}

words! {
    /// What UKO says of its connection to the keystore \[S\].
    Health {
        /// The last contact was good.
        Ok = "ok",
        /// The vault does not answer.
        NotResponding = "not_responding",
        /// The vault answers, and refuses.
        ConfigurationError = "configuration_error",
        /// Not looked at yet; since 4.13.
        PendingCheck = "pending_check",
    }
}

/// The health of a keystore's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeystoreStatus {
    /// What UKO says; `Other("")` when it says nothing.
    pub health: Health,
    /// The last good contact, seconds since 1970 UTC.
    pub last_heartbeat: Option<i64>,
}

/// A keystore as UKO shows it. `None` is "not in the answer", which an older server means by nothing in particular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystore {
    /// Its id.
    pub id: KeystoreId,
    /// The vault it belongs to, for ever.
    pub vault_id: Option<UkoVaultId>,
    /// What kind it is.
    pub kind: KeystoreKind,
    /// Its name.
    pub name: String,
    /// Its description; the last line may hold an ownership mark.
    pub description: String,
    /// Its groups; UKO chooses one equal to the name when none was given \[E\].
    pub groups: Vec<String>,
    /// `host:port` that UKO connects to instead of the public address.
    pub tls_proxy: Option<String>,
    /// The Key Vault's name.
    pub azure_service_name: Option<String>,
    /// The Key Vault's resource group.
    pub azure_resource_group: Option<String>,
    /// The Key Vault's region in UKO's words.
    pub azure_location: Option<String>,
    /// The service principal UKO signs in with.
    pub azure_service_principal_client_id: Option<String>,
    /// The Entra tenant.
    pub azure_tenant: Option<String>,
    /// The subscription.
    pub azure_subscription_id: Option<String>,
    /// The Azure cloud.
    pub azure_environment: Option<AzureEnvironment>,
    /// The tier.
    pub azure_variant: Option<AzureVariant>,
    /// Its health, where the answer carries it (since 4.13).
    pub status: Option<KeystoreStatus>,
    /// Its version; only a read or a write of the one keystore carries it, a list does not.
    pub etag: Option<ETag>,
}

impl Keystore {
    /// What a change or a disconnect must hold; `None` until the one keystore was read.
    #[must_use]
    pub fn handle(&self) -> Option<KeystoreHandle> {
        Some(KeystoreHandle { id: self.id.clone(), etag: self.etag.clone()? })
    }
}

/// A keystore at the version that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeystoreHandle {
    /// Which keystore.
    pub id: KeystoreId,
    /// Which version of it.
    pub etag: ETag,
}

/// The client secret of the service principal UKO uses. Never shown; compared so that a draft can be.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<SecretString> for Password {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Password {}

/// A keystore to be registered, or only to be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeystoreDraft {
    /// The vault it will belong to, for ever.
    pub vault_id: UkoVaultId,
    /// Its name, 1..=100.
    pub name: String,
    /// Its description with the ownership mark, at most 200.
    pub description: String,
    /// Its groups; `None` lets UKO choose.
    pub groups: Option<Vec<String>>,
    /// `host:port`, no scheme \[E\]; `None` is the public path.
    pub tls_proxy: Option<String>,
    /// The Key Vault's name.
    pub azure_service_name: String,
    /// The Key Vault's resource group.
    pub azure_resource_group: String,
    /// The Key Vault's region in UKO's words; required by servers up to 4.12.
    pub azure_location: Option<String>,
    /// The service principal UKO signs in with.
    pub azure_service_principal_client_id: String,
    /// Its client secret.
    pub azure_service_principal_password: Password,
    /// The Entra tenant.
    pub azure_tenant: String,
    /// The subscription.
    pub azure_subscription_id: String,
    /// The Azure cloud; sent always, since servers up to 4.12 require it.
    pub azure_environment: AzureEnvironment,
    /// The tier.
    pub azure_variant: AzureVariant,
}

/// One PATCH. Labels and connection never travel together: IBM's console asks to change them one by one \[D\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeystoreChange {
    /// What people read.
    Labels(LabelChange),
    /// How UKO reaches the Key Vault.
    Connection(ConnectionChange),
}

/// New labels; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description, mark included.
    pub description: Option<String>,
    /// The whole new list of groups.
    pub groups: Option<Vec<String>>,
}

/// New connection properties; what is `None` stays as it is. The Key Vault itself cannot be exchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionChange {
    /// A new `host:port`. Whether UKO takes it on a connected keystore is unpublished \[I\]. There is no known way to remove it.
    pub tls_proxy: Option<String>,
    /// Another service principal.
    pub azure_service_principal_client_id: Option<String>,
    /// Its new secret; only when it changed, and never the mask.
    pub azure_service_principal_password: Option<Password>,
    /// Another word for the region.
    pub azure_location: Option<String>,
}

/// The keys that keep a keystore from being disconnected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledKeys {
    /// How many there are.
    pub count: u64,
    /// Labels of the first few, for the message that asks a person to destroy them.
    pub labels: Vec<String>,
}
