//! Habitat's books from nothing to production, as its deployment guide asks: provisioned, migrated, verified, tried, audited, backed up
//! and restored, on a PostgreSQL that this program starts for itself: `cargo run --example habitat`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstream::println;
use anstyle::{AnsiColor, Style};
use habitat_migrate::backup::{Backups, Restore};
use habitat_migrate::checklist::Checklist;
use habitat_migrate::provision::{
    Cluster, Connection, ConnectionFormat, Connections, Database, Declaration, Environment, Expectation,
    Kind, Password, Probes, Provision, set_password,
};
use habitat_migrate::testing::Server;
use habitat_migrate::{Event, Migrations};
use postgres::{Client, NoTls, SimpleQueryMessage};

/// Three bounded contexts, checked while this program was compiled and part of it.
#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

const DECLARATION: &str = include_str!("../migrations/habitat/provision.toml");
const RIGHTS: &str = include_str!("../migrations/habitat/probes.toml");
const ROWS: &str = include_str!("../migrations/habitat/probes.development.toml");

/// Everybody but the superuser needs a password, as in production.
const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().file("pg_hba.conf", HBA).start()?;
    let folder = scratch()?;
    println!("PostgreSQL {}, started for this program alone", server.version());
    let outcome = deploy(&server, &folder);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn deploy(server: &Server, folder: &Path) -> Result<(), Box<dyn Error>> {
    for (environment, database) in [("development", "habitat_dev"), ("production", "habitat")] {
        println!("\n{BOLD}== {database}, {environment} =={BOLD:#}");
        let house = House::new(server, folder, environment, database)?;
        house.provision()?;
        house.migrate()?;
        house.verify()?;
        house.probe()?;
        house.audit()?;
        house.back_up_and_restore()?;
        if environment == "production" {
            house.check()?;
        }
    }
    println!("\nThis server, its passwords and its backups end with the program.");
    Ok(())
}

/// One database of the declaration, and where its secrets are.
struct House<'a> {
    server: &'a Server,
    folder: &'a Path,
    environment: &'a str,
    database: &'a str,
    provision: Provision,
}

impl<'a> House<'a> {
    fn new(
        server: &'a Server,
        folder: &'a Path,
        environment: &'a str,
        database: &'a str,
    ) -> Result<Self, Box<dyn Error>> {
        // The name of the database is the confirmation that production asks for.
        let provision = Provision::from_toml("migrations/habitat/provision.toml", DECLARATION, environment)?;
        Ok(Self { server, folder, environment, database, provision: provision.confirm(database) })
    }

    /// What has to be there before migrations run, and a password for each role.
    fn provision(&self) -> Result<(), Box<dyn Error>> {
        step("Provision: what would run, and why");
        let cluster = self.cluster();
        let plan = self.provision.plan(&cluster)?;
        for line in plan.to_string().lines().filter(|_| self.environment == "development") {
            println!("   {DIM}{line}{DIM:#}");
        }
        let done = self.provision.apply(&cluster)?;
        println!("   {} steps done", done.steps().len());
        let mut client = self.server.config().connect(NoTls)?;
        let mut connections = Connections::new("habitat");
        for role in self.provision.declaration().roles() {
            let change = set_password(&mut client, role.name(), &self.password(role.name())?)?;
            println!("   {:<14} password {change:?}, in a file with mode 0600", role.name());
            connections = connections.with(self.connection(role.name())?);
        }
        connections.write(self.connection_file(), &ConnectionFormat::Yaml)?;
        Ok(())
    }

    /// The migrations, as their owner; then what was declared of the schemas that they have created.
    fn migrate(&self) -> Result<(), Box<dyn Error>> {
        step("Migrate, as habitat_admin");
        let migrator = Habitat::migrator().environment(self.environment).on_event(tell);
        println!("   {}", migrator.migrate(&mut self.connect("habitat_admin")?)?);
        let done = self.provision.apply(&self.cluster())?;
        println!("   provisioned again: {} steps, grants on what is there now", done.steps().len());
        println!("   and again: {} steps", self.provision.apply(&self.cluster())?.steps().len());
        Ok(())
    }

    /// The seven procedures of the guide; each migration's verify script has looked at the same before it committed.
    fn verify(&self) -> Result<(), Box<dyn Error>> {
        step("Verify: the seven procedures of the guide");
        let mut admin = self.connect("habitat_admin")?;
        for (name, sql) in PROCEDURES {
            println!("   {name:<20} {}", text(&mut admin, sql)?);
        }
        let book = "INSERT INTO treasury.transactions (description) VALUES ('Unbalanced');
            INSERT INTO treasury.accounts (code, name, account_type) VALUES ('9999', 'Nowhere', 'asset');
            INSERT INTO treasury.entries (transaction_id, account_id, amount)
            SELECT transaction_id, account_id, 100 FROM treasury.transactions, treasury.accounts
             WHERE description = 'Unbalanced' AND code = '9999'";
        let mut transaction = admin.transaction()?;
        transaction.batch_execute(book)?;
        let refused =
            transaction.commit().err().and_then(|error| Some(error.as_db_error()?.message().to_owned()));
        println!(
            "   {:<20} refused: {}",
            "6 constraints",
            refused.ok_or("an unbalanced transaction was accepted")?
        );
        let mut reader = self.connect("habitat_read")?;
        println!(
            "   {:<20} contributions seen by nobody, a member, governance: {}",
            "7 row security",
            seen(&mut reader)?
        );
        let findings = Habitat::migrator().verify(&mut admin)?;
        println!("   {:<20} {} findings", "verify scripts", findings.len());
        expect(findings.is_empty(), "a verify script found something")
    }

