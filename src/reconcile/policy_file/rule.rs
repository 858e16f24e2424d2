//! One rule of the policy file, in the shape it is compared in.
//!
//! In: YAML. Out: values without spelling: case, default ports and last slashes are gone. Never: a rule with a part that
//! could be read in two ways.

use std::fmt;

use serde::Deserialize;
use url::Url;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
}

/// One entry of `rules`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rule {
    namespaces: Namespaces,
    #[serde(default)]
    pub(super) uko_instances: Vec<InstanceId>,
    #[serde(default)]
    pub(super) uko_servers: Vec<ServerOrigin>,
    #[serde(default)]
    pub(super) max_keystores: Option<u32>,
    #[serde(default)]
    operator_identity: Option<IdentityGrant>,
}

impl Rule {
    pub(super) fn covers(&self, namespace: &str) -> bool {
        self.namespaces.0.iter().any(|named| named == "*" || named == namespace)
    }

    pub(super) fn grants_identity(&self, wanted: &Scope, verb: Verb) -> bool {
        self.operator_identity
            .as_ref()
            .is_some_and(|grant| grant.verbs.contains(&verb) && grant.scopes.iter().any(|scope| scope.covers(wanted)))
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityGrant {
    scopes: Vec<Scope>,
    verbs: Vec<Verb>,
}

/// What the operator's own Azure identity may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Verb {
    /// Read the vault, its KEK, the network.
    Observe,
    /// Make, change and remove a private endpoint.
    PrivateEndpoint,
    /// Approve its connection on the vault.
    Approve,
    /// Grant key permissions to the service principal.
    Grant,
    /// Close public network access.
    CloseNetwork,
    /// Make or recover the key-encryption key.
    RecreateKey,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "Observe",
            Self::PrivateEndpoint => "PrivateEndpoint",
            Self::Approve => "Approve",
            Self::Grant => "Grant",
            Self::CloseNetwork => "CloseNetwork",
            Self::RecreateKey => "RecreateKey",
        })
    }
}

/// A UKO that a connection aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Instance id of HPCS.
    Instance(&'a str),
    /// URL of a self-managed UKO.
    Server(&'a str),
}

impl Target<'_> {
    /// The one spelling of it; none for what no rule can name.
    #[must_use]
    pub(crate) fn spelled(self) -> Option<String> {
        match self {
            Self::Instance(id) => InstanceId::parse(id).ok().map(|InstanceId(uuid)| uuid.to_string()),
            Self::Server(url) => {
                ServerOrigin::parse(url).ok().map(|ServerOrigin { host, port }| format!("{host}:{port}"))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<String>")]
struct Namespaces(Vec<String>);

impl TryFrom<Vec<String>> for Namespaces {
    type Error = String;
    fn try_from(names: Vec<String>) -> Result<Self, String> {
        if names.is_empty() {
            return Err(r#"namespaces is empty: name at least one, or "*" for all"#.to_owned());
        }
        let odd = names.iter().find(|name| *name != "*" && !is_namespace(name));
        match odd {
            None => Ok(Self(names)),
            Some(odd) => Err(format!(
                r#"'{odd}' is not a namespace: write a name of lower-case letters, digits and hyphens, or "*" alone for all"#
            )),
        }
    }
}

fn is_namespace(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('-') && !name.ends_with('-')
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct InstanceId(uuid::Uuid);

impl InstanceId {
    pub(super) fn parse(id: &str) -> Result<Self, String> {
        match uuid::Uuid::try_parse(id) {
            Ok(uuid) if id.len() == 36 => Ok(Self(uuid)),
            Ok(_) | Err(_) => Err(format!("'{id}' is not the id of an HPCS instance: 8-4-4-4-12 hexadecimal digits")),
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = String;
    fn try_from(id: String) -> Result<Self, String> {
        Self::parse(&id)
    }
}

/// Scheme, host and port: the whole of what decides where a password goes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ServerOrigin {
    host: String,
    port: u16,
}

impl ServerOrigin {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plain = |url: &Url| {
            url.scheme() == "https"
                && url.path() == "/"
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let origin = Url::parse(text).ok().filter(plain).and_then(|url| {
            Some(Self {
                host: url.host_str()?.to_owned(), // in lower case by the URL standard
                port: url.port_or_known_default()?,
            })
        });
        origin.ok_or_else(|| {
            "a UKO server must be https://host or https://host:port, without user, path and query".to_owned()
        })
    }
}

impl TryFrom<String> for ServerOrigin {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// An ARM id; ARM ignores case, so it is kept in lower case.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Scope(Vec<String>);

impl Scope {
    pub(super) fn parse(id: &str) -> Result<Self, String> {
        let segments: Vec<String> = id
            .strip_prefix('/')
            .unwrap_or_default()
            .trim_end_matches('/')
            .split('/')
            .map(str::to_ascii_lowercase)
            .collect();
        // What a URL parser would rewrite could end in another scope than the one that was compared.
        let plain = |segment: &String| {
            !matches!(segment.as_str(), "" | "." | "..")
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.() ".contains(&byte))
        };
        let in_subscription = matches!(
            segments.as_slice(),
            [root, id, ..] if root == "subscriptions" && uuid::Uuid::try_parse(id).is_ok()
        );
        if in_subscription && segments.iter().all(plain) {
            Ok(Self(segments))
        } else {
            Err(format!(
                "'{id}' is not a scope: /subscriptions/<id>, with /resourceGroups/<name> and more behind it where wanted"
            ))
        }
    }

    fn covers(&self, wanted: &Self) -> bool {
        wanted.0.starts_with(&self.0)
    }
}

impl TryFrom<String> for Scope {
    type Error = String;
    fn try_from(id: String) -> Result<Self, String> {
        Self::parse(&id)
    }
}
