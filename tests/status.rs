//! Where a database stands, and whether somebody changed its tracker by hand: R39.

mod support;

use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::Server;
use habitat_migrate::{Catalog, Drift, LogAccess, MigrationId, Migrator, Stage, Status, Version};
use postgres::{Client, NoTls};
use proptest::prelude::*;
use support::{catalog, database, numbered, own_server, value};

fn id(version: &str) -> MigrationId {
    MigrationId::new("app", Version::new(version.to_owned()))
}

fn status(migrator: &Migrator, client: &mut Client) -> Status {
    migrator.status(client).unwrap_or_else(|error| panic!("{error:?}"))
}

/// What each migration is, in order: `applied app:0001_t1`.
fn stages(status: &Status) -> Vec<String> {
    let word = |stage: &Stage| match stage {
        Stage::Changed { .. } => "Changed".to_owned(),
        Stage::RunsAgain { .. } => "RunsAgain".to_owned(),
        stage => format!("{stage:?}"),
    };
    status.entries().iter().map(|entry| format!("{} {}", word(entry.stage()), entry.id())).collect()
}

/// As somebody who wants to be rid of every guard.
fn by_hand(client: &mut Client, sql: &str) {
    let sql =
        format!("SET session_replication_role = replica; {sql}; SET session_replication_role = origin;");
    client.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

const TABLE: (&str, &str) = ("01_t.sql", "CREATE TABLE t (id int)");

#[test]
fn every_migration_of_both_sides_has_one_entry() {
    let database = database();
    let mut client = database.connect().unwrap();
    let old = catalog(
        "app",
        [
            TABLE,
            ("02_u.sql", "SELECT 2"),
            ("03_v.sql", "SELECT 3"),
            ("05_x.sql", "SELECT 5"),
            ("R__r.sql", "SELECT 1"),
        ],
    );
    let new = || {
        let scripts = [
            TABLE,
            ("02_u.sql", "SELECT 22"),
            ("04_w.sql", "SELECT 4"),
            ("045_seed.sql", "-- habitat: environments test\nSELECT 6"),
            ("R__r.sql", "SELECT 2"),
        ];
        Migrator::new(catalog("app", scripts))
    };
    let fresh = status(&new(), &mut client);
    let all = [
        "Pending app:01_t",
        "Pending app:02_u",
        "Pending app:04_w",
        "Elsewhere app:045_seed",
        "Pending app:R__r",
    ];
    assert_eq!(stages(&fresh), all, "no tracker yet, and no error");
    assert!(!fresh.is_current());
    assert_eq!(fresh.drift(), []);

    Migrator::new(old.clone()).environment("production").migrate(&mut client).unwrap();
    Migrator::new(support::catalog("other", [("01_o.sql", "SELECT 1")])).migrate(&mut client).unwrap();
    let status = status(&new(), &mut client);
    let all = [
        "Applied app:01_t",
        "Changed app:02_u",
        "Missing app:03_v",
        "Newer(Compatible) app:05_x",
        "RunsAgain app:R__r",
        "Foreign other:01_o",
        "Pending app:04_w",
        "Elsewhere app:045_seed",
    ];
    assert_eq!(stages(&status), all);
    assert_eq!(status.environment(), Some("production"));
    assert_eq!((status.drift(), status.log()), ([].as_slice(), LogAccess::Read));
    let record = status.entries()[0].record().expect("it is recorded");
    assert_eq!(record.deployed_by(), "postgres");
    assert!(status.entries()[6].record().is_none());
    let Stage::Changed { recorded, built } = status.entries()[1].stage() else { panic!("{status}") };
    assert_eq!(built, &new().catalog().migrations()[1].checksum().to_string());
    assert_eq!(recorded, &old.migrations()[1].checksum().to_string());
    assert!(Migrator::new(old).status(&mut client).unwrap().is_current());
}

#[test]
fn an_interrupted_migration_and_replaced_ones_are_told_as_such() {
    let database = database();
    let mut client = database.connect().unwrap();
    let steps = [TABLE, ("02_u.sql", "SELECT 2"), ("03_v.sql", "SELECT 3")];
    Migrator::new(catalog("app", steps)).migrate(&mut client).unwrap();
    let squashed = Migrator::new(catalog(
        "app",
        [("09_all.sql", "-- habitat: replaces 01_t, 02_u, 03_v\nSELECT 1"), ("10_next.sql", "SELECT 10")],
    ));
    let replaced = ["Replaced app:01_t", "Replaced app:02_u", "Replaced app:03_v"];
    let before = status(&squashed, &mut client);
    assert_eq!(stages(&before), [&replaced[..], &["StandsIn app:09_all", "Pending app:10_next"]].concat());
    assert!(!before.is_current());
    squashed.migrate(&mut client).unwrap();
    let after = status(&squashed, &mut client);
    assert_eq!(stages(&after), [&replaced[..], &["Applied app:09_all", "Applied app:10_next"]].concat());
    assert!(after.is_current() && after.drift().is_empty(), "{after}");

    let database = support::database();
    let mut client = database.connect().unwrap();
    let ends = support::unchecked(&[("20_ends", "COMMIT; SELECT 1")]);
    Migrator::new(ends.clone()).migrate(&mut client).unwrap_err();
    let interrupted = status(&Migrator::new(ends), &mut client);
    assert_eq!(stages(&interrupted), ["Interrupted app:20_ends"], "{interrupted}");
    assert!(!interrupted.is_current());
    assert_eq!(interrupted.drift(), [], "the library wrote it so");
}

#[test]
fn the_table_fits_a_terminal_of_80_columns() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut client = database.connect().unwrap();
    let long = "03_a_name_that_goes_on_and_on_and_tells_all_that_it_does_in_one_go.sql";
    let login = "a_login_with_a_long_name_of_its_own";
    client.batch_execute(&format!("CREATE ROLE {login} SUPERUSER LOGIN")).unwrap();
    let mut client = database.config().user(login).connect(NoTls).unwrap();
    let first = [TABLE, ("02_u.sql", "SELECT 2"), (long, "SELECT 3")];
    Migrator::new(catalog("app", first)).migrate(&mut client).unwrap();
    let at = "2026-03-01 09:12:13+00";
    let fixed =
        format!("UPDATE schema_migrations SET deployed_at = '{at}', execution_time = '4100 microseconds'");
    client.batch_execute(&fixed).unwrap();
    client
        .batch_execute("UPDATE schema_migrations SET checksum = 'sha256:0' WHERE version = '02_u'")
        .unwrap();
    let next = [TABLE, ("02_u.sql", "SELECT 22"), (long, "SELECT 3"), ("04_next.sql", "SELECT 4")];
    let status = status(&Migrator::new(catalog("app", next)), &mut client);
    let text = status.to_string();
    let expected = "\
applied      app:01_t     2026-03-01 09:12    4.1 ms  a_login_with_a_long_name_…
changed      app:02_u     2026-03-01 09:12    4.1 ms  a_login_with_a_long_name_…
             applied: sha256:0, in the program: sha256:";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("\n             2026-03-01 09:12    4.1 ms  a_login"), "{text}");
    assert!(
        text.contains(
            "\npending      app:04_next\n\n2 applied, 1 changed, 1 pending; no environment is recorded\n"
        ),
        "{text}"
    );
    assert!(text.contains("\ndrift: app:02_u is recorded with sha256:0, and the log has"), "{text}");
    let unbroken = |line: &&str| line.split_whitespace().all(|word| word.len() < 60);
    let wide: Vec<&str> = text.lines().filter(unbroken).filter(|line| line.chars().count() > 80).collect();
    assert_eq!(wide, [""; 0], "{text}");
}

