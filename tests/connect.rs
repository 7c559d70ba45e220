//! Connecting: patience with a server that is not up yet (R33), none with what cannot succeed.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

use habitat_migrate::connect::{ConnectError, ConnectErrorKind, Connector};
use habitat_migrate::testing::Server;
use tokio::runtime::Runtime;

type Outcome = Result<(), Box<dyn Error>>;

/// Everybody by the socket, `trusting` by TCP; all others need a password there, and `nobody` has no rule.
const HBA: &str = "local all all trust
host all trusting 127.0.0.1/32 trust
host all nobody 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
";

const ROLES: &str = "CREATE ROLE trusting LOGIN; CREATE ROLE app LOGIN PASSWORD 'right'; CREATE ROLE nobody LOGIN;
CREATE ROLE lonely LOGIN CONNECTION LIMIT 1; CREATE ROLE barred LOGIN; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO trusting, app, nobody, lonely";

fn server() -> Result<Server, Box<dyn Error>> {
    let server = Server::builder().file("pg_hba.conf", HBA).listen_tcp().start()?;
    server.config().connect(postgres::NoTls)?.batch_execute(ROLES)?;
    Ok(server)
}

fn socket(server: &Server, user: &str) -> String {
    let folder = server.socket_dir().expect("the server is our own").display();
    format!("host={folder} port={} dbname=postgres user={user}", server.port())
}

fn tcp(server: &Server, rest: &str) -> String {
    format!("host=127.0.0.1 port={} {rest}", server.tcp_port().expect("it listens on TCP"))
}

/// The refusals of both clients, which must be of one kind.
fn refusals(text: &str) -> [ConnectError; 2] {
    let connector = Connector::new(text).expect(text);
    let runtime = Runtime::new().expect("a runtime starts");
    let refusals = [
        runtime.block_on(connector.connect()).expect_err("tokio-postgres is refused"),
        connector.connect_blocking().err().expect("postgres is refused"),
    ];
    assert_eq!(refusals[0].kind(), refusals[1].kind());
    assert_eq!(refusals[0].sqlstate(), refusals[1].sqlstate());
    refusals
}

/// Answers each of the first clients with some bytes and closes; passes the later ones on to the server.
fn moody(moods: Vec<Vec<u8>>, server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let mut moods = moods.into_iter();
        for client in listener.incoming().flatten() {
            match moods.next() {
                Some(answer) => {
                    let mut client = client;
                    let _ = client.read(&mut [0; 1000]);
                    let _ = client.write_all(&answer);
                }
                None => forward(client, server),
            }
        }
    });
    port
}

