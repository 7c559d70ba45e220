//! Upgrades of databases with rows.

use habitat_migrate::Catalog;
use habitat_migrate::testing::{Check, Start, Upgraded, upgrade_from};

use crate::lifecycle::set;
use crate::support::{catalog, value};

fn from_version(catalog: &Catalog, version: &str) -> Upgraded {
    upgrade_from(catalog, Start::Version(version.to_owned())).run().unwrap()
}

const SHOP: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
    CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail email NOT NULL UNIQUE, mood mood NOT NULL,
        age int NOT NULL CHECK (age > 17 AND age < 30), tier varchar(6) NOT NULL CHECK (tier IN ('gold', 'silver')),
        born date, tags text[] NOT NULL, extra jsonb NOT NULL, twice int GENERATED ALWAYS AS (age * 2) STORED);
    CREATE TABLE orders (shop uuid, number int, customer bigint NOT NULL REFERENCES customers, at timestamptz NOT NULL,
        until timestamptz NOT NULL CHECK (until > at), PRIMARY KEY (shop, number));
    CREATE TABLE lines (shop uuid NOT NULL, number int NOT NULL, line smallserial, PRIMARY KEY (shop, number, line),
        CONSTRAINT of_order FOREIGN KEY (shop, number) REFERENCES orders);
    CREATE TABLE parts (id int PRIMARY KEY, parent int REFERENCES parts)";

