//! Names of libraries, and the nearest of some names to a mistyped one. In: words. Out: whether they can stand. Knows no files.

/// A longer name is refused.
const LONGEST: usize = 64;

/// A name that a library can have: a word of the language that is not private and not the standard library's.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text != "std"
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Why a word cannot be a library's name.
#[must_use]
pub fn why_not(text: &str) -> String {
    if text == "std" {
        "`std` is the standard library that comes with scn".to_owned()
    } else {
        format!("`{text}` is no name of a library: a letter, then letters, digits and `_`, at most {LONGEST} in all")
    }
}

/// The candidate that a mistyped word most likely meant: at most a third of its letters are wrong.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST * 4 {
        return None;
    }
    let limit = word.chars().count().div_ceil(3).min(4);
    let near = candidates.map(|c| (strsim::damerau_levenshtein(&word.to_lowercase(), &c.to_lowercase()), c));
    near.filter(|(distance, c)| *distance <= limit && *distance < c.chars().count()).min_by_key(|(distance, _)| *distance).map(|(_, c)| c)
}

/// `did you mean ...`, or the list of what there is.
#[must_use]
pub fn suggest<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone, none: &str) -> String {
    /// A list of names says at most so many.
    const MOST: usize = 12;
    if let Some(near) = nearest(word, candidates.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<String> = candidates.take(MOST + 1).map(|c| format!("`{c}`")).collect();
    match all.len() {
        0 => none.to_owned(),
        n if n > MOST => format!("there are {}, ...", all[..MOST].join(", ")),
        _ => format!("there are {}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        for good in ["a", "acme", "Acme_2", "std2"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "std", "_a", "2a", "a-b", "a.b", "a b", "../a", "ä", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn the_nearest_is_found() {
        let keys = ["git", "path", "version", "tag", "rev"];
        assert_eq!(nearest("verson", keys.into_iter()), Some("version"));
        assert_eq!(nearest("gti", keys.into_iter()), Some("git"));
        assert_eq!(nearest("frobnicate", keys.into_iter()), None);
        assert_eq!(nearest("", keys.into_iter()), None);
    }
}
