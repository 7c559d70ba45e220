//! Folders of other tools load as they are.
//!
//! `tests/fixtures` has a folder for each tool, as its own documentation shows one.

use std::fs;
use std::path::{Path, PathBuf};

use habitat_migrate_catalog::{
    Catalog, Checksum, Directory, Layout, Loader, Location, Migration, Problems, Scripts, TransactionMode,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A fixture, loaded as this layout or as what it is recognised to be.
fn load(name: &str, layout: Option<Layout>) -> Catalog {
    let directory = Directory::new(fixture(name)).shown_as(name);
    let directory = match layout {
        Some(layout) => directory.in_layout(layout),
        None => directory,
    };
    Catalog::load(directory).unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// Each migration's version, with `down` if it can be undone and `none` if it runs without a transaction.
fn summary(catalog: &Catalog) -> Vec<String> {
    let mode = |mode| if mode == TransactionMode::None { " none" } else { "" };
    let one = |migration: &Migration| {
        let up = mode(migration.settings().transaction);
        let down = migration.down().map(|_| format!(", down{}", mode(migration.down_transaction())));
        format!("{}{up}{}", migration.version(), down.unwrap_or_default())
    };
    catalog.migrations().iter().map(one).collect()
}

fn keys(catalog: &Catalog, layout: Layout) -> Vec<String> {
    catalog.migrations().iter().filter_map(|migration| layout.foreign_key(migration)).collect()
}

/// The problems of texts that are loaded as this layout: path, place, message and help of each.
fn problems(layout: Option<Layout>, files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, String)> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let loader = Loader::new().source(Scripts::new("app", files));
    let loader = match layout {
        Some(layout) => loader.layout(layout),
        None => loader,
    };
    shown(&loader.load().expect_err("the set is faulty"))
}

fn shown(problems: &Problems) -> Vec<String> {
    problems
        .iter()
        .map(|problem| {
            let place = problem.location().map_or(String::new(), |location| format!(":{location}"));
            let help = problem.help().unwrap_or_default();
            format!("{}{place}: {} ({help})", problem.path(), problem.message())
        })
        .collect()
}

#[track_caller]
fn contains(problems: &[String], parts: &[&str]) {
    let fits = |problem: &&String| parts.iter().all(|part| problem.contains(part));
    assert!(problems.iter().any(|problem| fits(&problem)), "{parts:?} is not in {problems:#?}");
}

#[test]
fn a_folder_of_sqlx_loads_as_it_is() {
    let catalog = load("sqlx", None);
    let expected = [
        "20240115103000_create_users, down",
        "20240116090000_add_last_seen",
        "20240201120000_index_last_seen none, down none",
    ];
    assert_eq!(summary(&catalog), expected);
    assert_eq!(summary(&load("sqlx", Some(Layout::Sqlx))), expected);
    assert_eq!(keys(&catalog, Layout::Sqlx), ["20240115103000", "20240116090000", "20240201120000"]);
    let users = &catalog.migrations()[0];
    assert_eq!(users.path(), "sqlx/20240115103000_create_users.up.sql");
    assert_eq!(users.description(), "create users");
    let file = fs::read_to_string(fixture("sqlx/20240115103000_create_users.up.sql")).expect("the fixture");
    assert_eq!(users.script(), file, "what sqlx has a checksum of is the script");
}

#[test]
fn a_folder_of_golang_migrate_loads_as_it_is() {
    let catalog = load("golang_migrate", None);
    let expected =
        ["000001_create_users_table, down", "000002_add_mood_to_users, down", "000003_index_mood none, down"];
    assert_eq!(summary(&catalog), expected);
    assert_eq!(summary(&load("golang_migrate", Some(Layout::GolangMigrate))), expected);
    assert_eq!(keys(&catalog, Layout::GolangMigrate), ["1", "2", "3"]);
    let mood = &catalog.migrations()[1];
    let script = mood.script();
    assert!(!script.contains("BEGIN") && !script.contains("COMMIT"), "{script}");
    let place = Location::at(script, script.find("ALTER TABLE").expect("its second statement"));
    assert_eq!(place.to_string(), "4:1", "the lines are those of the file");
    assert_eq!(mood.checksum(), Checksum::of(script));
}

#[test]
fn a_folder_of_refinery_loads_as_it_is() {
    let catalog = load("refinery", Some(Layout::Refinery));
    assert_eq!(
        summary(&catalog),
        ["1_initial", "2_add_cars_and_motos_table", "3_merge_out_of_order"],
        "U migrates, as V does"
    );
    assert_eq!(keys(&catalog, Layout::Refinery), ["1", "2", "3"]);
}

#[test]
fn a_folder_of_flyway_loads_as_it_is() {
    let catalog = load("flyway", None);
    let expected = [
        "1_Create_person_table",
        "1.9_Add_people, down",
        "1.10_Index_name none",
        "2_Count_people",
        "3_Vacuum none",
        "R__Person_names",
    ];
    assert_eq!(summary(&catalog), expected);
    assert_eq!(summary(&load("flyway", Some(Layout::Flyway))), expected);
    assert_eq!(keys(&catalog, Layout::Flyway), ["1", "1.9", "1.10", "2", "3"]);
    assert_eq!(catalog.migrations()[1].description(), "Add people");
}

#[test]
fn a_folder_of_diesel_loads_as_it_is() {
    let catalog = load("diesel", None);
    let expected = [
        "00000000000000_diesel_initial_setup, down",
        "20240115103000_create_posts, down",
        "202402011200000001_index_title none, down none",
    ];
    assert_eq!(summary(&catalog), expected);
    assert_eq!(summary(&load("diesel", Some(Layout::Diesel))), expected);
    let keys = keys(&catalog, Layout::Diesel);
    assert_eq!(keys, ["00000000000000", "20240115103000", "202402011200000001"]);
    assert_eq!(catalog.migrations()[1].path(), "diesel/2024-01-15-103000_create_posts/up.sql");
    assert_eq!(catalog.contexts()[0].name(), "diesel");
}

#[test]
fn a_folder_of_dbmate_loads_as_it_is() {
    let catalog = load("dbmate", None);
    let expected = [
        "20151127184807_create_users_table, down",
        "20151128090000_colors",
        "20151129154903_add_orange none",
        "20151130000000_index_name, down none",
    ];
    assert_eq!(summary(&catalog), expected);
    assert_eq!(summary(&load("dbmate", Some(Layout::Dbmate))), expected);
    assert_eq!(keys(&catalog, Layout::Dbmate)[0], "20151127184807");
    let users = &catalog.migrations()[0];
    assert!(!users.script().contains("DROP"));
    let down = users.down().expect("a down section");
    assert!(!down.contains("CREATE"));
    let place = Location::at(down, down.find("DROP TABLE").expect("its statement"));
    assert_eq!(place.to_string(), "8:1", "the lines are those of the file");
}

#[test]
fn a_folder_of_goose_loads_as_it_is() {
    let catalog = load("goose", None);
    let expected = [
        "00001_create_users_table, down",
        "00002_rename_root, down",
        "00003_index_username none, down none",
        "00004_no_way_back",
    ];
    assert_eq!(summary(&catalog), expected);
    assert_eq!(summary(&load("goose", Some(Layout::Goose))), expected);
    assert_eq!(keys(&catalog, Layout::Goose), ["1", "2", "3", "4"]);
}

#[test]
fn statements_that_goose_ends_by_a_marker_alone_end() {
    let catalog = load("goose", None);
    let codes = |script: &str| {
        let statements = habitat_migrate_catalog::statements(script).expect("it is complete");
        let whole = |code: &str| code.split_whitespace().collect::<Vec<_>>().join(" ");
        let filled = statements.iter().filter(|statement| !statement.is_empty());
        filled.map(|statement| whole(&script[statement.code()])).collect::<Vec<_>>()
    };
    let migration = &catalog.migrations()[1];
    let up = codes(migration.script());
    assert_eq!((up.len(), up[1].as_str()), (2, "INSERT INTO users VALUES (1, greet('root')) ;"), "{up:?}");
    assert!(up[0].ends_with("LANGUAGE plpgsql ;"));
    let down = codes(migration.down().expect("a down section"));
    assert_eq!(down, ["DELETE FROM users WHERE id = 1 ;", "DROP FUNCTION greet"]);
    let file = fs::read_to_string(fixture("goose/00002_rename_root.sql")).expect("the fixture");
    let place = |text: &str, word: &str| Location::at(text, text.find(word).expect("its statement"));
    assert_eq!(place(migration.script(), "INSERT"), place(&file, "INSERT"));
    assert_eq!(place(migration.down().unwrap_or_default(), "DROP"), place(&file, "DROP"));
}

#[test]
fn a_change_of_the_down_section_leaves_the_checksum() {
    let load = |down: &str| {
        let text = format!("-- migrate:up\nSELECT 1;\n\n-- migrate:down\n{down}");
        Catalog::from_scripts("app", [("1_a.sql", text)]).expect("a good file").migrations()[0].checksum()
    };
    assert_eq!(load("SELECT 2;"), load("SELECT 3;\nSELECT 4;"));
    let alone =
        Catalog::from_scripts("app", [("1_a.sql", "-- migrate:up\nSELECT 1;\n")]).expect("a good file");
    assert_eq!(alone.migrations()[0].down(), None);
}

#[test]
fn a_section_without_a_transaction_says_so_in_its_script() {
    let modes = |text: &'static str| {
        let catalog = Catalog::from_scripts("app", [("1_a.sql", text)]).expect("a good file");
        let migration = &catalog.migrations()[0];
        (migration.settings().transaction, migration.down_transaction())
    };
    use TransactionMode::{None, Wrapped};
    let (up, down) = ("SELECT 1;\n", "SELECT 2;\n");
    assert_eq!(modes("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"), (Wrapped, Wrapped));
    assert_eq!(
        modes("-- migrate:up\nSELECT 1;\n-- migrate:down transaction:false\nSELECT 2;"),
        (Wrapped, None)
    );
    assert_eq!(
        modes("-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 2;"),
        (None, Wrapped)
    );
    assert_eq!(
        modes("-- +goose Up\nSELECT 1;\n-- +goose NO TRANSACTION\n-- +goose Down\nSELECT 2;"),
        (None, None)
    );
    let sqlx = [("1_a.up.sql", up.to_owned()), ("1_a.down.sql", format!("-- no-transaction\n{down}"))];
    let catalog = Catalog::from_scripts("app", sqlx).expect("a good set");
    assert_eq!(catalog.migrations()[0].down_transaction(), None);
}

