//! A service with tokio and axum: it migrates when it boots, then answers `GET /health` and `GET /migrations`.
//!
//! `cargo run --example async_service` starts a throw-away PostgreSQL; with `DATABASE_URL` it uses that database.
//! `--port 8080` chooses the port, `--once` ends the program after one answer. Ctrl-C stops it when every
//! request under way is answered.

use std::env;
use std::error::Error;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Connector, Event, Migrations, Migrator};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

#[derive(Clone)]
struct App {
    connector: Connector,
    migrator: Migrator,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments()?;
    let (url, _throw_away) = match env::var("DATABASE_URL") {
        Ok(url) => (url, None),
        Err(_) => throw_away().map(|database| (database.url(), Some(database)))?,
    };

    let connector = Connector::new(&url)?.deadline(Duration::from_secs(60));
    println!("connecting to {}", connector.target());
    let mut client = connector.connect().await?;
    let migrator = Habitat::migrator().on_event(|event| {
        if let Event::Waiting { holder: Some(holder), .. } = event {
            println!("waiting for {holder}");
        }
    });
    let report = migrator.migrate(&mut client).await?;
    report.applied().iter().for_each(|applied| println!("applied {applied}"));
    println!("{report}");

    let answered = Arc::new(Notify::new());
    let tell = Arc::clone(&answered);
    let app = App { connector: connector.deadline(Duration::ZERO), migrator };
    let router = Router::new()
        .route("/health", get(health))
        .route("/migrations", get(migrations))
        .with_state(app)
        .layer(map_response(move |response: Response| {
            tell.notify_one();
            ready(response)
        }));
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = answered.notified(), if options.once => {}
        }
    };
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;
    println!("stopped");
    Ok(())
}

/// Whether the database can be reached. A real service asks its pool for the connection.
async fn health(State(app): State<App>) -> Result<&'static str, Unavailable> {
    let client = app.connector.connect().await.map_err(unavailable)?;
    client.simple_query("SELECT 1").await.map_err(unavailable)?;
    Ok("ok\n")
}

/// What the database has, first applied first.
async fn migrations(State(app): State<App>) -> Result<Json<Vec<Value>>, Unavailable> {
    let mut client = app.connector.connect().await.map_err(unavailable)?;
    let history = app.migrator.history(&mut client).await.map_err(unavailable)?;
    let entry = |record: &habitat_migrate::Record| {
        json!({
            "context": record.id().context(),
            "version": record.id().version().as_str(),
            "description": record.description(),
            "deployed_at": record.deployed_at().to_rfc3339(),
        })
    };
    Ok(Json(history.records().iter().map(entry).collect()))
}

type Unavailable = (StatusCode, &'static str);

/// The reason is for the log: a caller must not learn where the database is.
fn unavailable(error: impl Error) -> Unavailable {
    eprintln!("no answer from the database: {error}");
    (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
}

/// A database of this process's own server, which ends with the process.
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