/// What is done by hand, and what is said of it.
const HANDS: [(&str, &str); 9] = [
    (
        "INSERT INTO schema_migrations (version, description, context, state, checksum, execution_time) \
         VALUES ('0009_x', '', 'app', 'applied', 'sha256:0', '1 s')",
        "Added app:0009_x",
    ),
    (
        "INSERT INTO schema_migrations (version, description, context, state, checksum) \
         VALUES ('0009_x', '', 'app', 'applied', 'sha256:0')",
        "Unlogged app:0009_x",
    ),
    ("DELETE FROM schema_migrations WHERE version = '0003_t3'", "Removed app:0003_t3"),
    ("DELETE FROM schema_migrations WHERE version = '0002_t2'", "Removed app:0002_t2, Misplaced app:0003_t3"),
    (
        "UPDATE schema_migrations SET checksum = 'sha256:0' WHERE version = '0002_t2'",
        "Altered app:0002_t2, Digest app:0002_t2",
    ),
    ("UPDATE schema_migrations SET digest = NULL WHERE version = '0002_t2'", "Digest app:0002_t2"),
    ("UPDATE schema_migrations SET follows = NULL WHERE version = '0003_t3'", "Misplaced app:0003_t3"),
    (
        "UPDATE schema_migrations SET ordinal = NULL, follows = NULL WHERE version = '0003_t3'",
        "Misplaced app:0003_t3",
    ),
    ("UPDATE schema_migrations SET state = 'replaced' WHERE version = '0003_t3'", "NotReplaced app:0003_t3"),
];

