//! A client's connection of HTTP/2 (RFC 9113), driven in place by the task of its place, and those who send requests on it. In: a
//! connected socket, requests. Out: answers as they come, and why there is none: the stream's end, or the connection's. Waits for nothing
//! by itself.

use std::future::Future as _;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use hyper::body::Bytes;
use hyper::{Request, Response};

use super::body::Outgoing;
use super::link::Link;
use crate::traffic::control::Broken;
use crate::traffic::tls::Stream;

/// As much as either end may send before the other says that it has taken it: no bound of our own on long ways, bytes.
pub const WINDOW: u32 = (1 << 31) - 1;
/// Requests at once that a server takes as long as it has not said how many: it should take no fewer (RFC 9113, 6.5.2).
pub const UNTOLD_STREAMS: usize = 100;
/// A body goes out in pieces of at most so many bytes.
const PIECE: usize = 64 * 1024;

/// A connection.
pub struct Carrier {
    connection: Connection<Stream, Bytes>,
    sender: SendRequest<Bytes>,
    socket: RawFd,
    secured: bool,
    /// Streams that the server took at once when it was last asked.
    most: usize,
    ended: bool,
}

/// One who sends requests on it, one at a time.
pub struct Branch {
    sender: SendRequest<Bytes>,
    /// There is TLS below.
    pub secured: bool,
    state: State,
}

/// What became of a request.
enum State {
    /// There is none.
    Idle,
    /// The connection has no room for it yet.
    Waiting(Box<Request<Outgoing>>),
    /// It is on its way, as far as its body is.
    Asked(Box<(Option<ResponseFuture>, Option<Rest>)>),
}

/// What is to be sent of a request's body.
struct Rest {
    stream: SendStream<Bytes>,
    body: Outgoing,
}

/// The body of an answer.
pub struct Coming(RecvStream);

impl Carrier {
    /// Takes a connected socket. What the server is shows with its first answer; `most` is how many requests it takes at once, until it says so.
    pub async fn new(stream: Stream, most: usize) -> Result<Carrier, Broken> {
        let (socket, secured) = (stream.socket(), matches!(stream, Stream::Secured(_)));
        let mut builder = Builder::new();
        builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW).enable_push(false);
        builder.initial_max_send_streams(most);
        let (sender, connection) = builder.handshake(stream).await.map_err(|error| broken(&error))?;
        Ok(Carrier { connection, sender, socket, secured, most, ended: false })
    }

    /// The socket.
    pub fn socket(&self) -> RawFd {
        self.socket
    }

    /// One more who sends requests.
    pub fn link(&self) -> Link {
        Link::Branch(Box::new(Branch { sender: self.sender.clone(), secured: self.secured, state: State::Idle }))
    }

    /// Lets the connection send and receive; ready when no request can be sent any more.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            // Those who send learn why.
            self.ended = Pin::new(&mut self.connection).poll(context).is_ready();
        }
        let over = self.ended || matches!(self.sender.poll_ready(context), Poll::Ready(Err(_)));
        if over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// How many requests the server takes at once, and whether that is other than when this was last asked.
    pub fn most_at_once(&mut self) -> (usize, bool) {
        let most = self.sender.current_max_send_streams();
        (most, std::mem::replace(&mut self.most, most) != most)
    }
}

impl Branch {
    /// How many requests the server takes at once on the connection.
    pub fn most_at_once(&self) -> u64 {
        self.sender.current_max_send_streams() as u64
    }

    /// Sends a request; its answer comes by [`Branch::poll_answer`].
    pub fn send(&mut self, request: Request<Outgoing>) {
        self.state = State::Waiting(Box::new(request));
    }

    /// The head of the answer.
    pub fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Response<Coming>, Broken>> {
        if let State::Waiting(_) = &self.state {
            ready!(self.sender.poll_ready(context)).and_then(|()| self.ask()).map_err(|error| not_taken(&error))?;
        }
        let State::Asked(asked) = &mut self.state else { return Poll::Ready(Err(Broken::Eof)) };
        send_on(&mut asked.1, context);
        let Some(answer) = &mut asked.0 else { return Poll::Ready(Err(Broken::Eof)) };
        let answer = ready!(Pin::new(answer).poll(context));
        asked.0 = None;
        Poll::Ready(answer.map(|answer| answer.map(Coming)).map_err(|error| self.why(&error, context)))
    }

    /// Why there is no whole answer. A server that closes the connection may have said why.
    fn why(&mut self, error: &h2::Error, context: &mut Context<'_>) -> Broken {
        match not_taken(error) {
            Broken::Eof => match self.sender.poll_ready(context) {
                Poll::Ready(Err(error)) => broken(&error),
                _ => Broken::Eof,
            },
            other => other,
        }
    }

