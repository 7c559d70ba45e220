//! What is done by nobody's mistake: whose word is wanted, and which word is enough.

use super::recorded::{keep, masked};
use super::support::Desk;
use super::terminal::{Ended, Terminal};

/// A shop whose first migration is applied, in a database that nothing is recorded of.
fn shop() -> Desk {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1"]);
    desk
}

fn at_terminal(desk: &Desk, arguments: &[&str]) -> Terminal {
    Terminal::start(desk.command(arguments), 80)
}

/// Runs at a terminal what has to end without a question.
fn unasked(desk: &Desk, arguments: &[&str]) -> Ended {
    let ended = at_terminal(desk, arguments).ends();
    for question in ["[y/N]", NAME] {
        assert!(!ended.screen.contains(question), "{arguments:?}:\n{}", ended.screen);
    }
    ended
}

/// What a screen says, without the ends of its lines.
fn words(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<&str>>().join(" ")
}

const NAME: &str = "Type the database's name to go on:";

#[test]
fn a_yes_for_one_environment_is_none_for_production() {
    let desk = shop();
    let mut down = at_terminal(&desk, &["down"]);
    down.asks("[y/N]");
    // While a person reads the question, somebody says what the database is.
    desk.done(&["env", "set", "production"]);
    down.types("y\n");
    let ended = down.ends();
    assert_eq!(ended.code, Some(5), "{}", ended.screen);
    assert!(ended.screen.contains("is recorded as production"), "{}", ended.screen);
    let flag = format!("--confirm {}", desk.database().name());
    assert!(ended.screen.contains(&flag) && !ended.screen.contains("Migrator::"), "{}", ended.screen);
    assert!(desk.done(&["status"]).contains("1 applied"), "nothing was taken back");
}

#[test]
fn a_name_in_confirmation_is_held_to_everywhere() {
    let desk = shop();
    let name = desk.database().name();
    for arguments in [
        &["down", "--confirm", "other"][..],
        &["down", "--yes", "--confirm", "other"],
        &["up", "--confirm", "other"],
        &["repair", "forget", "1", "--why", "by hand", "--confirm", "other", "--confirm", "another"],
        &["env", "set", "test", "--confirm", "other"],
    ] {
        let refused = desk.run(arguments);
        assert_eq!(refused.code, 5, "{arguments:?}: {}", refused.err);
        for words in [format!("this is the database {name:?}"), format!("--confirm {name}")] {
            assert!(refused.err.contains(&words), "{arguments:?}: {words}: {}", refused.err);
        }
    }
    assert_eq!(unasked(&desk, &["down", "--confirm", "other"]).code, Some(5));
    assert!(desk.done(&["status"]).contains("1 applied, 1 pending; no environment is recorded"));
    desk.done(&["up", "--confirm", name]);
    desk.write("migrations/02_orders.down.sql", "DROP TABLE orders;\n");
    assert_eq!(unasked(&desk, &["down", "--confirm", "other", "--confirm", name]).code, Some(0));
    desk.done(&["env", "set", "production"]);
    desk.done(&["down", "--confirm", "other", "--confirm", name]);
}

#[test]
fn what_is_said_to_be_production_is_guarded_as_what_is_recorded() {
    let desk = shop();
    let down = desk.run(&["down", "--environment", "production", "--yes"]);
    assert_eq!(down.code, 5, "{}", down.err);
    assert!(down.err.contains("this run is for production"), "{}", down.err);
    assert!(down.err.contains("--yes is not enough there"), "{}", down.err);
    let mut command = desk.command(&["down"]);
    command.env("HABITAT_ENVIRONMENT", "production");
    let mut asked = Terminal::start(command, 80);
    asked.asks(NAME);
    asked.types("yes\n");
    assert_eq!(asked.ends().code, Some(5));
    assert!(desk.done(&["status"]).contains("1 applied"), "nothing was taken back");
    // What is recorded counts, whatever is said: the library refuses to take the one for the other.
    desk.done(&["down", "--environment", "production", "--confirm", desk.database().name()]);
}

