//! The tracker of an older version of the library, and of a newer one: R40.

#[path = "support/lifecycle.rs"]
mod lifecycle;
mod support;

use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::Database;
use habitat_migrate::{Catalog, Error, ErrorKind, MigrationId, Migrator, Version};
use habitat_wire::{Proxy, Target};
use postgres::{Client, NoTls};
use support::{catalog, numbered, own_server, value};

/// The first format, as the version that had it made it, with the rows that it wrote. It never changes.
const FORMAT_1: &str = r#"
CREATE TABLE "public".schema_migrations (
  version pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
  description pg_catalog.text NOT NULL,
  context pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
  deployed_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  deployed_by pg_catalog.text NOT NULL DEFAULT SESSION_USER,
  execution_time pg_catalog.interval,
  state pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
  checksum pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
  breaking pg_catalog.bool NOT NULL DEFAULT false,
  run_order pg_catalog.int8 GENERATED ALWAYS AS IDENTITY,
  ordinal pg_catalog.int4 NOT NULL,
  follows pg_catalog.int4,
  digest pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
  PRIMARY KEY (context, version),
  UNIQUE (context, ordinal),
  CONSTRAINT schema_migrations_follows_fkey FOREIGN KEY (context, follows) REFERENCES "public".schema_migrations (context, ordinal),
  CHECK (ordinal OPERATOR(pg_catalog.=) pg_catalog.int4pl(COALESCE(follows, 0), 1))
);
COMMENT ON TABLE "public".schema_migrations IS 'habitat-migrate, format 1: the migrations that this database has';
COMMENT ON COLUMN "public".schema_migrations.digest IS 'identifies the rows of this context up to this one';
CREATE TABLE "public".schema_migrations_log (
  id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  logged_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  event pg_catalog.text NOT NULL,
  context pg_catalog.text,
  version pg_catalog.text,
  checksum pg_catalog.text,
  execution_time pg_catalog.interval,
  detail pg_catalog.text,
  role pg_catalog.text NOT NULL DEFAULT SESSION_USER,
  client pg_catalog.inet DEFAULT pg_catalog.inet_client_addr(),
  application pg_catalog.text DEFAULT pg_catalog.current_setting('application_name'),
  library pg_catalog.text NOT NULL,
  CHECK (event OPERATOR(pg_catalog.<>) 'apply' OR execution_time IS NOT NULL)
);
COMMENT ON TABLE "public".schema_migrations_log IS 'habitat-migrate, format 1: everything that was done, append-only';
CREATE TABLE t1 (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE t2 (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO schema_migrations
  (version, description, context, execution_time, state, checksum, breaking, ordinal, follows, digest) VALUES
  ('0001_t1', 't1', 'app', '3 ms', 'applied', 'sha256:acc86d1549a8a41924ca58cb94462817da960044ed496ff3c10c8372fc7fd015', false, 1, NULL, '4b6798fb403d9774b2c74aac6ec62f6f'),
  ('0002_t2', 't2', 'app', '2 ms', 'applied', 'sha256:a8d79bcaf1a0b1a135fe47921cc5bf40739eeff638a23ad5c505ec642d9be4c8', false, 2, 1, '564a84bfffcfd9b99a91f9adb6562c75');
INSERT INTO schema_migrations_log (event, context, version, checksum, execution_time, library) VALUES
  ('apply', 'app', '0001_t1', 'sha256:acc86d1549a8a41924ca58cb94462817da960044ed496ff3c10c8372fc7fd015', '3 ms', 'habitat-migrate 0.1.0'),
  ('apply', 'app', '0002_t2', 'sha256:a8d79bcaf1a0b1a135fe47921cc5bf40739eeff638a23ad5c505ec642d9be4c8', '2 ms', 'habitat-migrate 0.1.0');
"#;

/// A database that the first version has migrated: the first two of [`numbered`].
fn old(database: &Database) -> Client {
    let mut client = database.connect().expect("a connection");
    client.batch_execute(FORMAT_1).unwrap_or_else(|error| panic!("{error:?}"));
    client
}

fn database() -> Database {
    support::database()
}

/// What the comment says, and whether there is what the second format has.
fn format(client: &mut Client) -> (String, bool) {
    let comment =
        "SELECT substring(obj_description('schema_migrations'::regclass, 'pg_class') from 'format \\d+')";
    let down = "SELECT count(*) > 0 FROM pg_attribute WHERE attrelid = 'schema_migrations'::regclass AND attname = 'down'";
    (value(client, comment), value(client, down))
}

fn is_old(client: &mut Client) -> bool {
    format(client) == ("format 1".to_owned(), false)
}

fn is_new(client: &mut Client) -> bool {
    format(client) == ("format 2".to_owned(), true)
}

fn id(version: &str) -> MigrationId {
    MigrationId::new("app", Version::new(version.to_owned()))
}

/// [`numbered`], with scripts that take them back.
fn with_downs(count: usize) -> Catalog {
    let scripts = numbered(count).migrations().to_vec();
    let up = scripts.iter().map(|m| (format!("{}.sql", m.version()), m.script().to_owned()));
    let down = (1..=count).map(|n| (format!("{n:04}_t{n}.down.sql"), format!("DROP TABLE t{n}")));
    catalog("app", up.chain(down))
}

/// Everything that a write would change.
fn everything(client: &mut Client) -> String {
    value(
        client,
        "SELECT concat((SELECT string_agg(m::text, ';' ORDER BY m::text) FROM schema_migrations m), \
         (SELECT string_agg(l::text, ';' ORDER BY l.id) FROM schema_migrations_log l), \
         (SELECT string_agg(concat_ws(' ', relname, relkind, relfilenode, xmin), ';' ORDER BY oid) \
         FROM pg_class WHERE relnamespace = 'public'::regnamespace))",
    )
}

#[test]
fn r40_a_boot_with_nothing_to_do_reads_the_first_format_in_one_round_trip_and_leaves_it() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut admin = old(&database);
    admin.batch_execute("CREATE ROLE reader LOGIN; GRANT SELECT ON schema_migrations TO reader").unwrap();
    let target = Target::unix(server.socket_dir().expect("a server of its own"), server.port());
    let proxy = Proxy::to(target).start().unwrap();
    let mut client = Client::connect(&proxy.url(database.name(), "reader"), NoTls).unwrap();
    proxy.reset();
    let report = Migrator::new(numbered(2)).migrate(&mut client).unwrap();
    assert!(report.is_unchanged());
    assert_eq!((report.already_applied(), proxy.stats().round_trips), (2, 1));
    assert!(is_old(&mut admin));
    // What is pending it may not apply, and is told which rights it lacks.
    let error = Migrator::new(numbered(3)).migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tracker, "{error:?}");
    assert!(is_old(&mut admin));
}

