use std::time::Duration;

use super::*;

fn read(text: &str) -> (Directives, Vec<String>) {
    read_as(text, Role::Up)
}

fn read_as(text: &str, role: Role) -> (Directives, Vec<String>) {
    let scan = Scan::of(text).expect("the script is complete");
    let mut problems = Vec::new();
    let directives = Directives::read("01_a.sql", text, &scan, role, &mut problems);
    let shown = problems.iter().map(|problem| {
        let location = problem.location().expect("directives have a place");
        format!("{location} {}; {}", problem.message(), problem.help().unwrap_or_default())
    });
    (directives, shown.collect())
}

/// The one problem of a script that is all directives.
fn problem(line: &str) -> String {
    let (_, problems) = read(&format!("{line}\nSELECT 1;"));
    assert_eq!(problems.len(), 1, "{line}: {problems:?}");
    problems[0].clone()
}

#[test]
fn every_key_is_read() {
    let checksum = crate::Checksum::of("an earlier text");
    let (directives, problems) = read(&format!(
        "-- A title\n\n-- habitat: description Agreements core\n--habitat:requires treasury:01_core , 02_x\n\
         /* licence */\n-- habitat: requires people:04_y\n-- habitat: transaction none\n\
         -- habitat: environments development, test\n-- habitat: role app_owner\n-- habitat: lock-timeout 2s\n\
         -- habitat: statement-timeout 10 min\n-- habitat: breaking\n-- habitat: accepts {checksum}\n\
         -- habitat: needs postgres >= 15, extension uuid-ossp\n-- habitat: replaces 0001_a.sql , 2_b\n\
         -- habitat: replaces 03_c\n-- habitat: placeholders schema, _x1\n\
         -- habitat: backfill app.users by id\nSELECT 1;"
    ));
    assert_eq!(problems, [""; 0]);
    assert_eq!(directives.description.as_deref(), Some("Agreements core"));
    let requires: Vec<_> =
        directives.requires.iter().map(|r| (r.context.as_deref(), r.version.as_str())).collect();
    assert_eq!(requires, [(Some("treasury"), "01_core"), (None, "02_x"), (Some("people"), "04_y")]);
    let settings = directives.settings;
    assert_eq!(settings.transaction, TransactionMode::None);
    assert_eq!(settings.compatibility, Compatibility::Breaking);
    assert_eq!(settings.role.as_deref(), Some("app_owner"));
    assert_eq!(*settings.environments, ["development", "test"]);
    assert_eq!(settings.lock_timeout, Some(Duration::from_secs(2)));
    assert_eq!(settings.statement_timeout, Some(Duration::from_secs(600)));
    assert_eq!(*settings.accepts, [checksum]);
    assert_eq!(*settings.replaces, ["0001_a", "2_b", "03_c"].map(Version::new));
    assert_eq!(*settings.placeholders, ["schema", "_x1"]);
    assert_eq!(*settings.needs, [Need::Postgres(15), Need::Extension("uuid-ossp".into())]);
    assert_eq!(settings.backfill.map(|backfill| backfill.table.into_owned()).as_deref(), Some("users"));
}

