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
    let near = scn_grammar::syntax::nearest::nearest(&full, pages::codes());
    let hint = near.map_or_else(|| "`scn explain` lists them all".to_owned(), |near| format!("did you mean `{near}`?"));
    refuse(&format!("there is no diagnostic `{code}`; {hint}"))
}
