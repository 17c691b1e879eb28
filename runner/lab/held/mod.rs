//! Labs that stay for a look when their run is over. In: a lab's rooms; later, from another process of the same user, the name of a node. Out: a
//! note of where the rooms are, for as long as the lab is held; a command that ran in one of them. Keeps no lab alive: a note of a run that
//! is dead leads nowhere, and the next who looks removes it.

mod choose;
mod enter;
mod note;
pub(crate) mod terminal;

use std::path::PathBuf;

use super::process::Numbers;
use note::{Note, Noted, Process};

pub use self::enter::enter;

/// A lab that is noted. Dropping it takes the note away; the lab it leaves alone.
#[derive(Debug)]
pub struct Held {
    note: Note,
    path: PathBuf,
}

impl Held {
    /// Writes the note: the scenario, the run's first process, and by what numbers it has the nodes open.
    pub(super) fn note(scenario: &str, keeper: i32, nodes: Vec<(String, Numbers)>) -> std::io::Result<Self> {
        let runner = i32::try_from(std::process::id()).map_err(std::io::Error::other)?;
        let note = Note {
            version: note::VERSION,
            run: runner.to_string(),
            scenario: scenario.to_owned(),
            here: note::Here::now()?,
            runner: Process::now(runner)?,
            keeper: Process::now(keeper)?,
            nodes: nodes.into_iter().map(|(name, numbers)| Noted { name, numbers }).collect(),
        };
        let path = note::put(&note)?;
        Ok(Held { note, path })
    }

    /// What the run is called while it is held.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.note.run
    }

    /// The nodes that can be entered.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.note.nodes.iter().map(|node| node.name.as_str())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        note::take_away(&self.path);
    }
}

/// Why no command ran in a node. Its text is a whole message for people.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// Nothing is held.
    #[error(
        "no lab of this user is held: `scn run --keep-on-failure` holds that of a scenario that does not pass, and who ran it enters it (root's: as root)"
    )]
    None,
    /// No such run.
    #[error("no run `{run}` is held{} Held are: {held}", did_you_mean(.near))]
    NoSuchRun {
        /// What was looked for.
        run: String,
        /// The nearest there is.
        near: Option<String>,
        /// All there are, with their nodes.
        held: String,
    },
    /// Several are held.
    #[error("more than one lab is held, say which with --run: {held}")]
    Which {
        /// All there are, with their nodes.
        held: String,
    },
    /// No such node.
    #[error("run {run} has no node `{node}`{} It has: {nodes}", did_you_mean(.near))]
    NoSuchNode {
        /// The run.
        run: String,
        /// What was looked for.
        node: String,
        /// The nearest there is.
        near: Option<String>,
        /// All there are.
        nodes: String,
    },
    /// The run ended meanwhile.
    #[error("run {run} is over: its network is gone")]
    Over {
        /// The run.
        run: String,
    },
    /// The kernel refused something.
    #[error("node `{node}` of run {run} cannot be entered: could not {doing}: {cause}")]
    Kernel {
        /// The run.
        run: String,
        /// The node.
        node: String,
        /// What was tried.
        doing: &'static str,
        /// The kernel's own words.
        cause: std::io::Error,
    },
    /// The command is not there.
    #[error("`{program}` cannot be run on `{node}`: {cause} (nodes have a /run and a /tmp of their own)")]
    Program {
        /// The command.
        program: String,
        /// The node.
        node: String,
        /// The kernel's own words.
        cause: std::io::Error,
    },
}

impl HeldError {
    /// What a shell gives as the status in such a case: 127 for a command that is not there, 126 for one that cannot be run, else 125.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            HeldError::Program { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => 127,
            HeldError::Program { .. } => 126,
            _ => 125,
        }
    }
}

/// The end of a sentence.
fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map_or_else(|| ".".to_owned(), |near| format!("; did you mean `{near}`?"))
}