#[test]
fn upgrading_child() {
    support::in_child(|url| support::migrate_and_print(url, &Migrator::new(numbered(4))));
}

#[test]
fn r40_eight_processes_upgrade_the_first_format_once_and_apply_what_is_pending() {
    let database = database();
    let mut client = old(&database);
    let children: Vec<_> =
        (0..8).map(|_| support::program("upgrading_child", &database.url()).start()).collect();
    let mut applied = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        applied.extend(["applied 2", "applied 0"].into_iter().filter(|line| text.contains(line)));
    }
    applied.sort_unstable();
    assert_eq!(applied, [&["applied 0"; 7][..], &["applied 2"]].concat());
    assert!(is_new(&mut client));
    let log = "SELECT string_agg(concat_ws(' ', event, version, detail), ', ' ORDER BY id) FROM schema_migrations_log";
    let expected = "apply 0001_t1, apply 0002_t2, upgrade format 2, apply 0003_t3, apply 0004_t4";
    assert_eq!(value::<String>(&mut client, log), expected);
    let status = Migrator::new(numbered(4)).status(&mut client).unwrap();
    assert!(status.is_current() && status.drift().is_empty(), "{status}");
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

#[test]
fn r40_what_reads_leaves_the_first_format_and_finds_no_drift() {
    let database = database();
    let mut client = old(&database);
    let migrator = Migrator::new(numbered(3));
    assert_eq!(migrator.history(&mut client).unwrap().records().len(), 2);
    assert_eq!(migrator.plan(&mut client).unwrap().pending().len(), 1);
    assert_eq!(migrator.verify(&mut client).unwrap().len(), 0);
    let status = migrator.status(&mut client).unwrap();
    assert_eq!((status.entries().len(), status.drift()), (3, [].as_slice()), "{status}");
    assert!(is_old(&mut client));
    client.batch_execute("DELETE FROM schema_migrations WHERE ordinal = 2").unwrap();
    assert_eq!(migrator.status(&mut client).unwrap().drift().len(), 1);
}

