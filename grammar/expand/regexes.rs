//! Regexes where they are written: whether they work, once for each, and at what cost. In: their texts. Out: compiled regexes, or
//! what is wrong with them. Matches nothing.

use regex::{Regex, RegexBuilder};

use super::Context;
use super::error::ExpandError;
use crate::source::Span;

/// A compiled regex takes at most so many bytes; it is tried with less before. Beside them what a try costs.
const SIZES: [(usize, u64); 3] = [(16 << 10, 1), (128 << 10, 8), (1 << 20, 64)];
/// All tries of one check may cost so much: less than a second, and 128 MiB.
const COST_LIMIT: u64 = 8_000;

/// A regex, or why it does not work.
pub(super) type Tried = Result<Regex, String>;

impl Context<'_> {
    /// A regex, compiled. `None`: it does not work, which is reported.
    pub(super) fn regex(&mut self, source: &str, span: Span) -> Option<Regex> {
        if !self.regexes.contains_key(source) {
            let tried = self.try_regex(source, span)?;
            self.regexes.insert(source.to_owned(), tried);
        }
        match self.regexes.get(source)?.clone() {
            Ok(regex) => Some(regex),
            Err(reason) => {
                self.raise(ExpandError::BadRegex { reason, span });
                None
            }
        }
    }

    /// Compiles a regex. `None`: all of them together are too much, which is reported.
    fn try_regex(&mut self, source: &str, span: Span) -> Option<Tried> {
        for (size, cost) in SIZES {
            if self.regex_cost > COST_LIMIT {
                return None;
            }
            self.regex_cost += cost;
            if self.regex_cost > COST_LIMIT {
                let what = "units of work on regexes";
                self.raise(ExpandError::TooLarge { what, count: self.regex_cost, limit: COST_LIMIT, span });
                return None;
            }
            match RegexBuilder::new(source).size_limit(size).build() {
                Ok(regex) => return Some(Ok(regex)),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(other) => {
                    let last = other.to_string().lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
                    return Some(Err(last));
                }
            }
        }
        Some(Err("it is too large".to_owned()))
    }
}
