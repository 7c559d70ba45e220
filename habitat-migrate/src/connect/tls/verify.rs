//! How far a server's certificate is believed.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::der::Decode;

/// Checks as much as `sslmode` asks for. That the server holds the key of its certificate is always checked.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Option<Trust>,
    name: Name,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Whether the certificate must bear the host's name: what `verify-full` adds to `verify-ca`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Checked,
    Ignored,
}

/// The certificates that a chain may end in.
#[derive(Debug)]
pub(super) struct Trust {
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

impl Verifier {
    pub(super) fn new(trust: Option<Trust>, name: Name, algorithms: WebPkiSupportedAlgorithms) -> Verifier {
        Verifier { trust, name, algorithms }
    }
}

impl Trust {
    /// All of them, or nothing if one cannot be used.
    pub(super) fn all_of(certificates: Vec<CertificateDer<'static>>) -> Option<Trust> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).ok()?;
        }
        Some(Trust { roots, certificates })
    }

    /// Those that can be used: a system's store may hold curious ones.
    pub(super) fn some_of(certificates: Vec<CertificateDer<'static>>) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        Trust { roots, certificates }
    }

    fn vouches_for(
        &self,
        leaf: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        // A server whose own certificate was handed out as the root is usual with PostgreSQL, and OpenSSL takes
        // it; rustls refuses any authority's certificate as a server's.
        if self.certificates.iter().any(|certificate| certificate == leaf) {
            return is_in_force(leaf, now);
        }
        verify_server_cert_signed_by_trust_anchor(parsed, &self.roots, chain, now, algorithms.all)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            let parsed = ParsedCertificate::try_from(leaf)?;
            trust.vouches_for(leaf, &parsed, chain, now, &self.algorithms)?;
            if self.name == Name::Checked {
                verify_server_name(&parsed, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_in_force(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let certificate = x509_cert::Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let validity = certificate.tbs_certificate.validity;
    let since = UnixTime::since_unix_epoch(validity.not_before.to_unix_duration());
    let until = UnixTime::since_unix_epoch(validity.not_after.to_unix_duration());
    if now < since {
        return Err(CertificateError::NotValidYetContext { time: now, not_before: since }.into());
    }
    if now > until {
        return Err(CertificateError::ExpiredContext { time: now, not_after: until }.into());
    }
    Ok(())
}