fn forward(client: TcpStream, port: u16) {
    let server = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    for (mut from, mut to) in [
        (
            client.try_clone().expect("a socket can be shared"),
            server.try_clone().expect("a socket can be shared"),
        ),
        (server, client),
    ] {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

/// An ErrorResponse, as in "Message Formats" of PostgreSQL's documentation.
fn error_response(sqlstate: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0Msorry\0\0");
    let length = u32::try_from(fields.len() + 4).expect("it is short").to_be_bytes();
    [b"E", &length[..], fields.as_bytes()].concat()
}

#[test]
fn a_client_of_either_kind_works_and_carries_the_library_s_name() -> Outcome {
    let server = server()?;
    let connector = Connector::new(&socket(&server, "postgres"))?;
    let name: String = Runtime::new()?.block_on(async {
        let client = connector.connect().await?;
        Ok::<_, Box<dyn Error>>(client.query_one("SHOW application_name", &[]).await?.get(0))
    })?;
    assert_eq!(name, "habitat-migrate");
    let name: String = connector.connect_blocking()?.query_one("SHOW application_name", &[])?.get(0);
    assert_eq!(name, "habitat-migrate");
    Ok(())
}

#[test]
fn a_client_that_is_dropped_closes_its_session() -> Outcome {
    let server = server()?;
    let text = socket(&server, "postgres");
    let mut watcher = Connector::new(&text)?.connect_blocking()?;
    let runtime = Runtime::new()?;
    drop(runtime.block_on(Connector::new(&format!("{text} application_name=short"))?.connect())?);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'short'";
    let end = Instant::now() + Duration::from_secs(10);
    while watcher.query_one(sql, &[])?.get::<_, i64>(0) > 0 {
        assert!(Instant::now() < end, "the session is still there");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn r33_a_server_that_starts_later_is_waited_for_at_its_socket() -> Outcome {
    let folder = tempfile::tempdir()?;
    let place = folder.path().join(".s.PGSQL.5432");
    let starter = thread::spawn(move || {
        thread::sleep(Duration::from_millis(1500));
        let server = Server::start().expect("it starts");
        let folder = server.socket_dir().expect("the server is our own");
        symlink(folder.join(format!(".s.PGSQL.{}", server.port())), place).expect("the folder is ours");
        server
    });
    let started = Instant::now();
    let text = format!("host={} user=postgres", folder.path().display());
    Connector::new(&text)?.connect_blocking()?.batch_execute("SELECT 1")?;
    assert!(started.elapsed() >= Duration::from_millis(1500));
    drop(starter.join());
    Ok(())
}

#[test]
fn r33_a_server_that_listens_later_is_waited_for_at_its_port() -> Outcome {
    let server = server()?;
    let target = server.tcp_port().expect("it listens on TCP");
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(1500));
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is still free");
        listener.incoming().flatten().for_each(|client| forward(client, target));
    });
    let started = Instant::now();
    let connector = Connector::new(&format!("postgres://trusting@127.0.0.1:{port}/postgres"))?;
    Runtime::new()?.block_on(connector.connect())?;
    assert!(started.elapsed() >= Duration::from_millis(1500));
    Ok(())
}

#[test]
fn r33_a_server_that_starts_stops_is_full_or_hangs_up_is_asked_again() -> Outcome {
    let server = server()?;
    let mut moods: Vec<_> = ["57P03", "53300", "57P01", "57P02"].map(error_response).into();
    moods.push(Vec::new());
    let port = moody(moods, server.tcp_port().expect("it listens on TCP"));
    // With TLS to be agreed on first, an error would come before its time.
    let text = format!("host=127.0.0.1 port={port} user=trusting dbname=postgres sslmode=disable");
    Connector::new(&text)?.connect_blocking()?.batch_execute("SELECT 1")?;
    Ok(())
}

#[test]
fn r33_a_connection_that_becomes_free_is_waited_for() -> Outcome {
    let server = server()?;
    let connector = Connector::new(&socket(&server, "lonely"))?;
    let first = connector.connect_blocking()?;
    let once =
        connector.clone().deadline(Duration::ZERO).connect_blocking().err().expect("there is no second");
    assert_eq!((once.kind(), once.sqlstate()), (ConnectErrorKind::Unavailable, Some("53300")));
    let waiting = thread::spawn(move || connector.connect_blocking().map(drop));
    thread::sleep(Duration::from_millis(300));
    drop(first);
    waiting.join().expect("it does not panic")?;
    Ok(())
}

#[test]
fn r33_the_deadline_holds_and_the_error_tells_how_it_was_spent() {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port();
    let text = format!("postgres://app:secret@127.0.0.1:{port}/app");
    let connector = Connector::new(&text).expect("it is valid").deadline(Duration::from_secs(1));
    let started = Instant::now();
    let error = connector.connect_blocking().err().expect("nobody listens");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(error.kind(), ConnectErrorKind::Unavailable);
    assert!((3..30).contains(&error.attempts()), "{}", error.attempts());
    let text = error.to_string();
    assert!(text.starts_with(&format!("no connection to app@127.0.0.1:{port}/app in ")), "{text}");
    assert!(text.contains(&format!(" s ({} attempts): connection refused", error.attempts())), "{text}");
    assert!(error.source().is_some_and(|source| source.is::<tokio_postgres::Error>()));
}

#[test]
fn r33_a_server_that_never_answers_does_not_outlast_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let text = format!("host=127.0.0.1 port={port} user=app connect_timeout=1");
    let connector = Connector::new(&text).expect("it is valid").deadline(Duration::from_millis(500));
    let runtime = Runtime::new().expect("a runtime starts");
    let started = Instant::now();
    let outcomes =
        [runtime.block_on(connector.connect()).err(), connector.connect_blocking().map(drop).err()];
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    for error in outcomes.map(|error| error.expect("nobody answers")) {
        assert_eq!(error.kind(), ConnectErrorKind::Unavailable);
        assert!(error.to_string().ends_with("(1 attempt): no answer within 1.0 s"), "{error}");
    }
}

