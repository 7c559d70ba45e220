//! A service without async: it migrates when it boots, then answers `GET /health` and `GET /migrations`.
//!
//! `cargo run --example sync_service` starts a throw-away PostgreSQL; with `DATABASE_URL` it uses that database.
//! `--port 8080` chooses the port, `--once` ends the program after one answer. Ctrl-C stops it.

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Connector, Event, Migrations, Migrator};
use postgres::Client;

#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments()?;
    let (url, _throw_away) = match env::var("DATABASE_URL") {
        Ok(url) => (url, None),
        Err(_) => throw_away().map(|database| (database.url(), Some(database)))?,
    };

    let connector = Connector::new(&url)?.deadline(Duration::from_secs(60));
    println!("connecting to {}", connector.target());
    let mut client = connector.connect_blocking()?;
    let migrator = Habitat::migrator().on_event(|event| {
        if let Event::Waiting { holder: Some(holder), .. } = event {
            println!("waiting for {holder}");
        }
    });
    let report = migrator.migrate(&mut client)?;
    report.applied().iter().for_each(|applied| println!("applied {applied}"));
    println!("{report}");

    let listener = TcpListener::bind(("127.0.0.1", options.port))?;
    println!("listening on http://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        // A caller who hangs up is no reason to stop.
        match answer(stream?, &migrator, &mut client) {
            Ok(()) if options.once => break,
            Ok(()) => {}
            Err(error) => eprintln!("no answer was given: {error}"),
        }
    }
    Ok(())
}

/// Reads one request and answers it; one at a time, which is enough for a health check.
fn answer(mut stream: TcpStream, migrator: &Migrator, client: &mut Client) -> Result<(), Box<dyn Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The headers are read as well: closing with something unread would cut the answer off.
    while !lines.next().transpose()?.unwrap_or_default().is_empty() {}

    let outcome = match request.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["GET", "/health"] => health(client),
        ["GET", "/migrations"] => migrations(migrator, client),
        _ => Ok(("404 Not Found", "GET /health or GET /migrations\n".to_owned())),
    };
    let (status, body) = outcome.unwrap_or_else(|error| {
        // The reason is for the log: a caller must not learn where the database is.
        eprintln!("no answer from the database: {error}");
        ("503 Service Unavailable", "the database does not answer\n".to_owned())
    });
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n")?;
    write!(stream, "Connection: close\r\n\r\n{body}")?;
    Ok(())
}

type Answer = Result<(&'static str, String), Box<dyn Error>>;

fn health(client: &mut Client) -> Answer {
    client.simple_query("SELECT 1")?;
    Ok(("200 OK", "ok\n".to_owned()))
}

/// What the database has, first applied first.
fn migrations(migrator: &Migrator, client: &mut Client) -> Answer {
    let history = migrator.history(client)?;
    Ok(("200 OK", history.records().iter().map(|record| format!("{}\n", record.id())).collect()))
}

/// A database of this process's own server, which ends with the process, also when Ctrl-C ends it.
fn throw_away() -> Result<Database, Box<dyn Error>> {
    println!("DATABASE_URL is not set: starting a PostgreSQL for this program alone");
    Ok(Server::shared()?.create_database("habitat")?)
}

struct Options {
    port: u16,
    once: bool,
}

impl Options {
    fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let mut options = Self { port: 0, once: false };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--port" => {
                    let port = arguments.next().and_then(|port| port.parse().ok());
                    options.port = port.ok_or("--port needs a number from 0 to 65535")?;
                }
                "--once" => options.once = true,
                _ => return Err(format!("unknown argument {argument}: try --port 8080 or --once").into()),
            }
        }
        Ok(options)
    }
}
