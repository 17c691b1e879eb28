//! From text to syntax tree. In: one source text. Out: a [`tree::Document`] and every syntax error of the text. Looks up no names.

pub mod tree;
