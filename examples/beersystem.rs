//! The beer system's staging database: TLS and nothing else, one role that migrates as an init step, one that serves; on a PostgreSQL that
//! this program starts for itself: `cargo run --example beersystem`.

use std::error::Error;

use anstream::println;
use anstyle::{AnsiColor, Style};
use habitat_migrate::provision::{
    Cluster, Connection, Endpoint, Probes, Provision, Rules, Template, audit_rules, set_passwords,
};
use habitat_migrate::testing::Server;
use habitat_migrate::{Connector, Migrations};
use postgres::{Client, NoTls};

const FILE: &str = "migrations/beersystem/provision.toml";
const TEXT: &str = include_str!("../migrations/beersystem/provision.toml");
const DATABASE: &str = "beersystem_stage";

#[derive(Migrations)]
#[migrations(dir = "migrations/beersystem")]
struct BeerSystem;

fn main() -> Result<(), Box<dyn Error>> {
    // Everybody by TLS and with a password, but for the one who provisions from beside the server.
    let server = Server::builder().tls().file("pg_hba.conf", HBA).start()?;
    let folder = tempfile::tempdir()?;
    let administrator = server.config();
    let cluster = Cluster::blocking(|database| administrator.clone().dbname(database).connect(NoTls));
    println!("PostgreSQL {}, started for this program alone; it takes nobody without TLS", server.version());

    step(1, "The database, its two roles and what they may do: the plan");
    let declaration = Template::from_toml(FILE, TEXT)?.declare("staging")?.in_folder(folder.path());
    let provision = Provision::new(declaration);
    let declaration = provision.declaration();
    provision.plan(&cluster)?.to_string().lines().for_each(|line| println!("   {line}"));

    step(2, "Staging changes nothing before its name was typed");
    if let Err(refused) = provision.apply(&cluster) {
        println!("   {RED}{refused}{RED:#}");
    }
    let provision = provision.clone().confirm(DATABASE);
    println!(
        "   confirmed: {} steps, then {}",
        provision.apply(&cluster)?.steps().len(),
        provision.apply(&cluster)?.steps().len()
    );

    step(
        3,
        "Passwords are generated, the server gets their SCRAM verifiers, Kubernetes a manifest of Secrets",
    );
    set_passwords(&mut administrator.clone().dbname("postgres").connect(NoTls)?, declaration)?;
    let certificate = server.ca_certificate().ok_or("no certificate")?.display().to_string();
    let endpoint = Endpoint::new("localhost").port(server.tcp_port().ok_or("no port")?);
    for (path, _) in declaration.write_connection_files(&endpoint)? {
        println!("   {}", path.strip_prefix(folder.path())?.display());
        for line in std::fs::read_to_string(path)?.lines() {
            // What is a secret stays one.
            let shown = line.split_once(": \"").filter(|_| line.starts_with("  ") && !line.contains("name"));
            println!("      {}", shown.map_or(line.to_owned(), |(key, _)| format!("{key}: …")));
        }
    }

    step(4, "The init step, with the role that may change the schema");
    let connections = declaration.connections(
        &declaration.databases()[0],
        &endpoint.root_certificate(certificate).ssl_mode("verify-full"),
    )?;
    let as_role =
        |role: &str| connections.iter().find(|connection| connection.user() == role).ok_or("not declared");
    migrate(as_role("beersystem_admin")?)?;
    provision.apply(&cluster)?;

    step(5, "The service, with the role that reads and writes rows");
    serve(as_role("beersystem_app")?)?;

    step(6, "A connection without TLS");
    let url = as_role("beersystem_app")?.url().replace("sslmode=verify-full", "sslmode=disable");
    match Connector::new(&url)?.connect_blocking() {
        Err(refused) => println!("   {RED}{refused}{RED:#}"),
        Ok(_) => return Err("the server took a plain connection".into()),
    }

    step(
        7,
        "Tried as the roles: the document's probes of DDL and DML, and what follows from the declaration",
    );
    let (asked, derived) = (Probes::from_toml(FILE, TEXT)?, provision.probes(&cluster, DATABASE)?);
    for report in [asked.run_blocking(&connections)?, derived.run_blocking(&connections)?] {
        report.to_string().lines().for_each(|line| println!("   {line}"));
        if !report.is_as_expected() {
            return Err("a role may do what it must not".into());
        }
    }

    step(8, "Audited");
    let mut client = administrator.clone().dbname(DATABASE).connect(NoTls)?;
    let rules =
        Rules::new().application_role("beersystem_app").owner("beersystem_admin").isolated().primary_keys();
    let findings = provision.audit(&cluster)?.len() + audit_rules(&mut client, &rules)?.len();
    println!("   {GREEN}{findings} findings{GREEN:#}");
    Ok(())
}

/// What the init container does.
fn migrate(connection: &Connection) -> Result<(), Box<dyn Error>> {
    let mut client = connection.connector()?.connect_blocking()?;
    let migrator = BeerSystem::migrator().environment("staging");
    println!("   {}", migrator.migrate(&mut client)?);
    println!("   findings of the verify scripts: {}", migrator.verify(&mut client)?.len());
    Ok(())
}

/// What the service does: it looks whether the schema is its own, without any right to change it, and works.
fn serve(connection: &Connection) -> Result<(), Box<dyn Error>> {
    let mut client = connection.connector()?.connect_blocking()?;
    println!("   {}", BeerSystem::migrator().migrate(&mut client)?);
    client.batch_execute(ORDERS)?;
    println!(
        "   {}",
        text(&mut client, "SELECT version || ' ' || cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()")?
    );
    println!("   {BOLD}{:<20}{:>8}{BOLD:#}", "beer", "bottles");
    for row in client.query("SELECT name, bottles FROM best_sellers ORDER BY bottles DESC", &[])? {
        println!("   {:<20}{:>8}", row.get::<_, String>(0), row.get::<_, i64>(1));
    }
    Ok(())
}

fn text(client: &mut Client, sql: &str) -> Result<String, postgres::Error> {
    Ok(client.query_one(sql, &[])?.get(0))
}

const ORDERS: &str = "
    INSERT INTO breweries (name, city) VALUES ('Augustiner', 'Munich'), ('Orval', 'Florenville');
    INSERT INTO beers (brewery_id, name, style, abv) VALUES (1, 'Edelstoff', 'export', 5.6), (2, 'Orval', 'trappist', 6.2);
    INSERT INTO stock SELECT beer_id, 100 FROM beers;
    INSERT INTO customers (email, name) VALUES ('ada@example.org', 'Ada');
    INSERT INTO orders (customer_id) VALUES (1);
    INSERT INTO order_lines VALUES (1, 1, 12), (1, 2, 6);
    UPDATE stock SET bottles = stock.bottles - l.bottles FROM order_lines AS l WHERE l.beer_id = stock.beer_id";

const HBA: &str = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn step(number: u32, title: &str) {
    println!("\n{BOLD}{number}  {title}{BOLD:#}");
}
