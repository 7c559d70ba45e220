//! Each verb's JSON, and the schema that docs/cli-schema has of it.

use std::path::Path;

use boon::{Compiler, Schemas};
use serde_json::Value;

use super::support::Desk;

/// Runs a verb, and holds its answer against its schema.
pub(crate) fn valid(desk: &Desk, arguments: &[&str], code: i32) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--output", "json"]);
    let outcome = desk.run(&all);
    assert_eq!(outcome.code, code, "{arguments:?}: {}{}", outcome.out, outcome.err);
    assert_eq!(outcome.out.lines().count(), 1, "one document on one line: {}", outcome.out);
    let value: Value = serde_json::from_str(&outcome.out).unwrap_or_else(|e| panic!("{e}: {}", outcome.out));
    assert_eq!(value["exit"], code, "{value:#}");
    let verb = value["verb"].as_str().expect("a verb");
    let path = format!("{}/../docs/cli-schema/{verb}.json", env!("CARGO_MANIFEST_DIR"));
    assert!(Path::new(&path).is_file(), "there is no schema for {verb}");
    let mut schemas = Schemas::new();
    let schema = Compiler::new().compile(&path, &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
    if let Err(error) = schemas.validate(&value, schema) {
        panic!("{arguments:?}: {error:#}\n{value:#}");
    }
    value
}

#[test]
fn every_verb_s_answer_is_what_its_schema_says() {
    let desk = Desk::with_shop();
    let name = desk.database().name().to_owned();
    assert_eq!(valid(&desk, &["check"], 0)["result"]["migrations"][1]["migration"], "migrations:02_orders");
    assert_eq!(valid(&desk, &["pending"], 3)["result"]["pending"][0]["description"], "What the shop sells");
    valid(&desk, &["plan"], 0);
    assert!(
        valid(&desk, &["plan", "--sql"], 0)["result"]["sql"].as_str().is_some_and(|s| s.contains("items"))
    );
    valid(&desk, &["plan", "--sql", "--offline"], 0);
    valid(&desk, &["up", "--dry-run"], 0);
    assert_eq!(valid(&desk, &["run", "--to", "1"], 0)["verb"], "up", "an alias answers by the verb's name");
    valid(&desk, &["redo"], 0);
    valid(&desk, &["up"], 0);
    let status = valid(&desk, &["status"], 0);
    assert_eq!(status["result"]["migrations"][0]["stage"], "applied");
    assert_eq!(status["result"]["current"], true);
    assert_eq!(
        valid(&desk, &["history", "-n", "1"], 0)["result"]["records"].as_array().map(Vec::len),
        Some(1)
    );
    valid(&desk, &["verify"], 0);
    assert_eq!(valid(&desk, &["doctor"], 3)["result"]["healthy"], false, "its objects are a superuser's");
    let graph = valid(&desk, &["graph", "--applied"], 0);
    assert!(graph["result"]["graph"].as_str().is_some_and(|text| text.contains("✓ 2 applied")), "{graph:#}");
    valid(&desk, &["graph", "--format", "svg", "--file", "graph.svg"], 0);
    assert!(desk.read("graph.svg").starts_with("<svg "));
    valid(&desk, &["report", "--html", "report.html"], 0);
    assert!(desk.read("report.html").ends_with("</html>\n"));
    valid(&desk, &["env", "show"], 0);
    valid(&desk, &["env", "set", "production"], 0);
    valid(&desk, &["backfill", "status"], 0);
    valid(&desk, &["repair", "forget", "2", "--why", "dropped by hand"], 5);
    valid(&desk, &["repair", "forget", "2", "--why", "dropped by hand", "--confirm", &name], 0);
    valid(&desk, &["repair", "mark-applied", "2", "--why", "made by hand", "--confirm", &name], 0);
    desk.write(
        "migrations/02_orders.sql",
        "-- habitat: description Orders\nCREATE TABLE orders (item int NOT NULL REFERENCES items);\n",
    );
    let changed = valid(&desk, &["status"], 0);
    assert_eq!(changed["result"]["migrations"][1]["stage"], "changed");
    let accept = ["repair", "accept-changed", "2", "--why", "a comment", "--confirm", &name];
    assert_eq!(valid(&desk, &accept, 0)["result"]["repaired"][0], "migrations:02_orders");
    let down = valid(&desk, &["down", "--confirm", &name], 5);
    assert!(
        down["error"]["refusals"][0]["message"].as_str().is_some_and(|m| m.contains("02_orders")),
        "{down:#}"
    );
    valid(&desk, &["new", "prices"], 0);
    valid(&desk, &["completions", "bash"], 0);
    valid(&desk, &["man"], 0);
}

#[test]
fn errors_are_documents_too() {
    let desk = Desk::with_shop();
    desk.write("migrations/03_prices.sql", "CREATE TABLE prices (price mony);\n");
    let up = valid(&desk, &["up"], 1);
    assert_eq!(up["error"]["kind"], "migration");
    assert_eq!(up["error"]["server"]["sqlstate"], "42704");
    assert_eq!(up["error"]["location"]["column"], 28);
    assert_eq!(up["error"]["report"]["applied"].as_array().map(Vec::len), Some(2));
    assert_eq!(valid(&desk, &["down"], 5)["error"]["kind"], "refused", "nobody wrote a way back");
    desk.write("migrations/03_prices.sql", "COMMIT;\n");
    let check = valid(&desk, &["check"], 2);
    assert_eq!(check["error"]["problems"][0]["line"], 1);
}

