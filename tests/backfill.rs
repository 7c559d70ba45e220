//! Batched backfills: large tables, filled in while others write to them, paused, killed and gone on with.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::Database;
use habitat_migrate::{BackfillState, Catalog, ErrorKind, Event, MigrationId, Migrator, Version};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, program, value, with_each_client};

/// A table of people without slugs; `n` counts how often a batch has touched a row.
const PEOPLE: &str = "CREATE UNLOGGED TABLE people (id bigint PRIMARY KEY, name text NOT NULL, slug text, n int NOT NULL DEFAULT 0, \
                      touched int NOT NULL DEFAULT 0);\n";

const SLUGS: &str = "-- habitat: backfill people by id, batch 500\n\
                     UPDATE people SET slug = lower(name), n = n + 1 WHERE ${range};\n";

const NEXT: (&str, &str) = ("03_next.sql", "CREATE TABLE next (id int)");

fn people(rows: usize) -> String {
    format!("{PEOPLE}INSERT INTO people SELECT g * 3, 'Name ' || g FROM generate_series(1, {rows}) AS g;\n")
}

fn slugs(people: &str, backfill: &str) -> Catalog {
    catalog("app", [("01_people.sql", people), ("02_slugs.sql", backfill), NEXT])
}

fn backfill_id() -> MigrationId {
    MigrationId::new("app".to_owned(), Version::new("02_slugs".to_owned()))
}

/// A table whose rows were made before the migrator comes.
fn with_people(rows: usize) -> (Database, Client) {
    let database = database();
    let mut client = database.connect().unwrap();
    client.batch_execute(&people(rows)).unwrap();
    (database, client)
}

/// The backfill of a table that is there, and a migration behind it.
fn of_slugs(backfill: &str) -> Catalog {
    catalog("app", [("02_slugs.sql", backfill), NEXT])
}

/// How many rows were touched how often: `1: 2000` where each was once.
fn counts(client: &mut Client) -> String {
    value(
        client,
        "SELECT coalesce(string_agg(n || ': ' || c, ', ' ORDER BY n), '') FROM (SELECT n, count(*) AS c FROM people GROUP BY n) x",
    )
}

#[test]
fn a_backfill_touches_each_row_once_and_what_stands_behind_it_comes_after() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let tell = told.clone();
    let migrator = Migrator::new(slugs(&people(2_000), SLUGS)).on_event(move |event| {
        tell.lock().unwrap().push(event.to_string());
    });
    with_each_client("", &migrator, |client, outcome| {
        let report = outcome.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(report.applied().len(), 3, "{report}");
        assert_eq!(counts(client), "1: 2000");
        let record =
            "SELECT state || ' ' || (execution_time > '0') FROM schema_migrations WHERE version = '02_slugs'";
        assert_eq!(value::<String>(client, record), "applied true");
        let state = "SELECT concat_ws(' ', state, rows, cursor, batches > 4, batches < 20, walks) FROM schema_migrations_backfill";
        assert_eq!(value::<String>(client, state), "done 2000 {6000} t t \"people\" (\"id\")");
        let told = std::mem::take(&mut *told.lock().unwrap());
        let last =
            told.iter().rposition(|line| line.starts_with("backfilling app:02_slugs: 2,000 ")).unwrap();
        assert!(told[last + 1].starts_with("applied app:02_slugs"), "{told:?}");
        assert!(told.iter().any(|line| line == "backfilling app:02_slugs: 128 rows"), "{told:?}");
        assert!(migrator.migrate(client).unwrap().is_unchanged());
    });
}

#[test]
fn an_empty_table_is_done_at_once() {
    let migrator = Migrator::new(slugs(PEOPLE, SLUGS));
    with_each_client("", &migrator, |client, outcome| {
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{error:?}")).applied().len(), 3);
        assert_eq!(value::<i64>(client, "SELECT batches FROM schema_migrations_backfill"), 0);
    });
}

#[test]
fn progress_is_told_against_the_number_of_rows_that_the_server_knows() {
    let (database, mut client) = with_people(1_000);
    client.batch_execute("ANALYZE people").unwrap();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let tell = told.clone();
    let migrator = Migrator::new(of_slugs(SLUGS)).on_event(move |event| {
        if let Event::Backfill { .. } = event {
            tell.lock().unwrap().push(event.to_string());
        }
    });
    migrator.migrate(&mut database.connect().unwrap()).unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told.last().unwrap(), "backfilling app:02_slugs: 1,000 of about 1,000 rows");
}

