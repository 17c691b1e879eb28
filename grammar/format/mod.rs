//! The canonical layout of a text. In: a text. Out: the same text as `scn fmt` writes it, or why it cannot be read. Touches no
//! files; what the words mean is none of its business.
//!
//! ```text
//! text --syntax::scan--> statements, blocks, comments, tokens --blocks, heads, gaps--> text
//! ```
//!
//! The meaning cannot change, because only four things are printed: the tokens of the text, in their order; blanks between
//! them; new lines where a statement begins or ends, beside a brace, or where one stood inside parentheses; and the comments,
//! each between the same two tokens. Tokens that touch keep touching and others stay apart, but for the pairs that `gaps` lists, of
//! which the language takes both. Three spellings are rewritten: `Mbps` and its like to `Mbit/s`, the comma before a closing bracket on one
//! line, and `;` to a new line. The reference says the rules as people see them, under Layout.

mod blocks;
mod gaps;
mod heads;
mod printer;
#[cfg(test)]
mod tests;
mod texts;
mod tokens;

use crate::diagnostics::{Diagnostic, Severity};
use crate::source::FileId;
use crate::syntax;

/// Blanks for each block around a line.
const INDENT: usize = 4;
/// A block that its author wrote on one line is opened when that line would be longer, in characters.
pub const WIDTH: usize = 120;

/// The canonical form of a text. `file` is the place that problems point to.
///
/// # Errors
/// The syntax errors of the text: one that cannot be read is not touched.
pub fn format(file: FileId, text: &str) -> Result<String, Vec<Diagnostic>> {
    let (_, problems) = syntax::parse(file, text);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    layout(file, text)
}

/// The usual spelling of a bandwidth such as `10Mbps`; `None`: a token has that already, or is none.
#[must_use]
pub(crate) fn bit_rate(token: &str) -> Option<String> {
    tokens::spelling(token, tokens::Kind::Number)
}

/// The canonical form of a text whose braces, parentheses and quotes are right, whatever its words say.
fn layout(file: FileId, text: &str) -> Result<String, Vec<Diagnostic>> {
    let from = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let scan = syntax::scan::scan(file, text, from);
    if scan.problems.is_empty() { Ok(printer::Printer::new(text, from, &scan).print(&scan.statements)) } else { Err(scan.problems) }
}
