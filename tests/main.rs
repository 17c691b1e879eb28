//! Tests of the whole command, as users meet it: one binary, one module a subject.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and says on standard output why it was skipped"
)]

mod built;
mod captures;
mod changes;
mod cleanup;
mod counted;
mod datagrams;
mod editors;
mod engines;
mod formatting;
mod frames;
mod fuzzing;
mod guest;
mod holding;
mod http;
mod input;
mod interfaces;
mod language;
mod language_server;
mod libraries;
mod library;
mod loads;
mod machine;
mod names;
mod observer;
mod once;
mod outside;
mod partners;
mod planning;
mod programs;
mod review;
mod runs;
mod secrets;
mod sockets;
mod strikes;
mod tidy;
mod tls;
mod tools;
mod topologies;
mod transports;
