//! Bodies that are sent: bytes, or filling that is made as it goes out. In: what a plan says. Out: a body for hyper. Reads nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame as Piece, SizeHint};
use scn_grammar::scenario::transport::Body as Said;

use crate::traffic::frame::{Frame, Header};

/// Filling is made in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// What a plan says of a body.
#[derive(Debug, Clone)]
pub enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// So many bytes of filling; at least 1.
    Filled(u32),
}

impl Content {
    /// As the file says it; nothing said is an empty body.
    pub fn of(said: Option<&Said>) -> Content {
        match said {
            None | Some(Said::Filled(0)) => Content::Bytes(Bytes::new()),
            Some(Said::Filled(size)) => Content::Filled(u32::try_from(*size).unwrap_or(u32::MAX)),
            Some(Said::Text(text)) => Content::Bytes(text.to_string().into()),
            Some(Said::Bytes(bytes)) => Content::Bytes(bytes.clone().into()),
        }
    }

    /// The length of filling.
    pub fn filling(&self) -> Option<u32> {
        match self {
            Content::Bytes(_) => None,
            Content::Filled(size) => Some(*size),
        }
    }

    /// The body; `header` says who fills it.
    pub fn body(&self, header: Header) -> Outgoing {
        match self {
            Content::Bytes(bytes) => Outgoing::Bytes(bytes.clone()),
            Content::Filled(size) => Outgoing::Filled(Box::new((Frame::new(&Header { length: *size, ..header }), 0))),
        }
    }
}

/// A body on its way.
#[derive(Debug)]
pub enum Outgoing {
    /// These bytes; empty once they are sent.
    Bytes(Bytes),
    /// Filling, and how much of it is sent. It has memory of its own, since hyper hands messages on by value, most of which have none.
    Filled(Box<(Frame, usize)>),
}

impl Outgoing {
    /// Bytes that are still to be sent.
    pub fn left(&self) -> u64 {
        match self {
            Outgoing::Bytes(bytes) => bytes.len() as u64,
            Outgoing::Filled(filling) => filling.0.length().saturating_sub(filling.1) as u64,
        }
    }

    /// The next bytes, at most so many; empty when all are sent.
    pub fn piece(&mut self, most: usize) -> Bytes {
        match self {
            Outgoing::Bytes(bytes) => bytes.split_to(most.min(bytes.len())),
            Outgoing::Filled(filling) => {
                let (frame, at) = &mut **filling;
                let end = frame.length().min(at.saturating_add(most));
                let mut piece = Vec::with_capacity(end - *at);
                frame.append(*at, end, &mut piece);
                *at = end;
                piece.into()
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Piece<Bytes>, Infallible>>> {
        let body = self.get_mut();
        let most = if let Outgoing::Bytes(bytes) = body { bytes.len() } else { PIECE };
        let piece = body.piece(most);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Piece::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
