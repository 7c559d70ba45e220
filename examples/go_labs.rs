//! Go Labs, from nothing to four environments: provisioned, migrated, probed and audited on a PostgreSQL that this program starts for
//! itself: `cargo run --example go_labs`.

use std::error::Error;

use anstream::println;
use anstyle::{AnsiColor, Style};
use habitat_migrate::provision::{
    Cluster, Endpoint, Expectation, Kind, ProbeReport, Provision, Rules, Template, audit_rules, set_passwords,
};
use habitat_migrate::testing::Server;
use habitat_migrate::{Migrations, Migrator};
use postgres::{Client, Config, NoTls};

const FILE: &str = "migrations/go-labs/provision.toml";
const TEXT: &str = include_str!("../migrations/go-labs/provision.toml");

#[derive(Migrations)]
#[migrations(dir = "migrations/go-labs/billing")]
struct Billing;

#[derive(Migrations)]
#[migrations(dir = "migrations/go-labs/catalog")]
struct Catalog;

#[derive(Migrations)]
#[migrations(dir = "migrations/go-labs/order")]
struct Order;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().file("pg_hba.conf", HBA).start()?;
    let folder = tempfile::tempdir()?;
    let labs = Labs {
        administrator: server.config(),
        endpoint: Endpoint::new(server.socket_dir().ok_or("no socket")?.display().to_string())
            .port(server.port()),
        folder: folder.path(),
    };
    println!(
        "PostgreSQL {}, started for this program alone; nobody gets in without a password",
        server.version()
    );

    step(1, "What a test environment needs, and why: the plan, before anything is done");
    let cluster = labs.cluster();
    let plan = labs.provision(TEXT, "tst")?.plan(&cluster)?;
    plan.steps().iter().for_each(|step| println!("   {}", step.why()));

    step(2, "Four environments, each with a database of its own and a schema for each service");
    let mut deployed = Vec::new();
    for environment in Template::from_toml(FILE, TEXT)?.environments() {
        deployed.push(labs.deploy(environment.name())?);
    }
    println!(
        "   {BOLD}{:<12}{:<13}{:>7}{:>11}{:>8}{:>11}{:>10}{BOLD:#}",
        "database", "kind", "steps", "migrations", "tables", "attempts", "findings"
    );
    for Deployed { database, kind, steps, migrations, tables, report, findings } in &deployed {
        let attempts = report.results().len();
        println!(
            "   {database:<12}{:<13}{steps:>7}{migrations:>11}{tables:>8}{attempts:>11}{findings:>10}",
            kind.as_str()
        );
    }

    step(3, "Each role logged in and tried: what it may do it could, what it must not it was refused");
    println!("   {BOLD}{:<30}{:>9}{:>12}{BOLD:#}", "role", "allowed", "refused");
    for (role, allowed, refused) in deployed.iter().flat_map(|one| counts(&one.report)) {
        println!("   {role:<30}{allowed:>9}{refused:>12}");
    }

    step(4, "What each service reads to connect; mode 0600, and never a password on a screen");
    for file in labs.provision(TEXT, "tst")?.declaration().connection_files() {
        println!("   {}", file.path().strip_prefix(labs.folder)?.display());
    }

    step(5, "Test begins anew, by its name; nothing else does, whoever asks");
    let anew = labs.provision(TEXT, "tst")?.dangerously_recreate("go-labs-tst").apply(&cluster)?;
    println!("   go-labs-tst  {GREEN}dropped and created again{GREEN:#}, {} steps", anew.steps().len());
    for environment in ["dev", "qua", "prd"] {
        let database = format!("go-labs-{environment}");
        let asked = labs.provision(TEXT, environment)?.dangerously_recreate(&database);
        match asked.apply(&cluster) {
            Err(refused) => println!("   {database}  {RED}refused{RED:#}: {refused}"),
            Ok(_) => return Err(format!("{database} was dropped").into()),
        }
    }

    step(6, "A fourth service is three lines of the declaration");
    let more =
        TEXT.replacen("[[each.service]]", "[[each.service]]\nname = \"shipping\"\n\n[[each.service]]", 1);
    let shipping = labs.provision(&more, "dev")?;
    let plan = shipping.apply(&cluster)?;
    println!(
        "   {} steps for go-labs-dev, {} of them about the others",
        plan.steps().len(),
        about_others(&plan)
    );
    if let Err(unconfirmed) = labs.unconfirmed(&more, "prd")?.apply(&cluster) {
        println!("   production: {RED}{unconfirmed}{RED:#}");
    }
    Ok(())
}

