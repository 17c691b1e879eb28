//! TLS below flows and services over TCP, and that of QUIC, through rustls. In: what the plan says of it, certificates and keys from files. Out: the
//! configurations of both ends, made before anything is sent, and streams whose handshake is done. Opens no connection, waits for
//! nothing that its caller does not limit.
//!
//! ```text
//! plan, files --configure--> Client, Server --handshake--> Stream --> patterns, HTTP
//!        authority --certificates--^
//! ```

mod authority;
mod configure;
pub mod handshake;
mod materials;
mod plain;
mod stream;
#[cfg(test)]
mod tests;
mod unverified;

use std::sync::Arc;

use scn_grammar::scenario::transport::{Listener, TlsClient, TlsServer, Transport};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use materials::files;
pub use stream::Stream;

use super::Files;
use crate::plan::types::Plan;

/// The client's end of a flow's connections.
pub struct Client {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// Where the server's certificate and what it is verified by come from, in words; empty: nothing to tell.
    places: String,
}

/// The server's end of a listener's connections.
pub struct Server {
    acceptor: TlsAcceptor,
}

impl Client {
    /// What it offers and verifies.
    pub fn config(&self) -> &Arc<ClientConfig> {
        self.connector.config()
    }

    /// Whom it asks for.
    pub fn name(&self) -> String {
        self.name.to_str().into_owned()
    }
}

impl Server {
    /// What it takes and shows.
    pub fn config(&self) -> &Arc<ServerConfig> {
        self.acceptor.config()
    }
}

/// Both ends of a run, made before anything is sent.
#[derive(Clone, Default)]
pub struct Prepared {
    clients: Vec<Option<Arc<Client>>>,
    servers: Vec<Option<Arc<Server>>>,
}

impl Prepared {
    /// Of a whole plan. `files` holds what [`files`] names.
    ///
    /// # Errors
    /// Whose configuration cannot be had, and why.
    pub fn new(plan: &Plan, files: &Files) -> Result<Prepared, (String, String)> {
        let mut maker = configure::Maker::new(plan, files);
        let mut prepared = Prepared::default();
        for listener in &plan.listeners {
            let server = server_side(&listener.listener).map(|tls| maker.server(listener, tls)).transpose();
            prepared.servers.push(server.map_err(|why| (listener.name.clone(), why))?.map(Arc::new));
        }
        for flow in &plan.flows {
            let client = client_side(&flow.transport).map(|tls| maker.client(flow, tls)).transpose();
            prepared.clients.push(client.map_err(|why| (flow.name.clone(), why))?.map(Arc::new));
        }
        Ok(prepared)
    }

    /// The client's end of a flow; `None`: its connections are plain.
    pub fn client(&self, flow: usize) -> Option<&Arc<Client>> {
        self.clients.get(flow)?.as_ref()
    }

    /// The server's end of a listener; `None`: its connections are plain.
    pub fn server(&self, listener: usize) -> Option<&Arc<Server>> {
        self.servers.get(listener)?.as_ref()
    }
}

/// What a flow says of TLS.
fn client_side(transport: &Transport) -> Option<&TlsClient> {
    match transport {
        Transport::Tls { tls, .. } | Transport::Quic { tls, .. } => Some(tls),
        Transport::Http { tls, .. } => tls.as_ref(),
        _ => None,
    }
}

/// What a listener says of it.
fn server_side(listener: &Listener) -> Option<&TlsServer> {
    match listener {
        Listener::Tls { tls, .. } | Listener::Quic { tls, .. } => Some(tls),
        Listener::Http { tls, .. } => tls.as_ref(),
        _ => None,
    }
}
