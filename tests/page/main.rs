//! The page about a database, in a real browser.

#[path = "../support/mod.rs"]
mod support;

mod browser;

use std::path::PathBuf;

use browser::Browser;
use habitat_migrate::doctor::Examination;
use habitat_migrate::page::read;
use habitat_migrate::{Catalog, MigrationId, Migrator, Version};
use support::{catalog, database};

/// Habitat with its last migrations pending, and with things to look at.
fn habitat() -> String {
    let database = database();
    let owner = format!("{}_owner", database.name());
    let sql = format!(
        "CREATE ROLE \"{owner}\" LOGIN; ALTER DATABASE \"{}\" OWNER TO \"{owner}\"; ALTER SCHEMA public OWNER TO \"{owner}\"",
        database.name()
    );
    database.connect().expect("a connection").batch_execute(&sql).expect("an owner");
    let mut client = database.config().user(&owner).connect(postgres::NoTls).expect("a connection");
    let catalog = Catalog::from_directory("migrations/habitat").expect("a sound catalog");
    let migrator = Migrator::new(catalog).environment("development");
    let target = MigrationId::new("agreements", Version::new("05_agreements_core"));
    migrator.clone().target(target).migrate(&mut client).expect("applied");
    let target = MigrationId::new("people", Version::new("06_people_policies"));
    migrator.clone().target(target).migrate(&mut client).expect("applied");
    client
        .batch_execute("ALTER TABLE people.members ADD CONSTRAINT odd CHECK (true) NOT VALID; ANALYZE")
        .expect("altered");
    read(&mut client, &Examination::new(migrator)).expect("a page").to_html()
}

fn written(name: &str, html: &str) -> PathBuf {
    let folder = std::env::var_os("HABITAT_PICTURES").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("habitat-page-{}-{name}.html", std::process::id()));
    std::fs::write(&path, html).expect("a file");
    path
}

#[test]
fn a_browser_shows_everything_and_asks_nobody_for_anything() {
    let html = habitat();
    let Some(browser) = Browser::find() else { return };
    let path = written("habitat", &html);
    let opened = browser.open(&path);
    let dom = &opened.dom;
    assert_eq!(opened.console, Vec::<String>::new());
    assert_eq!(opened.requests, Vec::<String>::new());
    for id in ["findings", "history", "pending", "graph", "tables"] {
        assert!(dom.contains(&format!("<section id=\"{id}\">")), "{id}: {dom}");
    }
    assert_eq!(dom.matches("<li class=\"applied\">").count(), 4, "{dom}");
    assert_eq!(dom.matches("<li class=\"pending\">").count(), 3, "{dom}");
    assert_eq!(dom.matches("<svg ").count(), 1);
    assert!(dom.contains("<code>members</code>") && dom.contains("<h3>people</h3>"), "{dom}");
    assert!(dom.contains("constraints</th>"), "{dom}");
    if std::env::var_os("HABITAT_PICTURES").is_none() {
        std::fs::remove_file(path).expect("the file");
    }
}

#[test]
fn a_request_and_an_error_would_have_been_seen() {
    let Some(browser) = Browser::find() else { return };
    let html = "<!DOCTYPE html><title>x</title><img src=\"http://habitat.invalid/x.png\"><script>throw new Error('seen')</script>";
    let path = written("control", html);
    let opened = browser.open(&path);
    std::fs::remove_file(path).expect("the file");
    assert!(opened.requests.iter().any(|line| line.contains("/x.png")), "{:?}", opened.requests);
    assert!(opened.console.iter().any(|line| line.contains("seen")), "{:?}", opened.console);
}

#[test]
fn what_somebody_named_is_text_and_nothing_else() {
    let database = database();
    let mut client = database.connect().expect("a connection");
    let script = "-- habitat: description <script>alert(1)</script> & \"more\"\n\
                  CREATE TABLE \"<b>bold</b>\" (id int PRIMARY KEY);\n\
                  COMMENT ON TABLE \"<b>bold</b>\" IS '<img src=x onerror=alert(1)>';\n\
                  CREATE POLICY \"<i>p\" ON \"<b>bold</b>\" USING (id <> 3 AND '<u>' < '&');\n";
    let migrator = Migrator::new(catalog("shop", [("01_items.sql", script)]));
    migrator.migrate(&mut client).expect("applied");
    let html = read(&mut client, &Examination::new(migrator)).expect("a page").to_html();
    for tag in ["<script", "<b>bold", "<img", "<i>p", "'<u>'"] {
        assert!(!html.contains(tag), "{tag}: {html}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"), "{html}");
    assert!(html.contains("off, although it has policies"), "{html}");
}

#[test]
fn a_database_without_anything_has_a_page_too() {
    let database = database();
    let mut client = database.connect().expect("a connection");
    let migrator = Migrator::new(catalog("shop", [("01_items.sql", "SELECT 1;\n")]));
    let page = read(&mut client, &Examination::new(migrator)).expect("a page");
    let html = page.clone().to_html();
    assert!(html.contains("Nothing was applied yet.") && html.contains("There are none."), "{html}");
    assert!(!html.contains("declaration"), "{html}");
    let html = page.with_findings(Vec::new()).to_html();
    assert!(html.contains("the server is as it is declared"), "{html}");
}