#[test]
fn an_environment_that_nobody_guards_is_asked_back() {
    let desk = shop();
    let name = desk.database().name().to_owned();
    for (said, meant) in [("prod", "production"), ("live", "production"), ("Test", "test")] {
        let refused = desk.run(&["env", "set", said]);
        assert_eq!(refused.code, 5, "{said}: {}", refused.err);
        assert!(refused.err.contains(&format!("`env set {meant}`")), "{said}: {}", refused.err);
        assert!(refused.err.contains(&format!("--confirm {name}")), "{said}: {}", refused.err);
    }
    assert!(desk.run(&["env", "set", "prod", "--yes"]).err.contains("--yes is not enough there"));
    let mut asked = at_terminal(&desk, &["env", "set", "prod"]);
    asked.asks(NAME);
    asked.types("y\n");
    let ended = asked.ends();
    assert_eq!(ended.code, Some(5), "{}", ended.screen);
    keep("ask_environment_prod", &masked(&desk, &ended.screen));
    assert!(desk.done(&["env", "show"]).starts_with("no environment is recorded"));
    desk.done(&["env", "set", "prod", "--confirm", &name]);
    assert_eq!(desk.done(&["env", "show"]), "prod\n");
    let demo = shop();
    demo.done(&["env", "set", "demo"]);
}

#[test]
fn nothing_is_asked_where_ci_is_set_even_at_a_terminal() {
    let desk = shop();
    let ci = |arguments: &[&str]| {
        let mut command = desk.command(arguments);
        command.env("CI", "true");
        let ended = Terminal::start(command, 80).ends();
        for question in ["[y/N]", NAME] {
            assert!(!ended.screen.contains(question), "{arguments:?}:\n{}", ended.screen);
        }
        ended
    };
    assert_eq!(ci(&["down"]).code, Some(0), "the command itself is the word");
    desk.done(&["up", "--to", "1", "--environment", "production"]);
    let refused = ci(&["down"]);
    assert_eq!(refused.code, Some(5), "{}", refused.screen);
    assert!(refused.screen.contains("--confirm"), "{}", refused.screen);
    assert_eq!(ci(&["down", "--confirm", desk.database().name()]).code, Some(0));
}

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

/// Tries a verb in a database that is recorded as production: with yes, at a terminal, and by the name.
fn guarded(desk: &Desk, arguments: &[&str]) {
    let name = desk.database().name();
    for refused in [desk.run(arguments), desk.run(&with(arguments, &["--confirm", "other"]))] {
        assert_eq!(refused.code, 5, "{arguments:?}: {}{}", refused.out, refused.err);
        assert!(refused.err.contains(&format!("--confirm {name}")), "{arguments:?}: {}", refused.err);
    }
    let yes = unasked(desk, &with(arguments, &["--yes"]));
    assert_eq!(yes.code, Some(5), "{arguments:?}: {}", yes.screen);
    assert!(words(&yes.screen).contains("--yes is not enough"), "{arguments:?}: {}", yes.screen);
    let mut asked = at_terminal(desk, arguments);
    asked.asks(NAME);
    asked.types("y\n");
    let ended = asked.ends();
    assert_eq!(ended.code, Some(5), "{arguments:?}: {}", ended.screen);
    assert!(ended.screen.contains("in PRODUCTION."), "{arguments:?}: {}", ended.screen);
    desk.done(&with(arguments, &["--confirm", name]));
}

#[test]
fn a_baseline_in_production_wants_the_name() {
    let desk = Desk::with_shop();
    desk.done(&["env", "set", "production"]);
    guarded(&desk, &["baseline", "2", "--why", "made by hand"]);
}

