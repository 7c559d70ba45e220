//! PostgreSQL migrations that live inside a Rust service.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "tokio-postgres")]
pub mod connect;
#[cfg(feature = "testing")]
pub mod testing;
