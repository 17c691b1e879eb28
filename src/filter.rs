//! `--filter`: a boolean expression over a scenario's tags and name. In: its text. Out: yes or no for each scenario.
//!
//! `smoke`, `ha and not slow`, `(ha or dns) and vip_*`. A word is a tag, or a glob for the name.

use globset::{Glob, GlobMatcher};

/// Deeper parentheses are refused.
const MAX_DEPTH: usize = 100;

/// A parsed filter.
#[derive(Debug)]
pub enum Filter {
    /// A tag or a glob of the name.
    Word(String, GlobMatcher),
    /// Not this.
    Not(Box<Filter>),
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// Either.
    Or(Box<Filter>, Box<Filter>),
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// One sentence that names the word it stumbled over.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
        let filter = parse_or(&mut words, 0).map_err(|why| format!("the filter `{text}` {why}"))?;
        match words.pop() {
            None => Ok(filter),
            Some(word) => Err(format!("the filter `{text}` has `{word}` where `and`, `or` or the end was expected")),
        }
    }

    /// Whether a scenario is selected.
    #[must_use]
    pub fn selects(&self, name: &str, tags: &[String]) -> bool {
        match self {
            Filter::Word(word, glob) => tags.contains(word) || glob.is_match(name),
            Filter::Not(inner) => !inner.selects(name, tags),
            Filter::And(left, right) => left.selects(name, tags) && right.selects(name, tags),
            Filter::Or(left, right) => left.selects(name, tags) || right.selects(name, tags),
        }
    }
}

/// Words are popped from the end: the list is reversed.
fn parse_or(words: &mut Vec<&str>, depth: usize) -> Result<Filter, String> {
    let mut left = parse_and(words, depth)?;
    while words.last() == Some(&"or") {
        words.pop();
        left = Filter::Or(Box::new(left), Box::new(parse_and(words, depth)?));
    }
    Ok(left)
}

fn parse_and(words: &mut Vec<&str>, depth: usize) -> Result<Filter, String> {
    let mut left = parse_word(words, depth)?;
    while words.last() == Some(&"and") {
        words.pop();
        left = Filter::And(Box::new(left), Box::new(parse_word(words, depth)?));
    }
    Ok(left)
}

fn parse_word(words: &mut Vec<&str>, depth: usize) -> Result<Filter, String> {
    if depth > MAX_DEPTH {
        return Err(format!("is nested deeper than {MAX_DEPTH}"));
    }
    match words.pop() {
        None => Err("ends where a tag or a name was expected".to_owned()),
        Some("not") => Ok(Filter::Not(Box::new(parse_word(words, depth + 1)?))),
        Some("(") => {
            let inner = parse_or(words, depth + 1)?;
            if words.pop() == Some(")") { Ok(inner) } else { Err("lacks a `)`".to_owned()) }
        }
        Some(word @ (")" | "and" | "or")) => Err(format!("has `{word}` where a tag or a name was expected")),
        Some(word) => {
            let glob = Glob::new(word).map_err(|error| format!("has the glob `{word}`, which cannot be read: {}", error.kind()))?;
            Ok(Filter::Word(word.to_owned(), glob.compile_matcher()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(filter: &str) -> bool {
        Filter::parse(filter).unwrap().selects("vip_failover", &["ha".to_owned(), "smoke".to_owned()])
    }

    #[test]
    fn words_are_tags_or_globs_of_the_name() {
        assert!(selects("ha"));
        assert!(selects("vip_*"));
        assert!(!selects("h*"));
        assert!(selects("ha and not slow"));
        assert!(selects("slow or (smoke and ha)"));
        assert!(!selects("not (smoke or slow)"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(Filter::parse("ha and").unwrap_err().contains("ends where"));
        assert!(Filter::parse("(ha").unwrap_err().contains("lacks a `)`"));
        assert!(Filter::parse("ha slow").unwrap_err().contains("`slow`"));
        assert!(Filter::parse(&"(".repeat(100_000)).unwrap_err().contains("nested"));
    }
}
