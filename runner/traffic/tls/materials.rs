//! Certificates and keys from PEM files. In: what the plan names, and what those files hold. Out: chains, keys and authorities, or what is
//! wrong with a file. Reads no file itself.

use scn_grammar::scenario::pattern::PayloadFile;
use scn_grammar::scenario::transport::{Certificate, Verify};
use scn_grammar::source::Span;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{client_side, server_side};
use crate::plan::types::Plan;
use crate::traffic::Files;

/// A certificate with those that lead to its authority, and its key.
pub struct Identity {
    /// The end's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// Every file that the ends of a plan need, each with the declaration that names it.
#[must_use]
pub fn files(plan: &Plan) -> Vec<(PayloadFile, Span)> {
    let clients = plan.flows.iter().filter_map(|flow| {
        let tls = client_side(&flow.transport)?;
        Some((named(&tls.verify, tls.certificate.as_ref()), flow.span))
    });
    let servers = plan.listeners.iter().filter_map(|listener| {
        let tls = server_side(&listener.listener)?;
        Some((named(&tls.verify, Some(&tls.certificate)), listener.span))
    });
    clients.chain(servers).flat_map(|(paths, span)| paths.into_iter().map(move |path| (file(path, span), span))).collect()
}

/// The paths that one end names.
fn named<'a>(verify: &'a Verify, certificate: Option<&'a Certificate>) -> Vec<&'a str> {
    let mut paths = Vec::new();
    if let Verify::File(path) = verify {
        paths.push(path.as_str());
    }
    if let Some(Certificate::Files { certificate, key }) = certificate {
        paths.extend([certificate.as_str(), key.as_str()]);
    }
    paths
}

/// A path as it is written in a declaration.
fn file(path: &str, span: Span) -> PayloadFile {
    PayloadFile { path: path.to_owned(), beside: span.file }
}

/// What a file holds that a declaration names.
fn content<'a>(files: &'a Files, path: &str, span: Span) -> Result<&'a [u8], String> {
    files.get(&file(path, span)).map(AsRef::as_ref).ok_or_else(|| format!("{path} was not read"))
}

/// The certificates in a file; at least one.
fn certificates(files: &Files, path: &str, span: Span) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content(files, path, span)?).collect();
    let found = found.map_err(|error| format!("{path} is no PEM file: {error}"))?;
    if found.is_empty() { Err(format!("{path} holds no certificate: one begins with -----BEGIN CERTIFICATE-----")) } else { Ok(found) }
}

/// A chain and its key from two files.
pub fn identity(files: &Files, (chain, key): (&str, &str), span: Span) -> Result<Identity, String> {
    let chain = certificates(files, chain, span)?;
    let key = PrivateKeyDer::from_pem_slice(content(files, key, span)?).map_err(|error| format!("{key} holds no private key: {error}"))?;
    Ok(Identity { chain, key })
}

/// The authorities in a file.
pub fn authorities(files: &Files, path: &str, span: Span) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(files, path, span)? {
        roots.add(certificate).map_err(|error| format!("a certificate in {path} is of no authority: {error}"))?;
    }
    Ok(roots)
}
