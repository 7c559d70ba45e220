//! Deploys Habitat to a PostgreSQL that this program starts for itself, step by step: `cargo run --example quickstart`.

use std::error::Error;

use anstream::println;
use anstyle::{AnsiColor, Style};
use habitat_migrate::testing::Server;
use habitat_migrate::{Catalog, Event, Loader, Migrations, Migrator, Problems, Scripts};
use postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

/// Three bounded contexts, checked while this program was compiled and part of it.
#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let database = server.create_database("habitat")?;
    let mut client = database.connect()?;
    println!("PostgreSQL {}, started for this program alone", server.version());

    step(1, "First boot: every migration, after those that it requires");
    let migrator = Habitat::migrator().on_event(|event| {
        if let Event::Applied { migration, duration } = event {
            let id = migration.to_string();
            println!("   {GREEN}applied{GREEN:#}  {id:<32}{:>7.1} ms", duration.as_secs_f64() * 1e3);
        }
    });
    let first = migrator.migrate(&mut client)?;
    println!("   {first}");
    let tables = "SELECT schemaname, count(*) FROM pg_tables \
                  WHERE schemaname IN ('treasury', 'people', 'agreements') GROUP BY 1 ORDER BY 1";
    for row in rows(&mut client, tables)? {
        println!("   {:<10} {:>2} tables", row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default());
    }

    step(2, "Second boot: one SELECT finds out that there is nothing to do");
    let second = migrator.migrate(&mut client)?;
    println!("   {second}");
    println!("   one round trip, {:.1} ms", second.elapsed().as_secs_f64() * 1e3);

    step(3, "Third boot: somebody has edited a migration that is applied");
    if let Err(error) = Migrator::new(edited(migrator.catalog())?).migrate(&mut client) {
        diagnostic(&error);
    }

    step(4, "Fourth boot: a new migration has a mistake");
    if let Err(error) = Migrator::new(mistaken()?).migrate(&mut client) {
        diagnostic(&error);
    }
    let garden = rows(&mut client, "SELECT 1 FROM pg_namespace WHERE nspname = 'garden'")?;
    println!("   schemas named garden, which its first statement created: {}", garden.len());

    step(5, "The ledger: a transaction with one entry of 100.00 is refused");
    if let Err(error) = client.batch_execute(UNBALANCED) {
        let words = error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
        println!("   {RED}{words}{RED:#}");
    }

    step(6, "The tracker: SELECT * FROM schema_migrations ORDER BY deployed_at");
    let line =
        |cells: [&str; 4]| format!("{:<22}  {:<10}  {:<23.23}  {}", cells[0], cells[1], cells[2], cells[3]);
    let columns = ["version", "context", "deployed_at", "deployed_by"];
    println!("   {BOLD}{}{BOLD:#}", line(columns));
    for row in rows(&mut client, "SELECT * FROM schema_migrations ORDER BY deployed_at")? {
        println!("   {}", line(columns.map(|column| row.get(column).unwrap_or_default())));
    }

    // The connection, the database and the server end here, in this order, and leave nothing.
    Ok(())
}

/// A catalog made at run time: these migrations, with one word changed in a script that is applied by now.
fn edited(catalog: &Catalog) -> Result<Catalog, Problems> {
    let mut loader = Loader::new();
    for context in catalog.contexts() {
        let migrations =
            catalog.migrations().iter().filter(|migration| migration.context() == context.name());
        let scripts = migrations.map(|migration| {
            (format!("{}.sql", migration.version()), migration.script().replace("display_name", "shown_name"))
        });
        loader = loader.source(Scripts::new(context.name(), scripts));
    }
    loader.load()
}

/// Habitat and one context more, whose script has a type that does not exist.
fn mistaken() -> Result<Catalog, Problems> {
    let garden = Catalog::from_scripts("garden", [("01_garden_core.sql", GARDEN)])?;
    Catalog::combine([Habitat::CATALOG, garden])
}

const GARDEN: &str = "\
CREATE SCHEMA garden;
CREATE TABLE garden.plots (
    plot_id   uuid PRIMARY KEY,
    keeper_id uuid REFERENCES people.members,
    status    plot_state NOT NULL
);
";

const UNBALANCED: &str = "
BEGIN;
INSERT INTO treasury.transactions (description) VALUES ('Half of a sale');
INSERT INTO treasury.entries (transaction_id, account_id, amount)
SELECT transaction_id, (SELECT account_id FROM treasury.accounts LIMIT 1), 100.00 FROM treasury.transactions;
COMMIT;
";

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn step(number: u32, title: &str) {
    println!("\n{BOLD}{number}  {title}{BOLD:#}");
}

/// What the library says of an error, its first line in red.
fn diagnostic(error: &habitat_migrate::Error) {
    let text = error.diagnostic().to_string();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    println!("   {RED}{first}{RED:#}");
    rest.lines().for_each(|line| println!("   {line}"));
}

/// The rows of a query, as text.
fn rows(client: &mut Client, sql: &str) -> Result<Vec<SimpleQueryRow>, postgres::Error> {
    let messages = client.simple_query(sql)?.into_iter();
    Ok(messages.filter_map(|m| if let SimpleQueryMessage::Row(row) = m { Some(row) } else { None }).collect())
}
