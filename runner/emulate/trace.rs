//! Files that say the fate of each packet. In: their text. Out: losses or delays, or the line that is wrong. Opens no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use scn_grammar::quantity::{Dimension, parse_literal};

/// Longer traces are refused.
const MOST_STEPS: usize = 10_000_000;

/// What a trace says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// For each packet, whether it is lost.
    Losses(Arc<[bool]>),
    /// For each packet, its delay, ns.
    Delays(Arc<[u64]>),
}

/// What is wrong with a trace, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Nothing in it.
    #[error("it says nothing of any packet")]
    Empty,
    /// Too much.
    #[error("it speaks of more than {MOST_STEPS} packets")]
    Long,
    /// A sign that is neither.
    #[error("line {line} has `{found}` where a `0` or a `1` is expected")]
    NotALoss {
        /// From 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// A line that is no duration.
    #[error("line {line} is `{found}`; a duration such as `20ms` is expected")]
    NotADelay {
        /// From 1.
        line: usize,
        /// What stands there.
        found: String,
    },
}

impl Trace {
    /// Reads losses: `0` and `1`, blanks and line ends between them as one likes, `#` to the line's end for people.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn losses(text: &str) -> Result<Self, TraceError> {
        let mut losses = Vec::new();
        for (line, words) in (1..).zip(text.lines()) {
            for sign in spoken(words).chars().filter(|sign| !sign.is_whitespace()) {
                match sign {
                    '0' | '1' => losses.push(sign == '1'),
                    other => return Err(TraceError::NotALoss { line, found: other.to_string() }),
                }
            }
        }
        bounded(losses).map(Trace::Losses)
    }

    /// Reads delays: one duration a line as the language writes it, empty lines and `#` to the line's end left out.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn delays(text: &str) -> Result<Self, TraceError> {
        let mut delays = Vec::new();
        for (line, words) in (1..).zip(text.lines()) {
            let words = spoken(words).trim();
            if !words.is_empty() {
                let wrong = || TraceError::NotADelay { line, found: words.to_owned() };
                delays.push(duration(words).ok_or_else(wrong)?);
            }
        }
        bounded(delays).map(Trace::Delays)
    }
}

fn spoken(line: &str) -> &str {
    line.split('#').next().unwrap_or("")
}

fn bounded<T>(steps: Vec<T>) -> Result<Arc<[T]>, TraceError> {
    match steps.len() {
        0 => Err(TraceError::Empty),
        count if count > MOST_STEPS => Err(TraceError::Long),
        _ => Ok(steps.into()),
    }
}

/// All traces of a run, by the name that the scenario gives the file.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    losses: BTreeMap<String, Arc<[bool]>>,
    delays: BTreeMap<String, Arc<[u64]>>,
}

impl Traces {
    /// Adds what a file says.
    pub fn insert(&mut self, file: String, trace: Trace) {
        match trace {
            Trace::Losses(losses) => drop(self.losses.insert(file, losses)),
            Trace::Delays(delays) => drop(self.delays.insert(file, delays)),
        }
    }

    /// Whether a file's losses are there.
    #[must_use]
    pub fn has_losses(&self, file: &str) -> bool {
        self.losses.contains_key(file)
    }

    /// Whether a file's delays are there.
    #[must_use]
    pub fn has_delays(&self, file: &str) -> bool {
        self.delays.contains_key(file)
    }

    /// The losses of a file. The lab looks beforehand that they are there.
    pub(super) fn losses(&self, file: &str) -> Arc<[bool]> {
        self.losses.get(file).map_or_else(|| Arc::from([]), Arc::clone)
    }

    /// The delays of a file.
    pub(super) fn delays(&self, file: &str) -> Arc<[u64]> {
        self.delays.get(file).map_or_else(|| Arc::from([]), Arc::clone)
    }
}

/// A duration as the language writes it, ns.
fn duration(words: &str) -> Option<u64> {
    let quantity = parse_literal(words).ok().filter(|quantity| quantity.dimension == Dimension::Duration)?;
    u64::try_from(quantity.value).ok()
}