    /// Hands the request over.
    fn ask(&mut self) -> Result<(), h2::Error> {
        let State::Waiting(request) = std::mem::replace(&mut self.state, State::Idle) else { return Ok(()) };
        let (head, body) = request.into_parts();
        let bodiless = body.left() == 0;
        let (answer, stream) = self.sender.send_request(Request::from_parts(head, ()), bodiless)?;
        let rest = (!bodiless).then_some(Rest { stream, body });
        self.state = State::Asked(Box::new((Some(answer), rest)));
        Ok(())
    }

    /// The next bytes of its body; `None`: that was all.
    pub fn poll_body(&mut self, context: &mut Context<'_>, body: &mut Coming) -> Poll<Result<Option<Bytes>, Broken>> {
        if let State::Asked(asked) = &mut self.state {
            send_on(&mut asked.1, context);
        }
        loop {
            match ready!(body.0.poll_data(context)) {
                Some(Ok(bytes)) => {
                    // It fails when more is given back than came.
                    let _ = body.0.flow_control().release_capacity(bytes.len());
                    if !bytes.is_empty() {
                        return Poll::Ready(Ok(Some(bytes)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(self.why(&error, context))),
                // Trailers are no part of the body.
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Waits, after an answer, until another request can be sent: `true`; or none any more: `false`.
    pub fn poll_reuse(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.state = State::Idle;
        self.sender.poll_ready(context).map(|ready| ready.is_ok())
    }

    /// Waits until the connection takes no request any more. Who has it go on wakes us then.
    pub fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        match self.sender.poll_ready(context) {
            Poll::Ready(Err(error)) => Poll::Ready(broken(&error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Sends what the other end takes of a body. Why it takes no more its answer says.
fn send_on(rest: &mut Option<Rest>, context: &mut Context<'_>) {
    while let Some(Rest { stream, body }) = rest {
        let left = usize::try_from(body.left()).unwrap_or(usize::MAX).min(PIECE);
        stream.reserve_capacity(left);
        match stream.poll_capacity(context) {
            Poll::Pending => return,
            Poll::Ready(Some(Ok(room))) => {
                let piece = body.piece(room.min(left));
                let last = body.left() == 0;
                if stream.send_data(piece, last).is_err() || last {
                    *rest = None;
                }
            }
            Poll::Ready(Some(Err(_)) | None) => *rest = None,
        }
    }
}

/// What an error of a connection, or of a stream, means.
fn broken(error: &h2::Error) -> Broken {
    let said = |kind: io::ErrorKind, what: String| Broken::Io(io::Error::new(kind, what));
    let reason = error.reason();
    if let Some(error) = error.get_io() {
        return of_the_socket(error);
    }
    match reason {
        Some(h2::Reason::NO_ERROR) if error.is_go_away() && error.is_remote() => Broken::Eof,
        Some(reason) if error.is_go_away() && error.is_remote() => {
            said(io::ErrorKind::Other, format!("the server ended the connection (GOAWAY, {reason:?})"))
        }
        Some(reason) if error.is_reset() && error.is_remote() => {
            said(io::ErrorKind::Other, format!("the server reset the stream (RST_STREAM, {reason:?})"))
        }
        _ if error.is_library() => said(io::ErrorKind::InvalidData, format!("no answer of HTTP/2: {error}")),
        _ => said(io::ErrorKind::Other, error.to_string()),
    }
}

/// The same for a request that has no answer.
fn not_taken(error: &h2::Error) -> Broken {
    match broken(error) {
        Broken::Eof if error.is_go_away() => {
            let what = "the server ended the connection before it took the request (GOAWAY, NO_ERROR)";
            Broken::Io(io::Error::other(what))
        }
        other => other,
    }
}

/// The kernel's word, of which the library keeps the sort alone.
fn of_the_socket(error: &io::Error) -> Broken {
    let number = match error.kind() {
        // Its own word for a connection that the peer closed.
        io::ErrorKind::BrokenPipe if error.to_string().ends_with("closed because of a broken pipe") => return Broken::Eof,
        io::ErrorKind::UnexpectedEof => return Broken::Eof,
        io::ErrorKind::BrokenPipe => libc::EPIPE,
        io::ErrorKind::ConnectionReset => libc::ECONNRESET,
        io::ErrorKind::ConnectionAborted => libc::ECONNABORTED,
        io::ErrorKind::TimedOut => libc::ETIMEDOUT,
        io::ErrorKind::HostUnreachable => libc::EHOSTUNREACH,
        io::ErrorKind::NetworkUnreachable => libc::ENETUNREACH,
        io::ErrorKind::NetworkDown => libc::ENETDOWN,
        kind => return Broken::Io(io::Error::new(kind, error.to_string())),
    };
    Broken::Io(io::Error::from_raw_os_error(number))
}
