//! A transaction pattern with its parameters filled in: what each side does, in order. In: nothing. Out: the types. Carries
//! nothing out.
//!
//! **Choices that both sides share.** Which branch of a [`StepKind::Choose`] is taken and how often a [`StepKind::Repeat`] of varying
//! count goes round must be the same at both ends, though no byte of the talk says it. Both ends derive it: the draw depends on the
//! run's seed, the flow, the number of the connection, the number of the transaction on it and on how many such draws the transaction
//! made before, all of which both ends know (the server from the run's own book of connections or, behind a proxy, from the header of
//! the client's first filling). Sizes and pauses are drawn by the side that needs them; the other side does not have to know them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::{FileId, Span};

/// One transaction, said from both sides. Each side carries out its own steps in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pattern {
    /// `sym(1KiB)`: the name and the arguments, for people.
    pub name: String,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Pattern {
    /// The files that it sends, each with the place of the step.
    #[must_use]
    pub fn files(&self) -> Vec<(&PayloadFile, Span)> {
        let mut found = Vec::new();
        files(&self.steps, &mut found);
        found
    }
}

fn files<'s>(steps: &'s [Step], found: &mut Vec<(&'s PayloadFile, Span)>) {
    for step in steps {
        match &step.kind {
            StepKind::Sends { payload: Payload::File(file), .. } => found.push((file, step.span)),
            StepKind::Repeat { steps, .. } => files(steps, found),
            StepKind::Choose { branches } => branches.iter().for_each(|branch| files(&branch.steps, found)),
            _ => {}
        }
    }
}

/// One step and its place in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Where it is written.
    pub span: Span,
    /// As it is written, for messages (`client expects "220" within 2s`).
    pub text: String,
    /// What happens.
    pub kind: StepKind,
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The end that opened the connection.
    Client,
    /// The end that was reached.
    Server,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// One side sends. The other side receives and verifies a [`Payload::Filled`] or [`Payload::Random`] at this place of
    /// its own script, unless an `expects` of its own takes it (see [`Step`]s of kind `Expects` with a size).
    Sends {
        /// Who sends.
        by: Side,
        /// What.
        payload: Payload,
        /// The other side takes it implicitly here (no `expects` of the script is meant for it). Also set on a text or bytes
        /// that no `expects` reads: the other side takes as many bytes (with holes: to the line feed) at this place.
        implicit: bool,
    },
    /// One side waits for what the other sends.
    Expects {
        /// Who waits.
        by: Side,
        /// For what.
        what: Expected,
        /// At most this long, in ns; `None`: the default response limit.
        within_ns: Option<u64>,
        /// What is passed over after the match.
        rest: Rest,
    },
    /// One side sends back, byte for byte, what the other side's last send was; the other side verifies it here.
    Echoes {
        /// Who echoes.
        by: Side,
    },
    /// One side waits.
    Pause {
        /// Who waits.
        by: Side,
        /// How long, ns.
        duration: Varying,
    },
    /// Steps several times.
    Repeat {
        /// How often; 0 skips them. One draw for both sides if it varies.
        count: Varying,
        /// What.
        steps: Vec<Step>,
    },
    /// One of several lists of steps, one draw for both sides.
    Choose {
        /// At least two; their shares make 1 in all.
        branches: Vec<Branch>,
    },
    /// One side ends the connection.
    Closes {
        /// Who.
        by: Side,
        /// How.
        how: Close,
    },
}

/// One of the ways of a [`StepKind::Choose`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Branch {
    /// Where it is written.
    pub span: Span,
    /// How often it is taken, in 1e-9; at least 1.
    pub share_nano: u64,
    /// What happens then; may be empty.
    pub steps: Vec<Step>,
}

/// Ways to end a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// Orderly, both ways.
    Close,
    /// Abortive (RST).
    Reset,
    /// End of sending; receiving goes on.
    Half,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// So many bytes of numbered, verifiable filling. Size in bytes, at least 1.
    Filled(Varying),
    /// So many bytes of verifiable filling that does not compress. Size in bytes, at least 1.
    Random(Varying),
    /// A text.
    Text(Template),
    /// Bytes.
    Bytes(Vec<u8>),
    /// What a file holds when the run begins; an empty or unreadable one is an error before anything is made.
    File(PayloadFile),
}

