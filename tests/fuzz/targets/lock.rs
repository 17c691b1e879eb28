//! Any text as `scn.lock`.

#![no_main]

#[expect(dead_code, reason = "a target gives its input to one law")]
#[path = "../laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        laws::lock(text);
    }
});
