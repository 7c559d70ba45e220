//! Data folders in which a template is there already, kept from one server to the next.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use habitat_migrate::Catalog;
use habitat_migrate::testing::TestDatabase;

use crate::helper::{Numbers, Place};
use crate::orders::end_group;
use crate::process::{Helper, one, poll};

/// Tells when a template was built, and whether a role is there that no migration makes.
const STAMP: &str = "CREATE TABLE stamp AS SELECT pg_catalog.gen_random_uuid()::text AS id;
    DO $$ BEGIN CREATE ROLE prepared_clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT SELECT ON stamp TO prepared_clerk;";

#[test]
fn a_server_that_starts_again_has_the_template_and_nothing_that_tests_have_done() {
    let place = Place::new();
    let first = see(&place, STAMP);
    assert_eq!(first.stranger, "no", "the test makes it after it has looked");
    prepared(&place);
    for _ in 0..2 {
        place.assert_left_clean();
        let next = see(&place, STAMP);
        assert_ne!(first.server, next.server);
        assert_eq!(first.stamp, next.stamp, "the template was kept");
        assert_eq!((next.stranger.as_str(), next.clerk.as_str()), ("no", "may read"));
    }
    // Another catalog has another template, and both stay.
    let other = format!("{STAMP} -- another");
    place.assert_left_clean();
    let second = see(&place, &other);
    assert_ne!(first.stamp, second.stamp);
    poll("the second folder", || (folders(&place).len() == 2).then_some(()));
    place.assert_left_clean();
    assert_eq!(first.stamp, see(&place, STAMP).stamp);
}

#[test]
fn what_a_session_would_have_to_find_out_is_there_too() {
    let place = Place::new();
    see(&place, STAMP);
    let kept = prepared(&place);
    place.assert_left_clean();
    let place = place.idle("5");
    see(&place, STAMP);
    let data = place.servers()[0].join("data");
    let databases: Vec<_> = std::fs::read_dir(kept.join("late/base")).unwrap().flatten().collect();
    let known = databases.iter().filter(|database| database.path().join("pg_internal.init").exists());
    let known: Vec<_> = known.map(|database| database.file_name()).collect();
    assert!(known.len() >= 3, "that of `postgres`, the template and its copy: {known:?}");
    for database in known {
        assert!(data.join("base").join(&database).join("pg_internal.init").exists(), "{database:?}");
    }
}

#[test]
fn sixteen_processes_at_once_on_a_cold_cache_build_one_template() {
    let place = Place::new().idle("2");
    for round in ["cold", "kept"] {
        let mut helpers: Vec<_> = (0..16).map(|_| process(&place, STAMP)).collect();
        let seen = helpers.iter_mut().map(Seen::of).map(|seen| (seen.server, seen.stamp));
        let seen: BTreeSet<_> = seen.collect();
        assert_eq!(seen.len(), 1, "{round}: {seen:?}");
        prepared(&place);
        place.assert_left_clean();
    }
}

#[test]
fn a_folder_that_is_a_day_old_or_damaged_does_not_count() {
    let place = Place::new();
    let mut last = see(&place, STAMP).stamp;
    let damages: [&dyn Fn(PathBuf); 4] = [
        &|kept| {
            assert!(
                Command::new("touch")
                    .args(["-d", "25 hours ago"])
                    .arg(kept.parent().unwrap())
                    .status()
                    .unwrap()
                    .success()
            )
        },
        &|kept| std::fs::remove_file(kept.join("first/global/pg_control")).unwrap(),
        &|kept| std::fs::remove_dir_all(kept.join("base")).unwrap(),
        &|kept| std::fs::remove_dir_all(kept.join("late")).unwrap(),
    ];
    for (n, damage) in damages.iter().enumerate() {
        damage(prepared(&place));
        place.assert_left_clean();
        let seen = see(&place, STAMP);
        assert_ne!(last, seen.stamp, "damage {n}: built anew");
        last = seen.stamp;
        // The server that was to start with a damaged one starts without any; the next one leaves another.
        if n > 0 {
            place.assert_left_clean();
            last = see(&place, STAMP).stamp;
        }
        prepared(&place);
        place.assert_left_clean();
        assert_eq!(last, see(&place, STAMP).stamp, "damage {n}: kept again");
    }
}

#[test]
fn a_migration_that_fails_is_told_as_on_any_server() {
    let place = Place::new();
    for _ in 0..2 {
        let error = process(&place, &format!("CREATE ROLE lonely;{NEXT}SELECT 1;\nSELECT 1/0;")).complaint();
        assert!(error.contains("02_stamp.sql:2") && error.contains("division by zero"), "{error}");
        assert!(!error.contains("lonely"), "{error}");
        place.assert_left_clean();
    }
    assert!(folders(&place).iter().all(|folder| !folder.join("ready").exists()));
}

#[test]
fn a_template_of_files_that_are_elsewhere_is_not_kept() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let folder = elsewhere.path().join("space");
    let folder = folder.display();
    let script = format!(
        "{STAMP} COPY (SELECT 1) TO PROGRAM $$mkdir -p {folder}$$;{NEXT}\
         -- habitat: transaction none\nCREATE TABLESPACE elsewhere LOCATION '{folder}';"
    );
    see(&place, &script);
    place.assert_left_clean();
    assert_eq!(folders(&place), Vec::<PathBuf>::new());
}