#[test]
fn directives_and_verify_scripts_work_in_every_layout() {
    let text = "-- habitat: role owner\n-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;";
    let catalog = Catalog::from_scripts(
        "app",
        [("1_a.sql", text), ("1_a.verify.sql", "SELECT true"), ("R__b.sql", "SELECT 3")],
    );
    let catalog = catalog.expect("a good set");
    assert_eq!(catalog.migrations()[0].settings().role.as_deref(), Some("owner"));
    assert_eq!(catalog.migrations()[0].verify(), Some("SELECT true"));
    assert_eq!(catalog.migrations()[1].version().as_str(), "R__b");
    for (layout, up, verify) in [
        (Layout::Sqlx, "1_a.up.sql", "1_a.verify.sql"),
        (Layout::Refinery, "V1__a.sql", "V1__a.verify.sql"),
        (Layout::Flyway, "V1__a.sql", "V1__other name.verify.sql"),
        (Layout::Diesel, "1_a/up.sql", "1_a/verify.sql"),
    ] {
        let scripts = Scripts::new("app", [(up, "SELECT 1"), (verify, "SELECT true")]);
        let catalog = Loader::new().source(scripts).layout(layout).load().expect("a good set");
        assert_eq!(catalog.migrations()[0].verify(), Some("SELECT true"), "{layout}");
        assert_eq!(catalog.migrations()[0].version().as_str(), "1_a");
    }
}

