//! THE EDITORS' ROOM: what editors ask about scenarios, by the Language Server Protocol. In: messages of a client, and a [`Disk`] that
//! the caller hands over. Out: messages to the client. Reads no file, starts no thread, prints nothing.
//!
//! ```text
//! messages --server--> documents --analysis (grammar)--> names, places, problems --hover, complete, rename, ...--> messages
//! ```
//!
//! Texts that are open in the editor win over those on disk. A text is cut into statements at every request, which works while it is
//! half written; names are followed by the check, whose last answer stands until the next one is there.

mod analysis;
mod colours;
mod complete;
mod cursor;
mod documents;
mod hover;
mod navigate;
mod outline;
mod places;
mod positions;
mod problems;
mod rename;
mod requests;
mod server;
mod symbols;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use scn_grammar::Load;
use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::Scenario;
use scn_grammar::source::Sources;
pub use server::{Outcome, Server};

/// What the server needs of the machine.
pub trait Disk {
    /// What a file and all that it uses may use. What is wrong with its project goes into the diagnostics.
    fn uses_of<'a>(&'a mut self, file: &Path, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) -> Box<dyn Load + 'a>;

    /// The text of a file; `None`: it cannot be read.
    fn read(&self, file: &Path) -> Option<String>;

    /// Every scenario file under a folder, in the order of their names.
    fn scenarios_under(&self, folder: &Path) -> Vec<PathBuf>;

    /// A file that shows a text which has none of its own (of the standard library, of a library), by the text's name.
    fn shown(&mut self, name: &str, text: &str) -> Option<PathBuf>;

    /// Whether a file is one that [`Disk::shown`] gave: it is not to be changed.
    fn is_shown(&self, file: &Path) -> bool;

    /// What is wrong with the plan of a scenario.
    fn plan_problems(&self, scenario: &Scenario) -> Vec<Diagnostic>;
}
