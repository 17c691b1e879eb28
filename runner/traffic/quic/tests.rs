//! How connections end, in words and as the connection table knows it.

use quinn::{ApplicationClose, ConnectionClose, ConnectionError, ReadError, TransportErrorCode, VarInt, WriteError};
use scn_reports::record::flow::ConnectionEnd;

use super::ends::{ABORTED, ABORTED_REASON, Gone, ORDERLY, told};
use crate::traffic::pattern::session::{end_of, in_words};

fn closed(code: VarInt, reason: &'static [u8]) -> ConnectionError {
    ConnectionError::ApplicationClosed(ApplicationClose { error_code: code, reason: reason.into() })
}

fn ended(code: TransportErrorCode, reason: &'static [u8]) -> ConnectionError {
    ConnectionError::ConnectionClosed(ConnectionClose { error_code: code, frame_type: None, reason: reason.into() })
}

#[test]
fn each_end_has_its_name() {
    let code = VarInt::from_u32(7);
    let expected = [
        (closed(ORDERLY, b""), ConnectionEnd::EarlyClose, "the peer closed the connection"),
        (closed(ABORTED, ABORTED_REASON), ConnectionEnd::Reset, "the peer closed the connection with code 1: reset"),
        (closed(code, b"too much"), ConnectionEnd::EarlyClose, "the peer closed the connection with code 7: too much"),
        (ended(TransportErrorCode::CONNECTION_REFUSED, b""), ConnectionEnd::Refused, "connection refused"),
        (ended(TransportErrorCode::crypto(120), b"x"), ConnectionEnd::Tls, "received fatal alert: NoApplicationProtocol"),
        (
            ended(TransportErrorCode::INTERNAL_ERROR, b"oh"),
            ConnectionEnd::Other,
            "the peer's QUIC ended the connection: the endpoint encountered an internal error and cannot continue with the connection: oh",
        ),
        (ConnectionError::Reset, ConnectionEnd::Reset, "stateless reset: the peer does not know the connection"),
        (ConnectionError::TimedOut, ConnectionEnd::Timeout, "connection timed out: nothing came from the peer"),
        (ConnectionError::VersionMismatch, ConnectionEnd::Mismatch, "the peer speaks no version of QUIC that is known here"),
    ];
    for (why, end, words) in expected {
        let orderly = words == "the peer closed the connection";
        let gone = Gone::from(ReadError::ConnectionLost(why));
        assert_eq!(gone.is_orderly(), orderly, "{words}");
        let error = gone.error();
        assert_eq!((end_of(&error), in_words(end, &error).as_str()), (end, words));
        assert!(told(&error).is_some());
    }
    let error = Gone::from(WriteError::Stopped(code)).error();
    assert_eq!((end_of(&error), error.to_string().as_str()), (ConnectionEnd::Reset, "the peer takes no more of the stream, with code 7"));
    assert_eq!(told(&std::io::Error::from_raw_os_error(libc::ECONNRESET)), None);
}

#[test]
fn a_server_tells_what_it_has_against_a_client_and_leaves_the_rest_to_it() {
    let alert = Gone::Connection(ended(TransportErrorCode::crypto(42), b""));
    assert_eq!((alert.objection(false), alert.objection(true).is_some()), (None, true));
    let own = objected(TransportErrorCode::crypto(116), "peer sent no certificates");
    assert_eq!(own.objection(false).as_deref(), Some("peer sent no certificates"));
    assert_eq!(Gone::Connection(ConnectionError::TimedOut).objection(true), None);
}

fn objected(code: TransportErrorCode, reason: &str) -> Gone {
    let mut error = ConnectionError::TransportError(code.into());
    if let ConnectionError::TransportError(error) = &mut error {
        reason.clone_into(&mut error.reason);
    }
    Gone::Connection(error)
}