#[test]
fn r40_the_script_for_psql_upgrades_the_first_format() {
    let database = database();
    let mut client = old(&database);
    let migrator = Migrator::new(numbered(3));
    let script = migrator.to_sql(&migrator.history(&mut client).unwrap()).unwrap();
    let server = habitat_migrate::testing::Server::shared().unwrap();
    let Some(psql) = lifecycle::program(server, "psql") else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    let mut psql = std::process::Command::new(psql);
    let output = psql.args(["-X", "-q", "-d", &database.url(), "-f"]).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(is_new(&mut client));
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(migrator.status(&mut client).unwrap().drift(), []);
}

#[test]
fn r40_what_writes_upgrades_the_first_format() {
    type Act = fn(&Migrator, &mut Client) -> Result<habitat_migrate::Report, Error>;
    let acts: [(&str, Act); 6] = [
        ("rollback", |migrator, client| migrator.rollback(client, Rollback::All)),
        ("redo", |migrator, client| migrator.redo(client)),
        ("mark", |migrator, client| migrator.mark_applied(client, &id("0003_t3"), "it is there")),
        ("forget", |migrator, client| migrator.forget(client, &id("0001_t1"), "it is gone")),
        ("accept", |migrator, client| migrator.accept_changed(client, &id("0001_t1"), "the same")),
        ("environment", |migrator, client| migrator.clone().environment("test").migrate(client)),
    ];
    for (name, act) in acts {
        let database = database();
        let mut client = old(&database);
        let migrator = Migrator::new(with_downs(3));
        act(&migrator, &mut client).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(is_new(&mut client), "{name}");
        let status = migrator.status(&mut client).unwrap();
        assert_eq!(status.drift(), [], "{name}\n{status}");
        let logged = "SELECT count(*) FROM schema_migrations_log WHERE event = 'upgrade'";
        assert_eq!(value::<i64>(&mut client, logged), 1, "{name}");
    }
}

#[test]
fn r40_a_login_that_does_not_own_the_first_format_is_told_what_its_owner_has_to_run() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut admin = old(&database);
    let rights = "CREATE ROLE app LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON schema_migrations, schema_migrations_log TO app; \
                  GRANT CREATE ON SCHEMA public TO app";
    admin.batch_execute(rights).unwrap();
    let mut app = database.config().user("app").connect(NoTls).unwrap();
    let migrator = Migrator::new(numbered(3));
    let before = everything(&mut admin);
    let repair = migrator.mark_applied(&mut app, &id("0003_t3"), "it is there").unwrap_err();
    let error = migrator.migrate(&mut app).unwrap_err();
    assert_eq!(everything(&mut admin), before);
    assert!(is_old(&mut admin));
    let mut remedies = Vec::new();
    for error in [repair, error] {
        assert_eq!(error.kind(), ErrorKind::Tracker, "{error:?}");
        assert_eq!(error.server_error().expect("the server's words").code, "42501");
        let text = error.diagnostic().to_string();
        let (_, remedy) =
            text.split_once("as the tracker's owner, run:\n").unwrap_or_else(|| panic!("{text}"));
        remedies.push(remedy.to_owned());
    }
    // Those statements, word for word, are enough.
    admin.batch_execute(&remedies[1]).unwrap_or_else(|error| panic!("{}: {error:?}", remedies[1]));
    assert!(is_new(&mut admin));
    assert_eq!(migrator.migrate(&mut app).unwrap().applied().len(), 1);
}

