//! Sessions at a terminal, screen by screen, at 80 and at 140 columns.

use postgres::Client;

use super::recorded::{keep, masked};
use super::support::Desk;
use super::terminal::{Ended, Terminal};

/// Narrow as a terminal comes, and wide as a person on call has it.
const WIDTHS: [u16; 2] = [80, 140];

/// Starts a command of the desk at a terminal.
fn at_terminal(desk: &Desk, columns: u16, arguments: &[&str]) -> Terminal {
    Terminal::start(desk.command(arguments), columns)
}

/// Runs a command at a terminal, and keeps the screen that it leaves.
fn recorded(desk: &Desk, name: &str, columns: u16, arguments: &[&str]) -> Ended {
    let ended = at_terminal(desk, columns, arguments).ends();
    keep(&format!("{name}_{columns}"), &masked(desk, &ended.screen));
    ended
}

/// A system as it looks after some weeks: two contexts, long names, something changed, something pending.
fn with_history() -> Desk {
    let desk = Desk::new();
    let files = [
        (
            "people/01_members.sql",
            "-- habitat: description Members and how to reach them\nCREATE TABLE members (id int PRIMARY KEY, email text);\n",
        ),
        ("people/01_members.down.sql", "DROP TABLE members;\n"),
        (
            "people/02_contribution_states_of_members.sql",
            "-- habitat: description What each member has paid, and for which year, and who has seen it\nALTER TABLE members ADD COLUMN state text;\n",
        ),
        ("people/02_contribution_states_of_members.down.sql", "ALTER TABLE members DROP COLUMN state;\n"),
        (
            "treasury/01_accounts.sql",
            "-- habitat: description Accounts\n-- habitat: requires people:01_members\nCREATE TABLE accounts (id int PRIMARY KEY);\n",
        ),
    ];
    for (name, text) in files {
        desk.write(&format!("migrations/{name}"), text);
    }
    desk.done(&["up", "--environment", "staging"]);
    desk.sql("UPDATE schema_migrations SET execution_time = interval '4.1 milliseconds'");
    desk.write("migrations/people/03_members_by_email.sql", "-- habitat: description Find a member by address\n-- habitat: transaction none\nCREATE INDEX CONCURRENTLY members_by_email ON members (email);\n");
    desk.write("migrations/treasury/02_bookings.sql", "-- habitat: description Bookings, in cents\nCREATE TABLE bookings (account int REFERENCES accounts, cents bigint NOT NULL);\n");
    desk.write("migrations/treasury/02_bookings.down.sql", "DROP TABLE bookings;\n");
    desk
}

#[test]
fn status_plan_and_doctor() {
    let desk = with_history();
    for columns in WIDTHS {
        assert_eq!(recorded(&desk, "screen_status", columns, &["status"]).code, Some(0));
        assert_eq!(recorded(&desk, "screen_plan", columns, &["plan"]).code, Some(0));
        recorded(&desk, "screen_doctor", columns, &["doctor"]);
    }
}

#[test]
fn advice_names_what_can_be_typed_here() {
    let desk = Desk::with_shop();
    desk.done(&["up"]);
    let doctor = desk.run(&["doctor"]).out;
    assert!(doctor.contains("`env set NAME`"), "{doctor}");
    desk.sql("DELETE FROM schema_migrations WHERE version = '02_orders'");
    let status = desk.run(&["status"]).out;
    assert!(status.contains("`repair mark-applied`"), "{status}");
    for text in [doctor, status] {
        assert!(!text.contains("Migrator::"), "{text}");
    }
}

#[test]
fn status_of_a_database_that_hands_have_changed() {
    let desk = with_history();
    desk.write("migrations/treasury/01_accounts.sql", "CREATE TABLE accounts (id bigint PRIMARY KEY);\n");
    desk.sql("DELETE FROM schema_migrations WHERE version = '02_contribution_states_of_members'");
    for columns in WIDTHS {
        recorded(&desk, "screen_drift", columns, &["status"]);
    }
}

