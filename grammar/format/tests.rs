//! Tests of the layout. In: texts. Out: their canonical form, and laws that hold for all.

use super::*;

/// The layout of a text whose words need not mean anything.
fn laid(text: &str) -> String {
    layout(FileId(0), text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

#[test]
fn try_it() {
    let path = std::env::var("F").unwrap();
    print!("{}", laid(&std::fs::read_to_string(path).unwrap()));
}