#[test]
fn keys_of_several_columns_of_any_order_and_spelling_lead_through_the_whole_table() {
    let prepare = "CREATE SCHEMA \"od.d\";\n\
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');\n\
        CREATE TABLE \"od.d\".\"Ev\"\"ents\" (m mood, at timestamptz, \"Na me\" text COLLATE \"C\", id int, n int DEFAULT 0, \
        PRIMARY KEY (m, at, \"Na me\"));\n\
        CREATE TABLE others (id int, at timestamptz);\n\
        INSERT INTO others VALUES (1, now());\n\
        INSERT INTO \"od.d\".\"Ev\"\"ents\" SELECT (ARRAY['sad', 'ok', 'happy'])[1 + g % 3]::mood, \
        timestamptz '2024-01-02 03:04:05.678901+00' + g % 7 * interval '1 day', \
        (ARRAY['', 'a''b', 'c\\d', '\"', 'é', 'z,{}'])[1 + g % 6] || g, g FROM generate_series(1, 3000) AS g;";
    let backfill = "-- habitat: backfill \"od.d\".\"Ev\"\"ents\" as e by m, at, \"Na me\", batch 100\n\
        UPDATE \"od.d\".\"Ev\"\"ents\" AS e SET n = n + 1 FROM others AS o WHERE o.id = 1 AND ${range};\n";
    let id = MigrationId::new("app".to_owned(), Version::new("01_events".to_owned()));
    let migrator = Migrator::new(catalog("app", [("01_events.sql", backfill)]));
    let styles = ["ISO, MDY", "German, DMY", "SQL, DMY"];
    for (n, style) in styles.into_iter().enumerate() {
        let database = database();
        let mut client = database.connect().unwrap();
        client.batch_execute(prepare).unwrap();
        client.batch_execute(&format!("SET DateStyle = '{style}'; SET search_path = public")).unwrap();
        let (hand, other, this) = (migrator.clone(), Mutex::new(database.connect().unwrap()), id.clone());
        let pausing = migrator.clone().on_event(move |event| {
            if matches!(event, Event::Backfill { batches: 11, .. }) {
                hand.pause_backfill(&mut *other.lock().unwrap(), &this).unwrap();
            }
        });
        let report = pausing.migrate(&mut client).unwrap_or_else(|error| panic!("{style}: {error:?}"));
        assert_eq!(report.paused(), Some(&id));
        // Whoever goes on reads and writes times in another way.
        migrator.resume_backfill(&mut client, &id).unwrap();
        client.batch_execute(&format!("SET DateStyle = '{}'", styles[(n + 1) % 3])).unwrap();
        migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{style}: {error:?}"));
        let once = "SELECT bool_and(n = 1) AND count(*) = 3000 FROM \"od.d\".\"Ev\"\"ents\"";
        assert!(value::<bool>(&mut client, once), "{style}");
        let batches = "SELECT batches BETWEEN 30 AND 60 AND rows = 3000 FROM schema_migrations_backfill";
        assert!(value::<bool>(&mut client, batches), "{style}");
    }
}

#[test]
fn rows_that_are_inserted_behind_the_end_meanwhile_are_done_too() {
    let (database, _) = with_people(300);
    let url = database.url();
    let inserted = AtomicBool::new(false);
    let migrator = Migrator::new(of_slugs(SLUGS)).on_event(move |event| {
        if matches!(event, Event::Backfill { rows: 300, .. }) && !inserted.swap(true, Ordering::Relaxed) {
            let mut other = Client::connect(&url, NoTls).unwrap();
            other.batch_execute("INSERT INTO people VALUES (1000000, 'Late')").unwrap();
        }
    });
    let mut client = database.connect().unwrap();
    migrator.migrate(&mut client).unwrap();
    assert_eq!(counts(&mut client), "1: 301");
}

#[test]
fn a_table_that_always_grows_is_done_some_day() {
    let (database, _) = with_people(300);
    let other = Mutex::new(database.connect().unwrap());
    let migrator = Migrator::new(of_slugs(SLUGS)).on_event(move |event| {
        if let Event::Backfill { batches, .. } = event {
            let insert = format!("INSERT INTO people VALUES ({}, 'Late')", 1_000_000 + batches);
            other.lock().unwrap().batch_execute(&insert).unwrap();
        }
    });
    let mut client = database.connect().unwrap();
    migrator.migrate(&mut client).unwrap();
    let done: i64 = value(&mut client, "SELECT count(*) FROM people WHERE n = 1");
    assert!((310..400).contains(&done), "{done}");
}

