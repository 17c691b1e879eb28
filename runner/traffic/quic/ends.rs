//! How connections and streams of QUIC end, in words and as the connection table knows it. In: what quinn says. Out: an end, a sentence. Decides nothing.

use std::io;

use quinn::{ConnectionError, ReadError, TransportErrorCode, VarInt, WriteError};
use scn_reports::record::flow::ConnectionEnd;
use thiserror::Error;
use tokio_rustls::rustls;
use tokio_rustls::rustls::AlertDescription;

/// What a connection that ends in good order is closed with.
pub const ORDERLY: VarInt = VarInt::from_u32(0);
/// What one is closed with that a pattern resets, and its reason.
pub const ABORTED: VarInt = VarInt::from_u32(1);
pub const ABORTED_REASON: &[u8] = b"reset";
/// The first error of the cryptography; the others follow, each with the number of an alert of TLS (RFC 9001, 4.8).
const FIRST_ALERT: u64 = 0x100;

/// Why a connection, or a stream of it, is no more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Gone {
    /// The connection.
    #[error("{}", in_words(.0))]
    Connection(ConnectionError),
    /// The peer reset the stream.
    #[error("the peer reset the stream with code {0}")]
    Reset(VarInt),
    /// The peer takes no more of the stream.
    #[error("the peer takes no more of the stream, with code {0}")]
    Stopped(VarInt),
    /// The stream was closed at this end.
    #[error("the stream was closed")]
    Closed,
}

/// What an error says of QUIC.
pub fn told(error: &io::Error) -> Option<&Gone> {
    error.get_ref()?.downcast_ref()
}

impl Gone {
    /// As an error of a stream.
    pub fn error(self) -> io::Error {
        io::Error::other(self)
    }

    /// The peer ended the connection in good order.
    pub fn is_orderly(&self) -> bool {
        matches!(self, Gone::Connection(ConnectionError::ApplicationClosed(close)) if close.error_code == ORDERLY)
    }

    /// How an established connection ended.
    pub fn end(&self) -> ConnectionEnd {
        use ConnectionError::{
            ApplicationClosed, CidsExhausted, ConnectionClosed, LocallyClosed, TimedOut, TransportError, VersionMismatch,
        };
        match self {
            Gone::Reset(_) | Gone::Stopped(_) | Gone::Connection(ConnectionError::Reset) => ConnectionEnd::Reset,
            Gone::Connection(ApplicationClosed(close)) if close.error_code == ABORTED && *close.reason == *ABORTED_REASON => {
                ConnectionEnd::Reset
            }
            Gone::Connection(ApplicationClosed(_)) => ConnectionEnd::EarlyClose,
            Gone::Connection(ConnectionClosed(close)) => match close.error_code {
                TransportErrorCode::CONNECTION_REFUSED => ConnectionEnd::Refused,
                TransportErrorCode::NO_ERROR => ConnectionEnd::EarlyClose,
                code if alert(code).is_some() => ConnectionEnd::Tls,
                _ => ConnectionEnd::Other,
            },
            Gone::Connection(TransportError(error)) if alert(error.code).is_some() => ConnectionEnd::Tls,
            Gone::Connection(TransportError(_) | VersionMismatch) => ConnectionEnd::Mismatch,
            Gone::Connection(TimedOut) => ConnectionEnd::Timeout,
            Gone::Connection(LocallyClosed | CidsExhausted) | Gone::Closed => ConnectionEnd::Other,
        }
    }

    /// What this end has against the peer's handshake; with `stranger`, also what a peer says that nobody else tells of.
    pub fn objection(&self, stranger: bool) -> Option<String> {
        match self {
            Gone::Connection(ConnectionError::TransportError(_)) => Some(self.to_string()),
            Gone::Connection(ConnectionError::ConnectionClosed(_)) if stranger => Some(self.to_string()),
            _ => None,
        }
    }

    /// This end did not like the peer's certificate.
    pub fn is_of_certificate(&self) -> bool {
        matches!(self, Gone::Connection(ConnectionError::TransportError(error)) if error.reason.starts_with("invalid peer certificate"))
    }
}

impl From<ReadError> for Gone {
    fn from(error: ReadError) -> Gone {
        match error {
            ReadError::Reset(code) => Gone::Reset(code),
            ReadError::ConnectionLost(why) => Gone::Connection(why),
            ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected => Gone::Closed,
        }
    }
}

impl From<WriteError> for Gone {
    fn from(error: WriteError) -> Gone {
        match error {
            WriteError::Stopped(code) => Gone::Stopped(code),
            WriteError::ConnectionLost(why) => Gone::Connection(why),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Gone::Closed,
        }
    }
}

/// The alert of TLS that an error stands for.
fn alert(code: TransportErrorCode) -> Option<AlertDescription> {
    let number = u64::from(code).checked_sub(FIRST_ALERT)?;
    u8::try_from(number).ok().map(AlertDescription::from)
}

fn in_words(error: &ConnectionError) -> String {
    let with = |reason: &[u8]| if reason.is_empty() { String::new() } else { format!(": {}", String::from_utf8_lossy(reason)) };
    match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == ORDERLY => "the peer closed the connection".to_owned(),
        ConnectionError::ApplicationClosed(close) => {
            format!("the peer closed the connection with code {}{}", close.error_code, with(&close.reason))
        }
        ConnectionError::ConnectionClosed(close) => match (close.error_code, alert(close.error_code)) {
            (TransportErrorCode::CONNECTION_REFUSED, _) => "connection refused".to_owned(),
            (_, Some(alert)) => rustls::Error::AlertReceived(alert).to_string(),
            (code, None) => format!("the peer's QUIC ended the connection: {code}{}", with(&close.reason)),
        },
        ConnectionError::TransportError(error) if alert(error.code).is_some() => error.reason.clone(),
        ConnectionError::TransportError(error) => format!("what came is not QUIC as it must be: {error}"),
        ConnectionError::Reset => "stateless reset: the peer does not know the connection".to_owned(),
        ConnectionError::TimedOut => "connection timed out: nothing came from the peer".to_owned(),
        ConnectionError::VersionMismatch => "the peer speaks no version of QUIC that is known here".to_owned(),
        ConnectionError::LocallyClosed => "the connection was closed at this end".to_owned(),
        ConnectionError::CidsExhausted => "there are no identifiers for more connections".to_owned(),
    }
}
