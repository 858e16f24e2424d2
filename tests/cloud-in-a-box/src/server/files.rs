//! The files a test reads: certificates, environment, seed, addresses.
//!
//! In: the running core and its addresses. Out: files in the box's folder, `ready` last. Never: reads any.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::Core;
use crate::seed;

/// Writes all files of the box.
///
/// # Errors
/// A folder that cannot be written.
pub fn write(dir: &Path, core: &Core, proxy: SocketAddr, control: SocketAddr) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let dir = dir.canonicalize()?;
    std::fs::write(dir.join("ca.pem"), core.certificates.ca_pem())?;
    std::fs::write(dir.join("uko-ca.pem"), core.certificates.uko_ca_pem())?;
    std::fs::write(dir.join("env"), environment(&dir, proxy, control))?;
    std::fs::write(dir.join("control"), format!("http://{control}\n"))?;
    let seed = serde_json::to_string_pretty(&seed_with_certificates(&dir, core))?;
    std::fs::write(dir.join("seed.json"), format!("{seed}\n"))?;
    std::fs::write(dir.join("ready"), "ready\n")
}

fn environment(dir: &Path, proxy: SocketAddr, control: SocketAddr) -> String {
    let ca = dir.join("ca.pem");
    let ca = ca.display();
    // No HTTP_PROXY: the metadata service is the only plain-HTTP host, and it is reached directly.
    let lines = [
        ("HTTPS_PROXY", format!("http://{proxy}")),
        ("https_proxy", format!("http://{proxy}")),
        ("SSL_CERT_FILE", ca.to_string()),
        ("REQUESTS_CA_BUNDLE", ca.to_string()),
        ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ("CLOUD_IN_A_BOX_CONTROL", format!("http://{control}")),
    ];
    lines.map(|(name, value)| format!("export {name}='{value}'\n")).concat()
}

fn seed_with_certificates(dir: &Path, core: &Core) -> Value {
    let mut seed = seed::json(&core.start);
    let (client_cert, client_key) = core.certificates.client_pem();
    let own = json!({"ibm": {"uko": {"selfManaged": {
        "caFile": dir.join("uko-ca.pem"),
        "caPem": core.certificates.uko_ca_pem(),
        "clientCertPem": client_cert,
        "clientKeyPem": client_key,
    }}}});
    json_patch::merge(&mut seed, &own);
    seed
}