#[test]
fn a_backfill_is_paused_and_resumed_from_another_connection() {
    let (database, mut client) = with_people(5_000);
    let other = Mutex::new(database.connect().unwrap());
    let migrator = Migrator::new(of_slugs(SLUGS));
    let pausing = {
        let hand = migrator.clone();
        migrator.clone().on_event(move |event| {
            if matches!(event, Event::Backfill { batches: 3, .. }) {
                hand.pause_backfill(&mut *other.lock().unwrap(), &backfill_id()).unwrap();
            }
        })
    };
    assert!(migrator.backfills(&mut client).unwrap().is_empty(), "there is no tracker");
    let report = pausing.migrate(&mut client).unwrap();
    assert_eq!(report.paused(), Some(&backfill_id()));
    assert_eq!(report.applied().len(), 0);
    assert!(report.to_string().contains("the backfill app:02_slugs is paused"), "{report}");
    let paused = migrator.backfills(&mut client).unwrap().pop().unwrap();
    assert_eq!(paused.state(), BackfillState::Paused);
    // The worker was between two batches: it sees the pause with the one that was to come.
    assert_eq!(paused.batches(), 4, "{paused}");
    assert_eq!(paused.cursor(), Some((paused.rows() * 3).to_string().as_str()), "{paused}");
    assert!(paused.updated_at() >= paused.started_at());
    assert!(value::<bool>(&mut client, "SELECT to_regclass('next') IS NULL"));

    // Whoever boots meanwhile is told, and does not wait.
    for _ in 0..2 {
        let report = migrator.migrate(&mut database.connect().unwrap()).unwrap();
        assert_eq!(report.paused(), Some(&backfill_id()), "{report}");
        assert_eq!(migrator.backfills(&mut client).unwrap()[0].rows(), paused.rows());
    }
    assert_eq!(support::leftovers(&mut client), (0, 0));

    let resumed = migrator.resume_backfill(&mut client, &backfill_id()).unwrap();
    assert_eq!(resumed.state(), BackfillState::Running);
    let report = migrator.migrate(&mut client).unwrap();
    assert_eq!((report.applied().len(), report.paused()), (2, None), "{report}");
    assert_eq!(counts(&mut client), "1: 5000");
    let error = migrator.pause_backfill(&mut client, &backfill_id()).unwrap_err();
    assert!(error.to_string().contains("is done"), "{error:?}");
    let log =
        "SELECT string_agg(event, ' ' ORDER BY id) FROM schema_migrations_log WHERE version = '02_slugs'";
    assert_eq!(value::<String>(&mut client, log), "pause resume apply");
}

#[test]
fn a_pause_is_seen_while_the_worker_rests() {
    let (database, mut client) = with_people(5_000);
    let migrator = Migrator::new(of_slugs(&SLUGS.replace("batch 500", "batch 500, pause 300ms")));
    let url = database.url();
    let worker = {
        let migrator = migrator.clone();
        std::thread::spawn(move || migrator.migrate(&mut Client::connect(&url, NoTls).unwrap()).unwrap())
    };
    let begun =
        |client: &mut Client| migrator.backfills(client).unwrap().first().is_some_and(|b| b.batches() > 0);
    support::wait_for("the first batch", || begun(&mut client));
    let asked = Instant::now();
    let paused = migrator.pause_backfill(&mut client, &backfill_id()).unwrap();
    assert!(asked.elapsed() < Duration::from_millis(250), "nobody waits for a resting worker");
    assert_eq!(worker.join().unwrap().paused(), Some(&backfill_id()));
    let now = migrator.backfills(&mut client).unwrap().pop().unwrap();
    assert!(now.batches() <= paused.batches() + 1, "{now} after {paused}");
}