#[test]
fn a_baseline_an_adoption_and_a_backfill() {
    let desk = Desk::with_shop();
    valid(&desk, &["baseline", "2", "--why", "made by hand"], 0);
    assert_eq!(valid(&desk, &["pending"], 0)["result"]["already_applied"], 2);

    let other = Desk::with_shop();
    other.sql(
        "CREATE TABLE history (version text, deployed_at timestamptz, deployed_by text, description text); \
         INSERT INTO history VALUES ('01_items', now(), 'me', 'x'), ('00_gone', now(), 'me', 'x')",
    );
    let adopt = ["adopt", "--table", "public.history"];
    let compared = valid(&other, &adopt, 3);
    assert_eq!(compared["result"]["mismatched"][0]["version"], "00_gone");
    let apply = valid(&other, &[&adopt[..], &["--apply", "--accept", "00_gone"]].concat(), 0);
    assert_eq!(apply["result"]["state"], "recorded");

    let slow = Desk::with_shop();
    slow.write(
        "migrations/03_fill.sql",
        "-- habitat: backfill items by id, batch 2\nUPDATE items SET name = (10 / (4 - id))::text WHERE ${range};\n",
    );
    slow.done(&["up", "--to", "2"]);
    assert_eq!(valid(&slow, &["backfill", "pause", "3"], 2)["error"]["kind"], "invalid", "it has not begun");
    slow.sql("INSERT INTO items SELECT n, 'x' FROM generate_series(1, 6) AS n; ANALYZE items");
    valid(&slow, &["up"], 1);
    let begun = valid(&slow, &["backfill", "status"], 0);
    assert_eq!(begun["result"]["backfills"][0]["state"], "running");
    assert_eq!(begun["result"]["backfills"][0]["rows"], 2);
    assert_eq!(valid(&slow, &["backfill", "pause", "3"], 0)["result"]["backfills"][0]["state"], "paused");
    assert_eq!(valid(&slow, &["up"], 0)["result"]["paused"], "migrations:03_fill");
    assert_eq!(valid(&slow, &["backfill", "resume", "3"], 0)["result"]["backfills"][0]["state"], "running");
    assert_eq!(valid(&slow, &["backfill", "restart", "3"], 0)["result"]["backfills"][0]["rows"], 0);
}

#[test]
fn provisioning_is_planned_applied_and_audited() {
    let desk = Desk::new();
    let role = format!("{}_reader", desk.database().name());
    let declared = format!("[roles.\"{role}\"]\nlogin = false\n");
    desk.write("provision.toml", &declared);
    let plan = valid(&desk, &["provision", "plan", "--environment", "test"], 0);
    assert_eq!(plan["result"]["steps"].as_array().map(Vec::len), Some(1), "{plan:#}");
    assert_eq!(
        valid(&desk, &["provision", "audit", "--environment", "test"], 3)["result"]["findings"][0]["kind"],
        "missing-role"
    );
    valid(&desk, &["provision", "apply", "--environment", "test"], 0);
    valid(&desk, &["provision", "audit", "--environment", "test"], 0);
    assert_eq!(valid(&desk, &["provision", "plan"], 2)["error"]["kind"], "usage");
    desk.sql(&format!("DROP ROLE \"{role}\""));
}

#[test]
fn advice_names_what_can_be_typed_here() {
    let desk = Desk::with_shop();
    desk.done(&["up"]);
    desk.sql("DELETE FROM schema_migrations WHERE version = '02_orders'");
    let advice = |value: &Value| value["advice"].as_str().expect("advice").to_owned();
    let status = valid(&desk, &["status"], 0);
    assert!(advice(&status["result"]["drift"][0]).contains("`repair mark-applied`"), "{status:#}");
    let doctor = valid(&desk, &["doctor"], 3);
    let lines = doctor["result"]["lines"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line["next"].as_str().is_some_and(|n| n.contains("`env set NAME`"))));
    let other = Desk::with_shop();
    other.done(&["up", "--to", "1"]);
    other.sql("UPDATE schema_migrations SET version = '03_gone'");
    std::fs::remove_file(other.path().join("migrations/01_items.verify.sql")).expect("a file");
    let out_of_order = valid(&other, &["up"], 5);
    let refusals = out_of_order["error"]["refusals"].as_array().expect("refusals");
    assert!(refusals.iter().any(|refusal| advice(refusal).contains("run `up --")), "{out_of_order:#}");
    for text in [status, doctor, out_of_order].map(|value| value.to_string()) {
        assert!(!text.contains("Migrator::") && !text.contains("::Ignore"), "{text}");
    }
}

#[test]
fn arguments_that_cannot_be_read_are_a_document_too() {
    let desk = Desk::with_shop();
    let known = valid(&desk, &["run", "--nope"], 2);
    assert_eq!(known["verb"], "up");
    assert_eq!(known["error"]["kind"], "usage");
    assert!(known["error"]["message"].as_str().is_some_and(|m| m.contains("'--nope'")), "{known:#}");
    let format = valid(&desk, &["graph", "--format", "svgg"], 2);
    assert_eq!(format["error"]["next"], "did you mean `svg`?");
    for (arguments, message) in [
        (&["-o", "json", "statsu"][..], "unrecognized subcommand 'statsu'"),
        (&["--output=json"], "no verb is given"),
    ] {
        let run = desk.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(!run.err.is_empty(), "people are told, too");
        let value: Value = serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("{e}: {}", run.out));
        assert_eq!(value["error"]["message"], message, "{value:#}");
        let path = format!("{}/../docs/cli-schema/usage.json", env!("CARGO_MANIFEST_DIR"));
        let mut schemas = Schemas::new();
        let schema = Compiler::new().compile(&path, &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
        schemas.validate(&value, schema).unwrap_or_else(|error| panic!("{error:#}\n{value:#}"));
    }
    let help = desk.run(&["--help", "-o", "json"]);
    assert_eq!(help.code, 0, "{}", help.err);
    assert!(help.out.contains("Usage:"), "help is for people: {}", help.out);
}
