//! What has to be there before migrations can run: roles with passwords, files that say how to connect; and whether a
//! database keeps the rules, and its roles may do what they should and no more.
//!
//! A password is a [`Password`], goes to the server as a SCRAM verifier only, and is written to no file but the one that is
//! named. [`Connections`] are written for programs, by [`ConnectionFormat`]. [`audit_rules`] reads a database and tells what is unsafe in
//! it; [`Probes`] log in as each role and try.

mod access;
mod connection;
mod connection_file;
mod connection_text;
mod password;
mod probe;
mod probe_attempt;
mod probe_run;
mod probe_toml;
mod rules;
mod scram;
mod secret;

pub use access::{AccessError, AccessErrorKind};
pub use connection::{Connection, Connections};
pub use connection_file::{ConnectionFormat, KubernetesSecret};
pub use password::{Password, PasswordChange, rotate, set_password};
pub use probe::{Expectation, Outcome, Probe, ProbeReport, ProbeResult, Probes};
pub use probe_attempt::{Attempt, Relation};
pub use rules::{Finding, Repair, Rules, audit_rules};
pub use secret::Written;
