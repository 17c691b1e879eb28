//! `scn clean`: undo what dead runs changed on this machine.

use scn_runner::lab;

use super::{print, tell};
use crate::exit::Exit;

/// Undoes the journals of dead runs and says what became of each; the exit is 5 where one had to be kept.
#[must_use]
pub fn clean() -> Exit {
    let cleaned = match lab::clean() {
        Ok(cleaned) => cleaned,
        Err(error) => {
            tell(&format!("error: {error}"));
            return Exit::Machine;
        }
    };
    for one in &cleaned {
        one.undone.iter().for_each(|what| print(&format!("run {}: {what}\n", one.run)));
        match &one.kept {
            Some(why) => tell(&format!("run {}: its journal stays: {why}", one.run)),
            None if one.undone.is_empty() => print(&format!("run {}: nothing was left\n", one.run)),
            None => {}
        }
    }
    if cleaned.is_empty() {
        print("nothing to clean: no run left a journal\n");
    }
    if cleaned.iter().any(|one| one.kept.is_some() && !one.alive) { Exit::Machine } else { Exit::Pass }
}
