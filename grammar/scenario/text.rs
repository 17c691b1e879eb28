//! A text with holes that are filled when it is used: commands, files, headers. In: nothing. Out: the types. The texts of patterns
//! have a type of their own ([`super::pattern::Template`]), whose holes are filled from the talk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Text(pub Vec<TextPart>);

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextPart {
    /// As it stands.
    Literal(String),
    /// `${dir}`: the process's own folder. Only in a process.
    Dir,
    /// `${node.name}`: the name of the node it is used on. Only in a process.
    NodeName,
    /// `${token}`: a secret by its name; its value is known to the run alone and printed as `***`.
    Secret(String),
}

impl Text {
    /// A text without holes.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Text(vec![TextPart::Literal(text.into())])
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.0 {
            match part {
                TextPart::Literal(text) => f.write_str(text)?,
                TextPart::Dir => f.write_str("${dir}")?,
                TextPart::NodeName => f.write_str("${node.name}")?,
                TextPart::Secret(_) => f.write_str("***")?,
            }
        }
        Ok(())
    }
}
