//! Its tests adopt databases that other tools migrated; no default member, so that `cargo test` builds none of those tools.
