//! The table of rooms: who may import whom, and what may not be said where.
//!
//! In: nothing. Out: one row a wall. Never: a wall for one file only.

/// One wall. The first room whose pattern fits a file is the file's room.
pub(crate) struct Room {
    /// Path below `src/`: a `*` stands for one of the two controllers, a `/` at the end for everything below.
    pub(crate) at: &'static [&'static str],
    /// Paths of our own that it may import; a controller's own folder is always open to it.
    pub(crate) ours: &'static [&'static str],
    /// Crates and paths of others that it may not import.
    pub(crate) not: &'static [&'static str],
    /// Words that its code may not hold.
    pub(crate) never: &'static [&'static str],
}

/// The folders that `*` stands for.
pub(crate) const CONTROLLERS: [&str; 2] = ["keystore_connection", "connector_endpoint"];

/// What a pure stage has no use for.
const OUTSIDE: &[&str] = &["reqwest", "tokio", "kube", "tracing"];

/// Every room of `src/`, the narrower before the wider.
pub(crate) const ROOMS: &[Room] = &[
    Room {
        at: &["lib.rs", "main.rs", "bin/"],
        ours: &["cli", "api", "clouds", "reconcile", "process", "keystore_connection", "connector_endpoint"],
        not: &["reqwest", "kube", "tokio", "axum"],
        never: &[],
    },
    Room {
        at: &["api/"],
        ours: &["api"],
        not: &[
            "reqwest",
            "tokio",
            "axum",
            "tracing",
            "secrecy",
            "kube::Client",
            "kube::client",
            "kube::Api",
            "kube::api",
            "kube::runtime",
            "std::fs",
            "std::net",
            "std::io",
            "std::env",
            "std::process",
            "std::thread",
            "std::time::SystemTime",
            "std::time::Instant",
        ],
        never: &["async fn", "Timestamp::now", "println!"],
    },
    Room {
        at: &["clouds/azure/"],
        ours: &["clouds::http", "clouds::hosts", "clouds::token", "clouds::azure"],
        not: &["kube", "k8s_openapi", "axum"],
        never: &[],
    },
    Room {
        at: &["clouds/ibm/"],
        ours: &["clouds::http", "clouds::hosts", "clouds::token", "clouds::ibm"],
        not: &["kube", "k8s_openapi", "axum"],
        never: &[],
    },
    Room {
        at: &["clouds/mod.rs", "clouds/facade.rs"],
        ours: &["clouds"],
        not: &["kube", "k8s_openapi", "axum"],
        never: &[],
    },
    Room {
        at: &["clouds/http/", "clouds/hosts.rs", "clouds/token.rs", "clouds/token/"],
        ours: &["clouds::http", "clouds::hosts", "clouds::token"],
        not: &["kube", "k8s_openapi", "axum"],
        never: &[],
    },
    Room {
        at: &["reconcile/"],
        ours: &["api", "reconcile", "clouds::http::Error", "clouds::http::Class", "clouds::http::error"],
        not: &["reqwest", "axum"],
        never: &[],
    },
    Room {
        at: &["*/resolve.rs", "*/watches.rs", "*/resolve/", "*/watches/"],
        ours: &["api", "reconcile"],
        not: &["reqwest", "axum"],
        never: &["Writers"],
    },
    Room {
        at: &["*/desired.rs", "*/report.rs", "*/plan.rs", "*/desired/", "*/plan/", "*/report/"],
        ours: &["api", "reconcile", "clouds"],
        not: OUTSIDE,
        never: &["async ", ".await", "Timestamp::now", "Instant::now", "SystemTime::now", "Readers", "Writers"],
    },
    Room {
        at: &["*/observe.rs", "*/observe/"],
        ours: &["api", "reconcile", "clouds"],
        not: &["reqwest", "axum", "kube::Api", "kube::Client"],
        never: &["Writers"],
    },
    Room {
        at: &["*/apply.rs", "*/cleanup.rs", "*/apply/", "*/cleanup/"],
        ours: &["api", "reconcile", "clouds"],
        not: &["reqwest", "axum", "kube::Api", "kube::Client"],
        never: &[],
    },
    Room { at: &["*/"], ours: &["api", "reconcile", "clouds"], not: &["reqwest", "axum"], never: &[] },
    // The one room beside the clouds' with a client of its own: a collector is no cloud.
    Room {
        at: &["process/otlp/"],
        ours: &["process"],
        not: &["kube", "k8s_openapi", "opentelemetry_otlp"],
        never: &["AzureKeystoreConnection", "ConnectorEndpoint"],
    },
    Room {
        at: &["process/"],
        ours: &["process", "reconcile::leadership"],
        not: &["reqwest"],
        never: &["AzureKeystoreConnection", "ConnectorEndpoint"],
    },
    Room {
        at: &["cli/"],
        ours: &["cli", "api", "clouds", "reconcile", "process", "keystore_connection", "connector_endpoint"],
        not: &[],
        never: &[],
    },
];