/// A file whose content is sent. The grammar reads none: whoever carries the pattern out does, before the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PayloadFile {
    /// As written; relative paths count from the folder of `beside`.
    pub path: String,
    /// The text in which the path is written: that of the step, or that of the call if the path is an argument.
    pub beside: FileId,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// So many bytes, of verifiable filling if the other side's script sends that.
    Size(u64),
    /// This text, next.
    Text(Template),
    /// These bytes, next.
    Bytes(Vec<u8>),
    /// A match anywhere in what has come and was not yet taken; everything to its end is taken. Named groups are captured.
    Regex(String),
    /// The next line, without its line end, matches. Named groups are captured.
    Line(String),
    /// At least one byte; what has come is taken.
    Any,
}

/// What is passed over after a match, so that the next `expects` starts at the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// Everything to the next line feed, that too; nothing if the match itself ended in one.
    Line,
    /// The rest of a message of so many bytes in all, counted from where this `expects` begins to read.
    Message(u64),
}

/// A text with holes that are filled at run time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Template(pub Vec<TemplatePart>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplatePart {
    /// As it stands.
    Literal(String),
    /// `${client.name}`: the name of the client's node.
    ClientName,
    /// `${server.name}`: the name of the node that answers (known to the server; empty at a client before it has seen the answer).
    ServerName,
    /// `${token}` of a `secret`: its name. The value is known when the run begins and stands in no output.
    Secret(String),
    /// `${who}`: what a regex of the same side captured earlier in the transaction.
    Capture(String),
}

/// A value that may be drawn anew each time, in the base unit of its dimension (ns, bytes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Varying {
    /// Always this.
    Fixed(u64),
    /// Any value from the first to the second, both included, equally likely.
    Uniform(u64, u64),
    /// Exponential with this mean.
    Exponential(u64),
    /// Normal with this mean and standard deviation, cut at 0.
    Normal(u64, u64),
    /// Pareto with this scale and this shape in 1e-9.
    Pareto(u64, u64),
    /// One of these.
    Choice(Vec<u64>),
}

/// Values drawn from a distribution without an end are taken to lie below so many times its mean or scale.
const TAIL: u64 = 40;
/// So many standard deviations.
const DEVIATIONS: u64 = 10;

impl Varying {
    /// The mean of what is drawn; `None`: it has none (Pareto of a shape of at most 1).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub fn mean(&self) -> Option<f64> {
        match self {
            Varying::Fixed(mean) | Varying::Exponential(mean) | Varying::Normal(mean, _) => Some(*mean as f64),
            Varying::Uniform(a, b) => Some((*a as f64 + *b as f64) / 2.0),
            Varying::Pareto(scale, shape_nano) => {
                let shape = *shape_nano as f64 / 1e9;
                (shape > 1.0).then(|| *scale as f64 * shape / (shape - 1.0))
            }
            Varying::Choice(values) => Some(values.iter().map(|value| *value as f64).sum::<f64>() / values.len().max(1) as f64),
        }
    }

    /// The least value that is drawn.
    #[must_use]
    pub fn least(&self) -> u64 {
        match self {
            Varying::Fixed(value) => *value,
            Varying::Uniform(a, b) => *a.min(b),
            Varying::Exponential(_) | Varying::Normal(..) => 0,
            Varying::Pareto(scale, _) => *scale,
            Varying::Choice(values) => values.iter().copied().min().unwrap_or(0),
        }
    }

    /// The largest value that is drawn: exact where there is one, else a bound that a draw practically never passes.
    #[must_use]
    pub fn most(&self) -> u64 {
        match self {
            Varying::Fixed(value) => *value,
            Varying::Uniform(a, b) => *a.max(b),
            Varying::Exponential(mean) | Varying::Pareto(mean, _) => mean.saturating_mul(TAIL),
            Varying::Normal(mean, deviation) => mean.saturating_add(deviation.saturating_mul(DEVIATIONS)),
            Varying::Choice(values) => values.iter().copied().max().unwrap_or(0),
        }
    }
}