#[test]
fn a_changed_text_is_refused_until_it_is_accepted_or_begun_anew() {
    let (database, mut client) = with_people(1_000);
    let first = Migrator::new(of_slugs(SLUGS));
    let dying = first.clone().on_event(|event| {
        if matches!(event, Event::Backfill { batches: 2, .. }) {
            panic!("the process ends here");
        }
    });
    let mut victim = database.connect().unwrap();
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dying.migrate(&mut victim)));
    assert!(died.is_err());
    drop(victim);
    let done: i64 = value(&mut client, "SELECT count(*) FROM people WHERE n = 1");
    assert!(done > 128, "{done}");

    let text = SLUGS.replace("lower(name)", "upper(name)");
    let changed = Migrator::new(of_slugs(&text));
    let error = changed.migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backfill, "{error:?}");
    assert_eq!(error.location(), Some(("app/02_slugs.sql", 1, 13)));
    assert_eq!(error.migration(), Some(&backfill_id()));
    let checksum = habitat_migrate::Checksum::of(SLUGS);
    assert!(format!("{error:?}").contains(&format!("-- habitat: accepts {checksum}")), "{error:?}");
    assert_eq!(support::leftovers(&mut client), (0, 0));

    // Another key is another walk: the cursor means nothing there, whatever is accepted.
    let other = format!("-- habitat: accepts {checksum}\n{}", text.replace("by id", "by id, name"));
    let error = Migrator::new(of_slugs(&other)).migrate(&mut client).unwrap_err();
    assert!(error.to_string().contains("by another key"), "{error:?}");

    let accepting = Migrator::new(of_slugs(&format!("-- habitat: accepts {checksum}\n{text}")));
    accepting.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(counts(&mut client), "1: 1000");
    let upper: i64 = value(&mut client, "SELECT count(*) FROM people WHERE slug = upper(name)");
    assert_eq!(upper, 1_000 - done, "it went on where it stopped");
}

#[test]
fn a_restart_begins_anew_and_ends_the_worker_that_is_under_way() {
    let (database, mut client) = with_people(1_000);
    let migrator = Migrator::new(of_slugs(SLUGS));
    let other = Mutex::new(database.connect().unwrap());
    let hand = migrator.clone();
    let restarted = migrator.clone().on_event(move |event| {
        if matches!(event, Event::Backfill { batches: 2, .. }) {
            hand.restart_backfill(&mut *other.lock().unwrap(), &backfill_id()).unwrap();
        }
    });
    let error = restarted.migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
    assert_eq!(support::leftovers(&mut client), (0, 0));
    let twice: i64 = value(&mut client, "SELECT count(*) FROM people WHERE n = 1");
    Migrator::new(of_slugs(&format!("-- Another text.\n{SLUGS}"))).migrate(&mut client).unwrap();
    assert_eq!(counts(&mut client), format!("1: {}, 2: {twice}", 1_000 - twice));
}

#[test]
fn what_a_table_lacks_is_told_at_the_directive_and_corrected_without_ado() {
    let prepare = "CREATE DOMAIN positive AS int CHECK (VALUE > 0);\n\
        CREATE TYPE pair AS (a int, b int);\n\
        CREATE TABLE people (id int PRIMARY KEY, other int NOT NULL, free int, p pair NOT NULL UNIQUE, n int);\n\
        CREATE INDEX ON people (other) WHERE other > 5;\n";
    for (key, words) in [
        ("nobody by id", "there is no table \"nobody\""),
        ("people by nothing", "has no column \"nothing\""),
        ("people by id, free", "\"free\" may be null"),
        ("people by p", "\"p\" has type pair, whose order is not known"),
        ("people by other", "no index leads through \"people\" (\"other\")"),
    ] {
        let text =
            format!("-- Title\n-- habitat: backfill {key}\nUPDATE people SET n = 1 WHERE ${{range}};\n");
        let migrator = Migrator::new(of_slugs(&text));
        with_each_client(prepare, &migrator, |client, outcome| {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Backfill, "{error:?}");
            assert!(error.to_string().contains(words), "{error:?}");
            assert_eq!(error.location(), Some(("app/02_slugs.sql", 2, 13)), "{error:?}");
            // Nothing ran, so another text is no change.
            let right = text.replace(key, "people by id");
            Migrator::new(of_slugs(&right)).migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
        });
    }
}