#[test]
fn the_line_of_sqlx_turns_the_transaction_off() {
    assert_eq!(read("-- no-transaction\nSELECT 1;").0.settings.transaction, TransactionMode::None);
    assert_eq!(read("SELECT 1; -- no-transaction").0.settings.transaction, TransactionMode::Wrapped);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest() {
    assert_eq!(
        problem("-- habitat: reqires a:01_b"),
        "1:13 there is no directive `reqires`; did you mean `requires`?"
    );
    assert!(problem("-- habitat: lock_timeout 2s").contains("did you mean `lock-timeout`?"));
    assert!(problem("-- habitat: banana").contains("the keys are"));
    assert!(problem("-- habitat:").contains("without a key"));
}

#[test]
fn keys_of_later_versions_are_not_taken_for_comments() {
    for key in LATER {
        assert!(problem(&format!("-- habitat: {key} x")).contains("is not supported by this version"));
    }
}

#[test]
fn values_are_checked() {
    for (line, message) in [
        ("lock-timeout 2", "lacks its unit"),
        ("lock-timeout s", "lacks its number"),
        ("lock-timeout 0s", "would mean none"),
        ("lock-timeout 2 seconds", "no timeout"),
        ("lock-timeout 1000h", "longer than PostgreSQL allows"),
        ("lock-timeout 99999999999999999999h", "longer than PostgreSQL allows"),
        ("transaction off", "cannot be \"off\""),
        ("breaking yes", "takes no value"),
        ("description", "lacks its value"),
        ("role none", "is no role"),
        ("role \"a\"", "not the name of a role"),
        ("environments a b", "no list of environments"),
        ("accepts sha256:12", "no checksum"),
        ("needs postgres>=x", "no major version"),
        ("needs extension", "no need `extension`"),
        ("needs mysql", "no need `mysql`"),
        ("requires a:b:c", "not the name of a migration"),
        ("requires a,", "not the name of a migration"),
        ("verify-as app_user", "a migration cannot declare `verify-as`; declare it in the verify script"),
        ("replaces a:01_b", "write the version alone"),
        ("replaces 01_a..09_b", "name each version"),
        ("replaces R__a", "versions with their numbers"),
        ("replaces 01_a 02_b", "commas between several"),
        ("placeholders 1a", "begins with no digit"),
        ("placeholders a, app-role", "begins with no digit"),
        ("placeholders a:literal", "declare `a` alone"),
        ("placeholders", "lacks its value; write `-- habitat: placeholders schema, app_role`"),
    ] {
        let problem = problem(&format!("-- habitat: {line}"));
        assert!(problem.contains(message), "{line}: {problem}");
    }
}

#[test]
fn a_key_stands_once_unless_it_is_a_list() {
    let (_, problems) = read("-- habitat: role a\n-- habitat: role b\nSELECT 1;");
    assert!(problems[0].starts_with("2:13 `role` is declared twice"));
}

#[test]
fn a_list_names_nothing_twice() {
    assert!(problem("-- habitat: replaces 01_a, 02_b, 01_a").starts_with("1:34 `01_a` is named twice"));
    let (_, problems) = read("-- habitat: placeholders a\n-- habitat: placeholders b, a\nSELECT 1;");
    assert!(problems[0].starts_with("2:29 `a` is named twice"), "{problems:?}");
}

#[test]
fn a_directive_behind_the_first_statement_is_refused() {
    let (_, problems) = read("SELECT 1;\n-- habitat: breaking\n");
    assert!(problems[0].starts_with("2:13 this directive stands behind the first statement"));
    assert!(read("SELECT $$\n-- habitat: breaking\n$$, '\n-- habitat: breaking'").1.is_empty());
}

#[test]
fn a_slip_is_told_from_a_title() {
    assert!(problem("-- habitat requires a:01_b").contains("lacks its colon"));
    assert!(problem("-- Habitat: requires a:01_b").contains("not lower-case"));
    assert!(read("-- Habitat: the treasury\n-- habitats\n-- habitat\nSELECT 1;").1.is_empty());
}

#[test]
fn down_and_verify_scripts_declare_what_concerns_them_alone() {
    let shared = "-- habitat: role a\n-- habitat: lock-timeout 1s\n";
    let verify = read_as(&format!("{shared}-- habitat: verify-as b\nSELECT 1"), Role::Verify);
    assert_eq!(verify.1, [""; 0]);
    assert_eq!(verify.0.settings.verify_as.as_deref(), Some("b"));
    let down = read_as(&format!("{shared}-- habitat: transaction none\nSELECT 1"), Role::Down);
    assert_eq!(down.1, [""; 0]);
    assert_eq!(down.0.settings.transaction, TransactionMode::None);
    for (line, role, message) in [
        (
            "requires a:01_b",
            Role::Down,
            "a down script cannot declare `requires`; declare it in the migration's own",
        ),
        ("placeholders a", Role::Down, "a down script cannot declare `placeholders`"),
        ("replaces 01_b", Role::Verify, "a verify script cannot declare `replaces`"),
        (
            "verify-as b",
            Role::Down,
            "a down script cannot declare `verify-as`; declare it in the verify script",
        ),
        ("transaction none", Role::Verify, "a verify script cannot declare `transaction`; remove it"),
    ] {
        let (_, problems) = read_as(&format!("-- habitat: {line}\nSELECT 1"), role);
        assert!(problems.len() == 1 && problems[0].contains(message), "{line}: {problems:?}");
    }
    assert!(read_as("-- no-transaction\nSELECT 1", Role::Down).1.is_empty());
    assert_eq!(read_as("-- no-transaction\nSELECT 1", Role::Verify).1.len(), 1);
}

#[test]
fn the_directives_of_a_stored_script_are_read_from_its_text() {
    let settings = Settings::of_script(
        "\u{feff}-- The way back\n;\n-- habitat: role owner\n-- habitat: verify-as reader\n-- habitat: lock-timeout 2s\n\
         -- habitat: statement-timeout 1min\n-- no-transaction\n-- habitat: banana\nSELECT 1;\n-- habitat: role other\n'",
    );
    assert_eq!(settings.role.as_deref(), Some("owner"));
    assert_eq!(settings.verify_as.as_deref(), Some("reader"));
    assert_eq!(settings.lock_timeout, Some(Duration::from_secs(2)));
    assert_eq!(settings.statement_timeout, Some(Duration::from_secs(60)));
    assert_eq!(settings.transaction, TransactionMode::None);
    assert_eq!(Settings::of_script("DROP TABLE a;"), Settings::DEFAULT);
    assert_eq!(Settings::of_script(""), Settings::DEFAULT);
}
