//! What has to exist before migrations run: databases, roles, schemas, extensions, grants; declared, planned, applied, audited.
//!
//! A [`Template`] is a TOML file for all environments of a system, a [`Declaration`] what one of them is to have, [`Provision`]
//! makes a server that.

mod check;
mod cluster;
mod database;
mod declaration;
mod diff;
mod error;
mod finding;
mod grant;
mod live;
mod read;
mod role;
mod safety;
mod step;
mod toml;
mod verbs;

pub use self::toml::{DeclarationError, Template};
pub use cluster::Cluster;
pub use database::{Created, Database, Extension, RowSecurity, Schema};
pub use declaration::{Declaration, Environment, Kind};
pub use error::{Error, ErrorKind, Result};
pub use finding::{Finding, FindingKind};
pub use grant::{Class, Grant, Grantee, Privilege, Target};
pub use role::{Membership, Password, Role, Setting, Value};
pub use step::{Place, Plan, Step};
pub use verbs::Provision;
