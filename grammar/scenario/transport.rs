//! What flows and services run over, with all options. `None` of an option: the kernel's or the engine's default. In: nothing. Out:
//! the types that the planner and the traffic engine read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::text::Text;

/// What a flow runs over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Its socket.
        socket: Socket,
        /// The form of its messages.
        wire: Wire,
    },
    /// TLS over TCP.
    Tls {
        /// Its socket.
        socket: Socket,
        /// The client's side of the handshake.
        tls: TlsClient,
    },
    /// UDP.
    Udp {
        /// Its socket.
        socket: Socket,
        /// The form of its messages.
        wire: Wire,
    },
    /// ICMP or ICMPv6 echo, as the address is.
    Icmp(Icmp),
    /// HTTP.
    Http {
        /// Its socket.
        socket: Socket,
        /// The requests.
        http: Http,
        /// TLS below it (`https`).
        tls: Option<TlsClient>,
    },
    /// QUIC.
    Quic {
        /// Its socket.
        socket: Socket,
        /// The client's side of the handshake.
        tls: TlsClient,
        /// Streams of one connection at once, each with its own transactions. Default 1.
        streams: u64,
    },
    /// SCTP, one to one.
    Sctp {
        /// Its socket.
        socket: Socket,
        /// Streams of one association, used in turn. Default 1.
        streams: u64,
    },
    /// MPTCP.
    Mptcp {
        /// Its socket.
        socket: Socket,
    },
    /// Frames as described.
    Frames(Box<Frame>),
}

impl Default for Transport {
    /// TCP without options.
    fn default() -> Self {
        Transport::Tcp { socket: Socket::default(), wire: Wire::Own }
    }
}

impl Transport {
    /// It sends nothing, and counts the frames of others.
    #[must_use]
    pub fn watches(&self) -> bool {
        matches!(self, Transport::Frames(frame) if frame.watch)
    }

    /// The word of the language.
    #[must_use]
    pub fn kind(&self) -> TransportKind {
        match self {
            Transport::Tcp { .. } => TransportKind::Tcp,
            Transport::Tls { .. } => TransportKind::Tls,
            Transport::Udp { .. } => TransportKind::Udp,
            Transport::Icmp(_) => TransportKind::Icmp,
            Transport::Http { .. } => TransportKind::Http,
            Transport::Quic { .. } => TransportKind::Quic,
            Transport::Sctp { .. } => TransportKind::Sctp,
            Transport::Mptcp { .. } => TransportKind::Mptcp,
            Transport::Frames(_) => TransportKind::Frames,
        }
    }
}

/// The transports of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum TransportKind {
    Tcp,
    Tls,
    Udp,
    Icmp,
    Http,
    Quic,
    Sctp,
    Mptcp,
    Frames,
}

/// The transports with the words they are written with.
pub const TRANSPORTS: &[(&str, TransportKind)] = &[
    ("tcp", TransportKind::Tcp),
    ("tls", TransportKind::Tls),
    ("udp", TransportKind::Udp),
    ("icmp", TransportKind::Icmp),
    ("http", TransportKind::Http),
    ("quic", TransportKind::Quic),
    ("sctp", TransportKind::Sctp),
    ("mptcp", TransportKind::Mptcp),
    ("frames", TransportKind::Frames),
];

impl TransportKind {
    /// The word of the language.
    #[must_use]
    pub fn word(self) -> &'static str {
        TRANSPORTS.iter().find(|(_, kind)| *kind == self).map_or("tcp", |(word, _)| word)
    }

    /// It has connections; the others send items of their own.
    #[must_use]
    pub fn has_connections(self) -> bool {
        !matches!(self, TransportKind::Udp | TransportKind::Icmp | TransportKind::Frames)
    }
}

/// What a service listens with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Listener {
    /// TCP.
    Tcp {
        /// Its sockets.
        socket: Socket,
        /// Connections that wait to be taken. `None`: the kernel's limit.
        backlog: Option<u32>,
        /// The form of its messages.
        wire: Wire,
    },
    /// TLS over TCP.
    Tls {
        /// Its sockets.
        socket: Socket,
        /// Connections that wait to be taken.
        backlog: Option<u32>,
        /// The server's side of the handshake.
        tls: TlsServer,
    },
    /// UDP; answers come from the address that was asked.
    Udp {
        /// Its socket.
        socket: Socket,
        /// The form of its messages.
        wire: Wire,
    },
    /// HTTP/1.1 and HTTP/2.
    Http {
        /// Its sockets.
        socket: Socket,
        /// Connections that wait to be taken.
        backlog: Option<u32>,
        /// What it answers, by path; what is not here is answered with 404.
        paths: Vec<HttpPath>,
        /// TLS below it.
        tls: Option<TlsServer>,
    },
    /// QUIC.
    Quic {
        /// Its socket.
        socket: Socket,
        /// The server's side of the handshake.
        tls: TlsServer,
    },
    /// SCTP.
    Sctp {
        /// Its sockets.
        socket: Socket,
        /// Associations that wait to be taken.
        backlog: Option<u32>,
    },
    /// MPTCP.
    Mptcp {
        /// Its sockets.
        socket: Socket,
        /// Connections that wait to be taken.
        backlog: Option<u32>,
    },
}

impl Default for Listener {
    /// TCP without options.
    fn default() -> Self {
        Listener::Tcp { socket: Socket::default(), backlog: None, wire: Wire::Own }
    }
}

