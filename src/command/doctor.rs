//! `scn doctor`: what this machine can do.

use scn_runner::lab::{self, Finding, State};

use super::print;
use crate::arguments::{DoctorArguments, Format};
use crate::exit::Exit;

/// Prints every finding; the exit is 5 where something that every run needs is missing.
#[must_use]
pub fn doctor(arguments: &DoctorArguments) -> Exit {
    // As `scn run` would: an ordinary user moves into a user namespace first, and then everything can be tried.
    let entered = lab::enter();
    let mut findings = lab::doctor();
    if let Err(error) = entered {
        let name = "namespaces".to_owned();
        findings.push(Finding { name, state: State::Missing, detail: error.to_string(), advice: "see above, or run as root".to_owned() });
    }
    match arguments.format {
        Format::Text => {
            let lines = findings.iter().map(|f| {
                let state = match f.state {
                    State::Ok => "ok     ",
                    State::Warn => "warning",
                    State::Missing => "MISSING",
                };
                let advice = if f.advice.is_empty() { String::new() } else { format!("\n             {}", f.advice) };
                format!("{state}  {}: {}{advice}\n", f.name, f.detail)
            });
            print(&lines.collect::<String>());
        }
        Format::Json => {
            let findings: Vec<_> = findings
                .iter()
                .map(|f| {
                    let state = match f.state {
                        State::Ok => "ok",
                        State::Warn => "warning",
                        State::Missing => "missing",
                    };
                    serde_json::json!({"name": f.name, "state": state, "detail": f.detail, "advice": f.advice})
                })
                .collect();
            print(&format!("{:#}\n", serde_json::json!({"format": "scn-doctor", "version": 1, "findings": findings})));
        }
    }
    if findings.iter().any(|f| f.state == State::Missing) { Exit::Machine } else { Exit::Pass }
}
