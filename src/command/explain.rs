//! `scn explain`: the page of a diagnostic's code.

use scn_grammar::diagnostics::pages;

use super::{print, refuse};
use crate::arguments::ExplainArguments;
use crate::exit::Exit;

/// Prints a page, or the list of codes.
#[must_use]
pub fn explain(arguments: &ExplainArguments) -> Exit {
    let Some(code) = &arguments.code else {
        print(&pages::codes().map(|code| format!("{code}\n")).collect::<String>());
        return Exit::Pass;
    };
    let full = if code.starts_with("scn::") { code.clone() } else { format!("scn::{code}") };
    if let Some(page) = pages::page(&full) {
        print(page);
        return Exit::Pass;
    }
    // `dimension_mismatch` alone will do.
    let last = |known: &'static str| known.rsplit("::").next().unwrap_or(known);
    let same: Vec<&str> = pages::codes().filter(|known| last(known) == code).collect();
    if let [only] = same.as_slice()
        && let Some(page) = pages::page(only)
    {
        print(page);
        return Exit::Pass;
    }
    let by_last = scn_grammar::syntax::nearest::nearest(code, pages::codes().map(last));
    let by_last = by_last.and_then(|near| pages::codes().find(|known| last(known) == near));
    let near = by_last.or_else(|| scn_grammar::syntax::nearest::nearest(&full, pages::codes()));
    let hint = near.map_or_else(|| "`scn explain` lists them all".to_owned(), |near| format!("did you mean `{near}`?"));
    refuse(&format!("there is no diagnostic `{code}`; {hint}"))
}
