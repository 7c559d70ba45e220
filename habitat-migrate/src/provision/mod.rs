//! What has to exist before migrations run: databases, roles, schemas, extensions, grants; declared, planned, applied, audited.
//!
//! A [`Template`] is a TOML file for all environments of a system, a [`Declaration`] what one of them is to have, [`Provision`]
//! makes a server that.
//!
//! A [`Password`] goes to the server as a SCRAM verifier only, and is written to no file but the one that is named.
//! [`Connections`] are written for programs, by [`ConnectionFormat`]. [`audit_rules`] reads a database and tells what is unsafe
//! in it, whatever was declared; [`Probes`] log in as each role and try what it may and must not.

mod access;
mod check;
mod cluster;
mod connection;
mod connection_declared;
mod connection_file;
mod connection_text;
mod database;
mod declaration;
mod diff;
mod error;
mod finding;
mod grant;
mod live;
mod password;
mod probe;
mod probe_attempt;
mod probe_declared;
mod probe_run;
mod probe_toml;
mod read;
mod role;
mod rules;
mod safety;
mod scram;
mod secret;
mod step;
mod toml;
mod verbs;

pub use self::toml::{DeclarationError, Template};
pub use access::{AccessError, AccessErrorKind};
pub use cluster::Cluster;
pub use connection::{Connection, Connections};
pub use connection_declared::{ConnectionFile, Endpoint};
pub use connection_file::{ConnectionFormat, KubernetesSecret};
pub use database::{Created, Database, Extension, RowSecurity, Schema};
pub use declaration::{Declaration, Environment, Kind};
pub use error::{Error, ErrorKind, Result};
pub use finding::{Finding, FindingKind};
pub use grant::{Class, Grant, Grantee, Privilege, Target};
pub use password::{Password, PasswordChange, rotate, set_password, set_passwords};
pub use probe::{Expectation, Outcome, Probe, ProbeReport, ProbeResult, Probes};
pub use probe_attempt::{Attempt, Relation};
pub use role::{Membership, Password as PasswordSource, Role, Setting, Value};
pub(crate) use rules::audit_rules_of;
pub use rules::{Repair, RuleFinding, Rules, audit_rules};
pub use secret::Written;
pub use step::{Place, Plan, Step};
pub use verbs::Provision;
