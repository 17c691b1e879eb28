//! A message of a talk and what is read of it. In: payloads and what readers took. Out: contents as far as they are known beforehand,
//! and what the last reader passes over. Follows no talk: that is `talk`'s.

use super::sized::reckoned;
use crate::scenario::pattern::{Expected, Payload, Rest, Template, TemplatePart};

/// A message on its way.
pub(super) struct Message {
    /// The step that sent it.
    pub(super) at: usize,
    /// What it says, holes filled with a guess; `None`: filling.
    pub(super) content: Option<Vec<u8>>,
    /// The content has no holes.
    pub(super) literal: bool,
    pub(super) length: u64,
    /// It is a file: how long is not known, and nobody reads a part of it.
    pub(super) file: bool,
    /// What of it was taken.
    pub(super) taken: u64,
}

impl Message {
    pub(super) fn left(&self) -> u64 {
        self.length.saturating_sub(self.taken)
    }

    /// What is left of its content.
    pub(super) fn rest(&self) -> &[u8] {
        let from = usize::try_from(self.taken).unwrap_or(usize::MAX);
        self.content.as_deref().and_then(|c| c.get(from..)).unwrap_or(&[])
    }
}

/// The message of which an `expects` has read a part.
pub(super) struct Reading {
    pub(super) message: Message,
    /// The `expects` that read last.
    pub(super) reader: usize,
    /// Where in the message it began; `None`: not known.
    pub(super) began: Option<u64>,
}

/// A template as far as it is known beforehand, and whether it is known whole.
pub(super) fn guess(template: &Template) -> (Vec<u8>, bool) {
    let mut text = String::new();
    let mut literal = true;
    for part in &template.0 {
        match part {
            TemplatePart::Literal(piece) => text.push_str(piece),
            TemplatePart::ClientName => text.push_str("client"),
            TemplatePart::ServerName => text.push_str("server"),
            TemplatePart::Capture(name) | TemplatePart::Secret(name) => text.push_str(name),
        }
        literal &= matches!(part, TemplatePart::Literal(_));
    }
    (text.into_bytes(), literal)
}

/// A message as a step sends it.
pub(super) fn message(at: usize, payload: &Payload) -> Message {
    let (content, literal, length) = match payload {
        Payload::Filled(size) | Payload::Random(size) => (None, false, reckoned(size)),
        Payload::File(_) => (None, false, 1),
        Payload::Bytes(bytes) => (Some(bytes.clone()), true, bytes.len() as u64),
        Payload::Text(template) => {
            let (bytes, literal) = guess(template);
            let length = bytes.len() as u64;
            (Some(bytes), literal, length)
        }
    };
    Message { at, content, literal, length, file: matches!(payload, Payload::File(_)), taken: 0 }
}

/// What the last reader of a message passes over.
pub(super) fn rest_of(reading: &Reading, what: &Expected) -> Rest {
    let message = &reading.message;
    let content = message.content.as_deref().unwrap_or(&[]);
    let in_all = reading.began.map_or(Rest::Nothing, |began| Rest::Message(message.length - began));
    let left = message.rest();
    match what {
        Expected::Any | Expected::Size(_) => Rest::Nothing,
        _ if message.left() == 0 && message.literal => Rest::Nothing,
        Expected::Line(_) if message.left() == 0 => Rest::Nothing,
        Expected::Line(_) if left.ends_with(b"\n") && message.taken == 0 => Rest::Nothing,
        Expected::Line(_) => {
            if message.literal {
                in_all
            } else {
                Rest::Nothing
            }
        }
        _ if content.ends_with(b"\n") => {
            let lines = left.iter().filter(|b| **b == b'\n').count();
            if lines > 1 && message.literal { in_all } else { Rest::Line }
        }
        _ if message.literal => in_all,
        _ => Rest::Nothing,
    }
}
