//! `scn exec` and `scn shell`: a command or a shell in a node of a lab that is held. Its exit status is the command's own.

use std::ffi::OsString;

use scn_runner::lab::held;

use super::tell;
use crate::arguments::{ExecArguments, ShellArguments};
use crate::exit::Exit;

/// Runs a command in a node.
#[must_use]
pub fn exec(arguments: &ExecArguments) -> Exit {
    enter(arguments.run.as_deref(), &arguments.node, Some(&arguments.command))
}

/// Runs the user's shell in a node.
#[must_use]
pub fn shell(arguments: &ShellArguments) -> Exit {
    enter(arguments.run.as_deref(), &arguments.node, None)
}

fn enter(run: Option<&str>, node: &str, command: Option<&[OsString]>) -> Exit {
    match held::enter(run, node, command) {
        Ok(status) => Exit::Of(status),
        Err(error) => {
            tell(&format!("error: {error}"));
            Exit::Of(error.status())
        }
    }
}
