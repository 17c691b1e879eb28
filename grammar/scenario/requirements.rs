//! What a scenario needs of its surroundings before it can run. In: nothing. Out: the types. Looks for nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::Span;

/// Something that the machine must have; where it is missing the scenario is skipped, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// What sort of thing it is.
    pub kind: NeedKind,
    /// Its name, as the machine knows it: a program, a feature of the kernel.
    pub what: String,
    /// Where it is said.
    pub span: Span,
}

/// Sorts of things that a scenario can need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeedKind {
    /// A program on the search path.
    Tool,
    /// A feature or module of the kernel.
    Kernel,
}

impl NeedKind {
    /// Every kind by its word.
    pub const WORDS: &'static [(&'static str, NeedKind)] = &[("tool", NeedKind::Tool), ("kernel", NeedKind::Kernel)];
}

/// A text that only the run knows: the value of an environment variable, shown as `***` wherever it would stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// Its name, by which texts with holes speak of it.
    pub name: String,
    /// The environment variable that holds it.
    pub variable: String,
}
