//! Databases that other tools migrated are adopted, and the next migration applies.

mod peers;
mod refusals;
mod support;
mod tables;
