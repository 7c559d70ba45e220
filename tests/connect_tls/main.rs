//! TLS means what libpq's table of modes says, and no error shows a password.

mod secrets;

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use habitat_migrate::connect::{ConnectError, ConnectErrorKind, Connector};
use habitat_migrate::testing::Server;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

type Outcome = Result<(), Box<dyn Error>>;
type Authority = CertifiedIssuer<'static, KeyPair>;

const HBA: &str = "local all postgres trust
hostssl all certified 127.0.0.1/32 cert
hostssl all secure 127.0.0.1/32 trust
hostnossl all plain 127.0.0.1/32 trust
host all anyone 127.0.0.1/32 trust
host all app 127.0.0.1/32 scram-sha-256
";

const ROLES: &str = "SET password_encryption = 'scram-sha-256';
CREATE ROLE certified LOGIN; CREATE ROLE secure LOGIN; CREATE ROLE plain LOGIN; CREATE ROLE anyone LOGIN;
CREATE ROLE app LOGIN PASSWORD 'right'";

/// A server with a certificate for `db.test`, and a folder with the certificates of its clients.
struct Secured {
    server: Server,
    folder: TempDir,
}

impl Secured {
    fn start() -> Result<Secured, Box<dyn Error>> {
        let server = with_roles(Server::builder().tls_host("db.test").file("pg_hba.conf", HBA).start()?)?;
        let folder = tempfile::tempdir()?;
        // Copies, as these tests change who may read them.
        fs::copy(server.ca_certificate().expect("it has TLS"), folder.path().join("ca.pem"))?;
        fs::write(folder.path().join("stranger.pem"), authority("a stranger")?.pem())?;
        let client = server.client_certificate("certified")?;
        fs::copy(client.certificate(), folder.path().join("client.crt"))?;
        fs::copy(client.key(), folder.path().join("client.key"))?;
        Ok(Secured { server, folder })
    }

    /// A string for `db.test`, where `$` stands for the folder of the certificates.
    fn with(&self, rest: &str) -> String {
        at("db.test", &self.server, &rest.replace('$', &self.folder.path().display().to_string()))
    }
}

fn at(host: &str, server: &Server, rest: &str) -> String {
    let port = server.tcp_port().expect("it listens on TCP");
    format!("host={host} hostaddr=127.0.0.1 port={port} dbname=postgres {rest}")
}

/// A server with a certificate of another making than the library's.
fn tls_server(certificate: String, key: String) -> Result<Server, Box<dyn Error>> {
    with_roles(Server::builder().tls_with(certificate, key).file("pg_hba.conf", HBA).start()?)
}

fn plain_server() -> Result<Server, Box<dyn Error>> {
    with_roles(Server::builder().listen_tcp().file("pg_hba.conf", HBA.replace("hostnossl", "host")).start()?)
}

fn with_roles(server: Server) -> Result<Server, Box<dyn Error>> {
    server.config().connect(postgres::NoTls)?.batch_execute(ROLES)?;
    Ok(server)
}

fn params_of(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn server_params(host: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params_of(host)?;
    params.subject_alt_names.push(SanType::DnsName(host.try_into()?));
    Ok(params)
}

fn authority(name: &str) -> Result<Authority, rcgen::Error> {
    let mut params = params_of(name)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// The certificate and its key, in PEM.
fn issued(params: CertificateParams, authority: &Authority) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, authority)?.pem(), key.serialize_pem()))
}

/// How the session of both clients is encrypted: by which version of TLS, if at all.
fn session(text: &str) -> Result<Option<String>, ConnectError> {
    const SQL: &str = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let connector = Connector::new(text)?;
    let version = connector.connect_blocking()?.query_one(SQL, &[]).expect("it answers").get(0);
    let runtime = Runtime::new().expect("a runtime starts");
    let again = runtime.block_on(async {
        Ok::<_, ConnectError>(
            connector.connect().await?.query_one(SQL, &[]).await.expect("it answers").get(0),
        )
    });
    assert_eq!(version, again?, "both clients connect alike");
    Ok(version)
}

#[track_caller]
fn encrypted(text: &str) {
    assert!(session(text).unwrap_or_else(|error| panic!("{text}: {error}")).is_some(), "{text}");
}

#[track_caller]
fn unencrypted(text: &str) {
    assert_eq!(session(text).unwrap_or_else(|error| panic!("{text}: {error}")), None, "{text}");
}

