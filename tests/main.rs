//! Tests of the whole command, as users meet it: one binary, one module a subject.

mod built;
mod input;
mod runs;
mod tidy;
