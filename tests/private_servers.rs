//! Servers with TLS, with a standby, and with a PgBouncer in front of them, as types.

mod support;

use habitat_migrate::Connector;
use habitat_migrate::testing::{PgBouncer, PoolMode, Server};
use postgres::NoTls;
use support::{complaints, own_server, value, wait_for};

const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

#[test]
fn tls_is_verified_in_full_and_no_other_authority_is_trusted() {
    let server = Server::builder().tls().start().unwrap();
    let url = server.tls_url("postgres", "postgres").unwrap();
    let mut client = Connector::new(&url).unwrap().connect_blocking().unwrap();
    assert!(value::<bool>(&mut client, ENCRYPTED));
    let other = Server::builder().tls().start().unwrap();
    let (ours, theirs) = (server.ca_certificate().unwrap(), other.ca_certificate().unwrap());
    let escaped = |path: &std::path::Path| path.display().to_string().replace('/', "%2F");
    let wrong = url.replace(&escaped(&ours), &escaped(&theirs));
    assert_ne!(wrong, url);
    let error = Connector::new(&wrong).unwrap().connect_blocking().err().expect("another authority's");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    let wrong = url.replace("@localhost:", "@db.test:");
    let error = Connector::new(&wrong).unwrap().connect_blocking().err().expect("another name");
    assert!(error.to_string().contains("not valid for name"), "{error}");
    // By address, too.
    let url = url.replace("@localhost:", "@127.0.0.1:");
    Connector::new(&url).unwrap().connect_blocking().unwrap();
}

#[test]
fn tls_can_be_required_of_everybody_who_comes_by_tcp() {
    let server = Server::builder().tls_only().start().unwrap();
    let url = server.tls_url("postgres", "postgres").unwrap();
    Connector::new(&url).unwrap().connect_blocking().unwrap();
    let plain = url.replace("verify-full", "disable");
    let error = Connector::new(&plain).unwrap().connect_blocking().err().expect("it is refused");
    assert!(error.to_string().contains("no encryption"), "{error}");
    server.database().unwrap().connect().unwrap();
}

#[test]
fn a_server_without_certificates_says_so() {
    let server = own_server();
    assert!(server.ca_certificate().is_none() && server.tls_url("postgres", "postgres").is_none());
    let error = server.client_certificate("x").unwrap_err().to_string();
    assert_eq!(error, "this server has no certificates: start it with Builder::tls");
}

#[test]
fn a_standby_follows_refuses_writes_and_can_be_promoted() {
    let primary = Server::builder().replication().start().unwrap();
    let database = primary.database().unwrap();
    // Before and behind the copy.
    database.connect().unwrap().batch_execute("CREATE TABLE t AS SELECT 1 AS n").unwrap();
    let standby = primary.standby().unwrap();
    for n in 2..20 {
        database.connect().unwrap().execute("INSERT INTO t VALUES ($1)", &[&n]).unwrap();
        standby.wait_for_replay().unwrap();
        let mut client = standby.config().dbname(database.name()).connect(NoTls).unwrap();
        assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t"), i64::from(n));
    }
    let mut client = standby.config().dbname(database.name()).connect(NoTls).unwrap();
    let error = client.batch_execute("INSERT INTO t VALUES (0)").unwrap_err();
    assert_eq!(error.code().unwrap().code(), "25006");
    assert_eq!((complaints(&primary), complaints(&standby).len()), (Vec::new(), 1));
    let promoted = standby.promote().unwrap();
    client.batch_execute("INSERT INTO t VALUES (0)").unwrap();
    let mut other = database.connect().unwrap();
    assert_eq!(value::<i64>(&mut other, "SELECT count(*) FROM t WHERE n = 0"), 0, "they have parted");
    let folder = promoted.data_dir().unwrap();
    drop((client, promoted));
    assert!(!folder.exists());
}

#[test]
fn two_standbys_follow_one_primary_that_is_busy() {
    let primary = Server::builder().replication().start().unwrap();
    let database = primary.database().unwrap();
    let mut client = database.connect().unwrap();
    client.batch_execute("CREATE TABLE t (n int, text text)").unwrap();
    let busy = std::sync::atomic::AtomicBool::new(true);
    let standbys = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = database.connect().unwrap();
            while busy.load(std::sync::atomic::Ordering::Relaxed) {
                let insert = "INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 200) n";
                client.batch_execute(insert).unwrap();
                client.batch_execute("CREATE TABLE u (id int); DROP TABLE u").unwrap();
            }
        });
        let standbys = [primary.standby(), primary.standby()];
        busy.store(false, std::sync::atomic::Ordering::Relaxed);
        standbys
    });
    let rows = value::<i64>(&mut client, "SELECT count(*) FROM t");
    for standby in standbys {
        let standby = standby.unwrap();
        standby.wait_for_replay().unwrap();
        let mut client = standby.config().dbname(database.name()).connect(NoTls).unwrap();
        assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t"), rows);
    }
}

#[test]
fn a_server_that_lets_no_standby_follow_says_so() {
    let error = own_server().standby().unwrap_err().to_string();
    assert_eq!(error, "this server lets no standby follow: start it with Builder::replication");
}

#[test]
fn a_pooler_hands_one_session_to_many_clients() {
    let server = own_server();
    let database = server.database().unwrap();
    let pooler = PgBouncer::builder(&server).pool_mode(PoolMode::Transaction).pool_size(1).start().unwrap();
    let connect = || postgres::Client::connect(&pooler.url_of(&database), NoTls).unwrap();
    let (mut first, mut second) = (connect(), connect());
    let pid = "SELECT pg_backend_pid()";
    let session = |client: &mut postgres::Client| match &client.simple_query(pid).unwrap()[1] {
        postgres::SimpleQueryMessage::Row(row) => row.get(0).unwrap().to_owned(),
        _ => panic!("a row"),
    };
    assert_eq!(session(&mut first), session(&mut second));
    assert!(pooler.log().unwrap().contains("process up"), "{:?}", pooler.log());
    let folder = pooler.socket_dir().to_owned();
    assert!(folder.exists());
    drop(pooler);
    wait_for("the folder to go", || !folder.exists());
}

#[test]
fn a_pooler_with_a_setting_that_there_is_not_shows_its_log() {
    let server = own_server();
    let error = PgBouncer::builder(&server).setting("no_such_thing", "1").start().unwrap_err().to_string();
    assert!(error.contains("no_such_thing"), "{error}");
    let error = PgBouncer::builder(&server).setting("no such\nthing", "1").start().unwrap_err().to_string();
    assert!(error.contains("cannot be the name of a server setting"), "{error}");
}
