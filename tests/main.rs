//! Tests of the whole command, as users meet it: one binary, one module a subject.

mod built;
mod cleanup;
mod input;
mod observer;
mod outside;
mod runs;
mod tidy;
