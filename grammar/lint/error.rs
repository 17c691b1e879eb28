//! What lints find: facts in, warnings out.

use crate::diagnostics::problem::{at, problems};
use crate::source::Span;

problems! {
    /// What is useless or out of fashion.
    LintError {
        /// A name of a `use`, or all of it, that nothing uses.
        UnusedImport { name: String, span: Span, fix: Option<(Span, String)> } Warning "scn::lint::unused_import" {
            let shown = at(span, format!("nothing in this file uses `{name}`"), "imported here")
                .help("take it out of the `use`; `scn check --fix` does");
            match fix { Some((span, text)) => shown.fixed_by(span, text), None => shown }
        }
        /// A declaration that nothing uses.
        UnusedDeclaration { what: &'static str, name: String, span: Span } Warning "scn::lint::unused_declaration" {
            at(span, format!("nothing uses the {what} `{name}`"), "declared here")
                .help("take it out, or use it; what other files are to use belongs in a file without scenarios")
        }
        /// A parameter that changes nothing.
        UnusedParameter { name: String, of: String, span: Span } Warning "scn::lint::unused_parameter" {
            at(span, format!("the parameter `{name}` changes nothing: {of} does not use it"), "declared here")
                .help(format!("use it, take it out, or call it `_{name}` if callers must be able to give it"))
        }
        /// A node that nothing can reach.
        UnlinkedNode { name: String, more: usize, span: Span } Warning "scn::lint::unlinked_node" {
            let others = match more { 0 => String::new(), 1 => " (and one more)".to_owned(), more => format!(" (and {more} more)") };
            at(span, format!("no link leads to `{name}`{others}, and nothing runs on it"), "stands alone")
                .help(format!("add `link {name} <-> OTHER`, or take the node out"))
        }
        /// A service that no traffic reaches.
        UnreachedService { name: String, span: Span } Warning "scn::lint::unreached_service" {
            at(span, format!("no flow goes to the service `{name}`"), "nobody asks")
                .help(format!("add `flow NAME from NODE to {name}`, or take the service out"))
        }
        /// A unit that `scn fmt` rewrites.
        OldSpelling { old: String, new: String, span: Span } Warning "scn::lint::old_spelling" {
            at(span, format!("`{old}` is another spelling of `{new}`"), "understood, but not the usual way")
                .help(format!("write `{new}`; `scn fmt` and `scn check --fix` do")).fixed_by(span, new)
        }
    }
}