#[test]
fn a_down_script_belongs_to_its_migration_by_number() {
    let files = [("V1__create.sql", "SELECT 1"), ("U1__drop_it.sql", "SELECT 2")];
    let catalog = Catalog::from_scripts("app", files).expect("flyway's");
    assert_eq!(catalog.migrations()[0].down(), Some("SELECT 2"));
}

#[test]
fn a_set_of_refinery_may_get_down_scripts() {
    let files = [("V1__create.sql", "SELECT 1"), ("V1__create.down.sql", "SELECT 2")];
    let catalog = Catalog::from_scripts("app", files).expect("refinery's");
    assert_eq!(catalog.migrations()[0].down(), Some("SELECT 2"));
    contains(&problems(Some(Layout::Flyway), &files), &["V1__create.down.sql: ", "what undoes it with U"]);
}

#[test]
fn a_down_script_without_its_migration_is_refused() {
    contains(
        &problems(None, &[("1_a.up.sql", "SELECT 1"), ("2_b.down.sql", "SELECT 1")]),
        &["2_b.down.sql: this down script belongs to no migration", "`2_b.up.sql`"],
    );
    // One that holds nothing is no reason to load the folder either.
    let empty = ("2_b.down.sql", "-- Add down migration script here");
    contains(&problems(None, &[("1_a.up.sql", "SELECT 1"), empty]), &["belongs to no migration"]);
    let files = [("1_a/up.sql", "SELECT 1"), ("2_b/down.sql", "SELECT 1")];
    contains(&problems(None, &files), &["2_b/down.sql: ", "`2_b/up.sql`"]);
    let files = [("V1__a.sql", "SELECT 1"), ("U2__b.sql", "SELECT 1")];
    contains(&problems(Some(Layout::Flyway), &files), &["U2__b.sql: ", "`V2__b.sql`"]);
    let files = [("1_a.sql", "-- migrate:down\nSELECT 1")];
    contains(&problems(None, &files), &["1_a.sql:1:1: `-- migrate:down` stands before `-- migrate:up`"]);
}

