//! Tests of the layout. In: texts of the project, and those made from them. Out: their canonical form, and laws that hold for all.

mod cases;
mod corpus;
mod laws;

use super::*;

/// The layout of a text whose words need not mean anything.
fn laid(text: &str) -> String {
    layout(FileId(0), text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}
