//! The cleaning tracker: every object belongs to `app_owner`, whoever deploys; on a PostgreSQL that this program starts for itself:
//! `cargo run --example cleaning_tracker`.

use std::error::Error;

use anstream::println;
use anstyle::{AnsiColor, Style};
use habitat_migrate::Migrations;
use habitat_migrate::provision::{
    Cluster, Endpoint, Probes, Provision, Rules, Template, audit_rules, set_passwords,
};
use habitat_migrate::testing::Server;
use postgres::{Client, NoTls, SimpleQueryMessage};

const FILE: &str = "migrations/cleaning-tracker/provision.toml";
const TEXT: &str = include_str!("../migrations/cleaning-tracker/provision.toml");
const DATABASE: &str = "cleaning_tracker_test";

#[derive(Migrations)]
#[migrations(dir = "migrations/cleaning-tracker")]
struct CleaningTracker;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().file("pg_hba.conf", HBA).start()?;
    let folder = tempfile::tempdir()?;
    let administrator = server.config();
    let connect = |database: &str| administrator.clone().dbname(database).connect(NoTls);
    let cluster = Cluster::blocking(connect);
    println!(
        "PostgreSQL {}, started for this program alone; nobody gets in without a password",
        server.version()
    );

    step(1, "Roles, schemas and rights: the plan, and what it was for");
    let declaration = Template::from_toml(FILE, TEXT)?.declare("test")?.in_folder(folder.path());
    let provision = Provision::new(declaration);
    let declaration = provision.declaration();
    let plan = provision.apply(&cluster)?;
    plan.steps().iter().for_each(|step| println!("   {}", step.why()));
    for (role, _) in set_passwords(&mut connect("postgres")?, declaration)? {
        println!("   {role} has a generated password, in a file of its own");
    }

    step(2, "Deployed by the superuser, of all logins");
    let mut superuser = connect(DATABASE)?;
    let migrator = CleaningTracker::migrator().schema("app_data").environment("test");
    println!("   {}", migrator.migrate(&mut superuser)?);
    println!("   findings of the verify scripts: {}", migrator.verify(&mut superuser)?.len());
    // The tracker was made by whoever deployed: this gives it to its owner, too.
    for step in provision.apply(&cluster)?.steps() {
        println!("   {}", step.why());
    }
    show(&mut superuser, &["schema", "owner", "tables", "sequences", "views", "functions"], OBJECTS)?;

    step(
        3,
        "Used as the API does: PostgREST logs in as api_user and becomes a visitor, or somebody who has logged in",
    );
    let endpoint =
        Endpoint::new(server.socket_dir().ok_or("no socket")?.display().to_string()).port(server.port());
    let connections = declaration.connections(&declaration.databases()[0], &endpoint)?;
    let connection =
        connections.iter().find(|connection| connection.user() == "api_user").ok_or("not declared")?;
    // What visitors are shown is replaced by a deployment, as the owner.
    superuser.batch_execute(
        "SELECT app_functions.update_frontend_asset('index.html', 'text/html', '<h1>Tasks</h1>')",
    )?;
    let mut api = connection.connector()?.connect_blocking()?;
    for (role, call) in CALLS {
        api.batch_execute(&format!("SET ROLE {role}"))?;
        println!("   {role:<18} {call:<52} {}", first(&mut api, &format!("SELECT app_functions.{call}"))?);
    }

    step(4, "What must not be: tried as the role, and refused by the server");
    let declared = Probes::from_toml(FILE, TEXT)?.run_blocking(&connections)?;
    declared.to_string().lines().for_each(|line| println!("   {line}"));
    let derived = provision.probes(&cluster, DATABASE)?.run_blocking(&connections)?;
    println!(
        "   {} more attempts follow from the declaration, {} not as expected",
        derived.results().len(),
        derived.surprises().count()
    );
    if !declared.is_as_expected() || !derived.is_as_expected() {
        return Err("a role may do what it must not".into());
    }

    step(5, "The monitor: somebody creates a table and a function as the superuser");
    superuser.batch_execute(STRAY)?;
    for finding in provision.audit(&cluster)? {
        println!("   {RED}{finding}{RED:#}\n      {}", finding.suggestion().unwrap_or_default());
    }
    let rules = Rules::new().application_role("api_user").owner("app_owner").isolated();
    let rules = ["app_data", "app_functions", "app_frontend", "api"]
        .iter()
        .fold(rules, |rules, schema| rules.schema(*schema));
    for finding in audit_rules(&mut superuser, &rules)? {
        finding.to_string().lines().for_each(|line| println!("   {RED}{line}{RED:#}"));
    }
    superuser.batch_execute("DROP FUNCTION app_functions.shortcut(); DROP TABLE app_data.scratch")?;
    let (declared, ruled) = (provision.audit(&cluster)?, audit_rules(&mut superuser, &rules)?);
    println!("   {GREEN}gone again: {} findings{GREEN:#}", declared.len() + ruled.len());
    Ok(())
}

const CALLS: [(&str, &str); 7] = [
    ("api_anon", "register_user('ada', 'correct horse')"),
    ("api_anon", "login('ada', 'correct horse')"),
    ("api_anon", "login('ada', 'wrong')"),
    ("api_authenticated", "create_task('Windows', 'Both sides.')"),
    ("api_authenticated", "assign_task(7, 4)"),
    ("api_authenticated", "complete_task(7)"),
    ("api_anon", "serve_html('index.html')"),
];

const STRAY: &str = "CREATE TABLE app_data.scratch (n int);
    CREATE FUNCTION app_functions.shortcut() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'";

const OBJECTS: &str = "SELECT n.nspname, pg_get_userbyid(o.owner), count(*) FILTER (WHERE kind IN ('r', 'p')),
       count(*) FILTER (WHERE kind = 'S'), count(*) FILTER (WHERE kind = 'v'), count(*) FILTER (WHERE kind = 'f')
  FROM (SELECT relnamespace AS space, relowner AS owner, relkind AS kind FROM pg_class
        UNION ALL SELECT pronamespace, proowner, 'f' FROM pg_proc) AS o JOIN pg_namespace AS n ON n.oid = o.space
 WHERE n.nspname LIKE 'app\\_%' OR n.nspname = 'api' GROUP BY 1, 2 ORDER BY 1, 2";

const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn step(number: u32, title: &str) {
    println!("\n{BOLD}{number}  {title}{BOLD:#}");
}

/// The rows of a query under the names of its columns.
fn show(client: &mut Client, columns: &[&str], sql: &str) -> Result<(), Box<dyn Error>> {
    let line = |values: Vec<&str>| values.iter().map(|value| format!("{value:<15}")).collect::<String>();
    println!("   {BOLD}{}{BOLD:#}", line(columns.to_vec()));
    for message in client.simple_query(sql)? {
        if let SimpleQueryMessage::Row(row) = message {
            println!("   {}", line((0..columns.len()).map(|n| row.get(n).unwrap_or_default()).collect()));
        }
    }
    Ok(())
}

/// The first value of a query.
fn first(client: &mut Client, sql: &str) -> Result<String, Box<dyn Error>> {
    let messages = client.simple_query(sql)?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(row.unwrap_or_default().to_owned())
}