#[test]
fn two_files_of_one_number_are_both_named() {
    let two: [(Option<Layout>, [&str; 2], &str); 7] = [
        (Some(Layout::Sqlx), ["1_a.sql", "01_b.sql"], "SELECT 1"),
        (None, ["1_a.up.sql", "01_b.up.sql"], "SELECT 1"),
        (None, ["V1__a.sql", "V01__b.sql"], "SELECT 1"),
        (Some(Layout::Refinery), ["V1__a.sql", "U1__b.sql"], "SELECT 1"),
        (None, ["V1.0__a.sql", "V1__b.sql"], "SELECT 1"),
        (None, ["2024-01-01_a/up.sql", "20240101_b/up.sql"], "SELECT 1"),
        (None, ["1_a.sql", "1_b.sql"], "-- +goose Up\nSELECT 1;"),
    ];
    for (layout, [one, other], text) in two {
        let problems = problems(layout, &[(one, text), (other, text)]);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        contains(&problems, &["have the number", one, other]);
    }
}

#[test]
fn mixed_layouts_are_told_with_two_files_that_disagree() {
    let own = ("01_a.sql", "SELECT 1");
    let mixed = |file: (&str, &str), parts: &[&str]| contains(&problems(None, &[own, file]), parts);
    mixed(
        ("02_b.up.sql", "SELECT 1"),
        &["two layouts are mixed", "01_a.sql is one script", "02_b.up.sql is named as sqlx"],
    );
    mixed(("02_b.up.sql", "SELECT 1"), &["`layout = \"sqlx\"`", "Layout::Sqlx"]);
    mixed(("V2__b.sql", "SELECT 1"), &["V2__b.sql is named as refinery and Flyway do"]);
    mixed(("2_b/up.sql", "SELECT 1"), &["2_b/up.sql is named as diesel does"]);
    mixed(("02_b.sql", "-- +goose Up\nSELECT 1;"), &["02_b.sql is one with sections of goose"]);
    // What else is wrong is told as well.
    mixed(("V2__b.sql", "COMMIT"), &["V2__b.sql:1:1: this would commit"]);
    let both = [("1_a.sql", "-- migrate:up\nSELECT 1"), ("2_b.sql", "-- +goose Up\nSELECT 1")];
    contains(&problems(None, &both), &["sections of dbmate", "sections of goose"]);
    let sqlx = Scripts::new("app", [own, ("02_b.up.sql", "SELECT 1")]);
    Loader::new().source(sqlx).layout(Layout::Sqlx).load().expect("sqlx has both");
}