#[test]
fn r33_what_cannot_succeed_fails_at_once() -> Outcome {
    use ConnectErrorKind::{Authentication, MissingDatabase, Rejected};
    let server = server()?;
    for (rest, kind, sqlstate, cause) in [
        (
            "user=app password=wrong dbname=postgres",
            Authentication,
            Some("28P01"),
            "password authentication failed for user \"app\" (28P01)",
        ),
        ("user=app dbname=postgres", Authentication, None, "password missing"),
        ("user=nobody dbname=postgres", Authentication, Some("28000"), "(28000)"),
        (
            "user=trusting dbname=absent",
            MissingDatabase,
            Some("3D000"),
            "database \"absent\" does not exist (3D000)",
        ),
        ("user=trusting dbname=postgres options='-c no_such=1'", Rejected, Some("42704"), "(42704)"),
    ] {
        for error in refusals(&tcp(&server, rest)) {
            assert_eq!((error.kind(), error.sqlstate()), (kind, sqlstate), "{error}");
            assert_eq!(error.attempts(), 1, "{error}");
            assert!(error.elapsed() < Duration::from_secs(2), "{error}: {:?}", error.elapsed());
            assert!(error.to_string().ends_with(cause), "{error}");
            assert!(!error.to_string().contains("db error"), "{error}");
        }
    }
    let [role, _] = refusals(&socket(&server, "absent"));
    assert_eq!((role.kind(), role.attempts()), (Authentication, 1), "{role}");
    let [barred, _] = refusals(&socket(&server, "barred"));
    assert_eq!(
        (barred.kind(), barred.sqlstate(), barred.attempts()),
        (Rejected, Some("42501"), 1),
        "{barred}"
    );
    Ok(())
}

#[test]
fn the_right_password_is_accepted_in_every_spelling() -> Outcome {
    let server = server()?;
    let port = server.tcp_port().expect("it listens on TCP");
    for text in [
        tcp(&server, "user=app password=right dbname=postgres"),
        tcp(&server, r"user='app' password='\right' dbname=postgres"),
        format!("postgres://app:right@127.0.0.1:{port}/postgres"),
        format!("postgresql://app:%72ight@localhost:{port}/postgres?hostaddr=127.0.0.1"),
        format!("postgresql:///postgres?host=127.0.0.1&port={port}&user=app&password=right"),
        format!("postgresql:///postgres?hostaddr=127.0.0.1&port={port}&user=app&password=right"),
    ] {
        Connector::new(&text)?.connect_blocking()?.batch_execute("SELECT 1")?;
    }
    Ok(())
}

#[test]
fn the_next_host_is_tried_when_one_is_down() -> Outcome {
    let server = server()?;
    let down = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let folder = server.socket_dir().expect("the server is our own").display().to_string();
    let port = server.port();
    let text =
        format!("host=127.0.0.1,{folder} port={down},{port} user=postgres target_session_attrs=read-write");
    for order in ["disable", "random"] {
        let connector =
            Connector::new(&format!("{text} load_balance_hosts={order}"))?.deadline(Duration::ZERO);
        connector.connect_blocking()?.batch_execute("SELECT 1")?;
    }
    Ok(())
}

#[test]
fn a_server_of_the_wrong_kind_is_asked_again_until_the_deadline() -> Outcome {
    let server = server()?;
    let text = format!("{} target_session_attrs=read-only", socket(&server, "postgres"));
    let error = Connector::new(&text)?.deadline(Duration::from_millis(300)).connect_blocking().err();
    let error = error.expect("the server is no standby");
    assert_eq!(error.kind(), ConnectErrorKind::Unavailable);
    assert!(error.attempts() > 1 && error.to_string().ends_with("database is not read only"), "{error}");
    Ok(())
}
