//! Problems of patterns that only branches and files have: facts in, diagnostics out. The others stand in `error`.

use crate::diagnostics::problem::{at, problems};
use crate::source::Span;

problems! {
    /// What can be wrong with the branches and files of a pattern.
    PatternError {
        /// Ratios of branches that do not make a whole.
        BranchRatios { sum: String, span: Span } Error "scn::expand::branch_ratios" {
            at(span, format!("the shares of these ways make {sum} together"), format!("with this one {sum}"))
                .help("let the shares of all ways of a `choose` make 100%")
        }
        /// A choice of one.
        SingleBranch { span: Span } Error "scn::expand::single_branch" {
            at(span, "this `choose` leaves no choice", "fewer than two ways").help("write `choose { 70% { ... } 30% { ... } }`, or the steps alone")
        }
        /// A message that somebody reads in one branch and nobody in another.
        ReadSometimes { side: &'static str, span: Span } Error "scn::expand::read_sometimes" {
            at(span, format!("the {side} reads this on some ways through the pattern and not on others"), "not always read")
                .help(format!("let the {side} expect it before the `choose` or `repeat`, or in every way of it"))
        }
        /// An `expects` for the content of a file.
        ExpectsFile { side: &'static str, span: Span, sent: Span } Error "scn::expand::expects_file" {
            at(span, format!("the {side} can't expect a part of a file"), "reads the file").also(sent, "the file is sent here")
                .help(format!("leave this out: the {side} takes and verifies the whole file where it is sent"))
        }
        /// An `expects` that nothing of what is sent ever matches.
        NeverMatches { side: &'static str, other: &'static str, line: bool, span: Span, sent: Span } Warning "scn::expand::never_matches" {
            let (label, help) = if line {
                ("no such line comes", format!("end what the {other} sends with a line feed (`\\n`), and expect a line that it sends"))
            } else {
                ("never matches", format!("expect what the {other} sends"))
            };
            at(span, format!("what the {other} sends never matches what the {side} expects"), label).also(sent, "sent here").help(help)
        }
        /// A path that no file can have.
        BadPath { reason: &'static str, span: Span } Error "scn::expand::bad_path" {
            at(span, format!("no file has this path: it holds {reason}"), "not a path")
        }
    }
}
