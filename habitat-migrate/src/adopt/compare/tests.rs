use super::super::AdoptErrorKind;
use super::super::checksum::{Algorithm, Stored};
use super::super::tool::Tool;
use super::*;

use habitat_migrate_catalog::{Loader, Scripts, Version};

fn table(tool: Tool) -> Table {
    Table { schema: "public".to_owned(), name: "history".to_owned(), tool, columns: Vec::new() }
}

fn catalog_of(context: &str, scripts: &[(&'static str, &'static str)]) -> Catalog {
    Loader::new()
        .source(Scripts::new(context, scripts.iter().copied()))
        .external("people")
        .load()
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

fn two_contexts() -> Catalog {
    let people = catalog_of("people", &[("01_people.sql", "CREATE TABLE people ()")]);
    let owners = "-- habitat: requires people:01_people\nCREATE TABLE owners ()";
    let treasury =
        catalog_of("treasury", &[("01_accounts.sql", "CREATE TABLE accounts ()"), ("02_owners.sql", owners)]);
    Catalog::combine([people, treasury]).unwrap_or_else(|problems| panic!("{}", problems.render()))
}

fn three() -> Catalog {
    catalog_of(
        "app",
        &[
            ("0001_users.sql", "CREATE TABLE users ()"),
            ("0002_items.sql", "CREATE TABLE items ()"),
            ("0003_orders.sql", "CREATE TABLE orders ()"),
        ],
    )
}

fn entry(version: &str) -> Entry {
    Entry {
        version: version.to_owned(),
        name: None,
        checksum: None,
        applied_at: None,
        applied_by: None,
        took: None,
        standing: Standing::Applied,
    }
}

fn with(entry: Entry, name: &str, checksum: Option<&str>) -> Entry {
    let stored = |value: &str| Stored { algorithm: Algorithm::Crc32, value: value.to_owned(), width: 0 };
    Entry { name: Some(name.to_owned()), checksum: checksum.map(stored), ..entry }
}

fn compared(tool: Tool, entries: &[Entry], catalog: &Catalog, adopt: &Adopt) -> Adoption {
    compare(&table(tool), entries, catalog, &History::default(), adopt).expect("a known context")
}

fn matched(adoption: &Adoption) -> Vec<&str> {
    adoption.matched().iter().map(|matched| matched.id().version().as_str()).collect()
}

fn differences(adoption: &Adoption) -> Vec<String> {
    adoption.mismatched().map(ToString::to_string).collect()
}

#[test]
fn what_is_applied_there_is_matched_by_number_and_the_rest_is_pending() {
    let adoption = compared(Tool::Dbmate, &[entry("1"), entry("2")], &three(), &Adopt::dry_run());
    assert_eq!(matched(&adoption), ["0001_users", "0002_items"]);
    assert_eq!(adoption.pending().iter().map(ToString::to_string).collect::<Vec<_>>(), ["app:0003_orders"]);
    assert!(adoption.is_clean());
    assert_eq!(adoption.matched()[0].proof().to_string(), "not verified: dbmate keeps no checksum");
}

#[test]
fn an_equal_checksum_proves_a_match_whatever_its_name_is() {
    let right = "CREATE TABLE users ()";
    let crc = crc32fast::hash(right.as_bytes());
    let crc = i32::from_ne_bytes(crc.to_ne_bytes()).to_string();
    let entries = [with(entry("1"), "people", Some(&crc))];
    let adoption = compared(Tool::Flyway, &entries, &three(), &Adopt::dry_run());
    assert_eq!(adoption.matched()[0].proof(), Proof::Checksum(Algorithm::Crc32));
}

#[test]
fn another_checksum_refuses_and_both_values_are_told() {
    let entries = [with(entry("1"), "users", Some("17")), with(entry("9"), "gone", None)];
    let adoption = compared(Tool::Flyway, &entries, &three(), &Adopt::dry_run());
    let crc = i32::from_ne_bytes(crc32fast::hash(b"CREATE TABLE users ()").to_ne_bytes());
    assert_eq!(
        differences(&adoption),
        [
            format!("app:0001_users: another script was applied: CRC-32 17 there, {crc} here"),
            "9: applied there, and not in this catalog".to_owned(),
        ]
    );
    assert_eq!(matched(&adoption), [""; 0]);
    assert_eq!(adoption.unknown().map(Mismatch::version).collect::<Vec<_>>(), ["9"]);
    // What is applied with another script is not pending.
    assert_eq!(adoption.pending().len(), 2);
}

#[test]
fn another_name_refuses_where_no_checksum_tells() {
    let entries = [with(entry("0001_people"), "people", None), with(entry("0002_items"), "items", None)];
    let adoption = compared(Tool::Script, &entries, &three(), &Adopt::dry_run());
    assert_eq!(
        differences(&adoption),
        ["app:0001_users: another name has this number: \"people\" there, \"users\" here"]
    );
    assert_eq!(matched(&adoption), ["0002_items"]);
}

#[test]
fn what_is_accepted_by_version_no_longer_refuses() {
    let entries = [
        with(entry("1"), "users", Some("17")),
        with(entry("3"), "orders", None),
        with(entry("9"), "gone", None),
    ];
    let accept = Adopt::dry_run().accept(["1", "9", "app:0002_items"]);
    let adoption = compared(Tool::Flyway, &entries, &three(), &accept);
    assert_eq!(differences(&adoption), [""; 0]);
    assert_eq!(adoption.accepted().count(), 3);
    assert_eq!(matched(&adoption), ["0001_users", "0003_orders"]);
    assert_eq!(adoption.matched()[0].proof(), Proof::Accepted);
    let without_the_gap = compared(Tool::Flyway, &entries, &three(), &Adopt::dry_run().accept(["1", "9"]));
    assert_eq!(
        differences(&without_the_gap),
        ["app:0002_items: not applied there, although app:0003_orders is"]
    );
}

#[test]
fn what_failed_cannot_be_accepted() {
    let failed = |standing| Entry { standing, ..entry("2") };
    for tool in [Tool::Sqlx, Tool::GolangMigrate, Tool::Flyway] {
        let adopt = Adopt::dry_run().accept(["1", "2", "0001_users"]);
        let adoption = compared(tool, &[failed(Standing::Failed)], &three(), &adopt);
        assert_eq!(differences(&adoption)[0], "app:0002_items: failed or was interrupted there");
        assert_eq!(matched(&adoption), [""; 0]);
    }
}

#[test]
fn golang_migrate_s_version_takes_what_is_below_it() {
    let up_to = |version| [Entry { standing: Standing::UpTo, ..entry(version) }];
    let adoption = compared(Tool::GolangMigrate, &up_to("2"), &three(), &Adopt::dry_run());
    assert_eq!(matched(&adoption), ["0001_users", "0002_items"]);
    let newer = compared(Tool::GolangMigrate, &up_to("7"), &three(), &Adopt::dry_run());
    assert_eq!(differences(&newer), ["7: applied there, and not in this catalog"]);
    assert_eq!(matched(&newer), [""; 0]);
    let accepted = compared(Tool::GolangMigrate, &up_to("7"), &three(), &Adopt::dry_run().accept(["7"]));
    assert_eq!(matched(&accepted).len(), 3);
}

#[test]
fn a_baseline_takes_what_has_no_row_of_its_own() {
    let time = chrono::DateTime::from_timestamp_micros(1_000_000);
    let baseline = Entry { standing: Standing::Baseline, applied_at: time, ..entry("2") };
    let own = Entry { applied_at: time, ..entry("3") };
    let adoption = compared(Tool::Flyway, &[baseline, own], &three(), &Adopt::dry_run());
    let proofs: Vec<Proof> = adoption.matched().iter().map(Matched::proof).collect();
    assert_eq!(proofs, [Proof::Baseline, Proof::Baseline, Proof::NoChecksum(Tool::Flyway)]);
    assert_eq!(adoption.matched()[0].applied_at(), None);
    assert_eq!(adoption.matched()[2].applied_at(), time);
}

#[test]
fn a_number_of_two_contexts_needs_a_name_or_a_context() {
    let catalog = two_contexts();
    let unclear = compared(Tool::Dbmate, &[entry("01")], &catalog, &Adopt::dry_run());
    assert_eq!(
        differences(&unclear)[0],
        "01: not clear which migration it is: people:01_people, treasury:01_accounts"
    );
    let named = [with(entry("01_accounts"), "accounts", None), with(entry("01_people"), "people", None)];
    assert_eq!(compared(Tool::Script, &named, &catalog, &Adopt::dry_run()).matched().len(), 2);
    let chosen = compared(Tool::Dbmate, &[entry("01")], &catalog, &Adopt::dry_run().context("treasury"));
    assert_eq!(matched(&chosen), ["01_accounts"]);
    let strange = Adopt::dry_run().context("harbour");
    let error = compare(&table(Tool::Dbmate), &[], &catalog, &History::default(), &strange)
        .expect_err("no such context");
    assert_eq!(error.kind(), AdoptErrorKind::NoContext);
}

#[test]
fn what_an_applied_one_requires_is_a_gap_even_in_another_context() {
    let named = [with(entry("01_accounts"), "accounts", None), with(entry("02_owners"), "owners", None)];
    let adoption = compared(Tool::Script, &named, &two_contexts(), &Adopt::dry_run());
    assert_eq!(
        differences(&adoption),
        ["people:01_people: not applied there, although treasury:02_owners is"]
    );
}

#[test]
fn two_rows_of_one_number_are_not_clear() {
    let adoption =
        compared(Tool::Dbmate, &[entry("1"), entry("01")], &three(), &Adopt::dry_run().accept(["01"]));
    assert_eq!(differences(&adoption), ["app:0001_users: not clear which migration it is: app:0001_users"]);
}

#[test]
fn what_this_library_has_recorded_is_neither_pending_nor_a_gap() {
    let record = |version: &'static str, ordinal| crate::history::Record {
        id: MigrationId::new("app", Version::embedded(version)),
        description: String::new(),
        checksum: String::new(),
        ordinal: Some(ordinal),
        state: crate::history::State::Applied,
        compatibility: habitat_migrate_catalog::Compatibility::Compatible,
        deployed_at: chrono::DateTime::default(),
        deployed_by: String::new(),
        execution_time: std::time::Duration::ZERO,
        down: None,
    };
    let history = History::new(vec![record("0001_users", 1), record("0002_items", 2)]);
    let adoption = compare(&table(Tool::Dbmate), &[entry("1")], &three(), &history, &Adopt::dry_run());
    let adoption = adoption.expect("a known context");
    assert_eq!(adoption.pending().iter().map(ToString::to_string).collect::<Vec<_>>(), ["app:0003_orders"]);
}

