//! What both ends of QUIC offer and take, as quinn wants it. In: the plan's flows and listeners, their configurations of TLS. Out: those of QUIC, made before anything is
//! sent. Sends nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use tokio_rustls::rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use tokio_rustls::rustls::quic::Suite;

use super::{carries, listens};
use crate::plan::types::Plan;
use crate::traffic::draw::Key;
use crate::traffic::tls;

/// A connection over which nothing comes for so long is over.
const IDLE: Duration = Duration::from_secs(30);
/// A client that holds a connection says so often that it is there; packets for it are sent only where nothing else is.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Streams of one connection at once; a flow has no more.
const MOST_STREAMS: u32 = 10_000;
/// Bytes of a stream that may be on the way, and of all streams of a connection that may wait to be acknowledged.
const STREAM_WINDOW: u32 = 4 << 20;
const SEND_WINDOW: u64 = 16 << 20;
/// Length of a connection's identifier, bytes.
const IDENTIFIER: usize = 8;

/// What a listener's sockets need.
#[derive(Clone)]
pub struct Server {
    /// Of its connections.
    pub config: ServerConfig,
    /// The same for all its lives, so that who was connected to an earlier one is told that nobody knows the connection.
    pub endpoint: EndpointConfig,
}

/// Both ends of a run, made before anything is sent.
#[derive(Clone, Default)]
pub struct Prepared {
    clients: Vec<Option<ClientConfig>>,
    servers: Vec<Option<Server>>,
}

impl Prepared {
    /// Of a whole plan, with what was made of TLS for it.
    ///
    /// # Errors
    /// Whose configuration cannot be had, and why.
    pub fn new(plan: &Plan, tls: &tls::Prepared) -> Result<Prepared, (String, String)> {
        let mut prepared = Prepared::default();
        for (position, listener) in plan.listeners.iter().enumerate() {
            let end = tls.server(position).filter(|_| listens(&listener.listener));
            let server = end.map(|end| server(end, Key::of_seed(plan.seed).part(position as u64))).transpose();
            prepared.servers.push(server.map_err(|why| (listener.name.clone(), why))?);
        }
        for (position, flow) in plan.flows.iter().enumerate() {
            let client = tls.client(position).filter(|_| carries(flow)).map(|end| client(end)).transpose();
            prepared.clients.push(client.map_err(|why| (flow.name.clone(), why))?);
        }
        Ok(prepared)
    }

    /// The client's end of a flow; `None`: it runs over something else.
    pub fn client(&self, flow: usize) -> Option<ClientConfig> {
        self.clients.get(flow).cloned().flatten()
    }

    /// The server's end of a listener; `None`: it takes something else.
    pub fn server(&self, listener: usize) -> Option<Server> {
        self.servers.get(listener).cloned().flatten()
    }
}

fn client(tls: &tls::Client) -> Result<ClientConfig, String> {
    let crypto = QuicClientConfig::with_initial(Arc::clone(tls.config()), initial()?).map_err(|error| error.to_string())?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    let mut transport = transport()?;
    transport.keep_alive_interval(Some(KEEP_ALIVE));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

fn server(tls: &tls::Server, key: Key) -> Result<Server, String> {
    let crypto = QuicServerConfig::with_initial(Arc::clone(tls.config()), initial()?).map_err(|error| error.to_string())?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport()?));
    let mut endpoint = endpoint();
    let next = Arc::new(AtomicU64::new(0));
    endpoint.cid_generator(move || Box::new(Identifiers { key, next: Arc::clone(&next) }));
    Ok(Server { config, endpoint })
}

/// What is the same at both ends.
fn transport() -> Result<TransportConfig, String> {
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(IdleTimeout::try_from(IDLE).map_err(|error| error.to_string())?));
    transport.max_concurrent_bidi_streams(VarInt::from_u32(MOST_STREAMS)).max_concurrent_uni_streams(VarInt::from_u32(0));
    transport.stream_receive_window(VarInt::from_u32(STREAM_WINDOW)).send_window(SEND_WINDOW);
    transport.datagram_receive_buffer_size(None);
    Ok(transport)
}

/// What is the same for all sockets. Packets look as others know them: who reads a capture shall recognise them.
pub(super) fn endpoint() -> EndpointConfig {
    let mut endpoint = EndpointConfig::default();
    endpoint.grease_quic_bit(false);
    // Each that is not known is told so: those of one client ask at the same time.
    endpoint.min_reset_interval(Duration::ZERO);
    endpoint
}

/// The cipher suite of first packets, which both ends have whatever they then agree on (RFC 9001, 5.2).
fn initial() -> Result<Suite, String> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().and_then(|suite| suite.quic_suite());
    suite.ok_or_else(|| "the cryptography has no cipher suite for first packets".to_owned())
}

/// Names connections, each differently, over all lives of a listener.
struct Identifiers {
    key: Key,
    next: Arc<AtomicU64>,
}

impl ConnectionIdGenerator for Identifiers {
    fn generate_cid(&mut self) -> ConnectionId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        ConnectionId::new(&self.key.part(number).bits().to_be_bytes())
    }

    fn cid_len(&self) -> usize {
        IDENTIFIER
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
