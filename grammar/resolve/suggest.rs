//! Help for a name that is not there. In: the word and the names in scope. Out: one sentence. Decides nothing.

use crate::syntax::nearest::nearest;

/// More names than this are not listed.
const LISTED: usize = 20;

/// `did you mean ...?` if a name is near, otherwise the names there are if they are few.
#[must_use]
pub fn suggest<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let mut few: Vec<&str> = candidates.take(LISTED + 1).collect();
    if few.is_empty() || few.len() > LISTED {
        return None;
    }
    few.sort_unstable();
    few.dedup();
    let shown: Vec<String> = few.iter().map(|name| format!("`{name}`")).collect();
    Some(if let [one] = shown.as_slice() { format!("there is only {one}") } else { format!("there are {}", shown.join(", ")) })
}