#[test]
fn an_adoption_in_production_wants_the_name() {
    let desk = Desk::with_shop();
    desk.sql(
        "CREATE TABLE history (version text, deployed_at timestamptz, deployed_by text, description text); \
         INSERT INTO history VALUES ('01_items', now(), 'me', 'x')",
    );
    desk.done(&["env", "set", "production"]);
    desk.done(&["adopt", "--table", "public.history"]);
    guarded(&desk, &["adopt", "--table", "public.history", "--apply"]);
}

#[test]
fn a_backfill_begun_anew_in_production_wants_the_name() {
    let desk = shop();
    desk.write(
        "migrations/03_fill.sql",
        "-- habitat: backfill items by id, batch 2\nUPDATE items SET name = (10 / (4 - id))::text WHERE ${range};\n",
    );
    desk.done(&["up", "--to", "2", "--environment", "production"]);
    desk.sql("INSERT INTO items SELECT n, 'x' FROM generate_series(1, 6) AS n; ANALYZE items");
    assert_eq!(desk.run(&["up"]).code, 1, "a row divides by zero");
    guarded(&desk, &["backfill", "restart", "3"]);
}

#[test]
fn repairs_and_redo_in_production_want_the_name() {
    let desk = shop();
    desk.done(&["up", "--environment", "production"]);
    guarded(&desk, &["repair", "forget", "2", "--why", "dropped by hand"]);
    guarded(&desk, &["repair", "mark-applied", "2", "--why", "made by hand"]);
    desk.write(
        "migrations/02_orders.sql",
        "-- again\nCREATE TABLE orders (item int NOT NULL REFERENCES items);\n",
    );
    guarded(&desk, &["repair", "accept-changed", "2", "--why", "a comment"]);
    desk.write("migrations/02_orders.down.sql", "DROP TABLE orders;\n");
    guarded(&desk, &["redo"]);
}

#[test]
fn provisioning_asks_for_the_names_that_are_missing_and_no_others() {
    let (desk, other) = (Desk::new(), Desk::new());
    let (one, two) = (desk.database().name(), other.database().name());
    desk.write(
        "provision.toml",
        &format!(
            "[environments.staging]\n[databases.\"{one}\"]\n[databases.\"{two}\"]\n\
             [schemas.shop]\nin_database = \"{one}\"\n[schemas.till]\nin_database = \"{two}\"\n"
        ),
    );
    let apply = ["provision", "apply", "--environment", "staging"];
    let both = desk.run(&apply);
    assert_eq!(both.code, 5, "{}", both.err);
    for words in ["in staging", &format!("--confirm {one}"), &format!("--confirm {two}")] {
        assert!(both.err.contains(words), "{words}: {}", both.err);
    }
    assert!(!both.err.to_lowercase().contains("production"), "{}", both.err);
    let yes = unasked(&desk, &with(&apply, &["--yes"]));
    assert_eq!(yes.code, Some(5), "{}", yes.screen);
    assert!(words(&yes.screen).contains("--yes is not enough"), "{}", yes.screen);
    let slip = desk.run(&with(&apply, &["--confirm", "shop"]));
    assert_eq!(slip.code, 5, "{}", slip.err);
    assert!(slip.err.contains("none of the declared databases"), "{}", slip.err);

    let mut asked = at_terminal(&desk, &with(&apply, &["--confirm", one]));
    asked.asks(NAME);
    asked.types(&format!("{two}\n"));
    let ended = asked.ends();
    assert_eq!(ended.code, Some(0), "{}", ended.screen);
    assert!(ended.screen.contains(&format!("about to change {two}, in STAGING")), "{}", ended.screen);
    assert_eq!(ended.screen.matches(NAME).count(), 1, "{}", ended.screen);
    // What the plan does not touch is not asked for.
    other.sql("DROP SCHEMA till");
    let only = desk.run(&apply);
    assert_eq!(only.code, 5, "{}", only.err);
    assert!(only.err.contains(&format!("--confirm {two}")) && !only.err.contains(one), "{}", only.err);
}
