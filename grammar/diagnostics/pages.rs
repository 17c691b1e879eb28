//! The page of every code, as `scn explain CODE` prints it. In: a code. Out: a text in Markdown. A page is a file in `pages/`; its
//! first line is its code.

/// Codes and their pages, in the order of the codes.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page of a code.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.binary_search_by(|(known, _)| (*known).cmp(code)).ok().map(|at| PAGES[at].1)
}

/// Every code that has a page, in order.
pub fn codes() -> impl Iterator<Item = &'static str> + Clone {
    PAGES.iter().map(|(code, _)| *code)
}
