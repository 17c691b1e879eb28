//! Any bytes as a stored run.

#![no_main]

#[expect(dead_code, reason = "a target gives its input to one law")]
#[path = "../laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::record(data));
