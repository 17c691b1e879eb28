//! What both ends of TLS offer, take and verify, as rustls wants it. In: the plan's options, files, the run's authority. Out: a client or a
//! server, or why there is none. Sends nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use scn_grammar::scenario::transport::{Certificate, TlsClient, TlsServer, TlsVersion, Verify};
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{DnsName, ServerName};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::authority::Authority;
use super::materials::{self, Identity};
use super::unverified::Unverified;
use super::{Client, Server, server_side};
use crate::plan::types::{Plan, PlannedFlow, PlannedListener};
use crate::traffic::{Files, http, quic};

/// What HTTP is called where both ends agree on it (RFC 7301).
pub const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// Sessions that a flow's connections keep for those that resume them.
const SESSIONS: usize = 256;

/// Makes the ends of one run.
pub struct Maker<'a> {
    plan: &'a Plan,
    files: &'a Files,
    /// Made when first needed.
    authority: Option<Authority>,
}

impl<'a> Maker<'a> {
    /// For a plan, with what the files hold that it names.
    pub fn new(plan: &'a Plan, files: &'a Files) -> Maker<'a> {
        Maker { plan, files, authority: None }
    }

    /// The client's end of a flow.
    pub fn client(&mut self, flow: &PlannedFlow, tls: &TlsClient) -> Result<Client, String> {
        let provider = provider(&tls.ciphers)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&versions(&tls.versions, quic::carries(flow)));
        let builder = builder.map_err(|error| unfit(&error, &tls.ciphers))?;
        let builder = match &tls.verify {
            Verify::Off => builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider))),
            Verify::On => builder.with_root_certificates(self.own_roots()?),
            Verify::File(path) => {
                let roots = Arc::new(materials::authorities(self.files, path, flow.span)?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
                builder.with_webpki_verifier(verifier.map_err(|error| error.to_string())?)
            }
        };
        let mut config = match &tls.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let name = self.plan.nodes.get(flow.from.index()).map_or("client", |node| node.name.as_str());
                let Identity { chain, key } = match certificate {
                    Certificate::Auto => self.authority()?.client(name).map_err(|error| error.to_string())?,
                    Certificate::Files { certificate, key } => materials::identity(self.files, (certificate, key), flow.span)?,
                };
                builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?
            }
        };
        config.alpn_protocols = protocols(&tls.alpn);
        if config.alpn_protocols.is_empty() && http::is_multiplexed(&flow.transport) {
            config.alpn_protocols = vec![HTTP_2.to_vec()];
        }
        config.resumption = if tls.resumption { Resumption::in_memory_sessions(SESSIONS) } else { Resumption::disabled() };
        let name = match tls.name.as_deref().or(flow.looked_up()) {
            Some(name) => ServerName::try_from(name.to_owned()).map_err(|error| format!("{name:?} is no name of a server: {error}"))?,
            None => ServerName::from(flow.target.ip()),
        };
        Ok(Client { connector: TlsConnector::from(Arc::new(config)), name, places: self.places(flow, tls) })
    }

    /// The server's end of a listener.
    pub fn server(&mut self, listener: &PlannedListener, tls: &TlsServer) -> Result<Server, String> {
        let provider = provider(&tls.ciphers)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&versions(&tls.versions, quic::listens(&listener.listener)));
        let builder = builder.map_err(|error| unfit(&error, &tls.ciphers))?;
        let roots = match &tls.verify {
            Verify::Off => None,
            Verify::On => Some(self.own_roots()?),
            Verify::File(path) => Some(materials::authorities(self.files, path, listener.span)?),
        };
        let builder = match roots {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
            }
        };
        let Identity { chain, key } = match &tls.certificate {
            Certificate::Auto => {
                let names = if tls.names.is_empty() { self.names_of(listener) } else { tls.names.clone() };
                self.authority()?.server(&names).map_err(|error| error.to_string())?
            }
            Certificate::Files { certificate, key } => materials::identity(self.files, (certificate, key), listener.span)?,
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| error.to_string())?;
        config.alpn_protocols = protocols(&tls.alpn);
        if config.alpn_protocols.is_empty() && http::listens(listener) {
            config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        }
        if tls.resumption {
            config.ticketer = ring::Ticketer::new().map_err(|error| error.to_string())?;
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Server { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    fn authority(&mut self) -> Result<&Authority, String> {
        if self.authority.is_none() {
            self.authority = Some(Authority::new().map_err(|error| format!("the run's authority could not be made: {error}"))?);
        }
        self.authority.as_ref().ok_or_else(String::new)
    }

    fn own_roots(&mut self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority()?.certificate()).map_err(|error| error.to_string())?;
        Ok(roots)
    }

    /// The names of the nodes of a listener's service and their addresses, those too that flows reach it by and that come later.
    fn names_of(&self, listener: &PlannedListener) -> Vec<String> {
        let same = |other: &&PlannedListener| {
            (other.service.is_some() && other.service == listener.service) || (other.node, other.port) == (listener.node, listener.port)
        };
        let nodes: BTreeSet<_> = self.plan.listeners.iter().filter(same).map(|listener| listener.node).collect();
        let of_nodes = || nodes.iter().filter_map(|node| self.plan.nodes.get(node.index()));
        let names = of_nodes().map(|node| node.name.as_str()).filter(|name| DnsName::try_from(*name).is_ok());
        let names: Vec<String> = names.map(str::to_owned).collect();
        let mut addresses: BTreeSet<IpAddr> = of_nodes()
            .flat_map(|node| &node.interfaces)
            .flat_map(|interface| &interface.addresses)
            .chain(self.plan.interfaces.iter().filter(|upper| nodes.contains(&upper.node)).flat_map(|upper| &upper.addresses))
            .map(|prefix| prefix.address)
            .collect();
        let reached = self.plan.flows.iter().filter(|flow| flow.target.port() == listener.port);
        let reached = reached.filter(|flow| flow.backends.iter().any(|node| nodes.contains(node)));
        addresses.extend(reached.map(|flow| flow.target.ip()));
        addresses.extend(Some(listener.address).filter(|address| !address.is_unspecified()));
        names.into_iter().chain(addresses.into_iter().map(|address| address.to_string())).collect()
    }

    /// Where the certificates come from that a client's handshake is about.
    fn places(&self, flow: &PlannedFlow, tls: &TlsClient) -> String {
        let answers = |listener: &&PlannedListener| flow.backends.contains(&listener.node) && listener.port == flow.target.port();
        let shown = self.plan.listeners.iter().filter(answers).find_map(|listener| {
            let tls = server_side(&listener.listener)?;
            Some(match &tls.certificate {
                Certificate::Auto => format!("the certificate of {} was made for the run", listener.name),
                Certificate::Files { certificate, .. } => format!("the certificate of {} is that in {certificate}", listener.name),
            })
        });
        let verified = match &tls.verify {
            Verify::On => Some("verified by the run's own authority".to_owned()),
            Verify::File(path) => Some(format!("verified by {path}")),
            Verify::Off => None,
        };
        shown.into_iter().chain(verified).collect::<Vec<_>>().join("; ")
    }
}

