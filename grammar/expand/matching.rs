//! What an `expects` takes of bytes, and whether it can take anything of what was sent. In: what is expected, and messages. Out: so
//! many bytes, or that none ever match. Follows no talk: that is `talk`'s.

use std::collections::VecDeque;

use regex::bytes::Regex;

use super::message::{Message, guess};
use crate::scenario::pattern::Expected;

/// More messages than this are not tried in all the ways in which they may arrive together.
const TRIED_LIMIT: usize = 16;
/// More bytes than this neither.
const TRIED_BYTES: u64 = 16 << 10;

/// How much of some bytes an `expects` takes, if they match. `regex` is that of what is expected, if it has one.
pub(super) fn matched(what: &Expected, regex: Option<&Regex>, bytes: &[u8]) -> Option<usize> {
    match what {
        Expected::Text(template) => {
            let (wanted, _) = guess(template);
            bytes.starts_with(&wanted).then_some(wanted.len())
        }
        Expected::Bytes(wanted) => bytes.starts_with(wanted).then_some(wanted.len()),
        Expected::Regex(_) => regex?.find(bytes).map(|found| found.end()),
        Expected::Line(_) => {
            let end = bytes.iter().position(|b| *b == b'\n')?;
            let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
            regex?.is_match(line).then_some(end + 1)
        }
        Expected::Any | Expected::Size(_) => (!bytes.is_empty()).then_some(bytes.len()),
    }
}

/// Nothing of what is left of the message that is being read and of those that wait behind it ever matches, whichever of them have
/// arrived by then. `false` too where one of them, or what is expected, is not known beforehand.
pub(super) fn never_matches(what: &Expected, regex: Option<&Regex>, begun: Option<&Message>, waiting: &VecDeque<Message>) -> bool {
    let known = match what {
        Expected::Text(template) => guess(template).1,
        Expected::Bytes(_) | Expected::Regex(_) | Expected::Line(_) => true,
        Expected::Any | Expected::Size(_) => false,
    };
    let all = || begun.filter(|message| message.left() > 0).into_iter().chain(waiting);
    let bytes = all().fold(0u64, |sum, message| sum.saturating_add(message.left()));
    let few = all().count() <= TRIED_LIMIT && bytes <= TRIED_BYTES;
    if !known || !few || !all().all(|message| message.literal) {
        return false;
    }
    // What is left of the begun one may be passed over: both are tried.
    let starts = if begun.is_some_and(|message| message.left() > 0) { 2 } else { 1 };
    (0..starts).all(|skipped| {
        let mut together: Vec<u8> = Vec::new();
        all().skip(skipped).all(|message| {
            together.extend_from_slice(message.rest());
            matched(what, regex, &together).is_none()
        })
    })
}