    /// Each role logs in and tries what it may and what it must not.
    fn probe(&self) -> Result<(), Box<dyn Error>> {
        step("Probe: each role tries what it may and must not");
        let report = self.probes()?;
        for probe in report.results().chunk_by(|a, b| (a.role(), a.settings()) == (b.role(), b.settings())) {
            let settings = probe[0].settings().iter().map(|(name, value)| format!(" {name}='{value}'"));
            println!("   {BOLD}{}{BOLD:#}{DIM}{}{DIM:#}", probe[0].role(), settings.collect::<String>());
            for (expectation, words) in [(Expectation::May, "may"), (Expectation::MustNot, "must not")] {
                let tried = probe.iter().filter(|result| result.expectation() == expectation);
                let (good, bad): (Vec<_>, Vec<_>) = tried.partition(|result| result.is_as_expected());
                println!("      {words:<9} {GREEN}{:>2} as expected{GREEN:#}", good.len());
                bad.iter().for_each(|result| {
                    println!("      {RED}{} {:?}{RED:#}", result.attempt(), result.outcome())
                });
            }
        }
        println!("   {}", report.to_string().lines().last().unwrap_or_default());
        expect(report.is_as_expected(), "a role may what it should not, or the other way round")
    }

    fn probes(&self) -> Result<habitat_migrate::provision::ProbeReport, Box<dyn Error>> {
        // Whose rows are seen is tried with sample data, which only development has.
        let text =
            if self.environment == "development" { [RIGHTS, ROWS].concat() } else { RIGHTS.to_owned() };
        let roles = self.provision.declaration().roles().iter();
        let connections = roles.map(|role| self.connection(role.name())).collect::<Result<Vec<_>, _>>()?;
        Ok(Probes::from_toml("migrations/habitat/probes.toml", &text)?.run_blocking(&connections)?)
    }

    /// The server against the declaration.
    fn audit(&self) -> Result<(), Box<dyn Error>> {
        step("Audit: the server against the declaration");
        let findings = self.provision.audit(&self.cluster())?;
        findings.iter().for_each(|finding| println!("   {finding}"));
        println!("   {} findings", findings.len());
        expect(findings.is_empty(), "the server is not as declared")
    }