/// `Removed app:0003_t3`
fn said(status: &Status) -> String {
    let name = |drift: &Drift| {
        let name: String = format!("{drift:?}").chars().take_while(char::is_ascii_alphanumeric).collect();
        let about = drift.migration().map(|id| format!(" {id}")).unwrap_or_default();
        assert!(drift.to_string().contains(about.trim()) && !drift.advice().is_empty(), "{drift}");
        name + &about
    };
    status.drift().iter().map(name).collect::<Vec<_>>().join(", ")
}

#[test]
fn r39_rows_that_were_added_removed_or_altered_are_named() {
    for (hand, named) in HANDS {
        let database = database();
        let mut client = database.connect().unwrap();
        let migrator = Migrator::new(numbered(3));
        migrator.migrate(&mut client).unwrap();
        assert_eq!(said(&status(&migrator, &mut client)), "");
        by_hand(&mut client, hand);
        let status = status(&migrator, &mut client);
        assert_eq!(said(&status), named, "{hand}\n{status}");
        assert!(status.to_string().contains("\ndrift: "), "{status}");
    }
}

#[test]
fn r39_what_a_sentence_advises_takes_the_drift_away() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(numbered(3));
    migrator.migrate(&mut client).unwrap();
    by_hand(&mut client, HANDS[0].0);
    migrator.forget(&mut client, &id("0009_x"), "nobody knows whose it is").unwrap();
    assert_eq!(said(&status(&migrator, &mut client)), "");
    by_hand(&mut client, HANDS[2].0);
    migrator.mark_applied(&mut client, &id("0003_t3"), "its table is there").unwrap();
    assert_eq!(said(&status(&migrator, &mut client)), "");
    for altered in [3, 4, 5, 6] {
        by_hand(&mut client, HANDS[altered].0);
        if altered == 3 {
            migrator.mark_applied(&mut client, &id("0002_t2"), "its table is there").unwrap();
        }
        if altered == 4 {
            migrator.accept_changed(&mut client, &id("0002_t2"), "it is the same").unwrap();
        }
        migrator.accept_changed(&mut client, &id("0001_t1"), "the order anew").unwrap();
        let status = status(&migrator, &mut client);
        assert_eq!(said(&status), "", "{altered}: {status}");
        assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    }
}

#[test]
fn what_stands_for_others_is_taken_back_behind_what_was_built_on_them() {
    let database = database();
    let mut client = database.connect().unwrap();
    let down = |n: u32| (format!("{n:02}_s.down.sql"), "SELECT 1".to_owned());
    let up = |n: u32| (format!("{n:02}_s.sql"), "SELECT 1".to_owned());
    let first = catalog("app", [1, 2, 3].into_iter().flat_map(|n| [up(n), down(n)]));
    Migrator::new(first).migrate(&mut client).unwrap();
    let squash = ("09_all.sql".to_owned(), "-- habitat: replaces 01_s, 02_s\nSELECT 1".to_owned());
    let squash = [squash, ("09_all.down.sql".to_owned(), "SELECT 1".to_owned()), up(3), down(3)];
    let migrator =
        Migrator::new(catalog("app", squash)).out_of_order(habitat_migrate::policy::OutOfOrder::Apply);
    migrator.migrate(&mut client).unwrap();
    let report = migrator.rollback(&mut client, Rollback::Last).unwrap();
    assert_eq!(
        report.undone()[0].id(),
        &id("03_s"),
        "it was applied last, although the other was recorded last"
    );
    assert_eq!(status(&migrator, &mut client).drift(), []);
}

