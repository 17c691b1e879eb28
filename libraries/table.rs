//! Tables of a TOML text with the places of their keys and values. In: a text. Out: keys and values with spans, and problems that point
//! at them. Knows no manifest and no lock.

use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Document, Item, TableLike};

use crate::problem::Place;

/// A text and the name to show it by.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name.
    pub file: String,
    /// The text.
    pub text: Arc<str>,
}

impl Source {
    /// A text with a name.
    #[must_use]
    pub fn new(file: &str, text: &str) -> Self {
        Source { file: file.to_owned(), text: text.into() }
    }

    /// A place in it; without a span, its start.
    #[must_use]
    pub fn place(&self, span: Option<Range<usize>>) -> Place {
        Place { file: self.file.clone(), text: self.text.clone(), span: span.unwrap_or(0..0) }
    }

    /// Parses the text.
    ///
    /// # Errors
    /// What is no TOML, and where.
    pub fn parse(&self) -> Result<toml_edit::Table, (String, Place)> {
        match Document::parse(self.text.as_ref()) {
            Ok(document) => Ok(document.into_table()),
            Err(error) => {
                let message = error.message().lines().collect::<Vec<_>>().join("; ");
                Err((message, self.place(error.span())))
            }
        }
    }
}

/// One key with its value.
pub struct Entry<'a> {
    /// The key.
    pub key: &'a str,
    /// Its value.
    pub item: &'a Item,
    /// Where the key stands.
    pub key_span: Option<Range<usize>>,
}

impl<'a> Entry<'a> {
    /// Where the value stands, or else the key.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.item.span().or_else(|| self.key_span.clone())
    }

    /// The value, if it is a text.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        self.item.as_str()
    }
}

/// The entries of a table, in the order of the text.
#[must_use]
pub fn entries(table: &dyn TableLike) -> Vec<Entry<'_>> {
    table.iter().map(|(key, item)| Entry { key, item, key_span: table.key(key).and_then(toml_edit::Key::span) }).collect()
}
