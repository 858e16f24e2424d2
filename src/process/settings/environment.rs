//! What the pod's environment says beyond the flags.
//!
//! In: environment variables, the service account's namespace, the host name. Out: [`Environment`], read once at start.
//! Never: read again later, or anywhere else; never shows a proxy's URL or a header, which may hold a password.

use std::{collections::HashMap, fmt};

use super::InvalidSetting;

const SERVICE_ACCOUNT_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The environment as it was at start.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `POD_NAMESPACE`, by the downward API.
    pub pod_namespace: Option<String>,
    /// Namespace of the mounted service account.
    pub service_account_namespace: Option<String>,
    /// `POD_NAME`, by the downward API.
    pub pod_name: Option<String>,
    /// Name of the host or pod.
    pub host_name: Option<String>,
    /// `RUST_LOG`.
    pub rust_log: Option<String>,
    /// The proxy variables.
    pub proxy: ProxyVariables,
    /// The variables of OpenTelemetry.
    pub(super) otel: OtelVariables,
}

/// Everything whose name begins with `OTEL_`. Headers among them are secrets, so `Debug` shows names only.
#[derive(Clone, Default)]
pub(super) struct OtelVariables(pub(super) HashMap<String, String>);

/// The proxy variables, in lower case before upper case as curl has it. For the clouds only: Kubernetes is reached directly.
#[derive(Clone, Default)]
pub struct ProxyVariables {
    /// For `https` targets.
    pub https_proxy: Option<String>,
    /// For `http` targets. Only in lower case: a CGI server sets the other from a request header.
    pub http_proxy: Option<String>,
    /// Hosts, domains and networks that are reached directly.
    pub no_proxy: Option<String>,
}

impl Environment {
    /// Reads it. Blank variables count as absent, as everywhere with proxies.
    #[must_use]
    pub fn read() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            service_account_namespace: first_line(SERVICE_ACCOUNT_NAMESPACE),
            host_name: first_line(HOST_NAME),
            ..Self::of(&variables)
        }
    }

    fn of(variables: &HashMap<String, String>) -> Self {
        let get =
            |name: &str| variables.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        Self {
            pod_namespace: get("POD_NAMESPACE"),
            service_account_namespace: None,
            pod_name: get("POD_NAME"),
            host_name: None,
            rust_log: get("RUST_LOG"),
            proxy: ProxyVariables {
                https_proxy: get("https_proxy").or_else(|| get("HTTPS_PROXY")),
                http_proxy: get("http_proxy"),
                no_proxy: get("no_proxy").or_else(|| get("NO_PROXY")),
            },
            otel: OtelVariables(
                variables
                    .iter()
                    .filter(|(name, _)| name.starts_with("OTEL_"))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            ),
        }
    }

    /// What the Lease should call this process: its pod, else host and a random part, since one host may run two.
    pub(super) fn identity(&self) -> String {
        self.pod_name.clone().unwrap_or_else(|| {
            let host = self.host_name.as_deref().unwrap_or("uko-operator");
            format!("{host}-{:08x}", fastrand::u32(..))
        })
    }
}

impl ProxyVariables {
    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        for (variable, value) in [("HTTPS_PROXY", &self.https_proxy), ("http_proxy", &self.http_proxy)] {
            let usable = value.as_deref().is_none_or(|url| {
                url::Url::parse(url)
                    .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
            });
            if !usable {
                return Err(InvalidSetting::new(
                    variable,
                    "must be http://host:port or https://host:port, with user:password@ before the host where needed (the value is not shown: it may hold a password)",
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ProxyVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyVariables")
            .field("https_proxy", &self.https_proxy.is_some())
            .field("http_proxy", &self.http_proxy.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

impl fmt::Debug for OtelVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment::of(&variables)
    }

    #[test]
    fn lower_case_proxy_variables_win_and_blank_ones_are_absent() {
        let proxy = environment(&[
            ("HTTPS_PROXY", "http://upper:1"),
            ("https_proxy", "http://lower:2"),
            ("NO_PROXY", "10.0.0.0/8"),
            ("no_proxy", " "),
            ("HTTP_PROXY", "http://set-by-a-header:3"),
        ])
        .proxy;
        assert_eq!(proxy.https_proxy.as_deref(), Some("http://lower:2"));
        assert_eq!(proxy.no_proxy.as_deref(), Some("10.0.0.0/8"));
        assert_eq!(proxy.http_proxy, None);
    }

    #[test]
    fn a_proxy_that_is_no_url_is_refused_without_showing_its_password() {
        for bad in ["proxy.example.com:3128", "socks5://proxy:1080", "http://"] {
            let fault = environment(&[("HTTPS_PROXY", bad)]).proxy.check();
            assert!(fault.is_err(), "{bad}");
        }
        let proxy = environment(&[("HTTPS_PROXY", "ftp://me:hunter2@proxy")]).proxy;
        let fault = proxy.check().map_or_else(|fault| fault.to_string(), |()| String::new());
        assert!(fault.contains("HTTPS_PROXY"), "{fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
        assert!(!format!("{proxy:?}").contains("hunter2"));
    }

    #[test]
    fn the_pod_names_the_process_and_two_processes_of_a_host_differ() {
        assert_eq!(environment(&[("POD_NAME", "uko-1")]).identity(), "uko-1");
        let nameless = environment(&[]);
        assert_ne!(nameless.identity(), nameless.identity());
    }
}
