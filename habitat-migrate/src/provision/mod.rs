//! What has to exist before migrations run: databases, roles, schemas, extensions, grants; passwords and the files that say how
//! to connect; and whether a database keeps the rules, and its roles may do what they should and no more.
//!
//! A [`Password`] goes to the server as a SCRAM verifier only, and is written to no file but the one that is named.
//! [`Connections`] are written for programs, by [`ConnectionFormat`]. [`audit_rules`] reads a database and tells what is unsafe
//! in it; [`Probes`] log in as each role and try.

mod access;
mod connection;
mod connection_file;
mod connection_text;
mod database;
mod declaration;
mod grant;
mod password;
mod probe;
mod probe_attempt;
mod probe_run;
mod probe_toml;
mod role;
mod rules;
mod scram;
mod secret;
mod toml;

pub use self::toml::{DeclarationError, Template};
pub use access::{AccessError, AccessErrorKind};
pub use connection::{Connection, Connections};
pub use connection_file::{ConnectionFormat, KubernetesSecret};
pub use database::{Created, Database, Extension, RowSecurity, Schema};
pub use declaration::{Declaration, Environment, Kind};
pub use grant::{Class, Grant, Grantee, Privilege, Target};
pub use password::{Password, PasswordChange, rotate, set_password};
pub use probe::{Expectation, Outcome, Probe, ProbeReport, ProbeResult, Probes};
pub use probe_attempt::{Attempt, Relation};
pub use role::{Membership, Password as PasswordSource, Role, Setting, Value};
pub use rules::{Finding, Repair, Rules, audit_rules};
pub use secret::Written;