#[test]
fn a_failing_batch_is_told_with_its_place_and_those_before_it_are_kept() {
    let failing = "-- habitat: backfill people by id, batch 200\n-- é\nUPDATE people SET n = n + 1,\n  \
                   touched = 1 / (id - 1500) WHERE ${range}\n  AND nothing IS NULL;";
    let sound = failing.replace("nothing", "slug");
    let cases = [
        (failing.to_owned(), (5, 7), 0, "column \"nothing\" does not exist (42703)"),
        (sound.clone(), (3, 1), 3, "division by zero (22012)"),
    ];
    for (text, (line, column), kept, words) in cases {
        with_each_client(&people(1_000), &Migrator::new(of_slugs(&text)), |client, outcome| {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Migration, "{error:?}");
            assert_eq!(error.location(), Some(("app/02_slugs.sql", line, column)), "{error:?}");
            assert!(format!("{error:?}").contains(words), "{error:?}");
            let batches: i64 = value(client, "SELECT batches FROM schema_migrations_backfill");
            assert_eq!(batches > 0, kept > 0, "{batches}");
            let told = if kept == 0 {
                "nothing of it was kept".to_owned()
            } else {
                format!("the {batches} batches")
            };
            assert!(error.to_string().contains(&told), "{error}");
            let rows: i64 = value(
                client,
                "SELECT rows - (SELECT count(*) FROM people WHERE n = 1) FROM schema_migrations_backfill",
            );
            assert_eq!(rows, 0);
            if kept > 0 {
                client.batch_execute("DELETE FROM people WHERE id = 1500").unwrap();
                Migrator::new(of_slugs(&text)).migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
                assert_eq!(counts(client), "1: 999");
            }
        });
    }
}

#[test]
fn a_backfill_is_recorded_when_its_verify_script_proves_it() {
    let scripts = [
        ("02_slugs.sql", SLUGS),
        (
            "02_slugs.verify.sql",
            "SELECT true;\nSELECT count(*) = 0, count(*) AS rows FROM people WHERE touched = 0;",
        ),
        NEXT,
    ];
    let migrator = Migrator::new(catalog("app", scripts));
    with_each_client(&people(300), &migrator, |client, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Verification);
        assert_eq!(error.location(), Some(("app/02_slugs.verify.sql", 2, 1)));
        assert!(error.to_string().contains("batches before it are kept"), "{error}");
        assert!(value::<bool>(client, "SELECT state = 'running' FROM schema_migrations_backfill"));
        client.batch_execute("UPDATE people SET touched = 1").unwrap();
        assert_eq!(migrator.migrate(client).unwrap().applied().len(), 2);
        assert_eq!(counts(client), "1: 300");
    });
}

#[test]
fn a_backfill_that_was_taken_back_is_done_anew() {
    let scripts =
        [("02_slugs.sql", SLUGS), ("02_slugs.down.sql", "UPDATE people SET slug = NULL, n = n + 10;")];
    let migrator = Migrator::new(catalog("app", scripts));
    let (_database, mut client) = with_people(300);
    migrator.migrate(&mut client).unwrap();
    let report = migrator.rollback(&mut client, Rollback::Last).unwrap();
    assert_eq!(report.undone().len(), 1);
    assert_eq!(counts(&mut client), "11: 300");
    migrator.migrate(&mut client).unwrap();
    assert_eq!(counts(&mut client), "12: 300");
}

#[test]
fn a_row_that_somebody_has_locked_holds_nobody_else_up() {
    let (database, mut client) = with_people(1_000);
    let mut holder = database.connect().unwrap();
    let retried = Arc::new(AtomicBool::new(false));
    let told = retried.clone();
    let migrator = Migrator::new(of_slugs(SLUGS)).on_event(move |event| {
        if let Event::Retrying { error, .. } = event {
            assert_eq!(error.code, "55P03");
            told.store(true, Ordering::Relaxed);
        }
    });
    let mut transaction = holder.transaction().unwrap();
    transaction.execute("UPDATE people SET touched = 1 WHERE id = 1500", &[]).unwrap();
    let url = database.url();
    let worker = std::thread::spawn(move || migrator.migrate(&mut Client::connect(&url, NoTls).unwrap()));
    // The batch that waits for that row has locked those before it.
    let (mut longest, mut writes) = (Duration::ZERO, 0i64);
    let began = Instant::now();
    while !retried.load(Ordering::Relaxed) || writes < 200 {
        let id = 1_497 - 3 * (writes % 40);
        let asked = Instant::now();
        client.execute("UPDATE people SET touched = touched + 1 WHERE id = $1", &[&id]).unwrap();
        longest = longest.max(asked.elapsed());
        writes += 1;
        assert!(began.elapsed() < Duration::from_secs(20), "nothing was tried again");
        std::thread::sleep(Duration::from_millis(2));
    }
    transaction.commit().unwrap();
    worker.join().unwrap().unwrap_or_else(|error| panic!("{error:?}"));
    println!("the longest wait beside a locked row: {longest:?}");
    assert!(longest < Duration::from_millis(250), "{longest:?}");
    assert_eq!(counts(&mut client), "1: 1000");
}