#[test]
fn a_changed_seed_is_accepted_although_it_has_no_place_in_the_order() {
    let database = database();
    let mut client = database.connect().unwrap();
    let seeds = |text: &str| {
        let script = format!("-- habitat: environments test\nSELECT {text}");
        Migrator::new(catalog("app", [("01_t.sql", TABLE.1.to_owned()), ("02_seed.sql", script)]))
            .environment("test")
    };
    seeds("1").migrate(&mut client).unwrap();
    seeds("2").migrate(&mut client).unwrap_err();
    seeds("2").accept_changed(&mut client, &id("02_seed"), "another way of saying it").unwrap();
    assert!(seeds("2").migrate(&mut client).unwrap().is_unchanged());
    let status = status(&seeds("2"), &mut client);
    assert!(status.is_current() && status.drift().is_empty(), "{status}");
}

#[test]
fn r39_a_log_that_is_gone_is_drift_and_one_that_may_not_be_read_is_said() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut admin = database.connect().unwrap();
    let migrator = Migrator::new(numbered(2));
    migrator.migrate(&mut admin).unwrap();
    admin.batch_execute("CREATE ROLE reader LOGIN; GRANT SELECT ON schema_migrations TO reader").unwrap();
    let mut reader = database.config().user("reader").connect(NoTls).unwrap();
    by_hand(&mut admin, HANDS[0].0);
    let denied = status(&migrator, &mut reader);
    assert_eq!((denied.log(), said(&denied).as_str()), (LogAccess::Denied, ""));
    assert!(denied.to_string().contains("may not read schema_migrations_log"), "{denied}");
    assert_eq!(stages(&denied)[..2], ["Applied app:0001_t1", "Applied app:0002_t2"]);
    admin.batch_execute("GRANT SELECT ON schema_migrations_log TO reader").unwrap();
    let read = status(&migrator, &mut reader);
    assert_eq!((read.log(), said(&read).as_str()), (LogAccess::Read, "Added app:0009_x"));
    admin.batch_execute("DROP TABLE schema_migrations_log").unwrap();
    assert_eq!(said(&status(&migrator, &mut reader)), "NoLog");
}

#[test]
fn status_writes_nothing_and_takes_no_lock() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(numbered(2)).environment("test");
    client.batch_execute("SET default_transaction_read_only = on").unwrap();
    assert_eq!(status(&migrator, &mut client).entries().len(), 2);
    client.batch_execute("SET default_transaction_read_only = off").unwrap();
    assert!(value::<bool>(&mut client, "SELECT to_regclass('schema_migrations') IS NULL"));
    migrator.migrate(&mut client).unwrap();
    client.batch_execute("SET default_transaction_read_only = on").unwrap();
    // Somebody migrates for as long as this transaction is open.
    let mut other = database.connect().unwrap();
    other.batch_execute("BEGIN; LOCK TABLE schema_migrations IN EXCLUSIVE MODE").unwrap();
    assert!(status(&migrator, &mut client).is_current());
    assert_eq!(support::leftovers(&mut other), (0, 0));
}

#[test]
fn what_others_commit_meanwhile_is_no_drift() {
    let database = database();
    let migrator = Migrator::new(numbered(2));
    let mut client = database.connect().unwrap();
    migrator.migrate(&mut client).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = database.connect().unwrap();
            for _ in 0..150 {
                migrator.forget(&mut other, &id("0002_t2"), "in turn").unwrap();
                migrator.mark_applied(&mut other, &id("0002_t2"), "in turn").unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let status = status(&migrator, &mut client);
            assert_eq!(said(&status), "", "{status}");
        }
    });
}

