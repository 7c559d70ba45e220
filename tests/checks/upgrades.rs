//! Upgrades of databases with rows.
