//! TLS by rustls, with libpq's meaning of its parameters.
//!
//! Read [SSL Support](https://www.postgresql.org/docs/current/libpq-ssl.html) beside this file.

mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::verify::{Name, Trust, Verifier};
use super::error::ConnectError;
use super::params::Params;
use super::settings::SslMode;

/// Which certificates to read, and how to shake hands. The files are read anew for each connection, since they
/// may be replaced while a service runs.
#[derive(Clone)]
pub(super) struct TlsFiles {
    root: Root,
    certificate: Given,
    key: Given,
    send_certificate: bool,
    send_name: bool,
    versions: &'static [&'static SupportedProtocolVersion],
}

#[derive(Clone)]
enum Root {
    System,
    File(Given),
}

/// A file of the default place need not be there; one that the user names must be.
#[derive(Clone)]
enum Given {
    Named(PathBuf),
    Default(Option<PathBuf>),
}

impl TlsFiles {
    pub(super) fn read_from(params: &Params) -> Result<TlsFiles, ConnectError> {
        let given = |key, name| match params.get(key) {
            Some(path) => Given::Named(path.into()),
            None => Given::Default(home().map(|home| home.join(name))),
        };
        Ok(TlsFiles {
            root: match params.get("sslrootcert") {
                Some("system") => Root::System,
                _ => Root::File(given("sslrootcert", "root.crt")),
            },
            certificate: given("sslcert", "postgresql.crt"),
            key: given("sslkey", "postgresql.key"),
            send_certificate: match params.get("sslcertmode") {
                None | Some("allow") => true,
                Some("disable") => false,
                Some(_) => {
                    return Err(ConnectError::invalid("the value of `sslcertmode` is not disable or allow"));
                }
            },
            send_name: params.get("sslsni") != Some("0"),
            versions: versions(params)?,
        })
    }

    /// Reads the files and makes the driver's TLS of them.
    pub(super) fn load(&self, mode: SslMode) -> Result<MakeRustlsConnect, ConnectError> {
        // Named here and never installed for the process: that choice is the application's.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new(
            self.trust(mode)?,
            if mode == SslMode::VerifyFull { Name::Checked } else { Name::Ignored },
            provider.signature_verification_algorithms,
        );
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .map_err(|error| ConnectError::tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.identity()? {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| ConnectError::tls(format!("the client certificate and its key: {error}")))?,
        };
        // As libpq since 17; a server that knows no ALPN ignores it, sslnegotiation=direct needs it.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        config.enable_sni = self.send_name;
        Ok(MakeRustlsConnect::new(config))
    }

    /// Whom to trust: nobody to be checked against, if `sslmode` does not ask and no root certificate is there.
    /// If one is there, every mode checks the chain, as libpq does for the sake of its older versions.
    fn trust(&self, mode: SslMode) -> Result<Option<Trust>, ConnectError> {
        let roots = match &self.root {
            Root::System => {
                let found = rustls_native_certs::load_native_certs();
                if found.certs.is_empty() {
                    return Err(ConnectError::tls("the system's store has no root certificates".to_owned()));
                }
                return Ok(Some(Trust::some_of(found.certs)));
            }
            Root::File(file) => file,
        };
        let Some(path) = roots.path() else {
            return match mode {
                SslMode::VerifyCa | SslMode::VerifyFull => Err(ConnectError::tls(
                    "there is no root certificate to verify the server by: name one by sslrootcert, take the \
                     system's by sslrootcert=system, or put it at ~/.postgresql/root.crt"
                        .to_owned(),
                )),
                _ => Ok(None),
            };
        };
        let unusable =
            || ConnectError::tls(format!("the root certificates in {} are unusable", path.display()));
        Trust::all_of(read_certificates(path)?).ok_or_else(unusable).map(Some)
    }

    /// The client's certificate and its key.
    #[allow(clippy::type_complexity)]
    fn identity(
        &self,
    ) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, ConnectError> {
        let Some(certificate) = self.certificate.path().filter(|_| self.send_certificate) else {
            return Ok(None);
        };
        let chain = read_certificates(certificate)?;
        let Some(key) = self.key.path() else {
            let certificate = certificate.display();
            return Err(ConnectError::tls(format!(
                "there is a certificate {certificate} but no key: name it by sslkey"
            )));
        };
        is_private(key)?;
        let unreadable =
            |error| ConnectError::tls(format!("the key {} cannot be read: {error}", key.display()));
        Ok(Some((chain, PrivateKeyDer::from_pem_file(key).map_err(unreadable)?)))
    }
}

impl Given {
    /// The file to read, if there is one to be read.
    fn path(&self) -> Option<&Path> {
        match self {
            Given::Named(path) => Some(path),
            Given::Default(path) => path.as_deref().filter(|path| path.exists()),
        }
    }
}

fn versions(params: &Params) -> Result<&'static [&'static SupportedProtocolVersion], ConnectError> {
    let rank = |key, default| match params.get(key).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(default),
        Some("tlsv1") => Ok(0),
        Some("tlsv1.1") => Ok(1),
        Some("tlsv1.2") => Ok(2),
        Some("tlsv1.3") => Ok(3),
        Some(_) => Err(ConnectError::invalid(format!("the value of `{key}` is not TLSv1.2 or TLSv1.3"))),
    };
    match (rank("ssl_min_protocol_version", 2)?, rank("ssl_max_protocol_version", 3)?) {
        (..=2, 3) => Ok(ALL),
        (3, 3) => Ok(NEW),
        (..=2, 2) => Ok(OLD),
        _ => Err(ConnectError::invalid("the range of TLS versions holds neither TLSv1.2 nor TLSv1.3")),
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let unreadable = |error| ConnectError::tls(format!("{} cannot be read: {error}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(ConnectError::tls(format!("{} holds no certificate in PEM form", path.display())));
    }
    Ok(certificates)
}

/// Refuses a key that others can read, by
/// [libpq's rule](https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-CLIENTCERT).
#[cfg(unix)]
fn is_private(key: &Path) -> Result<(), ConnectError> {
    use std::os::unix::fs::MetadataExt;
    let path = key.display();
    let file = key
        .metadata()
        .map_err(|error| ConnectError::tls(format!("the key {path} cannot be read: {error}")))?;
    let forbidden = if file.uid() == 0 { 0o037 } else { 0o077 };
    if file.mode() & forbidden != 0 {
        return Err(ConnectError::tls(format!(
            "the key {path} is open to others: its mode must be 0600 or less, or 0640 or less if root owns it",
        )));
    }
    Ok(())
}

#[cfg(not(unix))]
fn is_private(_: &Path) -> Result<(), ConnectError> {
    Ok(())
}

/// Where libpq looks for certificates that nobody names.
fn home() -> Option<PathBuf> {
    if cfg!(windows) {
        return std::env::var_os("APPDATA").map(|home| Path::new(&home).join("postgresql"));
    }
    std::env::var_os("HOME").map(|home| Path::new(&home).join(".postgresql"))
}

static ALL: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static NEW: &[&SupportedProtocolVersion] = &[&TLS13];
static OLD: &[&SupportedProtocolVersion] = &[&TLS12];
