//! uko-operator: the private path from IBM Unified Key Orchestrator to Azure Key Vault, built and kept by Kubernetes.
//!
//! The rooms: [`api`] names things, `clouds` speaks to Azure and IBM, `reconcile` is the grammar that both controllers
//! (`keystore_connection`, `connector_endpoint`) share, `process` belongs to the pod, `cli` wires it all.
#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod clouds;
pub mod connector_endpoint;
pub mod keystore_connection;
pub mod process;
pub mod reconcile;
