//! `--filter`: a boolean expression over a scenario's tags and name. In: its text. Out: yes or no for each scenario.
//!
//! `smoke`, `ha and not slow`, `(ha or dns) and vip_*`. A word is a tag, or a glob for the name: as it is declared, for all variants, or as it is
//! printed, for one of them: `beta[fam=v4]`.

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
        let parts = split(text);
        let mut words: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
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
            Filter::Word(word, glob) => {
                let declared = name.split('[').next().unwrap_or(name);
                tags.contains(word) || word == name || glob.is_match(name) || glob.is_match(declared)
            }
            Filter::Not(inner) => !inner.selects(name, tags),
            Filter::And(left, right) => left.selects(name, tags) && right.selects(name, tags),
            Filter::Or(left, right) => left.selects(name, tags) || right.selects(name, tags),
        }
    }
}

/// The words and parentheses of an expression. What stands in brackets belongs to its word.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut depth) = (Vec::new(), String::new(), 0usize);
    for letter in text.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let apart = depth == 0 && matches!(letter, '(' | ')');
        if apart || (depth == 0 && letter.is_whitespace()) {
            words.push(std::mem::take(&mut word));
        }
        if apart {
            words.push(letter.to_string());
        } else if depth > 0 || !letter.is_whitespace() {
            word.push(letter);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// A word as a glob. Only the printed name of a variant has a `=`: its brackets stand for themselves, and hold no letters to choose from.
fn glob(word: &str) -> Result<Glob, globset::Error> {
    if word.contains('=') { Glob::new(&word.replace('[', "\\[").replace(']', "\\]")) } else { Glob::new(word) }
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
            let glob = glob(word).map_err(|error| format!("has the glob `{word}`, which cannot be read: {}", error.kind()))?;
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
    fn a_scenario_is_known_by_its_declared_and_its_printed_name() {
        let selects = |filter: &str, name: &str| Filter::parse(filter).unwrap().selects(name, &[]);
        for filter in ["beta", "be?a", "beta[fam=v4]", "beta[fam=*]", "not beta[fam=v6]", "alpha or (beta[fam=v4])", "[a-c]eta"] {
            assert!(selects(filter, "beta[fam=v4]"), "{filter}");
        }
        for filter in ["bet", "beta[fam=v6]", "beta[fam=v]", "not beta", "beta and not beta[fam=v4]"] {
            assert!(!selects(filter, "beta[fam=v4]"), "{filter}");
        }
        assert!(!selects("beta[fam=v4]", "betaf"), "what stands in the brackets is no class of letters");
        assert!(selects("beta[text=\"a (b)\",size=1kB] and beta", "beta[text=\"a (b)\",size=1kB]"));
        assert!(selects("beta[name=z-a]", "beta[name=z-a]"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(Filter::parse("be[ta").unwrap_err().contains("the glob `be[ta`"));
        assert!(Filter::parse("ha and").unwrap_err().contains("ends where"));
        assert!(Filter::parse("(ha").unwrap_err().contains("lacks a `)`"));
        assert!(Filter::parse("ha slow").unwrap_err().contains("`slow`"));
        assert!(Filter::parse(&"(".repeat(100_000)).unwrap_err().contains("nested"));
    }
}
