//! What a program and a database disagree about: R34, R35, R42, and what this version refuses.

mod support;

use habitat_migrate::policy::{Changed, Missing, NewerDatabase, OutOfOrder};
use habitat_migrate::{Catalog, Error, ErrorKind, Loader, Migrator, Refusal, Report, Scripts};
use postgres::Client;
use support::{catalog, database, value};

/// The context `app` with these migrations, each of which makes a table of its own.
fn app(numbers: &[u32]) -> Catalog {
    set("app", numbers)
}

fn set(context: &str, numbers: &[u32]) -> Catalog {
    let script = |n: &u32| (format!("{n:02}_step.sql"), format!("CREATE TABLE {context}_{n} (id int);"));
    catalog(context, numbers.iter().map(script))
}

fn boot(client: &mut Client, numbers: &[u32]) -> Result<Report, Error> {
    Migrator::new(app(numbers)).migrate(client)
}

fn refusals(error: &Error) -> Vec<Refusal> {
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.report().applied().is_empty(), "{error:?}");
    error.refusals().expect("refusals").iter().cloned().collect()
}

/// The only reason, in words.
fn reason(error: &Error) -> String {
    match refusals(error).as_slice() {
        [refusal] => refusal.to_string(),
        more => panic!("{more:?}"),
    }
}

fn rows(client: &mut Client) -> String {
    let sql = "SELECT coalesce(string_agg(context || ':' || version, ' ' ORDER BY run_order), '') FROM schema_migrations";
    value(client, sql)
}

#[test]
fn a_changed_migration_is_refused_with_its_file_and_both_checksums() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = |text| Migrator::new(catalog("app", [("01_a.sql", "SELECT 1;"), ("02_b.sql", text)]));
    migrator("SELECT 2;").migrate(&mut client).unwrap();
    let changed = migrator("SELECT 3;");
    let error = changed.migrate(&mut client).unwrap_err();
    let history = changed.history(&mut client).unwrap();
    let Refusal::Changed { migration, path, recorded, built } = &refusals(&error)[0] else {
        panic!("{error:?}")
    };
    assert_eq!((migration.to_string().as_str(), path.as_str()), ("app:02_b", "app/02_b.sql"));
    assert_eq!(recorded, history.get(migration).unwrap().checksum());
    assert_eq!(*built, changed.catalog().migrations()[1].checksum().to_string());
    assert!(error.to_string().contains("app/02_b.sql"), "{error}");
    assert!(error.diagnostic().to_string().contains("habitat: accepts"), "{error:?}");
}

#[test]
fn a_changed_migration_can_be_ignored_and_its_record_stays() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(catalog("app", [("01_a.sql", "SELECT 1;")])).migrate(&mut client).unwrap();
    let checksum = "SELECT checksum FROM schema_migrations WHERE version = '01_a'";
    let recorded: String = value(&mut client, checksum);
    let later = catalog("app", [("01_a.sql", "SELECT 100;"), ("02_b.sql", "SELECT 2;")]);
    let migrator = Migrator::new(later).changed(Changed::Ignore);
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(value::<String>(&mut client, checksum), recorded);
}