/// The versions that are said; of QUIC there is one (RFC 9001, 4.2).
fn versions(said: &[TlsVersion], of_quic: bool) -> Vec<&'static SupportedProtocolVersion> {
    said.iter()
        .filter(|version| !of_quic || **version == TlsVersion::V13)
        .map(|version| match version {
            TlsVersion::V12 => &TLS12,
            TlsVersion::V13 => &TLS13,
        })
        .collect()
}

fn protocols(alpn: &[String]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.clone().into_bytes()).collect()
}

/// The cryptography, with these cipher suites or with all that there are.
fn provider(ciphers: &[String]) -> Result<Arc<CryptoProvider>, String> {
    let mut provider = ring::default_provider();
    let all = std::mem::take(&mut provider.cipher_suites);
    let find = |said: &String| {
        let found = all.iter().find(|suite| iana(suite) == *said).copied();
        let known = || all.iter().map(iana).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("there is no cipher suite {said} here; there are {}", known()))
    };
    provider.cipher_suites = if ciphers.is_empty() { all.clone() } else { ciphers.iter().map(find).collect::<Result<_, _>>()? };
    Ok(Arc::new(provider))
}

/// The name of a cipher suite as IANA registers it; rustls has another one for those of TLS 1.3.
fn iana(suite: &SupportedCipherSuite) -> String {
    suite.suite().as_str().unwrap_or_default().replacen("TLS13_", "TLS_", 1)
}

fn unfit(error: &tokio_rustls::rustls::Error, ciphers: &[String]) -> String {
    format!("{error}: none of {} is of the versions that are said", ciphers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scn_grammar::scenario::transport::CIPHERS;

    #[test]
    fn the_language_knows_the_cipher_suites_that_there_are() {
        let all: Vec<String> = provider(&[]).unwrap().cipher_suites.iter().map(iana).collect();
        assert_eq!(all, CIPHERS);
    }
}
