//! What a set of migrations is: the checked catalog that `habitat-migrate` applies and its macros embed.
//!
//! This crate is the common ground of `habitat-migrate` and `habitat-migrate-macros`, which both pin it exactly.
//! Depend on `habitat-migrate`, which exports what users need.

#![forbid(unsafe_code)]

mod backfill;
mod catalog;
mod checksum;
mod code;
mod command;
mod definition;
mod directive;
mod directory;
mod encoding;
mod enumeration;
mod folder;
mod graph;
mod layout;
mod lexer;
mod load;
mod location;
mod migration;
mod name;
mod order;
mod placeholder;
mod problem;
mod psql;
mod script;
mod slot;
mod source;
mod squash;
mod statement;
mod suggestion;
mod template;
mod unit;
mod value;
mod version;

pub use backfill::{Backfill, Throttle};
pub use catalog::{Catalog, Context, Folder};
pub use checksum::{Checksum, Digest, ParseChecksumError, normalise};
pub use code::CodeMigration;
#[doc(hidden)]
pub use code::{Code, Opaque, check_requirement, check_version, verify_problems};
pub use definition::is_definition;
pub use directory::Directory;
pub use layout::{Layout, ParseLayoutError};
pub use load::Loader;
pub use location::{Excerpt, Location, offset_of_character};
pub use migration::{Compatibility, Kind, Migration, Need, Parts, Settings, TransactionMode};
pub use placeholder::{PlaceholderError, Placeholders};
pub use problem::{Problem, Problems};
pub use source::{Named, Scripts, Source, SourceFile};
pub use statement::{LexError, Statement, Unterminated, colons, statements};
#[doc(hidden)]
pub use suggestion::nearest;
pub use template::{Rendered, Template};
pub use unit::{Unit, Work, units};
pub use version::{MigrationId, Version};
