//! Databases that other tools migrated are adopted, and the next migration applies.

mod layouts;
mod peers;
mod refusals;
mod support;
mod tables;