#[test]
fn an_earlier_text_that_a_file_accepts_is_good() {
    let database = database();
    let mut client = database.connect().unwrap();
    let first = catalog("app", [("01_a.sql", "SELECT 1;")]);
    Migrator::new(first.clone()).migrate(&mut client).unwrap();
    let text = format!("-- habitat: accepts {}\nSELECT 1, 'better';", first.migrations()[0].checksum());
    let second = Migrator::new(catalog("app", [("01_a.sql", text.as_str()), ("02_b.sql", "SELECT 2;")]));
    assert_eq!(second.migrate(&mut client).unwrap().applied().len(), 1);
    assert!(second.migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn r34_a_gap_is_an_error_for_older_and_newer_programs() {
    let database = database();
    let mut client = database.connect().unwrap();
    boot(&mut client, &[1, 2, 3]).unwrap();
    for program in [&[1, 3][..], &[1, 3, 4], &[2, 3]] {
        let error = boot(&mut client, program).unwrap_err();
        assert!(reason(&error).contains("this program does not have it"), "{program:?}: {error}");
    }
    let migrator = Migrator::new(app(&[1, 3, 4])).missing(Missing::Ignore);
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
    assert_eq!(rows(&mut client), "app:01_step app:02_step app:03_step app:04_step");
}

#[test]
fn r34_an_older_program_boots_on_a_newer_compatible_database() {
    let database = database();
    let mut client = database.connect().unwrap();
    boot(&mut client, &[1, 2, 3, 4]).unwrap();
    let report = boot(&mut client, &[1, 2]).unwrap();
    assert_eq!((report.applied().len(), report.already_applied(), report.newer()), (0, 2, 2));
    let error =
        Migrator::new(app(&[1, 2])).newer_database(NewerDatabase::Refuse).migrate(&mut client).unwrap_err();
    let named: Vec<String> = refusals(&error).iter().map(ToString::to_string).collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named[0].contains("the database has app:03_step"), "{named:?}");
}

#[test]
fn r34_an_older_program_boots_whatever_the_order_was() {
    let database = database();
    let mut client = database.connect().unwrap();
    boot(&mut client, &[1, 2, 4]).unwrap();
    Migrator::new(app(&[1, 2, 3, 4, 5])).out_of_order(OutOfOrder::Apply).migrate(&mut client).unwrap();
    assert_eq!(rows(&mut client), "app:01_step app:02_step app:04_step app:03_step app:05_step");
    // The first three rows are not its three migrations, so that the short question does not answer it.
    let report = boot(&mut client, &[1, 2, 3]).unwrap();
    assert_eq!((report.already_applied(), report.newer()), (3, 2));
    // This one has the first three rows: the late sibling came after all that it knows.
    let report = boot(&mut client, &[1, 2, 4]).unwrap();
    assert_eq!((report.already_applied(), report.newer()), (3, 2));
    assert_eq!(Migrator::new(app(&[1, 2, 4])).plan(&mut client).unwrap().newer().len(), 2);
}

#[test]
fn r34_an_older_program_refuses_a_breaking_database_and_names_what_breaks_it() {
    let database = database();
    let mut client = database.connect().unwrap();
    let scripts = [
        ("01_a.sql", "SELECT 1;"),
        ("02_b.sql", "SELECT 2;"),
        ("03_c.sql", "-- habitat: breaking\nSELECT 3;"),
    ];
    Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap();
    let error = Migrator::new(catalog("app", scripts[..2].to_vec())).migrate(&mut client).unwrap_err();
    assert_eq!(
        reason(&error),
        "the database has app:03_c, which is newer than this program and breaks older ones"
    );
    assert!(Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn r35_a_late_sibling_is_refused_or_applied_and_never_ignored() {
    let database = database();
    let mut client = database.connect().unwrap();
    boot(&mut client, &[1, 3, 4]).unwrap();
    // Also by a program that lacks the last one, so that it has as many migrations as the database.
    for program in [&[1, 2, 3, 4][..], &[1, 2, 3], &[1, 2]] {
        let error = boot(&mut client, program).unwrap_err();
        let refused = refusals(&error).into_iter().any(|refusal| {
            matches!(refusal, Refusal::OutOfOrder { migration, after }
                if migration.to_string() == "app:02_step" && after.to_string() == "app:04_step")
        });
        assert!(refused, "{program:?}: {error}");
    }
    let migrator = Migrator::new(app(&[1, 2, 3, 4])).out_of_order(OutOfOrder::Apply);
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
    assert_eq!(rows(&mut client), "app:01_step app:03_step app:04_step app:02_step");
    assert!(boot(&mut client, &[1, 2, 3, 4]).unwrap().is_unchanged(), "it is applied, so no policy is asked");
}

#[test]
fn r35_contexts_are_numbered_apart() {
    let database = database();
    let mut client = database.connect().unwrap();
    let both = |app: &[u32], shop: &[u32]| {
        let scripts = |context: &str, numbers: &[u32]| {
            let script =
                |n: &u32| (format!("{n:02}_step.sql"), format!("CREATE TABLE {context}_{n} (id int);"));
            Scripts::new(context, numbers.iter().map(script).collect::<Vec<_>>())
        };
        Migrator::new(Loader::new().source(scripts("app", app)).source(scripts("shop", shop)).load().unwrap())
    };
    both(&[1, 2], &[5]).migrate(&mut client).unwrap();
    // Below shop's five, above app's two.
    assert_eq!(both(&[1, 2, 3], &[5]).migrate(&mut client).unwrap().applied().len(), 1);
    assert_eq!(both(&[1, 2, 3], &[5, 6]).migrate(&mut client).unwrap().applied().len(), 1);
    assert_eq!(rows(&mut client), "app:01_step app:02_step shop:05_step app:03_step shop:06_step");
    let error = both(&[1, 2, 3], &[4, 5, 6]).migrate(&mut client).unwrap_err();
    assert!(reason(&error).starts_with("shop:04_step is pending"), "{error}");
}

#[test]
fn a_context_of_another_program_is_none_of_our_business() {
    let database = database();
    let mut client = database.connect().unwrap();
    boot(&mut client, &[1, 2]).unwrap();
    let breaking = catalog("shop", [("09_far_ahead.sql", "-- habitat: breaking\nSELECT 9;")]);
    let report = Migrator::new(breaking).migrate(&mut client).unwrap();
    assert_eq!((report.applied().len(), report.newer()), (1, 0));
    let strict = Migrator::new(app(&[1, 2])).newer_database(NewerDatabase::Refuse);
    let report = strict.migrate(&mut client).unwrap();
    assert_eq!((report.already_applied(), report.newer()), (2, 0));
    assert_eq!(boot(&mut client, &[1, 2, 3]).unwrap().applied().len(), 1);
}

#[test]
fn r42_versions_apply_in_natural_order() {
    let database = database();
    let mut client = database.connect().unwrap();
    let names = [
        "00000000000000000010_twenty_digits",
        "9_one_digit",
        "0011_four_digits",
        "100_three_digits",
        "20240501120000_timestamp",
        "99999999999999999999_beyond_64_bits",
        "18446744073709551616_just_beyond",
        "08_padded",
    ];
    let migrator = Migrator::new(catalog("app", names.map(|name| (format!("{name}.sql"), "SELECT 1;"))));
    migrator.migrate(&mut client).unwrap();
    let expected = "app:08_padded app:9_one_digit app:00000000000000000010_twenty_digits app:0011_four_digits \
                    app:100_three_digits app:20240501120000_timestamp app:18446744073709551616_just_beyond \
                    app:99999999999999999999_beyond_64_bits";
    assert_eq!(rows(&mut client), expected);
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    let more = names.iter().copied().chain(["0099_late"]).map(|name| (format!("{name}.sql"), "SELECT 1;"));
    let error = Migrator::new(catalog("app", more)).migrate(&mut client).unwrap_err();
    assert!(reason(&error).contains("app:0099_late is pending, but app:99999999999999999999"), "{error}");
}

#[test]
fn r42_one_number_padded_in_two_ways_is_refused_by_name() {
    let scripts = [("7_a.sql", "SELECT 1;"), ("0007_b.sql", "SELECT 1;")];
    let problems = Catalog::from_scripts("app", scripts).unwrap_err().render();
    assert!(problems.contains("7_a.sql") && problems.contains("0007_b.sql"), "{problems}");
}

#[test]
fn what_this_version_cannot_do_is_refused_by_name_before_anything_runs() {
    let ok = ("01_ok.sql", "CREATE TABLE ok (id int);");
    let cases = [(
        vec![("02_x.sql", "-- habitat: transaction none\nBEGIN;")],
        "begins a transaction that it does not end",
    )];
    let database = database();
    let mut client = database.connect().unwrap();
    for (scripts, what) in cases {
        let path = format!("app/{}", scripts[0].0);
        let migrator = Migrator::new(catalog("app", [ok].into_iter().chain(scripts)));
        let reason = reason(&migrator.migrate(&mut client).unwrap_err());
        assert!(reason.contains(what) && reason.starts_with(&path), "{what}: {reason}");
    }
    let objects = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(value::<i64>(&mut client, objects), 0, "not even a tracker");
}
