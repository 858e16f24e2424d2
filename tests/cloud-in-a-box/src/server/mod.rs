//! The core: TLS, proxy, faults, log and control around the pure handlers.
