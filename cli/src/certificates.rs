//! Certificates and keys: read from PEM files, or made on the spot.

use std::fs;
use std::path::Path;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::errors::Failure;

/// A certificate chain, the own certificate first, and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// The certificate in PEM, if it was made here.
    pub(crate) pem: Option<String>,
}

impl Identity {
    /// Reads both from PEM files.
    pub(crate) fn from_files(certificate: &Path, key: &Path) -> Result<Self, Failure> {
        let chain = certificates_in(certificate)?;
        let pem = fs::read(key).map_err(|error| Failure::file("read the key", key, &error))?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
            Failure::local(format!(
                "no private key in {}: it must be a PEM file with a PKCS #8, SEC1 or PKCS #1 key",
                key.display()
            ))
        })?;
        Ok(Self { chain, key, pem: None })
    }

    /// Makes a certificate for this machine's loopback names, signed by itself.
    pub(crate) fn self_signed() -> Result<Self, Failure> {
        let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|error| Failure::bug(format!("cannot make a certificate: {error}")))?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let pem = made.cert.pem();
        Ok(Self { chain: vec![made.cert.der().clone()], key: key.into(), pem: Some(pem) })
    }
}

/// Reads all certificates of a PEM file; there is at least one.
pub(crate) fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem =
        fs::read(path).map_err(|error| Failure::file("read the certificate", path, &error))?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(Failure::local(format!(
            "no certificate in {}: it must be a PEM file with a CERTIFICATE block",
            path.display()
        ))),
    }
}
