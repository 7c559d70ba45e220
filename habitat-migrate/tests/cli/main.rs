//! The command line, as a person and a pipeline use it.

mod backup_faults;
mod backups;
mod configuration;
mod confirmations;
mod embedded;
mod exact;
mod exits;
mod files;
mod guards;
mod json;
mod many;
mod path;
mod programs;
mod readme;
mod recorded;
mod screens;
mod sessions;
mod support;
mod terminal;
mod words;