/// Something that a person or a program does.
#[derive(Clone, Debug)]
enum Verb {
    /// Migrates up to so many migrations, with this text of the repeatable one.
    Migrate(usize, usize),
    RollBack(usize),
    Mark(usize),
    Forget(usize),
    Accept(usize, usize),
    Baseline(usize),
    Squash(usize),
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        4 => (1..6usize, 0..3usize).prop_map(|(count, text)| Verb::Migrate(count, text)),
        2 => (1..4usize).prop_map(Verb::RollBack),
        1 => (1..6usize).prop_map(Verb::Mark),
        1 => (1..6usize).prop_map(Verb::Forget),
        1 => (1..6usize, 1..3usize).prop_map(|(n, text)| Verb::Accept(n, text)),
        1 => (1..6usize).prop_map(Verb::Baseline),
        1 => (2..5usize).prop_map(Verb::Squash),
    ]
}

/// So many migrations, one of them for some environments only; all can be taken back, and run on whatever is there.
fn set(count: usize, text: usize, repeats: usize) -> Catalog {
    let script = |n: usize| {
        let head = if n == 3 { "-- habitat: environments test\n" } else { "" };
        [
            (format!("{n:02}_s.sql"), format!("{head}SELECT {text}")),
            (format!("{n:02}_s.down.sql"), "SELECT 1".to_owned()),
        ]
    };
    catalog("app", (1..=count).flat_map(script).chain([("R__r.sql".to_owned(), format!("SELECT {repeats}"))]))
}

/// Does it, if it can be done; what is refused changes nothing.
fn act(verb: &Verb, client: &mut Client) -> Result<(), habitat_migrate::Error> {
    use habitat_migrate::policy::{Changed, Missing, OutOfOrder};

    let version = |n: &usize| id(&format!("{n:02}_s"));
    let with = |catalog| {
        let migrator = Migrator::new(catalog).environment("test").changed(Changed::Ignore);
        migrator.missing(Missing::Ignore).out_of_order(OutOfOrder::Apply)
    };
    let all = with(set(5, 0, 0));
    let report = match verb {
        // A policy that ignores what changed would not run the repeatable one again.
        Verb::Migrate(count, text) => with(set(*count, 0, *text)).changed(Changed::Refuse).migrate(client),
        Verb::RollBack(steps) => all.rollback(client, Rollback::Steps(*steps)),
        Verb::Mark(n) => all.mark_applied(client, &version(n), "by hand"),
        Verb::Forget(n) => all.forget(client, &version(n), "by hand"),
        Verb::Accept(n, text) => with(set(5, *text, 0)).accept_changed(client, &version(n), "the same"),
        Verb::Baseline(n) => all.baseline(client, &version(n), "it is there"),
        Verb::Squash(count) => {
            let names: Vec<String> = (1..=*count).filter(|n| *n != 3).map(|n| format!("{n:02}_s")).collect();
            let squash = format!("-- habitat: replaces {}\nSELECT 1", names.join(", "));
            let script = (format!("1{count}_squash.sql"), squash);
            with(catalog("app", [script, (format!("1{count}_squash.down.sql"), "SELECT 1".to_owned())]))
                .migrate(client)
        }
    };
    report.map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn r39_no_verb_of_the_library_leaves_drift(verbs in prop::collection::vec(verb(), 1..12)) {
        let database = Server::shared().expect("a server").database().expect("a database");
        let mut client = database.connect().expect("a connection");
        let mut done = Vec::new();
        for verb in &verbs {
            let outcome = act(verb, &mut client);
            if let Err(error) = &outcome {
                prop_assert_eq!(error.kind(), habitat_migrate::ErrorKind::Refused, "{:?} {:?}: {:?}", done, verb, error);
            }
            done.push((verb, outcome.is_ok()));
            let status = Migrator::new(set(5, 0, 0)).status(&mut client).expect("a status");
            prop_assert!(status.drift().is_empty(), "{:?}\n{}", done, status);
        }
    }
}