#[test]
fn every_table_gets_rows_that_its_constraints_let_pass() {
    let catalog = catalog(
        "shop",
        [("01_shop.sql", SHOP), ("02_more.sql", "ALTER TABLE orders ADD note text NOT NULL DEFAULT ''")],
    );
    let upgraded = from_version(&catalog, "01_shop");
    upgraded.expect_filled().expect_rows_kept();
    let counts: Vec<_> = upgraded.before().iter().map(|(table, count)| (table.to_owned(), count)).collect();
    let expected = ["customers", "lines", "orders", "parts"].map(|table| (format!("public.{table}"), 10));
    assert_eq!(counts, expected);
    assert_eq!(upgraded.after(), upgraded.before());
    assert_eq!(upgraded.report().applied().len(), 1);
    let mut client = upgraded.connect().unwrap();
    assert!(value::<i64>(&mut client, "SELECT count(DISTINCT customer) FROM orders") > 5);
    assert_eq!(value::<i64>(&mut client, "SELECT count(DISTINCT mood) FROM customers"), 2);
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_one_others() {
    let catalog = catalog("shop", [("01_shop.sql", SHOP)]);
    let rows = |seed| {
        let upgraded =
            upgrade_from(&catalog, Start::Version("01_shop".into())).seed(seed).rows(4).run().unwrap();
        let mails = "SELECT string_agg(c::text || o::text, E'\\n' ORDER BY c.id) FROM customers c JOIN orders o ON o.customer = c.id";
        value::<String>(&mut upgraded.connect().unwrap(), mails)
    };
    assert_eq!(rows(1), rows(1));
    assert_ne!(rows(1), rows(2));
}

#[test]
fn what_cannot_be_made_up_is_told_with_its_table_and_column() {
    let odd = "CREATE TABLE odd (id int PRIMARY KEY, shape circle);
        CREATE TABLE strict (id int PRIMARY KEY, code text NOT NULL CHECK (code ~ '^[A-Z]{3}-[0-9]{7}$'));
        CREATE TABLE few (kind bool PRIMARY KEY)";
    let upgraded = from_version(&catalog("shop", [("01_odd.sql", odd)]), "shop:01_odd");
    let unfilled: Vec<String> = upgraded.unfilled().iter().map(ToString::to_string).collect();
    assert_eq!(unfilled.len(), 3, "{unfilled:?}");
    assert!(
        unfilled[0].starts_with("table public.few: row 3 of 10 cannot be made up: duplicate key value"),
        "{unfilled:?}"
    );
    assert_eq!(
        unfilled[1],
        "table public.odd: column shape: no value of type circle can be made up; it is left out"
    );
    let strict = "table public.strict: row 1 of 10 cannot be made up: new row for relation \"strict\" violates check constraint";
    assert!(unfilled[2].starts_with(strict), "{unfilled:?}");
    assert_eq!(upgraded.before().get("public.odd"), Some(10));
    assert_eq!(upgraded.before().get("public.few"), Some(2));
}

#[test]
fn a_migration_that_fails_on_rows_only_is_found() {
    let scripts = [("01_shop.sql", SHOP), ("02_more.sql", "ALTER TABLE orders ADD note text NOT NULL")];
    let catalog = catalog("shop", scripts);
    habitat_migrate::testing::validate(&catalog).unwrap();
    let error =
        upgrade_from(&catalog, Start::Version("01_shop".into())).run().err().expect("it fails").to_string();
    assert!(error.contains("it cannot be applied to a database with rows"), "{error}");
    assert!(error.contains(r#"column "note" of relation "orders" contains null values"#), "{error}");
    assert!(error.contains("shop/02_more.sql:1:"), "{error}");
}

#[test]
#[should_panic(
    expected = "the migrations lose rows:\n    table public.orders: 10 rows before, and now it is not there\n    table public.parts: 10 rows before, 5 now"
)]
fn rows_that_are_lost_are_told() {
    let lossy = "DROP TABLE lines, orders; CREATE TABLE lines (id int); INSERT INTO lines SELECT generate_series(1, 10);
        DELETE FROM parts WHERE id % 2 = 0";
    let scripts = [
        ("01_shop.sql", SHOP.replace("parent int REFERENCES parts", "parent int")),
        ("02_lossy.sql", lossy.to_owned()),
    ];
    from_version(&catalog("shop", scripts), "01_shop").expect_rows_kept();
}

#[test]
fn a_foreign_key_that_nobody_validated_is_found() {
    let late = "ALTER TABLE orders ADD part int; UPDATE orders SET part = -1;
        ALTER TABLE orders ADD CONSTRAINT of_part FOREIGN KEY (part) REFERENCES parts NOT VALID";
    let catalog = catalog("shop", [("01_shop.sql", SHOP), ("02_late.sql", late)]);
    let error = upgrade_from(&catalog, Start::Version("01_shop".into()))
        .run()
        .err()
        .expect("it is found")
        .to_string();
    assert_eq!(
        error,
        "table public.orders: 10 rows refer to rows of public.parts that are not there (of_part)"
    );
}

#[test]
fn a_dump_with_its_data_is_where_an_upgrade_begins() {
    // As pg_dump prints it, shortened.
    let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\n\
        SELECT pg_catalog.set_config('search_path', '', false);\n\
        CREATE TABLE public.t (\n    id integer NOT NULL,\n    name text\n);\n\
        CREATE TABLE public.u (\n    id integer NOT NULL\n);\n\
        --\n-- Data for Name: t; Type: TABLE DATA\n--\n\nCOPY public.t (id, name) FROM stdin;\n1\ta;b\n2\t\\N\n3\t'c\n\\.\n\n\
        COPY public.u (id) FROM stdin;\n\\.\n\n\
        ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n\n\\unrestrict abc\n";
    let catalog = catalog("app", [("01_more.sql", "ALTER TABLE public.t ADD more int")]);
    let upgraded = upgrade_from(&catalog, Start::Dump(dump.to_owned())).run().unwrap();
    assert_eq!((upgraded.before().get("public.t"), upgraded.before().get("public.u")), (Some(3), Some(10)));
    upgraded.expect_rows_kept();
    let names = "SELECT string_agg(coalesce(name, 'none'), ' ' ORDER BY id) FROM t WHERE more IS NULL";
    assert_eq!(value::<String>(&mut upgraded.connect().unwrap(), names), "a;b none 'c");

    let failing = |dump: &str| {
        upgrade_from(&catalog, Start::Dump(dump.to_owned())).run().err().expect("it fails").to_string()
    };
    let error = failing("SELECT 1;\n\\connect x\n");
    assert_eq!(
        error,
        "the dump, line 2: \\connect is a command of psql, and psql is not used here: make the dump without --create"
    );
    let error = failing("SELECT 1;\n\nSELECT x;\n");
    assert_eq!(error, "the dump, line 3: column \"x\" does not exist (42703)");
    let error = failing("CREATE TABLE t (id int);\nCOPY t (id) FROM stdin;\nx\n\\.\n");
    assert!(error.starts_with("the dump, line 2: invalid input syntax for type integer"), "{error}");
}

#[test]
fn habitat_and_phase_c_take_their_rows_along() {
    let upgraded = from_version(&set("migrations/habitat"), "04_people_core");
    upgraded.expect_rows_kept();
    let start = Start::Version("001_add_tenant_routing".into());
    let upgraded = Check::of(&set("migrations/phase-c")).as_owner().upgrade_from(start).run().unwrap();
    assert!(upgraded.expect_filled().expect_rows_kept().before().get("public.users") > Some(0));
}

#[test]
fn a_start_that_there_is_not_is_an_error() {
    let error = upgrade_from(&catalog("app", [("01_t.sql", "SELECT 1")]), Start::Version("02".into())).run();
    assert_eq!(error.err().expect("it is none").to_string(), "there is no migration 02 to start from");
}
