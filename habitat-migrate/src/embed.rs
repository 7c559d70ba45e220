//! Migrations that were embedded when the program was compiled: [`Migrations`].

use habitat_migrate_catalog::Catalog;

use crate::migrator::Migrator;

/// A set of migrations that is part of the program.
///
/// It is derived for a unit struct, by the macro of the same name:
/// ```
/// # #[cfg(feature = "derive")] {
/// use habitat_migrate::Migrations;
///
/// #[derive(Migrations)]
/// #[migrations(dir = "../migrations/habitat")]
/// struct Habitat;
///
/// for migration in Habitat::CATALOG.migrations() {
///     println!("{} ({})", migration.id(), migration.description());
/// }
/// let migrator = Habitat::migrator();
/// # }
/// ```
pub trait Migrations {
    /// The checked migrations. Nothing is parsed, hashed or allocated to have them.
    ///
    /// A constant is a new value at each use: to keep a reference to a migration, keep the catalog or a migrator in a variable.
    const CATALOG: Catalog;

    /// A migrator for them, with the default policies.
    fn migrator() -> Migrator {
        Migrator::new(Self::CATALOG)
    }
}