#[test]
fn what_two_tools_read_differently_is_asked() {
    let ask = |files: &[(&str, &str)], message: &str| {
        let problems = problems(None, files);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        contains(&problems, &[message, "name the layout, refinery or flyway"]);
    };
    let first = ("V1__a.sql", "SELECT 1");
    ask(&[first, ("U2__b.sql", "DROP TABLE a")], "U2__b.sql: whether this migrates or undoes");
    ask(&[first, ("V2__b.sql", "SELECT '${name}'")], "V2__b.sql: whether `${…}` is text");
    ask(&[("more/V2__b.sql", "SELECT 1")], "more/V2__b.sql: refinery and Flyway read folders");
}

#[test]
fn a_folder_of_our_own_is_never_taken_for_anothers() {
    let catalog = Catalog::from_scripts(
        "app",
        [
            ("01_a.sql", "-- no-transaction\nVACUUM"),
            ("02_b.sql", "SELECT 1; -- migrate:up is what dbmate writes\n"),
            ("02_b.down.sql", "-- migrate:down\nSELECT 1"),
            ("03_c.sql", "-- see\n--\n SELECT $$\n-- +goose Up\n$$"),
            ("R__V1__d.sql", "SELECT 1"),
        ],
    );
    let catalog = catalog.expect("a good set");
    assert_eq!(catalog.migrations()[1].script(), "SELECT 1; -- migrate:up is what dbmate writes\n");
    assert_eq!(catalog.migrations()[3].version().as_str(), "R__V1__d");
    // A migration of ours that is laid out wrongly stays so.
    contains(
        &problems(None, &[("01_a.sql", "BEGIN; SELECT 1; COMMIT;")]),
        &["runs in a transaction already"],
    );
    contains(&problems(None, &[("01_a.sql", "VACUUM")]), &["VACUUM cannot run in a transaction"]);
    let named = Scripts::new("app", [("01_a.sql", "-- migrate:up\nSELECT 1")]).in_layout(Layout::Habitat);
    Loader::new().source(named).layout(Layout::Goose).load().expect("a comment, if the source says so");
}

#[test]
fn a_file_that_fits_nothing_stays_a_problem() {
    let answered = |layout: Layout, name: &str, help: &str| {
        contains(&problems(Some(layout), &[(name, "SELECT 1")]), &[&format!("{name}: "), help]);
    };
    answered(Layout::Sqlx, "create.sql", "`1_create.sql`");
    answered(Layout::Sqlx, "1-create.sql", "`1_create.sql`");
    answered(Layout::Sqlx, "1_a.donw.sql", "`1_a.down.sql`");
    answered(Layout::Sqlx, "1_a.SQL", "`1_a.sql`");
    answered(Layout::GolangMigrate, "1_a.sql", "`1_a.up.sql`");
    answered(Layout::GolangMigrate, "1_a.undo.sql", "`1_a.down.sql`");
    answered(Layout::Refinery, "1_a.sql", "`V1__a.sql`");
    answered(Layout::Refinery, "V1_a.sql", "`V1__a.sql`");
    answered(Layout::Refinery, "v1__a.sql", "`V1__a.sql`");
    answered(Layout::Refinery, "V1.2__a.sql", "a whole number");
    answered(Layout::Flyway, "V__a.sql", "`V1__");
    answered(Layout::Flyway, "V1.__a.sql", "`V1__a.sql`");
    answered(Layout::Flyway, "V1__.sql", "`V1__create_accounts.sql`");
    answered(Layout::Flyway, "V1__a.down.sql", "what undoes it with U");
    answered(Layout::Flyway, "beforeMigrate.sql", "callbacks of Flyway are not run");
    answered(Layout::Diesel, "up.sql", "a folder of its own");
    answered(Layout::Diesel, "1_a/upp.sql", "`up.sql`");
    answered(Layout::Diesel, "create_posts/up.sql", "`2024-01-31-000000_create_posts`");
    answered(Layout::Dbmate, "1_a.down.sql", "into one file");
    answered(Layout::Goose, "a.sql", "`1_a.sql`");
}

