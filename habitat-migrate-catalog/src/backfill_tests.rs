use super::*;
use crate::Catalog;

fn read(value: &str) -> Backfill {
    Backfill::read(value, 0).unwrap_or_else(|fault| panic!("{value}: {fault:?}"))
}

fn fault_of(value: &str) -> (usize, String) {
    let fault = Backfill::read(value, 0).expect_err(value);
    (fault.place.expect("a place"), fault.message)
}

fn problems(name: &str, text: &str) -> Vec<String> {
    let problems = match Catalog::from_scripts("app", [(name.to_owned(), text.to_owned())]) {
        Ok(_) => return Vec::new(),
        Err(problems) => problems,
    };
    let shown = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.location().expect("a place"), problem.message()));
    shown.collect()
}

#[test]
fn names_are_read_as_the_server_has_them() {
    let backfill = read("App.\"Us,e\"\"rs\" as U by Tenant, \"By\"");
    assert_eq!(backfill.schema.as_deref(), Some("app"));
    assert_eq!(backfill.table, "Us,e\"rs");
    assert_eq!(backfill.alias.as_deref(), Some("u"));
    assert_eq!(*backfill.key, ["tenant", "By"]);
    assert_eq!((backfill.batch, backfill.throttle), (5_000, Throttle::None));
}

#[test]
fn options_stand_behind_the_key_in_any_order() {
    let backfill = read("users by id, pause 10ms, batch 20_000");
    assert_eq!((backfill.batch, backfill.throttle), (20_000, Throttle::Pause(Duration::from_millis(10))));
    assert_eq!(read("users by id,duty 25 %").throttle, Throttle::Duty(25));
    // A column may have the name of an option.
    assert_eq!(*read("users by batch, pause").key, ["batch", "pause"]);
}

#[test]
fn a_bad_directive_is_told_at_its_place() {
    for (value, place, words) in [
        ("5 by id", 0, "no table"),
        ("users", 5, "lacks its key"),
        ("users id", 6, "lacks its key"),
        ("users by", 8, "no column"),
        ("users by id, id", 13, "no column of the key"),
        ("users by id, batch 5, x", 22, "no column of the key"),
        ("users by id, batch 0", 13, "no size"),
        ("users by id, batch many", 13, "no size"),
        ("users by id, batch 5, batch 6", 22, "wrong place"),
        ("users by id, pause 10", 13, "no pause"),
        ("users by id, pause 2min", 13, "no pause"),
        ("users by id, duty 0%", 13, "no duty"),
        ("users by id, duty 50%, pause 1ms", 23, "wrong place"),
        ("users by batch 5", 9, "wrong place"),
        ("users by id, speed 5", 13, "has no `speed`"),
        ("users by \"id", 9, "has no end"),
        ("users by id '", 12, "has no end"),
        ("users by id,", 12, "no column"),
    ] {
        let (at, message) = fault_of(value);
        assert!(message.contains(words) && at == place, "{value}: {at} {message}");
    }
}

#[test]
fn the_range_is_code_only() {
    let text = "UPDATE t SET a = '${range}', b = $$${range}$$ -- ${range}\nWHERE ${range} OR (${range});";
    let ranges = Backfill::ranges(text);
    assert_eq!(ranges.len(), 2);
    assert!(ranges.iter().all(|range| &text[range.clone()] == "${range}" && range.start > 60));
}

#[test]
fn a_script_that_cannot_be_a_backfill_is_told_with_its_place() {
    let good = "-- habitat: backfill t by id\nUPDATE t SET a = 1 WHERE ${range};\n";
    assert_eq!(problems("01_a.sql", good), [""; 0]);
    let cases = [
        ("R__a.sql", good.to_owned(), "1:13: a repeatable migration cannot be"),
        ("01_a.sql", format!("-- habitat: transaction none\n{good}"), "2:13: a backfill cannot run without"),
        ("01_a.sql", format!("{good}SELECT 1;"), "3:1: a backfill is one statement"),
        ("01_a.sql", good.replace("${range}", "true"), "2:1: this backfill has no `${range}`"),
        ("01_a.sql", good.replace("by id", "by"), "1:26: this is no column"),
        ("01_a.sql", good.replace(" t by id", ""), "1:13: `backfill` lacks its value"),
    ];
    for (name, text, words) in cases {
        let problems = problems(name, &text);
        assert!(problems.len() == 1 && problems[0].starts_with(words), "{text}: {problems:?}");
    }
}
