//! Keys of a vault, as both the data plane and Resource Manager understand them.
//!
//! In: vaults and keys. Out: derived facts (modulus, recovery level, identifiers) and new versions. Never: HTTP.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::cloud;
use super::state::{Key, KeyVersion, Vault};

/// What a new version shall be.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// `RSA-HSM`, …
    pub kty: String,
    /// Bits; absent = 2048, for an RSA-HSM key that may only import 4096.
    pub key_size: Option<u32>,
    /// Curve; EC only.
    pub curve: Option<String>,
    /// Operations; empty = all that fit.
    pub key_ops: Vec<String>,
    /// Enabled; absent = yes.
    pub enabled: Option<bool>,
    /// Not before.
    pub nbf: Option<i64>,
    /// Expires.
    pub exp: Option<i64>,
}

impl Draft {
    /// A version of this draft, if the vault takes it.
    ///
    /// # Errors
    /// What the vault finds wrong.
    pub fn version(self, vault: &Vault, now: i64) -> Result<KeyVersion, String> {
        let rsa = self.kty.starts_with("RSA");
        if !["RSA", "RSA-HSM", "EC", "EC-HSM"].contains(&self.kty.as_str()) {
            return Err(format!("Property has invalid value: kty '{}' is not supported.", self.kty));
        }
        if self.kty.ends_with("-HSM") && !vault.sku.eq_ignore_ascii_case("premium") {
            return Err("Hardware key operation not allowed on standard vault.".into());
        }
        let import_only = self.key_ops.iter().any(|op| op == "import");
        if import_only && (self.key_ops.len() > 1 || self.kty != "RSA-HSM") {
            return Err("Property has invalid value: 'import' is the only operation a key exchange key may have, and it must be RSA-HSM.".into());
        }
        let known = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey", "import", "export"];
        if let Some(stranger) = self.key_ops.iter().find(|op| !known.contains(&op.as_str())) {
            return Err(format!("Property has invalid value: key operation '{stranger}' is unknown."));
        }
        let size = self.key_size.unwrap_or(if import_only { 4096 } else { 2048 });
        if rsa && ![2048, 3072, 4096].contains(&size) {
            return Err(format!("The specified key size {size} is invalid; valid sizes are 2048, 3072, 4096."));
        }
        let key_ops = if self.key_ops.is_empty() { usual_ops(rsa) } else { self.key_ops };
        Ok(KeyVersion {
            version: Uuid::new_v4().simple().to_string(),
            kty: self.kty,
            key_size: if rsa { size } else { 0 },
            curve: (!rsa).then(|| self.curve.unwrap_or_else(|| "P-256".into())),
            key_ops,
            enabled: self.enabled.unwrap_or(true),
            nbf: self.nbf,
            exp: self.exp,
            created: now,
            updated: now,
            ..KeyVersion::default()
        })
    }
}

fn usual_ops(rsa: bool) -> Vec<String> {
    let all = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"];
    let fitting = all.into_iter().filter(|op| rsa || ["sign", "verify"].contains(op));
    fitting.map(str::to_owned).collect()
}

/// The version that a KEK of UKO is.
#[must_use]
pub fn kek_version(size: u32, now: i64) -> KeyVersion {
    KeyVersion {
        version: Uuid::new_v4().simple().to_string(),
        kty: "RSA-HSM".into(),
        key_size: size,
        key_ops: vec!["import".into()],
        enabled: true,
        created: now,
        updated: now,
        ..KeyVersion::default()
    }
}

/// The key's name as it was created, found without case.
#[must_use]
pub fn spelled<'a>(vault: &'a Vault, name: &str) -> Option<(&'a String, &'a Key)> {
    vault.keys.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// `https://…/keys/{name}[/{version}]`.
#[must_use]
pub fn kid(vault: &Vault, name: &str, version: Option<&str>) -> String {
    let base = format!("{}keys/{name}", cloud::names(vault.cloud).vault_uri(&vault.name));
    version.map_or(base.clone(), |version| format!("{base}/{version}"))
}

/// What a deletion of this vault's keys can be undone by, and for how many days.
#[must_use]
pub fn recovery(vault: &Vault) -> (String, Option<i64>) {
    if vault.enable_soft_delete == Some(false) {
        return ("Purgeable".into(), None);
    }
    let days = vault.soft_delete_retention_in_days.unwrap_or(90);
    let prefix = if days < 90 { "Customized" } else { "" };
    let purgeable = if vault.enable_purge_protection == Some(true) { "" } else { "+Purgeable" };
    (format!("{prefix}Recoverable{purgeable}"), Some(days))
}

/// An RSA modulus of exactly the version's size: made up from the version, so it stays the same.
#[must_use]
pub fn modulus(version: &KeyVersion) -> String {
    if let Some(shown) = &version.n {
        return shown.clone();
    }
    let length = usize::try_from(version.key_size / 8).unwrap_or(0);
    URL_SAFE_NO_PAD.encode(bytes(&version.version, length))
}

/// A coordinate of an EC point, made up likewise.
#[must_use]
pub fn coordinate(version: &KeyVersion, axis: char) -> String {
    URL_SAFE_NO_PAD.encode(bytes(&format!("{axis}{}", version.version), 32))
}

/// Bytes that look random and depend on the text only; the first bit and the last are set.
fn bytes(text: &str, length: usize) -> Vec<u8> {
    let mut state = text
        .bytes()
        .fold(0x9E37_79B9_7F4A_7C15_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    let mut made: Vec<u8> = (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes().first().copied().unwrap_or(0)
        })
        .collect();
    if let Some(first) = made.first_mut() {
        *first |= 0x80;
    }
    if let Some(last) = made.last_mut() {
        *last |= 1;
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modulus_has_the_size_of_its_key() {
        for (size, length) in [(2048, 342), (3072, 512), (4096, 683)] {
            let shown = modulus(&kek_version(size, 0));
            assert_eq!(shown.len(), length);
            assert!(URL_SAFE_NO_PAD.decode(&shown).unwrap().first().unwrap() >= &0x80);
        }
    }

    #[test]
    fn the_recovery_level_follows_the_vault() {
        let mut vault = Vault::default();
        assert_eq!(recovery(&vault), ("Recoverable+Purgeable".into(), Some(90)));
        vault.soft_delete_retention_in_days = Some(7);
        vault.enable_purge_protection = Some(true);
        assert_eq!(recovery(&vault), ("CustomizedRecoverable".into(), Some(7)));
    }

    #[test]
    fn a_standard_vault_takes_no_hardware_key() {
        let vault = Vault { sku: "standard".into(), ..Vault::default() };
        let draft = Draft { kty: "RSA-HSM".into(), ..Draft::default() };
        assert!(draft.version(&vault, 0).unwrap_err().contains("standard vault"));
    }
}