#[test]
fn faults_of_sections_are_told_at_their_lines() {
    let told = |layout: Layout, text: &str, parts: &[&str]| {
        contains(&problems(Some(layout), &[("1_a.sql", text)]), parts);
    };
    let (dbmate, goose) = (Layout::Dbmate, Layout::Goose);
    told(dbmate, "SELECT 1;", &["1_a.sql: the file has no section `-- migrate:up`"]);
    told(
        dbmate,
        "-- a\nSELECT 1;\n-- migrate:up\nSELECT 2;",
        &["1_a.sql:2:1: this stands before `-- migrate:up`"],
    );
    told(
        dbmate,
        "-- migrate:up\nSELECT 1;\n-- migrate:donw\n",
        &["1_a.sql:3:1: there is no marker", "did you mean `-- migrate:down`?"],
    );
    told(dbmate, "-- migrate:up\nSELECT 1;\n -- migrate:down\n", &["1_a.sql:3:1: white space stands before"]);
    told(dbmate, "-- migrate:up\nSELECT 1;\n-- migrate:up\n", &["1_a.sql:3:1: the file has two sections"]);
    told(dbmate, "-- migrate:up transaction: false\n", &["1_a.sql:1:15: there is no option `transaction:`"]);
    told(dbmate, "-- migrate:up\n\n-- migrate:down\nDROP TABLE a;", &["the script holds no statement"]);
    told(dbmate, "-- migrate:up\nSELECT 1;\n-- migrate:down\nCOMMIT;", &["1_a.sql:4:1: this would commit"]);
    told(
        dbmate,
        "-- migrate:up\nSELECT ';\n-- migrate:down\n",
        &["1_a.sql:2:8: the string that begins here has no end"],
    );
    told(
        goose,
        "-- +goose Up\nSELECT 1;\n-- +goose Dwon\n",
        &["1_a.sql:3:1: ", "did you mean `-- +goose Down`?"],
    );
    told(
        goose,
        "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n",
        &["1_a.sql:2:1: this statement has no end"],
    );
    told(
        goose,
        "-- +goose Up\nSELECT 1;\n-- +goose StatementEnd\n",
        &["1_a.sql:3:1: no statement ends here"],
    );
    told(
        goose,
        "-- +goose ENVSUB ON\n-- +goose Up\nSELECT '${A}';",
        &["1_a.sql:1:1: variables of the environment"],
    );
    told(goose, "-- +goose Down\nSELECT 1;\n-- +goose Up\nSELECT 1;", &["1_a.sql:1:1: ", "stands before"]);
}

