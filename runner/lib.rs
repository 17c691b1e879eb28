//! THE WORKSHOP: scenario in, run record out.

pub mod emulate;
pub mod engine;
pub mod judge;
pub mod lab;
pub mod measure;
pub mod plan;
pub mod traffic;