    /// A backup by the tables' owner, and the drill that shows that it is good.
    fn back_up_and_restore(&self) -> Result<(), Box<dyn Error>> {
        step("Back up before the next migration, and restore it into a database of its own");
        let connection = self.connection("habitat_admin")?;
        let backups = self.backups();
        let backup = match backups.create(&mut self.connect("habitat_admin")?, &connection) {
            Ok(backup) => backup,
            Err(error) if error.kind() == habitat_migrate::backup::ErrorKind::NoProgram => {
                println!("   {RED}{error:?}{RED:#}");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        println!("   {backup}");
        let name = format!("{}_drill", self.database);
        let drill = Database::new(&name).owner("habitat_admin").encoding("UTF8");
        let declared = Declaration::new(Environment::new("test", Kind::Test)).with_database(drill);
        Provision::new(declared).apply(&self.cluster())?;
        let target = self.connection_to(&name, "habitat_admin")?;
        let mut restored = target.connector()?.connect_blocking()?;
        Restore::of(&backup).run(&mut restored, &target)?;
        let [before, after] =
            [text(&mut self.connect("habitat_admin")?, ROWS_OF_ALL)?, text(&mut restored, ROWS_OF_ALL)?];
        println!("   rows backed up: {before}");
        println!("   rows restored:  {after}");
        expect(before == after, "what was restored is not what was backed up")
    }

    /// The guide's production checklist.
    fn check(&self) -> Result<(), Box<dyn Error>> {
        step("The production checklist");
        let mut list = Checklist::new(self.provision.clone(), Habitat::migrator())
            .extension("pgcrypto")
            .extension("uuid-ossp")
            .backups(self.backups(), Duration::from_secs(24 * 60 * 60))
            .connection_file(self.connection_file())
            .probed(self.probes()?);
        // Members and what is allocated to them are written by their owner alone, by design; sums are everybody's to read.
        for table in ["people.members", "agreements.member_allocations", "agreements.distributions"] {
            list = list.accept("policy-missing", table);
        }
        for view in ["people.member_patronage_summary", "agreements.period_allocations"] {
            list = list.accept("matview-over-protected", view);
        }
        let report = list.run(&self.cluster())?;
        for line in report.to_string().lines() {
            println!("   {line}");
        }
        Ok(())
    }

    fn cluster(&self) -> Cluster<'_, Client> {
        Cluster::blocking(|database| self.server.config().dbname(database).connect(NoTls))
    }

    fn password(&self, role: &str) -> Result<Password, Box<dyn Error>> {
        Ok(Password::from_file_or_generate(self.folder.join("secrets").join(role))?)
    }

    fn connection(&self, role: &str) -> Result<Connection, Box<dyn Error>> {
        self.connection_to(self.database, role)
    }

    fn connection_to(&self, database: &str, role: &str) -> Result<Connection, Box<dyn Error>> {
        let host = self.server.socket_dir().ok_or("the server is not on this machine")?.display().to_string();
        let connection = Connection::new(role, host, database, role).port(self.server.port());
        Ok(connection.password(self.password(role)?))
    }

    fn connect(&self, role: &str) -> Result<Client, Box<dyn Error>> {
        Ok(self.connection(role)?.connector()?.connect_blocking()?)
    }

    fn connection_file(&self) -> PathBuf {
        self.folder.join(format!("{}.yaml", self.database))
    }

    fn backups(&self) -> Backups {
        Backups::new(self.folder.join("backups")).keep_days(30).keep_newest(7)
    }
}

/// Says what a run does, while it does it.
fn tell(event: &Event) {
    if let Event::Applied { migration, duration } = event {
        println!("   {GREEN}applied{GREEN:#}  {migration:<36}{:>7.1} ms", duration.as_secs_f64() * 1e3);
    }
}

/// How many contributions there are for nobody, for a member and for governance, each in a request's transaction.
fn seen(client: &mut Client) -> Result<String, Box<dyn Error>> {
    let mut counts = Vec::new();
    for (member, roles) in
        [("", ""), ("42926d13-8d91-5cd5-b09f-666553173960", "member"), ("", "member, governance")]
    {
        let mut request = client.transaction()?;
        let set = "SELECT set_config('app.current_member_id', $1, true), set_config('app.current_member_roles', $2, true)";
        request.execute(set, &[&member, &roles])?;
        let count: i64 = request.query_one("SELECT count(*) FROM people.contributions", &[])?.get(0);
        counts.push(count.to_string());
    }
    Ok(counts.join(", "))
}

const ROWS_OF_ALL: &str = "
    SELECT string_agg(schemaname || ' ' || n, ', ' ORDER BY schemaname) FROM (
        SELECT schemaname, sum(substring(query_to_xml(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename),
                                                      true, true, '')::text FROM '<n>([0-9]+)</n>')::bigint) AS n
          FROM pg_tables WHERE schemaname IN ('treasury', 'people', 'agreements', 'public') GROUP BY schemaname) AS t";

const PROCEDURES: [(&str, &str); 5] = [
    (
        "1 schemas",
        "SELECT string_agg(nspname, ', ' ORDER BY nspname) FROM pg_namespace WHERE nspname IN ('treasury', 'people', 'agreements')",
    ),
    (
        "2 tables",
        "SELECT string_agg(schemaname || ' ' || n, ', ' ORDER BY schemaname) FROM (SELECT schemaname, count(*) AS n FROM pg_tables
          WHERE schemaname IN ('treasury', 'people', 'agreements') GROUP BY schemaname) AS t",
    ),
    (
        "3 functions",
        "SELECT string_agg(schema || ' ' || n, ', ' ORDER BY schema) FROM (SELECT pronamespace::regnamespace::text AS schema, count(*) AS n
           FROM pg_proc WHERE pronamespace::regnamespace::text IN ('treasury', 'people', 'agreements') GROUP BY 1) AS t",
    ),
    (
        "4 triggers",
        "SELECT string_agg(schema || ' ' || n, ', ' ORDER BY schema) FROM (SELECT relnamespace::regnamespace::text AS schema, count(*) AS n
           FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal GROUP BY 1) AS t",
    ),
    (
        "5 materialized views",
        "SELECT string_agg(matviewname || CASE WHEN ispopulated THEN ' filled' ELSE ' EMPTY' END, ', ' ORDER BY matviewname) FROM pg_matviews",
    ),
];

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn step(title: &str) {
    println!("\n{BOLD}{title}{BOLD:#}");
}

fn expect(is_so: bool, else_what: &str) -> Result<(), Box<dyn Error>> {
    if is_so { Ok(()) } else { Err(else_what.into()) }
}

/// A folder for secrets and backups that nobody else may enter.
fn scratch() -> Result<PathBuf, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("habitat-{}", std::process::id()));
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder)?;
    Ok(folder)
}

/// The first value of a query.
fn text(client: &mut Client, sql: &str) -> Result<String, Box<dyn Error>> {
    let row = client.simple_query(sql)?.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(row.unwrap_or_default())
}
