//! The command line, as a person and a pipeline use it.

mod backups;
mod configuration;
mod embedded;
mod exits;
mod files;
mod json;
mod many;
mod programs;
mod readme;
mod sessions;
mod support;
