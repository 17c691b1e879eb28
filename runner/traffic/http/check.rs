//! Whether a body of filling came as it was sent. In: what its sender announced, the bytes as they come. Out: what is wrong with them.
//! Keeps no more of a body than its header.

use hyper::HeaderMap;
use scn_reports::record::flow::CorruptionKind;

use super::FILLING;
use crate::traffic::frame::{Frame, HEADER, Header, UNKNOWN_CONNECTION, UNKNOWN_FLOW};

/// What was wrong: sort, offset, in words.
pub type Wrong = (CorruptionKind, u32, String);

/// A body as it comes.
#[derive(Debug)]
pub struct Check {
    /// What ought to come; the length as announced.
    ought: Header,
    announced: bool,
    head: Vec<u8>,
    frame: Option<Frame>,
    taken: u64,
    wrong: Option<Wrong>,
}

impl Check {
    /// Of a message with these headers. `ought` says who sends to whom, as far as this end knows.
    pub fn new(headers: &HeaderMap, ought: Header) -> Check {
        let said = headers.get(&FILLING);
        let announced = said.and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
        // A length that nobody can read verifies nothing.
        let damaged = said.is_some() && announced.is_none();
        let wrong = damaged.then(|| (CorruptionKind::Content, 0, format!("the header `{}` is damaged", FILLING.as_str())));
        let ought = Header { length: announced.unwrap_or(0), ..ought };
        let short = announced.is_some() && (ought.length as usize) < HEADER;
        let frame = short.then(|| Frame::new(&ought));
        Check { ought, announced: announced.is_some(), head: Vec::new(), frame, taken: 0, wrong }
    }

    /// Takes what came.
    pub fn take(&mut self, mut bytes: &[u8]) {
        if self.announced && self.wrong.is_none() && self.frame.is_none() {
            let rest = bytes.len().min(HEADER - self.head.len());
            self.head.extend_from_slice(&bytes[..rest]);
            bytes = &bytes[rest..];
            self.taken += rest as u64;
            if self.head.len() == HEADER {
                self.open();
            }
        }
        if let (Some(frame), None) = (&self.frame, &self.wrong) {
            let at = usize::try_from(self.taken).unwrap_or(usize::MAX);
            if let Some(wrong) = frame.first_wrong(at, bytes) {
                self.wrong = Some(match frame.length() {
                    length if wrong >= length => too_long(length),
                    length => (CorruptionKind::Content, offset(wrong), format!("a body of {length} bytes: byte {wrong} is wrong")),
                });
            }
        }
        self.taken += bytes.len() as u64;
    }

    /// Looks at the header of filling.
    fn open(&mut self) {
        let Some(header) = Header::decode(&self.head) else {
            let what = format!("a body of {} bytes: its header is damaged", self.ought.length);
            self.wrong = Some((CorruptionKind::Content, 0, what));
            return;
        };
        let ought = &self.ought;
        let known = |ours: u32, theirs: u32, unknown: u32| ours == theirs || ours == unknown || theirs == unknown;
        let ours = header.run == ought.run
            && header.way == ought.way
            && known(u32::from(ought.flow), u32::from(header.flow), u32::from(UNKNOWN_FLOW))
            && known(ought.connection, header.connection, UNKNOWN_CONNECTION);
        if !ours {
            let what = format!(
                "expected run {:08x} flow {} connection {}, came run {:08x} flow {} connection {}",
                ought.run, ought.flow, ought.connection, header.run, header.flow, header.connection
            );
            self.wrong = Some((CorruptionKind::Misdelivered, 0, what));
        } else if header.length != ought.length {
            let what = format!("a body of {} bytes: its header says {}", ought.length, header.length);
            self.wrong = Some((CorruptionKind::Content, 24, what));
        } else {
            (self.ought.flow, self.ought.connection) = (header.flow, header.connection);
            self.frame = Some(Frame::new(&header));
        }
    }

    /// Flow and connection, as far as they are known now.
    pub fn whose(&self) -> (u16, u32) {
        (self.ought.flow, self.ought.connection)
    }

    /// What was wrong with the whole.
    pub fn finish(self) -> Option<Wrong> {
        let short = self.announced && self.taken < u64::from(self.ought.length);
        let short = short.then(|| {
            let what = format!("a body of {} bytes: only {} came", self.ought.length, self.taken);
            (CorruptionKind::Content, offset(usize::try_from(self.taken).unwrap_or(usize::MAX)), what)
        });
        self.wrong.or(short)
    }
}

fn too_long(length: usize) -> Wrong {
    (CorruptionKind::Content, offset(length), format!("a body of {length} bytes: more came"))
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::frame::Way;

    fn header(length: u32) -> Header {
        Header { way: Way::Back, flow: 3, run: 77, connection: 12, node: 4, sequence: 0, length }
    }

    fn body(length: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::new(&header(length)).append(0, length as usize, &mut bytes);
        bytes
    }

    fn checked(announced: Option<&'static str>, bytes: &[u8], piece: usize) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(length) = announced {
            headers.insert(&FILLING, length.parse().expect("a header"));
        }
        let mut check = Check::new(&headers, header(0));
        bytes.chunks(piece).for_each(|piece| check.take(piece));
        check.finish().map(|(_, at, what)| format!("{at}: {what}"))
    }

    #[test]
    fn whole_bodies_are_right_in_pieces_of_any_size() {
        for piece in [1, 7, 32, 5000] {
            assert_eq!(checked(Some("1024"), &body(1024), piece), None);
            assert_eq!(checked(Some("9"), &body(9), piece), None);
            assert_eq!(checked(None, b"of another server", piece), None);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let mut bytes = body(1024);
        bytes[500] ^= 1;
        assert_eq!(checked(Some("1024"), &bytes, 64).unwrap(), "500: a body of 1024 bytes: byte 500 is wrong");
        assert_eq!(checked(Some("1024"), &body(1024)[..1000], 64).unwrap(), "1000: a body of 1024 bytes: only 1000 came");
        assert_eq!(checked(Some("1024"), &body(1024)[..20], 64).unwrap(), "20: a body of 1024 bytes: only 20 came");
        assert_eq!(checked(Some("1O24"), &body(1024), 64).unwrap(), "0: the header `scn-filling` is damaged");
        let longer = [body(1024), vec![0]].concat();
        assert_eq!(checked(Some("1024"), &longer, 64).unwrap(), "1024: a body of 1024 bytes: more came");
        assert_eq!(checked(Some("1024"), &body(1025), 64).unwrap(), "24: a body of 1024 bytes: its header says 1025");
        bytes[500] ^= 1;
        bytes[9] ^= 1;
        assert_eq!(checked(Some("1024"), &bytes, 64).unwrap(), "0: a body of 1024 bytes: its header is damaged");
    }
}
