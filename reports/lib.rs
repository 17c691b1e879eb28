//! THE PRESS: run record in; terminal text, JUnit, HTML and JSON out.

pub mod excerpt;
pub mod html;
pub mod json;
pub mod junit;
pub mod record;
pub mod suite;
pub mod text;
pub mod words;

#[cfg(test)]
mod golden_tests;
