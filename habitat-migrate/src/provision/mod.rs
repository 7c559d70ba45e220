//! What has to exist before migrations run: databases, roles, schemas, extensions, grants.

mod database;
mod declaration;
mod grant;
mod role;
mod toml;

pub use self::toml::{DeclarationError, Template};
pub use database::{Created, Database, Extension, RowSecurity, Schema};
pub use declaration::{Declaration, Environment, Kind};
pub use grant::{Class, Grant, Grantee, Privilege, Target};
pub use role::{Membership, Password, Role, Setting, Value};
