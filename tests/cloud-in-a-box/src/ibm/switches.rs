//! How IBM behaves where it publishes nothing.
//! In: nothing. Out: a value per open question, each with the likeliest answer as its default.
//! Never: holds what IBM documents.

use serde::{Deserialize, Serialize};

/// The open questions. Each is settable through `/state` under `ibm.switches`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent question that IBM leaves open")]
pub struct Switches {
    /// Reads of a new Link endpoint that still show no client address \[I].
    pub reads_to_client_address: u32,
    /// Are names of endpoints and sources unique per connector \[I]?
    pub unique_link_names: bool,
    /// Does Link keep the `created_by` that it is given \[I]? If not, it shows the caller's IAM id.
    pub created_by_kept: bool,
    /// The quota of `location` endpoints \[D], and its refusal \[I].
    pub endpoint_quota: Quota,
    /// The status that Link gives a new endpoint or source \[S: 200].
    pub link_created: u16,
    /// The address from which UKO reaches a Link endpoint \[I].
    pub uko_source_address: String,
    /// May a keystore's name hold a hyphen \[I]?
    pub hyphen_in_names: bool,
    /// May a service principal's password hold a tilde \[I]?
    pub tilde_in_secrets: bool,
    /// Is `azure_location` required, one of 44, as up to 4.12 \[S]?
    pub azure_location_required: bool,
    /// Is `azure_environment` required, as up to 4.12 \[S]?
    pub azure_environment_required: bool,
    /// Is the header `UKO-Vault` required, as up to 4.7 \[S]?
    pub vault_header_required: bool,
    /// Is one PATCH refused that changes name and connection properties \[I]?
    pub mixed_patch_refused: bool,
    /// What happens to fields that IBM's page locks \[I].
    pub locked_fields: LockedFields,
    /// May `tls_proxy` change \[I]?
    pub tls_proxy_mutable: bool,
    /// Is a masked password sent back taken as "unchanged" \[I]? If not, it is the new password.
    pub masked_password_ignored: bool,
    /// What a second keystore of one name in one vault gets \[I].
    pub duplicate_names: DuplicateNames,
    /// The status for a stale `If-Match` \[I: 412 or 409].
    pub stale_etag: u16,
    /// The status when keys or keystores block a delete \[I].
    pub blocked_delete: u16,
    /// What a connection test answers \[I].
    pub dry_run_answers: DryRunAnswers,
    /// Does a create fail when the connection does not work \[I]?
    pub create_tests_connection: bool,
    /// Does a PATCH fail when the connection would not work \[I]?
    pub patch_tests_connection: bool,
    /// Status reads that say `pending_check` after a create \[I].
    pub pending_checks: u32,
    /// The size of the key-encryption key that UKO makes \[I].
    pub kek_size: u32,
    /// Does UKO make a key-encryption key again that someone deleted \[I]?
    pub kek_made_again: bool,
    /// Are `next.href` and its siblings absolute \[I]?
    pub absolute_hrefs: bool,
    /// Does a list show `status`, `location` and the newer members \[E: not all servers]?
    pub sparse_lists: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            reads_to_client_address: 1,
            unique_link_names: true,
            created_by_kept: true,
            endpoint_quota: Quota::default(),
            link_created: 200,
            uko_source_address: "10.208.41.17".into(),
            hyphen_in_names: true,
            tilde_in_secrets: true,
            azure_location_required: false,
            azure_environment_required: false,
            vault_header_required: false,
            mixed_patch_refused: true,
            locked_fields: LockedFields::Refused,
            tls_proxy_mutable: true,
            masked_password_ignored: false,
            duplicate_names: DuplicateNames::Refused,
            stale_etag: 412,
            blocked_delete: 409,
            dry_run_answers: DryRunAnswers::default(),
            create_tests_connection: false,
            patch_tests_connection: false,
            pending_checks: 0,
            kek_size: 4096,
            kek_made_again: false,
            absolute_hrefs: false,
            sparse_lists: false,
        }
    }
}

/// The quota of `location` endpoints per connector, and how its refusal looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Quota {
    /// How many fit.
    pub limit: usize,
    /// The status of the refusal.
    pub status: u16,
    /// Its words.
    pub message: String,
}

impl Default for Quota {
    fn default() -> Self {
        Self { limit: 25, status: 400, message: "The number of endpoints exceeds the limit of this connector.".into() }
    }
}

/// What a second keystore of one name in one vault gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DuplicateNames {
    /// 409.
    #[default]
    Refused,
    /// 400.
    BadRequest,
    /// A second keystore, which costs money.
    Allowed,
}

/// What a PATCH of a locked field gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LockedFields {
    /// 400, unless the value is the present one.
    #[default]
    Refused,
    /// 200, without effect.
    Ignored,
    /// 200, with effect.
    Changed,
}

/// What `POST /keystores?dry_run=true` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DryRunAnswers {
    /// The status of a passed test; 204 comes without a body.
    pub passed: u16,
    /// The status of a failed test.
    pub failed: u16,
    /// Does a refusal name the field at fault?
    pub names_the_field: bool,
}

impl Default for DryRunAnswers {
    fn default() -> Self {
        Self { passed: 201, failed: 400, names_the_field: true }
    }
}