#[test]
fn batches_shrink_where_rows_are_dear() {
    let (_database, mut client) = with_people(400);
    let slow = "-- habitat: backfill people by id, batch 5000\n\
                UPDATE people SET slug = pg_sleep(0.004)::text, n = n + 1 WHERE ${range};\n";
    let longest = Arc::new(Mutex::new((0, 0)));
    let told = longest.clone();
    let migrator = Migrator::new(of_slugs(slow)).on_event(move |event| {
        if let Event::Backfill { rows, .. } = event {
            let mut told = told.lock().unwrap();
            *told = (*rows, told.1.max(rows - told.0));
        }
    });
    migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(counts(&mut client), "1: 400");
    let (_, most) = *longest.lock().unwrap();
    assert!(most < 60, "a batch of {most} rows at 4 ms each");
}

#[test]
fn of_several_processes_one_fills_the_table_in() {
    let (database, mut client) = with_people(10_000);
    let boot = || {
        let url = database.url();
        move || Migrator::new(of_slugs(SLUGS)).migrate(&mut Client::connect(&url, NoTls).unwrap()).unwrap()
    };
    let reports = [boot(), boot(), boot()].map(std::thread::spawn).map(|boot| boot.join().unwrap());
    assert_eq!(reports.iter().map(|report| report.applied().len()).sum::<usize>(), 2);
    assert_eq!(counts(&mut client), "1: 10000");
}

#[test]
fn a_worker_that_lost_its_lock_without_knowing_runs_no_batch_twice() {
    let (database, mut client) = with_people(3_000);
    let other = Mutex::new(database.connect().unwrap());
    // As another worker would, behind a pooler that gave the session of this one away.
    let moved = "UPDATE schema_migrations_backfill SET cursor = ARRAY[(cursor[1]::int + 300)::text], rows = rows + 100; \
                 UPDATE people SET n = n + 1 FROM schema_migrations_backfill \
                 WHERE id > cursor[1]::int - 300 AND id <= cursor[1]::int";
    let migrator = Migrator::new(of_slugs(SLUGS)).on_event(move |event| {
        if matches!(event, Event::Backfill { batches: 3, .. }) {
            other.lock().unwrap().batch_execute(moved).unwrap();
        }
    });
    let error = migrator.migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
    Migrator::new(of_slugs(SLUGS)).migrate(&mut client).unwrap();
    assert_eq!(counts(&mut client), "1: 3000");
}

#[test]
fn r46_operators_of_the_same_name_are_not_called_in_place_of_the_servers() {
    let (_database, mut client) = with_people(1_000);
    client
        .batch_execute(
            "CREATE FUNCTION public.never(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false';\n\
             CREATE FUNCTION public.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';\n\
             CREATE FUNCTION public.never(text[], text[]) RETURNS boolean LANGUAGE sql AS 'SELECT false';\n\
             CREATE OPERATOR public.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.never);\n\
             CREATE OPERATOR public.<= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.never);\n\
             CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.never);\n\
             CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.never);\n\
             CREATE OPERATOR public.= (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public.never);\n\
             SET search_path = public, pg_catalog",
        )
        .unwrap();
    Migrator::new(of_slugs(SLUGS)).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    client.batch_execute("SET search_path = pg_catalog, public").unwrap();
    assert_eq!(counts(&mut client), "1: 1000");
}

#[test]
fn batches_run_as_the_role_that_the_migration_names() {
    let (database, mut client) = with_people(300);
    let role = format!("filler_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE {role}; GRANT SELECT, UPDATE ON people TO {role}; ALTER TABLE people ADD by text"
        ))
        .unwrap();
    let text =
        format!("-- habitat: role {role}\n{}", SLUGS.replace("slug = lower(name)", "by = current_user"));
    Migrator::new(of_slugs(&text)).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    let whose = "SELECT count(*) FROM people WHERE by = 'filler_' || current_database()";
    assert_eq!(value::<i64>(&mut client, whose), 300);
    assert!(value::<bool>(&mut client, "SELECT deployed_by = session_user FROM schema_migrations LIMIT 1"));
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn a_backfill_in_a_schema_of_its_services_own_is_logged_without_a_complaint() {
    let server = support::own_server();
    let database = server.database().unwrap();
    let mut client = database.connect().unwrap();
    client.batch_execute(&people(2_000)).unwrap();
    let migrator = Migrator::new(of_slugs(SLUGS)).schema("or\"der");
    migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    let line = migrator.backfills(&mut client).unwrap()[0].to_string();
    assert!(line.starts_with("app:02_slugs: done, 2,000 rows in ") && line.ends_with("up to 6000"), "{line}");
    assert_eq!(support::complaints(&server), [""; 0]);
}

