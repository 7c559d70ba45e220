use super::*;

fn works(text: &str) -> Vec<Work> {
    units(text).expect("the script is complete").into_iter().map(|unit| unit.work).collect()
}

fn index(table: &[&str], name: Option<&str>) -> Work {
    let table = Some(table.iter().map(|part| (*part).to_owned()).collect());
    Work::CreateIndex { table, name: name.map(str::to_owned) }
}

#[test]
fn r16_the_name_of_a_concurrent_index_is_read_as_the_server_keeps_it() {
    let long = "x".repeat(70);
    for (code, table, name) in [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", &["t"][..], Some("i")),
        ("create unique index concurrently Idx on App.T (a)", &["app", "t"], Some("idx")),
        (
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS \"I\"\"x\" ON ONLY \"S.t\" . \"T\" (a)",
            &["S.t", "T"],
            Some("I\"x"),
        ),
        ("CREATE INDEX /* a */ CONCURRENTLY ON t (a)", &["t"], None),
        ("CREATE INDEX CONCURRENTLY if ON t (a)", &["t"], Some("if")),
        ("CREATE INDEX CONCURRENTLY U&\"d\\0061t\\+000061\\\\\" ON t (a)", &["t"], Some("data\\")),
        (&format!("CREATE INDEX CONCURRENTLY {long} ON t (a)"), &["t"], Some(&long[..63])),
    ] {
        assert_eq!(works(code), [index(table, name)], "{code}");
    }
}

#[test]
fn r16_what_is_reindexed_concurrently_is_known() {
    let target =
        |target: &[&str]| Work::Reindex { target: Some(target.iter().map(|p| (*p).to_owned()).collect()) };
    assert_eq!(works("REINDEX INDEX CONCURRENTLY s.I"), [target(&["s", "i"])]);
    assert_eq!(works("REINDEX (VERBOSE, CONCURRENTLY) TABLE \"T\""), [target(&["T"])]);
    assert_eq!(works("REINDEX SCHEMA CONCURRENTLY s"), [Work::Reindex { target: None }]);
    assert_eq!(works("REINDEX (CONCURRENTLY) DATABASE d"), [Work::Reindex { target: None }]);
    assert_eq!(works("REINDEX DATABASE d; REINDEX TABLE t"), [Work::Other, Work::Other]);
}

#[test]
fn what_differs_in_the_way_it_runs_is_known() {
    for (code, work) in [
        ("DROP INDEX CONCURRENTLY i", Work::Concurrent),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", Work::Concurrent),
        ("SET search_path = a", Work::Session),
        ("reset role", Work::Session),
        ("SET CONSTRAINTS ALL DEFERRED", Work::Other),
        ("VACUUM t", Work::Other),
        ("CREATE INDEX i ON t (a)", Work::Other),
    ] {
        assert_eq!(works(code), [work], "{code}");
    }
}

#[test]
fn r17_a_transaction_of_the_script_is_one_unit() {
    let text =
        "VACUUM;\nBEGIN; INSERT INTO t VALUES (1); SAVEPOINT a; ROLLBACK TO a; COMMIT;\nVACUUM; ; -- the end";
    let units = units(text).expect("the script is complete");
    let texts: Vec<&str> = units.iter().map(|unit| &text[unit.code()]).collect();
    let transaction = "BEGIN; INSERT INTO t VALUES (1); SAVEPOINT a; ROLLBACK TO a; COMMIT;";
    assert_eq!(texts, ["VACUUM;", transaction, "VACUUM;"]);
    assert_eq!(units[1].statements().len(), 5);
    assert!(units.iter().all(Unit::is_closed));
}

#[test]
fn a_transaction_without_an_end_is_found() {
    for text in [
        "BEGIN; SELECT 1",
        "BEGIN",
        "BEGIN; COMMIT AND CHAIN",
        "START TRANSACTION; ROLLBACK WORK AND CHAIN; SELECT 1",
    ] {
        assert!(units(text).expect("it is complete").iter().any(|unit| !unit.is_closed()), "{text}");
    }
    for text in [
        "BEGIN; COMMIT AND CHAIN; COMMIT",
        "BEGIN; PREPARE TRANSACTION 'x'",
        "BEGIN; COMMIT AND NO CHAIN",
        "COMMIT",
    ] {
        assert!(units(text).expect("it is complete").iter().all(Unit::is_closed), "{text}");
    }
}
