use super::*;

/// What `up` is to a catalog that never calls it.
const NOTHING: Opaque = &();

const SLUGS: CodeMigration = CodeMigration::embedded("02_slugs", "slugs", NOTHING, "src/migrations.rs", 12);

fn catalog() -> Catalog {
    let scripts = [("01_items.sql", "SELECT 1"), ("03_prices.sql", "SELECT 3")];
    Catalog::from_scripts("shop", scripts).expect("a sound catalog")
}

fn names(catalog: &Catalog) -> Vec<String> {
    catalog.migrations().iter().map(|migration| migration.id().to_string()).collect()
}

fn refused(functions: impl IntoIterator<Item = CodeMigration>) -> String {
    catalog().with_code(functions).expect_err("problems").render()
}

#[test]
fn a_function_stands_between_the_scripts_around_it() {
    let catalog = catalog().with_code([SLUGS]).expect("a sound catalog");
    assert_eq!(names(&catalog), ["shop:01_items", "shop:02_slugs", "shop:03_prices"]);
    let slugs = &catalog.migrations()[1];
    assert_eq!((slugs.function(), slugs.script()), (Some("slugs"), ""));
    assert_eq!((slugs.path(), slugs.description()), ("src/migrations.rs:12", "slugs"));
    assert_eq!(catalog.migrations()[0].function(), None);
}

#[test]
fn a_function_counts_in_its_contexts_digest() {
    let [plain, with, revised] = [
        catalog(),
        catalog().with_code([SLUGS]).expect("sound"),
        catalog().with_code([SLUGS.revision("2")]).expect("sound"),
    ];
    assert_eq!(with.contexts()[0].count(), plain.contexts()[0].count() + 1);
    assert_ne!(with.contexts()[0].digest(), plain.contexts()[0].digest());
    assert_ne!(
        with.contexts()[0].digest(),
        revised.contexts()[0].digest(),
        "a revision is another migration"
    );
}

#[test]
fn the_checksum_is_of_the_name_and_the_revision_only() {
    let checksum = |function: CodeMigration| {
        let catalog = catalog().with_code([function]).expect("sound");
        catalog.migrations().iter().find(|m| m.function().is_some()).expect("a function").checksum()
    };
    let moved = CodeMigration::embedded("02_slugs", "renamed", NOTHING, "src/other.rs", 99);
    assert_eq!(checksum(SLUGS), checksum(moved.description("other words").breaking()));
    assert_ne!(checksum(SLUGS), checksum(SLUGS.revision("2")));
    // What a database has recorded must stay good.
    let recorded = "sha256:6121e67f1df84941badd227fa18545866fce448d60655ec0e52cac4895c821a0";
    assert_eq!(checksum(SLUGS).to_string(), recorded);
}

#[test]
fn a_number_that_a_file_has_is_refused_with_the_file_and_the_function() {
    let taken = CodeMigration::embedded("3_slugs", "slugs", NOTHING, "src/migrations.rs", 12);
    let text = refused([taken]);
    assert!(text.contains("two migrations of shop have the number 3: "), "{text}");
    assert!(text.contains("shop/03_prices.sql") && text.contains("`slugs` (src/migrations.rs:12)"), "{text}");
}

#[test]
fn a_function_that_is_given_twice_is_refused() {
    let text = refused([SLUGS, SLUGS]);
    assert!(text.contains("shop:02_slugs is defined twice"), "{text}");
}

#[test]
fn what_is_required_must_be_there() {
    let text = refused([SLUGS.requires(&["01_itms"])]);
    assert!(text.contains("shop:02_slugs requires shop:01_itms, which does not exist"), "{text}");
    assert!(
        text.contains("--> src/migrations.rs:12") && text.contains("did you mean `shop:01_items`?"),
        "{text}"
    );
}

#[test]
fn a_script_may_require_a_function_that_is_declared() {
    let scripts = || {
        let scripts =
            [("01_items.sql", "SELECT 1"), ("03_prices.sql", "-- habitat: requires 02_slugs\nSELECT 3")];
        crate::Loader::new().source(crate::Scripts::new("shop", scripts))
    };
    assert!(scripts().load().is_err(), "a loader knows no functions");
    let catalog = scripts().external("shop:02_slugs").load().expect("a sound catalog");
    let catalog = catalog.with_code([SLUGS]).expect("a sound catalog");
    assert_eq!(names(&catalog), ["shop:01_items", "shop:02_slugs", "shop:03_prices"]);
    let declared = scripts().external("shop:02_slugs").load().expect("a sound catalog");
    let other = CodeMigration::embedded("02_other", "other", NOTHING, "src/migrations.rs", 12);
    let text = declared.with_code([other]).expect_err("it is not among them").render();
    assert!(text.contains("shop:03_prices requires shop:02_slugs, which does not exist"), "{text}");
}

#[test]
fn functions_that_wait_for_each_other_are_refused() {
    let one = SLUGS.context("a").requires(&["b:01_other"]);
    let other = CodeMigration::embedded("01_other", "other", NOTHING, "src/b.rs", 3);
    let text = refused([one, other.context("b").requires(&["a:02_slugs"])]);
    assert!(
        text.contains("migrations wait for each other: a:02_slugs -> b:01_other -> a:02_slugs"),
        "{text}"
    );
}

#[test]
fn a_version_that_a_file_could_not_have_is_refused() {
    for version in ["slugs", "02 slugs", "02_slugs.down", "R__slugs", "", "02_", "02_slugs.sql"] {
        let function = CodeMigration::embedded(version, "slugs", NOTHING, "src/migrations.rs", 12);
        let text = refused([function]);
        assert!(text.contains("--> src/migrations.rs:12") && text.contains("= help: "), "{version}: {text}");
        assert!(check_version(version).is_err(), "{version}");
    }
    assert_eq!(check_version("0007_backfill-slugs"), Ok(()));
}

#[test]
fn where_there_are_several_contexts_one_has_to_be_named() {
    let two = SLUGS.context("other");
    let catalog = catalog().with_code([two]).expect("sound");
    assert_eq!(names(&catalog), ["shop:01_items", "other:02_slugs", "shop:03_prices"]);
    let text = catalog.with_code([SLUGS]).expect_err("no context").render();
    assert!(text.contains("`slugs`: it is not said which context it belongs to"), "{text}");
    assert!(text.contains("the catalog has several; name one: `context = \"…\"`"), "{text}");
}

#[test]
fn a_context_that_no_folder_could_be_is_refused() {
    let text = refused([SLUGS.context("a:b")]);
    assert!(text.contains("`slugs`: \"a:b\" cannot be the name of a context"), "{text}");
}

#[test]
fn a_verify_script_is_checked_as_a_file_is() {
    let text = refused([SLUGS.verify("SELECT true;\nCOMMIT;")]);
    assert!(text.contains("src/migrations.rs:12 (verify):2:1"), "{text}");
    assert!(catalog().with_code([SLUGS.verify("SELECT true")]).is_ok());
}