#[test]
fn r52_a_login_that_may_not_write_down_how_far_it_came_is_told_what_it_lacks() {
    let server = support::own_server();
    let database = server.database().unwrap();
    let mut admin = database.connect().unwrap();
    let first = catalog("app", [("01_people.sql", people(300))]);
    Migrator::new(first).schema("ops").migrate(&mut admin).unwrap();
    let grants = "CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA ops TO app; GRANT SELECT, UPDATE ON people TO app; \
                  GRANT SELECT, INSERT, UPDATE ON ops.schema_migrations, ops.schema_migrations_log TO app;";
    admin.batch_execute(grants).unwrap();
    let both = catalog("app", [("01_people.sql", people(300).as_str()), ("02_slugs.sql", SLUGS)]);
    let migrator = Migrator::new(both).schema("ops");
    for there in [false, true] {
        let mut client = database.config().user("app").connect(NoTls).unwrap();
        let error = migrator.migrate(&mut client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tracker, "{error:?}");
        let text = error.diagnostic().to_string();
        let (_, grant) = text.split_once("run:\n").unwrap_or_else(|| panic!("no remedy: {text}"));
        if !there {
            // The administrator has begun it meanwhile, say: the table is there, and belongs to somebody else.
            assert_eq!(grant.trim(), "GRANT CREATE ON SCHEMA \"ops\" TO \"app\";");
            let dying = migrator.clone().on_event(|event| {
                assert!(!matches!(event, Event::Backfill { .. }), "the process ends here");
            });
            let died = std::panic::AssertUnwindSafe(|| dying.migrate(&mut admin));
            assert!(std::panic::catch_unwind(died).is_err());
        } else {
            admin.batch_execute(grant).unwrap();
            migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
        }
    }
    assert_eq!(counts(&mut admin), "1: 300");
}

#[test]
fn a_role_that_may_not_touch_the_table_is_told_at_the_script() {
    let text = format!("-- habitat: role pg_monitor\n{SLUGS}");
    with_each_client(&people(10), &Migrator::new(of_slugs(&text)), |client, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration, "{error:?}");
        assert_eq!(error.server_error().unwrap().code, "42501");
        assert_eq!(error.location(), Some(("app/02_slugs.sql", 2, 13)), "{error:?}");
        assert_eq!(counts(client), "0: 10");
    });
}

#[test]
fn child_fills() {
    in_child(|url| {
        let mut client = Client::connect(url, NoTls).expect("a connection");
        let migrator = Migrator::new(of_slugs(SLUGS)).on_event(|event| {
            if let Event::Backfill { batches, .. } = event {
                println!("batch {batches}");
            }
        });
        match migrator.migrate(&mut client) {
            Ok(report) => println!("applied {}", report.applied().len()),
            Err(error) => panic!("{error:?}"),
        }
    });
}

/// Numbers that differ from run to run.
fn random(below: u64) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() % below
}