impl Listener {
    /// The word of the language.
    #[must_use]
    pub fn kind(&self) -> TransportKind {
        match self {
            Listener::Tcp { .. } => TransportKind::Tcp,
            Listener::Tls { .. } => TransportKind::Tls,
            Listener::Udp { .. } => TransportKind::Udp,
            Listener::Http { .. } => TransportKind::Http,
            Listener::Quic { .. } => TransportKind::Quic,
            Listener::Sctp { .. } => TransportKind::Sctp,
            Listener::Mptcp { .. } => TransportKind::Mptcp,
        }
    }
}

/// Options of a socket. Of a flow they are set at both ends where the other end is the program's own; what the kernel refuses is
/// an error before traffic starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Socket {
    /// The congestion control by the kernel's name.
    pub congestion: Option<String>,
    /// Small segments are sent at once. `None`: on, as transactions need it.
    pub nodelay: Option<bool>,
    /// Explicit congestion notification.
    pub ecn: Option<bool>,
    /// Idle time after which the kernel asks whether the other end is there, ns.
    pub keepalive_ns: Option<u64>,
    /// Largest segment in bytes.
    pub mss: Option<u32>,
    /// Differentiated services code point, 0 to 63.
    pub dscp: Option<u8>,
    /// Time to live, hop limit.
    pub ttl: Option<u8>,
    /// The firewall mark of its packets.
    pub mark: Option<u32>,
    /// Send buffer, bytes.
    pub send_buffer: Option<u64>,
    /// Receive buffer, bytes.
    pub receive_buffer: Option<u64>,
    /// A connection whose data is not acknowledged for so long has broken, ns.
    pub user_timeout_ns: Option<u64>,
}

/// The form of a flow's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// The program's own, which knows each byte's place.
    #[default]
    Own,
    /// That of ctraffic: the server writes its name over the first 64 bytes and sends all back.
    Ctraffic,
}

/// The client's side of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsClient {
    /// The server's name that is asked for and verified. `None`: the address.
    pub name: Option<String>,
    /// Whether and against what the server's certificate is verified.
    pub verify: Verify,
    /// Versions that are offered, ascending. Default 1.2 and 1.3.
    pub versions: Vec<TlsVersion>,
    /// Application protocols that are offered, the best first.
    pub alpn: Vec<String>,
    /// Cipher suites that are offered, by their IANA names, the best first; empty: the engine's.
    pub ciphers: Vec<String>,
    /// Sessions are resumed. Default false: each connection does a full handshake.
    pub resumption: bool,
    /// The client's own certificate.
    pub certificate: Option<Certificate>,
}

/// The server's side of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsServer {
    /// Names in a certificate made for the run, the first its subject; empty: the nodes' names and addresses.
    pub names: Vec<String>,
    /// The certificate. Default [`Certificate::Auto`].
    pub certificate: Certificate,
    /// Versions that are taken, ascending. Default 1.2 and 1.3.
    pub versions: Vec<TlsVersion>,
    /// Application protocols that are taken, the best first.
    pub alpn: Vec<String>,
    /// Cipher suites that are taken, by their IANA names; empty: the engine's.
    pub ciphers: Vec<String>,
    /// Sessions may be resumed. Default true.
    pub resumption: bool,
    /// Clients must show a certificate, verified so. Default [`Verify::Off`]: none is asked for.
    pub verify: Verify,
}

/// Verification of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// By the run's own authority. Default of a client.
    On,
    /// Not at all.
    Off,
    /// By the authorities in this PEM file beside the scenario.
    File(String),
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// Made for the run, signed by the run's own authority.
    Auto,
    /// From PEM files beside the scenario.
    Files {
        /// The chain.
        certificate: String,
        /// The key.
        key: String,
    },
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsVersion {
    /// 1.2.
    V12,
    /// 1.3.
    V13,
}

/// Cipher suites by their IANA names, the best of each version first: those of 1.3, then those of 1.2.
pub const CIPHERS: &[&str] = &[
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// ICMP echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Icmp {
    /// Time to live, hop limit.
    pub ttl: Option<u8>,
    /// Packets may not be fragmented. Default false.
    pub dont_fragment: bool,
    /// Differentiated services code point, 0 to 63.
    pub dscp: Option<u8>,
    /// The firewall mark of its packets.
    pub mark: Option<u32>,
}

/// HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Http {
    /// Default 1.1.
    pub version: HttpVersion,
    /// Requests of one connection at once; more than 1 needs HTTP/2. Default 1.
    pub streams: u64,
    /// The request; `None`: the flow's pattern says it, as a message in the form of HTTP/1.1.
    pub request: Option<HttpRequest>,
}

/// Versions of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpVersion {
    /// 1.1.
    V11,
    /// 2.
    V2,
}

/// One request, repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpRequest {
    /// Default `GET`; `POST` with a body.
    pub method: String,
    /// The path and query. Default `/`.
    pub path: Text,
    /// Headers added, in the order of the text.
    pub headers: Vec<(String, Text)>,
    /// The body.
    pub body: Option<Body>,
    /// The answer's status must be this; `None`: 200 to 399.
    pub status: Option<u16>,
}

/// What a service answers for a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpPath {
    /// The path. One that ends in `/` answers for all below it that have no answer of their own.
    pub path: String,
    /// Default 200.
    pub status: u16,
    /// Headers added, in the order of the text.
    pub headers: Vec<(String, Text)>,
    /// The body; `None`: empty.
    pub body: Option<Body>,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// So many bytes of filling.
    Filled(u64),
    /// A text.
    Text(Text),
    /// Bytes.
    Bytes(Vec<u8>),
}
