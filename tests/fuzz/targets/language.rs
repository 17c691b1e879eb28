//! Any text as a scenario. Mutates token by token: bytes as they come find what the reader of characters can't bear, tokens reach what
//! lies behind it.

#![no_main]

#[expect(dead_code, reason = "a target gives its input to one law")]
#[path = "../laws.rs"]
mod laws;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use scn_grammar::source::FileId;
use scn_grammar::syntax::scan;

/// Values at which programs break: bounds of types, zero, and what is larger than anything a scenario can mean.
const EDGES: &[&str] = &["0", "1", "-1", "0.0001%", "100%", "65535", "65536", "4294967296", "18446744073709551615", "1e308", "9999999d", "1ns", "1h", "::1", "0.0.0.0/0"];

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        laws::language(text);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = (seed % 4 != 0).then(|| std::str::from_utf8(&data[..size]).ok().and_then(|text| by_tokens(text, u64::from(seed)))).flatten();
    match mutated {
        Some(text) if text.len() <= max_size => {
            data[..text.len()].copy_from_slice(text.as_bytes());
            text.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

/// A few tokens or statements of a text changed for others of it, doubled, left out, or replaced by an edge.
fn by_tokens(text: &str, seed: u64) -> Option<String> {
    let mut draw = Draw(seed | 1);
    let mut text = text.to_owned();
    for _ in 0..=draw.below(3) {
        let from = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let scan = scan::scan(FileId::default(), &text, from);
        let tokens = &scan.tokens;
        if tokens.is_empty() {
            return None;
        }
        let (a, b) = (tokens[draw.below(tokens.len())].clone(), tokens[draw.below(tokens.len())].clone());
        let line = |at: usize| {
            let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
            start..text[at..].find('\n').map_or(text.len(), |found| at + found + 1)
        };
        let (place, with) = match draw.below(6) {
            0 => (a, text[b].to_owned()),
            1 => (a, EDGES[draw.below(EDGES.len())].to_owned()),
            2 => (a.end..a.end, format!(" {}", &text[b])),
            3 => (a, String::new()),
            4 => (line(a.start), String::new()),
            _ => (line(a.start).start..line(a.start).start, text[line(b.start)].to_owned()),
        };
        text.replace_range(place, &with);
    }
    Some(text)
}

/// Numbers that follow from a seed (xorshift64, Marsaglia 2003).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