/// A catalog as a loader of the tool's own layout may name its migrations.
fn layout(versions: &[&'static str]) -> Catalog {
    let migration = |version: &&'static str| {
        let checksum = Box::leak(Box::new(*habitat_migrate_catalog::Checksum::of("").as_bytes()));
        let settings = habitat_migrate_catalog::Settings::DEFAULT;
        let kind = Kind::Versioned;
        Migration::embedded("app", version, kind, version, "", "", checksum, None, None, &[], settings)
    };
    Catalog::from_checked(versions.iter().map(migration).collect(), Vec::new())
}

#[test]
fn a_catalog_of_the_tool_s_own_layout_is_matched_by_number() {
    let cases: [(Tool, &[&'static str], &[&str]); 5] = [
        (Tool::Flyway, &["V1__users", "V1_2__items", "V1.10__orders"], &["1", "1.2"]),
        (Tool::Dbmate, &["V2__users", "V9__items", "V10__orders"], &["2", "9"]),
        (
            Tool::Diesel,
            &["2024-05-01-000001_a", "2024-05-01-000002_b", "2024-05-01-000003_c"],
            &["20240501000001", "20240501000002"],
        ),
        (
            Tool::SeaOrm,
            &["m20240501_000001_a", "m20240501_000002_b", "m20240502_000001_c"],
            &["m20240501_000001_a", "m20240501_000002_b"],
        ),
        (
            Tool::Ecto,
            &["20240501000001_a", "20240501000002_b", "unnumbered"],
            &["20240501000001", "20240501000002"],
        ),
    ];
    for (tool, versions, applied) in cases {
        let entries: Vec<Entry> = applied.iter().map(|version| entry(version)).collect();
        let adoption = compared(tool, &entries, &layout(versions), &Adopt::dry_run());
        assert!(adoption.is_clean(), "{adoption}");
        assert_eq!(matched(&adoption), versions[..2]);
        assert_eq!(adoption.pending()[0].version().as_str(), versions[2]);
    }
}

#[test]
fn an_adoption_reads_well_at_a_terminal() {
    let time = chrono::DateTime::from_timestamp_micros(1_714_564_800_000_000);
    let entries = [
        Entry { applied_at: time, applied_by: Some("deploy".to_owned()), ..entry("0001_users") },
        Entry { name: Some("gone".to_owned()), ..entry("0009_gone") },
    ];
    let adoption = compared(Tool::Script, &entries, &three(), &Adopt::dry_run());
    assert_eq!(
        adoption.to_string(),
        "a script of your own, table \"public\".\"history\": 1 migration to record, 1 mismatch, 2 pending\n\
         \x20 record   app:0001_users: not verified: a script of your own keeps no checksum; \
         applied 2024-05-01 12:00:00 UTC by deploy\n\
         \x20 refused  0009_gone: applied there, and not in this catalog\n\
         \x20 pending  app:0002_items\n\
         \x20 pending  app:0003_orders"
    );
}
