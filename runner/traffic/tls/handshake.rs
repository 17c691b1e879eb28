//! Handshakes. In: a connected socket, an end's configuration, a handle that can interrupt. Out: a stream, or why there is none in
//! rustls' words. Counts nothing.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use scn_grammar::quantity::{Dimension, Quantity};
use scn_reports::record::flow::ConnectionEnd;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

use super::configure::HTTP_2;
use super::{Client, Server, Stream};
use crate::traffic::control::{Broken, Control, Order};
use crate::traffic::pattern::session::{end_of, in_words};

/// Carries a handshake out until the handle's limit, or until it is given an order that is no less than this.
async fn carry_out<T>(control: &Control, least: Order, mut handshake: impl Future<Output = io::Result<T>> + Unpin) -> Result<T, Broken> {
    let done = poll_fn(|context| match control.interrupted(context) {
        Some(broken) => Poll::Ready(Err(broken)),
        None if control.order() >= least => Poll::Ready(Err(Broken::Aborted)),
        None => Pin::new(&mut handshake).poll(context).map_err(Broken::Io),
    })
    .await;
    // A failed one closes the socket.
    control.socket.set(None);
    done
}

impl Client {
    /// The client's side. Any order to close ends it.
    pub async fn connect(&self, stream: TcpStream, control: &Rc<Control>) -> Result<Stream, Broken> {
        control.socket.set(Some(stream.as_raw_fd()));
        let stream = carry_out(control, Order::Drain, self.connector.connect(self.name.clone(), stream)).await?;
        Ok(Stream::secured(TlsStream::Client(stream), Rc::clone(control)))
    }

    /// What was attempted, for people.
    pub fn step(&self, target: std::net::SocketAddr) -> String {
        self.step_of("TLS", target)
    }

    /// The same of a protocol's own handshake.
    pub fn step_of(&self, protocol: &str, target: std::net::SocketAddr) -> String {
        match &self.name {
            ServerName::DnsName(name) => format!("{protocol} handshake with {target} as {}", name.as_ref()),
            _ => format!("{protocol} handshake with {target}"),
        }
    }

    /// What is wrong with a stream that HTTP/2 is to be spoken over.
    pub fn objection_to(stream: &Stream) -> Option<String> {
        let spoken = stream.protocol();
        let other = |spoken: &[u8]| format!("the server agreed on {}, not on HTTP/2 (ALPN)", String::from_utf8_lossy(spoken));
        match spoken {
            Some(HTTP_2) => None,
            Some(spoken) => Some(other(spoken)),
            None => Some("the server did not agree on HTTP/2 (ALPN h2)".to_owned()),
        }
    }

    /// Why it failed, and what that makes of the connection; `None`: it was told to give up.
    pub fn refusal(&self, broken: Broken, limit_ns: i64) -> Option<(ConnectionEnd, String)> {
        let error = match broken {
            Broken::Aborted => return None,
            Broken::TimedOut => {
                let limit = Quantity::new(Dimension::Duration, limit_ns);
                return Some((ConnectionEnd::ConnectTimeout, format!("the connection and its handshake were not done within {limit}")));
            }
            Broken::Eof => return Some((ConnectionEnd::EarlyClose, CLOSED.to_owned())),
            Broken::Io(error) => error,
        };
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Some((ConnectionEnd::EarlyClose, CLOSED.to_owned()));
        }
        let end = end_of(&error);
        let what = in_words(end, &error);
        let of_certificate = matches!(told(&error), Some(rustls::Error::InvalidCertificate(_)));
        Some((end, if of_certificate { self.with_places(what) } else { what }))
    }

    /// What is wrong with a certificate, and where it comes from.
    pub fn with_places(&self, what: String) -> String {
        if self.places.is_empty() { what } else { format!("{what} ({})", self.places) }
    }
}

/// What a peer did that ended the connection without a word.
const CLOSED: &str = "the peer closed the connection before the handshake was done";

impl Server {
    /// The server's side. An order to drain lets it come to its end.
    pub async fn accept(&self, stream: TcpStream, control: &Rc<Control>) -> Result<Stream, Broken> {
        control.socket.set(Some(stream.as_raw_fd()));
        let stream = carry_out(control, Order::Abort, self.acceptor.accept(stream)).await?;
        Ok(Stream::secured(TlsStream::Server(stream), Rc::clone(control)))
    }

    /// Why it failed, if the client does not know better: it told the reason itself, or just went away. `stranger`: nobody else reports
    /// what the client says.
    pub fn objection(broken: &Broken, stranger: bool) -> Option<String> {
        let Broken::Io(error) = broken else { return None };
        match told(error)? {
            rustls::Error::AlertReceived(_) if !stranger => None,
            error => Some(error.to_string()),
        }
    }
}

/// What rustls says.
pub fn told(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