/// A tracker of a version that is not written yet.
fn newer(database: &Database, change: &str) -> Client {
    let mut client = database.connect().unwrap();
    Migrator::new(with_downs(2)).migrate(&mut client).unwrap();
    let comment = "COMMENT ON TABLE schema_migrations IS 'habitat-migrate, format 99: the migrations that this database has'";
    client.batch_execute(&format!("{comment}; {change}")).unwrap();
    client
}

#[test]
fn r40_a_newer_format_is_read_and_never_written_to() {
    let database = database();
    let mut client = newer(&database, "ALTER TABLE schema_migrations ADD COLUMN more int NOT NULL DEFAULT 1");
    let migrator = Migrator::new(with_downs(3));
    let before = everything(&mut client);
    assert!(Migrator::new(with_downs(2)).migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(migrator.history(&mut client).unwrap().records().len(), 2);
    assert_eq!(migrator.status(&mut client).unwrap().drift(), []);
    let errors = [
        migrator.migrate(&mut client).unwrap_err(),
        migrator.rollback(&mut client, Rollback::Last).unwrap_err(),
        migrator.forget(&mut client, &id("0002_t2"), "it is gone").unwrap_err(),
        migrator.clone().environment("test").migrate(&mut client).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NewerTracker, "{error:?}");
        assert!(error.to_string().contains("format 99"), "{error}");
        assert!(error.diagnostic().to_string().contains("newer version of the library"), "{error:?}");
    }
    assert_eq!(everything(&mut client), before);
    let mut other = database.connect().unwrap();
    assert_eq!(support::leftovers(&mut other), (0, 0));
}

#[test]
fn r40_a_newer_format_without_what_we_read_is_not_taken_for_another_tools() {
    for change in [
        "ALTER TABLE schema_migrations DROP COLUMN digest",
        "ALTER TABLE schema_migrations RENAME COLUMN version TO name",
    ] {
        let database = database();
        let mut client = newer(&database, change);
        let migrator = Migrator::new(with_downs(3));
        let before = everything(&mut client);
        let errors = [
            migrator.migrate(&mut client).unwrap_err(),
            migrator.history(&mut client).map(drop).unwrap_err(),
            migrator.status(&mut client).map(drop).unwrap_err(),
            migrator.rollback(&mut client, Rollback::Last).unwrap_err(),
            migrator.mark_applied(&mut client, &id("0003_t3"), "it is there").unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::NewerTracker, "{change}: {error:?}");
            assert!(error.to_string().contains("format 99"), "{error}");
        }
        assert_eq!(everything(&mut client), before);
    }
}

#[test]
fn r40_a_tracker_that_lost_its_comments_is_known_by_its_columns() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(with_downs(2)).migrate(&mut client).unwrap();
    // As a dump leaves it that was made without comments.
    client.batch_execute("COMMENT ON TABLE schema_migrations IS NULL").unwrap();
    assert_eq!(Migrator::new(with_downs(3)).migrate(&mut client).unwrap().applied().len(), 1);
    // The scripts that are recorded are read: this program has none.
    assert_eq!(Migrator::new(numbered(3)).rollback(&mut client, Rollback::All).unwrap().undone().len(), 3);
    let upgraded = "SELECT count(*) FROM schema_migrations_log WHERE event = 'upgrade'";
    assert_eq!(value::<i64>(&mut client, upgraded), 0);

    let database = support::database();
    let mut client = old(&database);
    client.batch_execute("COMMENT ON TABLE schema_migrations IS NULL").unwrap();
    assert_eq!(Migrator::new(with_downs(3)).migrate(&mut client).unwrap().applied().len(), 1);
    assert!(is_new(&mut client));
}