#[test]
fn killed_at_ten_random_points_it_ends_complete_and_runs_no_batch_twice() {
    use std::io::{BufRead, BufReader};

    const ROWS: usize = 60_000;
    let (database, mut client) = with_people(ROWS);
    let child = program("child_fills", &database.url());
    let mut points = Vec::new();
    while points.len() < 10 {
        let mut process = child.start();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Some batches on, and then anywhere within the next one.
        let batches = 2 + random(8);
        let seen = (0..batches).filter(|_| lines.any(|line| line.starts_with("batch "))).count();
        std::thread::sleep(Duration::from_micros(random(6_000)));
        let over = process.try_wait().unwrap().is_some();
        process.kill().unwrap();
        if points.len() % 2 == 0 {
            // What the server has been sent it completes, unless it is stopped in the middle of it, too.
            let sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                            WHERE datname = current_database() AND pid <> pg_backend_pid()";
            client.batch_execute(sessions).unwrap();
        }
        process.wait().unwrap();
        assert!(!over && seen > 0, "it ended before it was killed ten times");
        support::wait_for("the server to notice", || support::leftovers(&mut client) == (0, 0));
        let state = "SELECT rows || ' rows in ' || batches FROM schema_migrations_backfill";
        points.push(value::<String>(&mut client, state));
        let behind: i64 = value(
            &mut client,
            "SELECT count(*) FROM people, schema_migrations_backfill WHERE n <> (id <= cursor[1]::bigint)::int",
        );
        assert_eq!(behind, 0, "the rows are what the cursor says: {points:?}");
    }
    println!("killed at {points:?}");
    let output = child.run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(counts(&mut client), format!("1: {ROWS}"));
    let whole = format!("SELECT state = 'done' AND rows = {ROWS} FROM schema_migrations_backfill");
    assert!(value::<bool>(&mut client, &whole));
}

#[test]
fn two_million_rows_are_filled_in_while_four_clients_write_and_none_waits_for_long() {
    const ROWS: usize = 2_000_000;
    let (database, mut client) = with_people(ROWS);
    let text = "-- habitat: backfill people by id, batch 5000\n\
                UPDATE people SET slug = lower(name), n = n + 1 WHERE ${range};\n";
    client.batch_execute("ANALYZE people").unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let write = |aims: bool| {
        let (over, done, url) = (over.clone(), done.clone(), database.url());
        move || {
            let mut client = Client::connect(&url, NoTls).unwrap();
            // Whoever waited longer for a lock would fail.
            client.batch_execute("SET lock_timeout = '250ms'").unwrap();
            let update = client.prepare("UPDATE people SET touched = touched + 1 WHERE id = $1").unwrap();
            let (mut longest, mut writes) = (Duration::ZERO, 0i64);
            while !over.load(Ordering::Relaxed) {
                // Two write anywhere, two to the rows that are being filled in at this moment.
                let row = match aims {
                    true => (done.load(Ordering::Relaxed) + random(5_000)).min(ROWS as u64 - 1),
                    false => random(ROWS as u64),
                };
                let asked = Instant::now();
                client.execute(&update, &[&(3 * (1 + row) as i64)]).unwrap();
                longest = longest.max(asked.elapsed());
                writes += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            (longest, writes)
        }
    };
    let writers = [true, true, false, false].map(|aims| std::thread::spawn(write(aims)));
    // For how long a write is kept waiting that has nothing to do with the table: by a machine that has other work.
    client.batch_execute("CREATE TABLE beside (n int); INSERT INTO beside VALUES (0);").unwrap();
    let machine = std::thread::spawn({
        let (over, url) = (over.clone(), database.url());
        move || {
            let mut client = Client::connect(&url, NoTls).unwrap();
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                client.execute("UPDATE beside SET n = n + 1", &[]).unwrap();
                longest = longest.max(asked.elapsed());
                std::thread::sleep(Duration::from_millis(2));
            }
            longest
        }
    });
    let began = Instant::now();
    let migrator = Migrator::new(of_slugs(text)).on_event({
        let done = done.clone();
        move |event| {
            if let Event::Backfill { rows, .. } = event {
                done.store(*rows, Ordering::Relaxed);
            }
        }
    });
    let outcome = migrator.migrate(&mut client);
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    let waits = writers.map(|writer| writer.join().unwrap());
    let machine = machine.join().unwrap();
    outcome.unwrap_or_else(|error| panic!("{error:?}"));
    let batches: i64 = value(&mut client, "SELECT batches FROM schema_migrations_backfill");
    let longest = waits.iter().map(|(longest, _)| *longest).max().unwrap();
    let writes: i64 = waits.iter().map(|(_, writes)| writes).sum();
    println!(
        "{ROWS} rows in {batches} batches, {took:?}; {writes} writes beside them, the longest wait {longest:?}; \
         beside another table {machine:?}"
    );
    assert_eq!(counts(&mut client), format!("1: {ROWS}"));
    assert_eq!(value::<i64>(&mut client, "SELECT sum(touched) FROM people"), writes, "no write is lost");
    assert!(
        longest < Duration::from_millis(250) + machine,
        "{longest:?}, and {machine:?} beside another table"
    );
}
