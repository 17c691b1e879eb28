//! The texts that are open in the editor. In: openings, changes, closings. Out: the texts as they are now. Checks nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use lsp_types::{TextDocumentContentChangeEvent, Uri};

use crate::positions::Lines;

/// A larger text is not kept: scenarios are written by people.
const MAX_TEXT: usize = 8 << 20;

/// A text that is open.
#[derive(Debug, Clone)]
pub struct Open {
    /// As the client calls it.
    pub uri: Uri,
    /// The client's number of this state.
    pub version: i32,
    /// What it says.
    pub text: Arc<str>,
}

/// Every open text, by its name.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    open: BTreeMap<String, Open>,
}

impl Documents {
    /// Takes a text in; one that is too large is taken for empty.
    pub fn open(&mut self, name: String, uri: Uri, version: i32, text: String) {
        let text = if text.len() > MAX_TEXT { String::new() } else { text };
        self.open.insert(name, Open { uri, version, text: text.into() });
    }

    /// Makes changes, one after the other. `false`: no such text is open.
    pub fn change(&mut self, name: &str, version: i32, changes: Vec<TextDocumentContentChangeEvent>) -> bool {
        let Some(open) = self.open.get_mut(name) else { return false };
        open.version = version;
        for change in changes {
            let text = match change.range {
                None => change.text,
                Some(range) => {
                    let lines = Lines::of(&open.text);
                    let start = lines.byte(&open.text, range.start);
                    let end = lines.byte(&open.text, range.end).max(start);
                    format!("{}{}{}", &open.text[..start], change.text, &open.text[end..])
                }
            };
            if text.len() <= MAX_TEXT {
                open.text = text.into();
            }
        }
        true
    }

    /// Forgets a text.
    pub fn close(&mut self, name: &str) {
        self.open.remove(name);
    }

    /// A text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Open> {
        self.open.get(name)
    }

    /// The names of all, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.open.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use lsp_types::{Position, Range};

    use super::*;

    #[test]
    fn changes_are_made_in_turn() {
        let mut documents = Documents::default();
        documents.open("a".into(), Uri::from_str("file:///a").unwrap(), 1, "äb\ncd\n".into());
        let at = |line, character| Position { line, character };
        let change = |start, end, text: &str| TextDocumentContentChangeEvent {
            range: Some(Range { start, end }),
            range_length: None,
            text: text.into(),
        };
        assert!(documents.change("a", 2, vec![change(at(0, 1), at(0, 2), "x𝄞"), change(at(0, 4), at(1, 1), "-")]));
        let open = documents.get("a").unwrap();
        assert_eq!((&*open.text, open.version), ("äx𝄞-d\n", 2));
        assert!(documents.change("a", 3, vec![change(at(9, 9), at(0, 0), "end")]), "a place beyond the text is its end");
        assert_eq!(&*documents.get("a").unwrap().text, "äx𝄞-d\nend");
        let whole = TextDocumentContentChangeEvent { range: None, range_length: None, text: "new".into() };
        assert!(documents.change("a", 4, vec![whole.clone()]) && !documents.change("b", 1, vec![whole]));
        documents.close("a");
        assert_eq!(documents.names().count(), 0);
    }
}