#[test]
fn a_slow_migration_and_how_long_it_takes() {
    for columns in WIDTHS {
        let desk = with_history();
        desk.write("migrations/treasury/03_slow.sql", "SELECT pg_sleep(2.5);\n");
        desk.done(&["up", "--to", "treasury:02_bookings"]);
        let mut up = at_terminal(&desk, columns, &["up"]);
        let during = up.shows(" 0:01");
        keep(&format!("screen_slow_{columns}"), &masked(&desk, &during));
        let ended = up.ends();
        keep(&format!("screen_slow_after_{columns}"), &masked(&desk, &ended.screen));
        assert_eq!(ended.code, Some(0));
    }
}

#[test]
fn several_migrations_in_one_message() {
    let desk = Desk::new();
    for (name, seconds) in [("01_items", "0"), ("02_prices", "2.5"), ("03_orders", "0")] {
        desk.write(&format!("migrations/{name}.sql"), &format!("SELECT pg_sleep({seconds});\n"));
    }
    let mut up = at_terminal(&desk, 80, &["up"]);
    let during = up.shows(" 0:01");
    keep("screen_together_80", &masked(&desk, &during));
    assert_eq!(up.ends().code, Some(0));
}

#[test]
fn a_migration_that_fails() {
    for columns in WIDTHS {
        let desk = with_history();
        desk.write(
            "migrations/treasury/03_prices.sql",
            "CREATE TABLE prices (\n  item int,\n  price mony\n);\n",
        );
        assert_eq!(recorded(&desk, "screen_failing", columns, &["up"]).code, Some(1));
    }
}

/// A desk with a migration that somebody is in the way of, as long as that one's connection lasts.
fn blocked() -> (Desk, Client) {
    let desk = with_history();
    desk.done(&["up"]);
    desk.write("migrations/treasury/03_vat.sql", "ALTER TABLE bookings ADD COLUMN vat int;\n");
    let mut other = desk.database().connect().expect("a connection");
    let lock = "BEGIN; SET application_name = 'month end report'; LOCK TABLE bookings IN ACCESS SHARE MODE";
    other.batch_execute(lock).expect("a lock");
    (desk, other)
}

#[test]
fn a_migration_that_is_blocked_and_who_is_in_the_way() {
    for columns in WIDTHS {
        let (desk, mut other) = blocked();
        let arguments = ["up", "--lock-timeout", "500ms", "--retry-budget", "10s"];
        let mut up = at_terminal(&desk, columns, &arguments);
        up.shows("attempt 2");
        // The next attempt plans again, and goes on to say whom it waits for.
        let during = up.shows_and_never("attempt 3", &["is pending", "applying"]);
        keep(&format!("screen_blocked_{columns}"), &masked(&desk, &during));
        other.batch_execute("ROLLBACK").expect("an end");
        let ended = up.ends();
        keep(&format!("screen_blocked_after_{columns}"), &masked(&desk, &ended.screen));
        assert_eq!(ended.code, Some(0));
    }
}

#[test]
fn a_migration_that_stays_blocked() {
    for columns in WIDTHS {
        let (desk, _other) = blocked();
        let arguments = ["up", "--lock-timeout", "200ms", "--retry-budget", "0s"];
        let ended = recorded(&desk, "screen_stays_blocked", columns, &arguments);
        assert_eq!(ended.code, Some(1));
    }
}

#[test]
fn no_verb_breaks_a_word_at_a_narrow_terminal() {
    let desk = with_history();
    let changed = "ALTER TABLE members ADD COLUMN x int;\n";
    desk.write("migrations/people/02_contribution_states_of_members.sql", changed);
    desk.sql("DELETE FROM schema_migrations WHERE version = '01_accounts'");
    let verbs: [&[&str]; 12] = [
        &["status"],
        &["plan"],
        &["history"],
        &["verify"],
        &["pending"],
        &["check", "--list"],
        &["doctor"],
        &["graph"],
        &["env", "show"],
        &["up"],
        &["down", "--to", "people:02_contribution_states_of_members", "--yes"],
        &["provision", "audit", "--environment", "test"],
    ];
    for arguments in verbs {
        let ended = at_terminal(&desk, 80, arguments).ends();
        // A checksum is one word, and wider than what is left for it.
        let broken = ended.screen.lines().filter(|line| line.ends_with('↩') && !line.contains("sha256:"));
        assert_eq!(broken.count(), 0, "{arguments:?}:\n{}", ended.screen);
        assert!(!ended.screen.contains("Migrator::"), "{arguments:?}:\n{}", ended.screen);
    }
}