#[track_caller]
fn refused(text: &str, kind: ConnectErrorKind, cause: &str) {
    let error = session(text).expect_err(text);
    assert_eq!(error.kind(), kind, "{text}: {error}");
    assert!(error.to_string().contains(cause), "{text}: {error}");
    assert!(error.attempts() <= 1, "{text}: {error}");
}

#[test]
fn modes_mean_what_the_table_says() -> Outcome {
    use ConnectErrorKind::{Authentication, Tls};
    let secured = Secured::start()?;
    let with = |rest: &str| secured.with(rest);
    let known = "sslrootcert=$/ca.pem";
    let stranger = "sslrootcert=$/stranger.pem";

    unencrypted(&with("user=anyone sslmode=disable"));
    refused(&with("user=secure sslmode=disable"), Authentication, "no encryption");

    unencrypted(&with("user=anyone sslmode=allow"));
    encrypted(&with("user=secure sslmode=allow"));
    refused(&with(&format!("user=secure sslmode=allow {stranger}")), Tls, "UnknownIssuer");

    encrypted(&with("user=anyone"));
    encrypted(&with("user=anyone sslmode=prefer"));
    unencrypted(&with("user=plain sslmode=prefer"));
    unencrypted(&with(&format!("user=anyone sslmode=prefer {stranger}")));
    refused(&with(&format!("user=secure sslmode=prefer {stranger}")), Authentication, "no encryption");

    encrypted(&with("user=anyone sslmode=require"));
    encrypted(&with(&format!("user=anyone sslmode=require {known}")));
    refused(&with(&format!("user=anyone sslmode=require {stranger}")), Tls, "UnknownIssuer");
    refused(&with("user=plain sslmode=require"), Authentication, "28000");

    encrypted(&with(&format!("user=anyone sslmode=verify-ca {known}")));
    refused(&with(&format!("user=anyone sslmode=verify-ca {stranger}")), Tls, "UnknownIssuer");

    encrypted(&with(&format!("user=anyone sslmode=verify-full {known}")));
    refused(&with(&format!("user=anyone sslmode=verify-full {stranger}")), Tls, "UnknownIssuer");
    refused(&with("user=anyone sslrootcert=system"), Tls, "");

    let known = format!("user=anyone sslrootcert={}/ca.pem", secured.folder.path().display());
    for host in ["other.test", "127.0.0.2"] {
        encrypted(&at(host, &secured.server, &format!("{known} sslmode=verify-ca")));
        refused(
            &at(host, &secured.server, &format!("{known} sslmode=verify-full")),
            Tls,
            "not valid for name",
        );
    }
    let port = secured.server.tcp_port().expect("it listens on TCP");
    encrypted(&format!("postgresql://anyone@127.0.0.1:{port}/postgres?sslmode=require"));
    encrypted(&format!("hostaddr=127.0.0.1 port={port} user=anyone dbname=postgres sslmode=require"));
    Ok(())
}

#[test]
fn a_server_without_tls_is_refused_by_the_modes_that_require_it() -> Outcome {
    let server = plain_server()?;
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("ca.pem"), authority("any")?.pem())?;
    let root = format!("sslrootcert={}/ca.pem", folder.path().display());
    for mode in ["disable", "allow", "prefer"] {
        unencrypted(&at("db.test", &server, &format!("user=anyone sslmode={mode}")));
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let text = at("db.test", &server, &format!("user=anyone sslmode={mode} {root}"));
        refused(&text, ConnectErrorKind::Tls, "server does not support TLS");
    }
    let socket = server.socket_dir().expect("the server is our own").display();
    unencrypted(&format!("host={socket} port={} user=postgres sslmode=verify-full {root}", server.port()));
    Ok(())
}

#[test]
fn a_certificate_out_of_date_fails_where_it_is_verified() -> Outcome {
    let authority = authority("the authority")?;
    let mut params = server_params("db.test")?;
    params.not_after = date_time_ymd(2020, 1, 1);
    let (certificate, key) = issued(params, &authority)?;
    let server = tls_server(certificate, key)?;
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("ca.pem"), authority.pem())?;
    let root = format!("user=anyone sslrootcert={}/ca.pem", folder.path().display());
    for mode in ["require", "verify-ca", "verify-full"] {
        let text = at("db.test", &server, &format!("{root} sslmode={mode}"));
        refused(&text, ConnectErrorKind::Tls, "certificate expired");
    }
    encrypted(&at("db.test", &server, "user=anyone sslmode=require"));
    Ok(())
}