#[test]
fn what_stands_beside_a_script_is_heard_or_refused() {
    let diesel = |text: &str| problems(None, &[("1_a/up.sql", "SELECT 1"), ("1_a/metadata.toml", text)]);
    contains(&diesel("run_in_transaction = no"), &["1_a/metadata.toml:1:1: this line is not understood"]);
    contains(&diesel("# nothing\n"), &["1_a/metadata.toml: the file does not say `run_in_transaction`"]);
    contains(&diesel("[migration]\nrun_in_transaction = false"), &["1_a/metadata.toml:1:1"]);
    let lost = [("1_a/up.sql", "SELECT 1"), ("2_b/metadata.toml", "run_in_transaction = false")];
    contains(&problems(None, &lost), &["2_b/metadata.toml: this file belongs to no migration"]);
    let flyway = [("V1.0__a.sql", "SELECT 1"), ("V1.0__a.sql.conf", "encoding=latin1")];
    contains(&problems(None, &flyway), &["V1.0__a.sql.conf:1:1: this line is not understood"]);
    let undo = [
        ("V1.0__a.sql", "SELECT 1"),
        ("U1.0__a.sql", "SELECT 2"),
        ("U1.0__a.sql.conf", "executeInTransaction=false"),
    ];
    contains(
        &problems(None, &undo),
        &["U1.0__a.sql: this down script runs without a transaction", "-- no-transaction"],
    );
    let rust = [("V1__a.sql", "SELECT 1"), ("V2__b.rs", "")];
    contains(&problems(None, &rust), &["V2__b.rs: this migration is written in Rust"]);
    let go = [("1_a.sql", "-- +goose Up\nSELECT 1;"), ("00002_b.go", ""), ("00002_b_test.go", "")];
    contains(&problems(None, &go), &["00002_b.go: this migration is written in Go"]);
    let placeholder = [("V1.0__a.sql", "SELECT 1;\nCREATE SCHEMA ${schema};")];
    contains(&problems(None, &placeholder), &["V1.0__a.sql:2:15: this is a placeholder"]);
    Catalog::from_scripts("app", [("01_a.sql", "SELECT 1"), ("metadata.toml", "x"), ("02_b.go", "")])
        .expect("none of it matters here");
}

#[test]
fn folders_within_a_folder_are_contexts_or_one_set_as_the_tool_has_it() {
    let context_of = |layout: Layout, path: &str| {
        let loaded = Loader::new().source(Scripts::new("app", [(path, "SELECT 1")])).layout(layout).load();
        loaded.map(|catalog| catalog.contexts()[0].name().to_owned()).unwrap_or_default()
    };
    assert_eq!(context_of(Layout::Refinery, "2024/may/V1__a.sql"), "app");
    assert_eq!(context_of(Layout::Flyway, "2024/V1__a.sql"), "app");
    assert_eq!(context_of(Layout::Diesel, "1_a/up.sql"), "app");
    let people = Directory::new(fixture("../fixtures"));
    assert!(Catalog::load(people).is_err(), "layouts of several tools are not one");
    let folder = tempfile::tempdir().expect("a folder for the test");
    for (context, file) in [("people", "1_a/up.sql"), ("treasury", "2_b/up.sql")] {
        let path = folder.path().join(context).join(file);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder is new");
        fs::write(path, "SELECT 1").expect("the file is new");
    }
    let catalog = Catalog::from_directory(folder.path()).expect("diesel's, twice");
    let ids: Vec<String> = catalog.migrations().iter().map(|migration| migration.id().to_string()).collect();
    assert_eq!(ids, ["people:1_a", "treasury:2_b"]);
}

#[test]
fn a_script_that_wraps_itself_in_a_part_only_stays_as_it_is() {
    let golang = |text: &str| problems(Some(Layout::GolangMigrate), &[("1_a.up.sql", text)]);
    contains(&golang("SELECT 1; BEGIN; SELECT 2; COMMIT;"), &["runs in a transaction already"]);
    contains(
        &golang("BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;"),
        &["runs in a transaction already"],
    );
    contains(
        &golang("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT;"),
        &["runs in a transaction already"],
    );
    // sqlx has a checksum of the file: it is not changed.
    contains(&problems(Some(Layout::Sqlx), &[("1_a.up.sql", "BEGIN; SELECT 1; COMMIT;")]), &["remove it"]);
    contains(&golang("VACUUM; SELECT 1;"), &["VACUUM cannot run in a transaction"]);
}