/// The server, and where files are kept.
struct Labs<'a> {
    administrator: Config,
    endpoint: Endpoint,
    folder: &'a std::path::Path,
}

/// What came of a deployment.
struct Deployed {
    database: String,
    kind: Kind,
    steps: usize,
    migrations: usize,
    tables: i64,
    report: ProbeReport,
    findings: usize,
}

impl Labs<'_> {
    fn cluster(&self) -> Cluster<'_, Client> {
        Cluster::blocking(|database| self.administrator.clone().dbname(database).connect(NoTls))
    }

    fn unconfirmed(&self, text: &str, environment: &str) -> Result<Provision, Box<dyn Error>> {
        let declaration = Template::from_toml(FILE, text)?.declare(environment)?;
        Ok(Provision::new(declaration.in_folder(self.folder)))
    }

    /// With the name that a person would type: production changes nothing without.
    fn provision(&self, text: &str, environment: &str) -> Result<Provision, Box<dyn Error>> {
        Ok(self.unconfirmed(text, environment)?.confirm(format!("go-labs-{environment}")))
    }

    /// Provisions, migrates each service as its own role, and looks whether all is as it was declared.
    fn deploy(&self, environment: &str) -> Result<Deployed, Box<dyn Error>> {
        let cluster = self.cluster();
        let provision = self.provision(TEXT, environment)?;
        let declaration = provision.declaration();
        let database = &declaration.databases()[0];
        let steps = provision.apply(&cluster)?.steps().len();
        set_passwords(&mut self.administrator.clone().dbname("postgres").connect(NoTls)?, declaration)?;
        declaration.write_connection_files(&self.endpoint)?;

        let connections = declaration.connections(database, &self.endpoint)?;
        let mut migrations = 0;
        let services = [
            ("billing", Billing::migrator()),
            ("catalog", Catalog::migrator()),
            ("order", Order::migrator()),
        ];
        for (service, migrator) in services {
            let user = format!("{service}_migration_{environment}_user");
            let connection = connections.iter().find(|one| one.user() == user).ok_or("not declared")?;
            let mut client = connection.connector()?.connect_blocking()?;
            migrations += self::migrate(&migrator.schema(service), &mut client)?;
        }
        // The tracker is there now: the application's roles may read it and no more.
        provision.apply(&cluster)?;

        let report = provision.probes(&cluster, database.name())?.run_blocking(&connections)?;
        if let Some(wrong) = report.surprises().next() {
            return Err(format!("{} {:?}: {}", wrong.role(), wrong.attempt(), wrong.outcome()).into());
        }
        let mut client = self.administrator.clone().dbname(database.name()).connect(NoTls)?;
        let rules = declaration.roles().iter().filter(|role| role.name().contains("_app_"));
        let rules = rules
            .fold(Rules::new().isolated().primary_keys(), |rules, role| rules.application_role(role.name()));
        let findings = provision.audit(&cluster)?.len() + audit_rules(&mut client, &rules)?.len();
        let tables = client.query_one(TABLES, &[])?.get(0);
        let (kind, database) = (declaration.environment().kind(), database.name().to_owned());
        Ok(Deployed { database, kind, steps, migrations, tables, report, findings })
    }
}

fn migrate(migrator: &Migrator, client: &mut Client) -> Result<usize, Box<dyn Error>> {
    let applied = migrator.migrate(client)?.applied().len();
    match migrator.verify(client)?.first() {
        Some(finding) => Err(finding.to_string().into()),
        None => Ok(applied),
    }
}

/// For each role how often it was allowed, and how often refused.
fn counts(report: &ProbeReport) -> Vec<(&str, usize, usize)> {
    let mut counts: Vec<(&str, usize, usize)> = Vec::new();
    for result in report.results() {
        if counts.last().is_none_or(|(role, ..)| *role != result.role()) {
            counts.push((result.role(), 0, 0));
        }
        if let Some((_, allowed, refused)) = counts.last_mut() {
            *(if result.expectation() == Expectation::May { allowed } else { refused }) += 1;
        }
    }
    counts
}

fn about_others(plan: &habitat_migrate::provision::Plan) -> usize {
    plan.steps().iter().filter(|step| !step.why().contains("shipping")).count()
}

const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

const TABLES: &str = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('billing', 'catalog', 'order') AND tablename NOT LIKE 'schema\\_migrations%'";

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn step(number: u32, title: &str) {
    println!("\n{BOLD}{number}  {title}{BOLD:#}");
}
