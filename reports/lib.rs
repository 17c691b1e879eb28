//! THE PRESS: run record in; terminal text, JUnit, HTML and JSON out.

pub mod record;
