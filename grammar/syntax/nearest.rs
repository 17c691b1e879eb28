//! The nearest of some names to a word that is none of them. In: a word and candidates. Out: at most one candidate. Knows no
//! scopes: the caller says which names could stand there.

/// The candidate that a mistyped `word` most likely meant: the smallest edit distance (a swap of neighbours counts one), at
/// most a third of the word's length. Of equals the first wins. `None`: none is near.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.chars().take(LONGEST).collect();
    let limit = letters.len().div_ceil(3).min(4);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.chars().take(LONGEST).collect();
        if letters.len().abs_diff(other.len()) > limit || candidate == word {
            continue;
        }
        let distance = distance(&letters, &other);
        // A name of which everything is another letter is not near, however short it is.
        if distance <= limit && distance < letters.len().max(other.len()) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Letters of a name that count.
const LONGEST: usize = 64;

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other; letter case costs nothing.
fn distance(left: &[char], right: &[char]) -> usize {
    let same = |a: char, b: char| a.eq_ignore_ascii_case(&b);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut line = Vec::with_capacity(right.len() + 1);
        line.push(row + 1);
        for (column, &b) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(!same(a, b));
            let mut least = replaced.min(last[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && same(a, right[column - 1]) && same(left[row - 1], b) {
                least = least.min(before_last[column - 1] + 1);
            }
            line.push(least);
        }
        before_last = std::mem::replace(&mut last, line);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let words = ["connections", "rate", "total", "interval", "sample"];
        let near = |word: &str| nearest(word, words.iter().copied());
        assert_eq!(near("conections"), Some("connections"));
        assert_eq!(near("raet"), Some("rate"));
        assert_eq!(near("Total"), Some("total"));
        assert_eq!(near("intervall"), Some("interval"));
        assert_eq!(near("frobnicate"), None);
        assert_eq!(near(""), None);
        assert_eq!(nearest("a", ["b"].into_iter()), None);
        assert_eq!(nearest(&"x".repeat(100_000), words.iter().copied()), None);
    }
}
