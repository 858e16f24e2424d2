//! Which service a host name stands for.
//!
//! In: a host and port. Out: a [`Service`]. Never: resolves a name.

use crate::azure::cloud::CLOUDS;
use crate::state::World;
use crate::wire::Service;

/// The metadata service's address.
pub const IMDS: &str = "169.254.169.254";

/// The service behind a host; [`Service::Unknown`] for every host that is not one of the clouds'.
#[must_use]
pub fn service(world: &World, host: &str, port: u16) -> Service {
    let own = &world.ibm.self_managed;
    if host.eq_ignore_ascii_case(&own.host) {
        return if port == own.port { Service::Uko } else { Service::Unknown };
    }
    let host = host.to_lowercase();
    if let Some(port) = legacy_uko(&host).then_some(port) {
        return if (8000..20000).contains(&port) { Service::Uko } else { Service::Unknown };
    }
    if host == IMDS {
        return if port == 80 { Service::Imds } else { Service::Unknown };
    }
    if port != 443 {
        return Service::Unknown;
    }
    azure(&host).or_else(|| ibm(&host)).unwrap_or(Service::Unknown)
}

fn azure(host: &str) -> Option<Service> {
    CLOUDS.iter().find_map(|cloud| {
        if host == cloud.authority || cloud.authority_aliases.contains(&host) {
            Some(Service::Entra)
        } else if host == cloud.arm {
            Some(Service::Arm)
        } else {
            cloud.vault_of_host(host).map(|_| Service::Kv)
        }
    })
}

fn ibm(host: &str) -> Option<Service> {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        ["iam", "cloud", "ibm", "com"] | ["private", "iam", "cloud", "ibm", "com"] => Some(Service::Iam),
        ["containers", "cloud", "ibm", "com"]
        | ["private" | "us-south" | "us-east" | "eu-de" | "eu-gb" | "jp-tok", "containers", "cloud", "ibm", "com"]
        | ["private", _, "containers", "cloud", "ibm", "com"] => Some(Service::Containers),
        ["api", "link", "satellite", "cloud", "ibm", "com"]
        | ["api", _, "link", "satellite", "cloud", "ibm", "com"]
        | ["api", "private", _, "link", "satellite", "cloud", "ibm", "com"] => Some(Service::Link),
        [_, "broker", "hs-crypto", "cloud", "ibm", "com"] => Some(Service::Broker),
        [_, "uko", _, "hs-crypto", "appdomain", "cloud"] => Some(Service::Uko),
        _ => None,
    }
}

fn legacy_uko(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    matches!(labels.as_slice(), ["uko", _, "hs-crypto", "cloud", "ibm", "com"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    #[test]
    fn every_known_host_has_its_service_and_no_other_has() {
        let world = seed::world();
        for (host, port, want) in [
            ("login.microsoftonline.com", 443, Service::Entra),
            ("login.microsoftonline.us", 443, Service::Entra),
            ("management.chinacloudapi.cn", 443, Service::Arm),
            ("kv1.vault.usgovcloudapi.net", 443, Service::Kv),
            ("169.254.169.254", 80, Service::Imds),
            ("iam.cloud.ibm.com", 443, Service::Iam),
            ("api.eu-de.link.satellite.cloud.ibm.com", 443, Service::Link),
            ("eu-de.broker.hs-crypto.cloud.ibm.com", 443, Service::Broker),
            ("abc.uko.eu-de.hs-crypto.appdomain.cloud", 443, Service::Uko),
            ("uko.eu-de.hs-crypto.cloud.ibm.com", 9100, Service::Uko),
            ("uko.eu-de.hs-crypto.cloud.ibm.com", 443, Service::Unknown),
            ("management.azure.com", 8443, Service::Unknown),
            ("evil-management.azure.com", 443, Service::Unknown),
            ("vault.azure.net", 443, Service::Unknown),
            ("example.com", 443, Service::Unknown),
        ] {
            assert_eq!(service(&world, host, port), want, "{host}:{port}");
        }
    }
}