#[test]
fn processes_killed_while_a_server_is_prepared_leave_nothing_behind() {
    let place = Place::new();
    let mut numbers = Numbers(11);
    for round in 0..20 {
        let script = format!("{STAMP} SELECT pg_catalog.pg_sleep(0.05); -- {}", round / 2);
        let helpers: Vec<_> = (0..2).map(|_| process(&place, &script)).collect();
        for mut helper in helpers {
            std::thread::sleep(Duration::from_millis(numbers.below(250)));
            helper.child.kill().unwrap();
            helper.child.wait().unwrap();
        }
    }
    place.assert_left_clean();
    // What was kept can be used.
    let last = see(&place, STAMP).stamp;
    place.assert_left_clean();
    poll("a folder that is kept", || {
        place.assert_left_clean();
        (see(&place, STAMP).stamp == last).then_some(())
    });
    // Nor is a server at work in the cache.
    let cache = place.cache().display().to_string();
    let at_work = || {
        let all = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap();
        String::from_utf8_lossy(&all.stdout).lines().any(|line| line.contains(&cache))
    };
    poll("what goes on behind to end", || (!at_work()).then_some(()));
    let whole = folders(&place).into_iter().filter(|folder| folder.join("ready").exists());
    assert!(whole.count() <= 4, "the oldest go");
}

#[test]
fn a_server_that_nobody_has_finished_ends_with_its_starter() {
    let place = Place::new().idle("60");
    let mut helper = process(&place, &format!("{STAMP} SELECT pg_catalog.pg_sleep(60);"));
    poll("the server", || {
        place.servers().iter().any(|server| server.join("data/postmaster.pid").exists()).then_some(())
    });
    let mut other = process(&place, &format!("{STAMP} SELECT pg_catalog.pg_sleep(0);"));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(place.servers().len(), 1, "the other one waits for it");
    helper.child.kill().unwrap();
    helper.child.wait().unwrap();
    let seen = Seen::of(&mut other);
    poll("the first server to go", || (place.servers().len() == 1).then_some(()));
    // The second one would wait a minute for somebody: server, keeper and its `sleep` are one group.
    end_group(seen.server.parse().unwrap());
}

#[test]
fn what_reads_elsewhere_is_not_kept_nor_is_anything_if_one_says_so() {
    let place = Place::new();
    see(&place, &format!("{STAMP} CREATE TABLE hosts (name text); COPY hosts FROM '/etc/hosts';"));
    place.assert_left_clean();
    Seen::of(&mut Helper::start(place.command("stamp").env(SCRIPT, STAMP).env("HABITAT_TEST_PREPARED", "0")));
    place.assert_left_clean();
    assert_eq!(folders(&place), Vec::<PathBuf>::new());
}

#[test]
fn a_cache_with_blanks_in_its_name_serves_as_well_and_one_that_cannot_be_written_is_done_without() {
    let place = Place::new();
    let cache = place.cache().join("with a blank");
    let see = || {
        let mut helper =
            Helper::start(place.command("stamp").env(SCRIPT, STAMP).env("HABITAT_CACHE", &cache));
        let stamp = Seen::of(&mut helper).stamp;
        place.assert_left_clean();
        stamp
    };
    let first = see();
    poll("a folder that is kept", || (see() == first).then_some(()));
    // Root may write everywhere, but not into a file.
    std::fs::remove_dir_all(cache.join("prepared")).unwrap();
    std::fs::write(cache.join("prepared"), "").unwrap();
    assert_ne!(see(), see());
}

/// What a test has seen.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    server: String,
    stamp: String,
    /// Whether a role is there that an earlier test has made.
    stranger: String,
    /// Whether the role that a migration has made may do what it was granted.
    clerk: String,
}

impl Seen {
    fn of(helper: &mut Helper) -> Self {
        let line = helper.line();
        assert!(!line.is_empty(), "{}", helper.complaint());
        let mut words = line.split('|').map(str::to_owned);
        let mut word = || words.next().unwrap();
        Self { server: word(), stamp: word(), stranger: word(), clerk: word() }
    }
}

/// Runs a test in a process of its own.
fn see(place: &Place, script: &str) -> Seen {
    Seen::of(&mut process(place, script))
}

fn process(place: &Place, script: &str) -> Helper {
    Helper::start(place.command("stamp").env(SCRIPT, script))
}

/// What such a process does.
pub(crate) fn look() {
    let scripts: &'static str = std::env::var(SCRIPT).unwrap().leak();
    let scripts = ["01_stamp.sql", "02_stamp.sql"].into_iter().zip(scripts.split(NEXT));
    let catalog = Catalog::from_scripts("shop", scripts).unwrap();
    let database =
        TestDatabase::builder(&catalog).named("stamp").create().unwrap_or_else(|error| panic!("{error:?}"));
    let mut client = database.connect().unwrap();
    let seen = one::<String>(&mut client, LOOK);
    client.batch_execute("CREATE ROLE prepared_stranger").ok();
    drop((client, database));
    println!("HELPER {seen}");
    std::process::exit(0);
}

const LOOK: &str = "SELECT concat_ws('|',
    split_part(pg_read_file('postmaster.pid'), E'\\n', 1),
    (SELECT id FROM stamp),
    CASE WHEN to_regrole('prepared_stranger') IS NULL THEN 'no' ELSE 'yes' END,
    CASE WHEN has_table_privilege('prepared_clerk', 'stamp', 'SELECT') THEN 'may read' ELSE 'may not' END)";

/// The folder that was kept, once it is whole.
fn prepared(place: &Place) -> PathBuf {
    poll("a folder that is kept", || {
        folders(place).into_iter().map(|folder| folder.join("ready")).find(|ready| ready.exists())
    })
}

fn folders(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.cache().join("prepared")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Between two migrations.
const NEXT: &str = "\n-- next\n";

const SCRIPT: &str = "HABITAT_TEST_SCRIPT";
