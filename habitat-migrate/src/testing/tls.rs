//! Certificates for a server and its clients, by an authority that is made for this server alone.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::builder::Plan;
use super::data;
use super::error::{Kind, ServerError};
use super::server::Server;

/// What TLS is wanted for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// Besides `localhost` and 127.0.0.1.
    pub(super) hosts: Vec<String>,
}

/// Who signs certificates, in memory; its own certificate is in the data folder.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Wish {
    /// Makes the certificates, and has the plan put them into the data folder.
    pub(super) fn fulfil(&self, plan: &mut Plan) -> Result<Authority, ServerError> {
        let authority = Authority::new()?;
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        hosts.extend(self.hosts.iter().cloned());
        let name = self.hosts.first().map_or("localhost", String::as_str);
        let (certificate, key) = authority.issue(name, hosts.clone())?;
        for (file, text) in [(CA, authority.0.pem()), ("server.crt", certificate), ("server.key", key)] {
            plan.files.push((file.to_owned(), text.into_bytes()));
        }
        for (setting, value) in [("ssl", "on"), ("ssl_ca_file", CA)] {
            plan.settings.push((setting.to_owned(), value.to_owned()));
        }
        Ok(authority)
    }
}

impl Authority {
    fn new() -> Result<Self, ServerError> {
        let failed = |source| Kind::Certificate { name: "an authority".to_owned(), source };
        let mut params = CertificateParams::default();
        // Of its own name, so that a client which trusts another one is told so.
        params.distinguished_name.push(DnType::CommonName, format!("test authority {}", super::unique()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(failed)?;
        Ok(Self(CertifiedIssuer::self_signed(params, key).map_err(failed)?))
    }

    /// A certificate and its key, in PEM.
    fn issue(&self, name: &str, hosts: Vec<String>) -> Result<(String, String), ServerError> {
        let failed = |source| Kind::Certificate { name: name.to_owned(), source };
        let mut params = CertificateParams::new(hosts).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.0).map_err(failed)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// A client's certificate and its key, for `sslcert` and `sslkey`.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    certificate: PathBuf,
    key: PathBuf,
}

impl ClientCertificate {
    /// The certificate's file, PEM.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// The key's file, PEM, which only this user can read.
    pub fn key(&self) -> &Path {
        &self.key
    }
}

impl Server {
    /// The file with the certificate of the authority that signed the server's, for `sslrootcert`; none without
    /// [`Builder::tls`](super::Builder::tls). It goes with the server.
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.authority().and_then(|_| Some(self.data_dir()?.join(CA)))
    }

    /// The connection string of a database by TLS, with everything verified: `sslmode=verify-full`. None without
    /// [`Builder::tls`](super::Builder::tls).
    ///
    /// It is for libpq and for [`Connector`](crate::Connector); the drivers alone do not know `sslrootcert`.
    pub fn tls_url(&self, user: &str, database: &str) -> Option<String> {
        let root = super::address::escape(&data::text(&self.ca_certificate()?));
        let url = super::address::url("localhost", self.tcp_port()?, user, database);
        Some(format!("{url}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={root}"))
    }

    /// A certificate for the client `user`, signed by the authority that the server trusts: for `hostssl all all all cert`.
    ///
    /// # Errors
    /// The server has no [TLS of its own](super::Builder::tls), or the files cannot be written.
    pub fn client_certificate(&self, user: &str) -> Result<ClientCertificate, ServerError> {
        let advice = "start it with Builder::tls";
        let unfit = || Kind::Unfit { what: "has no certificates", advice };
        let (authority, folder) = (self.authority().ok_or_else(unfit)?, self.socket_dir().ok_or_else(unfit)?);
        let (certificate, key) = authority.issue(user, Vec::new())?;
        // Ours, not the server's: it is the client who reads them.
        let name = format!("client_{}", super::unique());
        let (certificate_file, key_file) = (format!("{name}.crt"), format!("{name}.key"));
        data::put(folder, &certificate_file, certificate.as_bytes(), None)?;
        data::put(folder, &key_file, key.as_bytes(), None)?;
        Ok(ClientCertificate { certificate: folder.join(certificate_file), key: folder.join(key_file) })
    }
}

/// In the data folder.
const CA: &str = "ca.crt";