#[test]
fn a_server_s_own_certificate_may_be_the_root() -> Outcome {
    for (year, passes) in [(2090, true), (2020, false)] {
        let mut params = server_params("db.test")?;
        // As `openssl req -x509` makes it: an authority that is a server.
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("root.pem"), &certificate)?;
        let server = tls_server(certificate, key.serialize_pem())?;
        let rest =
            format!("user=anyone sslmode=verify-full sslrootcert={}/root.pem", folder.path().display());
        if passes {
            encrypted(&at("db.test", &server, &rest));
            refused(&at("other.test", &server, &rest), ConnectErrorKind::Tls, "not valid for name");
        } else {
            refused(&at("db.test", &server, &rest), ConnectErrorKind::Tls, "certificate expired");
        }
    }
    Ok(())
}

#[test]
fn clients_show_their_certificates() -> Outcome {
    use ConnectErrorKind::{Authentication, Tls};
    let secured = Secured::start()?;
    encrypted(&secured.with("user=certified sslmode=require sslcert=$/client.crt sslkey=$/client.key"));
    let without =
        "user=certified sslmode=require sslcert=$/client.crt sslkey=$/client.key sslcertmode=disable";
    refused(&secured.with(without), Authentication, "client certificate");
    refused(
        &secured.with("user=certified sslmode=require sslcert=$/client.crt sslkey=$/none"),
        Tls,
        "cannot be read",
    );
    fs::set_permissions(secured.folder.path().join("client.key"), Permissions::from_mode(0o644))?;
    let open = "user=certified sslmode=require sslcert=$/client.crt sslkey=$/client.key";
    refused(&secured.with(open), Tls, "is open to others");
    Ok(())
}

#[test]
fn passwords_are_bound_to_the_channel_and_versions_can_be_chosen() -> Outcome {
    let secured = Secured::start()?;
    encrypted(&secured.with("user=app password=right sslmode=require channel_binding=require"));
    for (range, version) in
        [("ssl_max_protocol_version=TLSv1.2", "TLSv1.2"), ("ssl_min_protocol_version=TLSv1.3", "TLSv1.3")]
    {
        let text = secured.with(&format!("user=anyone sslmode=require {range}"));
        assert_eq!(session(&text)?.as_deref(), Some(version));
    }
    if secured.server.major() >= 17 {
        encrypted(&secured.with("user=anyone sslmode=require sslnegotiation=direct"));
    }
    Ok(())
}

/// Runs this test again as a process of its own: the environment cannot be changed safely in this one.
fn in_child(test: &str, variable: &str, value: &Path, text: &str) -> Outcome {
    let output = Command::new(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture"])
        .env(variable, value)
        .env(CHILD, text)
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

const CHILD: &str = "HABITAT_TEST_CONNECT_CHILD";

#[test]
fn a_root_certificate_at_the_default_place_makes_require_verify() -> Outcome {
    if let Ok(text) = std::env::var(CHILD) {
        match text.split_once('|') {
            Some(("passes", text)) => encrypted(text),
            Some((_, text)) => refused(text, ConnectErrorKind::Tls, "UnknownIssuer"),
            None => panic!("{text}"),
        }
        return Ok(());
    }
    let test = "a_root_certificate_at_the_default_place_makes_require_verify";
    let secured = Secured::start()?;
    let home = secured.folder.path();
    fs::create_dir(home.join(".postgresql"))?;
    let text = secured.with("user=anyone sslmode=require");
    for (outcome, root) in [("passes", "ca.pem"), ("fails", "stranger.pem")] {
        fs::copy(home.join(root), home.join(".postgresql/root.crt"))?;
        in_child(test, "HOME", home, &format!("{outcome}|{text}"))?;
    }
    Ok(())
}

#[test]
fn the_system_s_store_is_that_of_openssl_s_variables() -> Outcome {
    if let Ok(text) = std::env::var(CHILD) {
        encrypted(&text);
        return Ok(());
    }
    let test = "the_system_s_store_is_that_of_openssl_s_variables";
    let secured = Secured::start()?;
    let text = secured.with("user=anyone sslrootcert=system");
    in_child(test, "SSL_CERT_FILE", &secured.folder.path().join("ca.pem"), &text)
}
