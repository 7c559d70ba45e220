//! What the suites share: a catalog of three scripts, a database, a look at a table's rows as they lie there.

use std::fs;
use std::path::{Path, PathBuf};

use habitat_migrate::__private::Digest;
use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Adopt, Adoption, Catalog, Directory, Layout, Migrator, adopt::AdoptionState};
use postgres::Client;

/// What the other tools apply.
pub(crate) const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);\n";
pub(crate) const ITEMS: &str = "CREATE TABLE items (id bigint PRIMARY KEY, owner bigint REFERENCES users);\n";
/// What is left to this library.
pub(crate) const ORDERS: &str =
    "CREATE TABLE orders (id bigint PRIMARY KEY, item bigint REFERENCES items);\n";

pub(crate) fn database() -> Database {
    Server::shared().expect("a server").database().expect("a database")
}

/// A catalog of these stems and scripts.
pub(crate) fn catalog(scripts: &[(&str, &str)]) -> Catalog {
    let scripts = scripts.iter().map(|(stem, text)| (format!("{stem}.sql"), (*text).to_owned()));
    Catalog::from_scripts("app", scripts).unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// The two scripts that are applied and the one that is not, as these stems.
pub(crate) fn three(stems: [&str; 3]) -> Catalog {
    catalog(&[(stems[0], USERS), (stems[1], ITEMS), (stems[2], ORDERS)])
}

/// Every row with its place and the transaction that wrote it: another row, or the same one written again, shows.
pub(crate) fn rows_of(client: &mut Client, table: &str) -> Vec<String> {
    let sql = format!("SELECT concat_ws(' ', h.ctid, h.xmin, h.xmax, h) FROM {table} AS h ORDER BY h.ctid");
    client.query(&sql, &[]).expect("a table").iter().map(|row| row.get(0)).collect()
}

pub(crate) fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

/// Adopts two migrations of three, first dry and then for good, and applies the third; returns what was matched.
pub(crate) fn adopted(client: &mut Client, migrator: &Migrator, table: &str, schema: &str) -> Adoption {
    let before = rows_of(client, table);
    let tracker = format!("SELECT to_regclass('{schema}.schema_migrations_log') IS NOT NULL");
    let dry = migrator.adopt(client, Adopt::dry_run()).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(dry.is_clean(), "{dry}");
    assert_eq!(dry.state(), AdoptionState::Compared);
    assert!(!value::<bool>(client, &tracker), "a dry run created the tracker");

    let adoption = migrator.adopt(client, Adopt::apply()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(adoption.state(), AdoptionState::Recorded);
    assert_eq!(adoption.matched(), dry.matched());
    assert_eq!(adoption.matched().len(), 2, "{adoption}");
    let logged = format!("SELECT count(*) FROM {schema}.schema_migrations_log WHERE event = 'adopt'");
    assert_eq!(value::<i64>(client, &logged), 2);
    let history = migrator.history(client).expect("a history");
    for (matched, record) in adoption.matched().iter().zip(history.records()) {
        assert_eq!(record.id(), matched.id());
        if let Some(time) = matched.applied_at() {
            assert_eq!(record.deployed_at(), time);
        }
        if let Some(role) = matched.applied_by() {
            assert_eq!(record.deployed_by(), role);
        }
    }

    // Each row has the digest that tells a boot, in one round trip, that there is nothing to do.
    let digest =
        adoption.matched().iter().zip(history.records()).fold(Digest::EMPTY, |digest, (matched, record)| {
            digest.with(matched.id().context(), matched.id().version().as_str(), record.checksum())
        });
    let recorded = format!("SELECT digest FROM {schema}.schema_migrations ORDER BY ordinal DESC LIMIT 1");
    assert_eq!(value::<String>(client, &recorded), digest.to_string());

    let again = migrator.adopt(client, Adopt::apply()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(again.state(), AdoptionState::AlreadyRecorded);

    let report = migrator.migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied().len(), 1, "{report}");
    assert!(value::<bool>(client, "SELECT to_regclass('public.orders') IS NOT NULL"));
    assert_eq!(migrator.migrate(client).expect("nothing to do").applied().len(), 0);
    let after = migrator.adopt(client, Adopt::apply()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(after.state(), AdoptionState::AlreadyRecorded);
    assert_eq!(after.pending(), []);
    assert_eq!(rows_of(client, table), before, "the other tool's table was touched");
    adoption
}

/// A folder of files that is removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("habitat-adoption-{}-{call}", std::process::id())))
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(Path::new(path));
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Loads the folder as it is.
    pub(crate) fn migrator(&self, layout: Layout) -> Migrator {
        let catalog = Catalog::load(Directory::new(&self.0).in_layout(layout));
        Migrator::new(catalog.unwrap_or_else(|problems| panic!("{}", problems.render())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
