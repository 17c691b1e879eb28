//! Where programs are found, and what of a command line is one. In: command lines. Out: the program that is missing on this machine, if it can
//! be told beforehand. Starts nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use scn_grammar::scenario::text::{Text, TextPart};
use scn_grammar::scenario::timeline::Action;

use super::super::error::LabError;
use crate::plan::types::Plan;
use crate::traffic::tools;

/// Where programs of administrators stand, which are not on everybody's search path.
const FOR_ALL: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
/// What a program under test sees there is its node's own.
const OWN: [&str; 3] = ["/run/", "/var/run/", "/tmp/"];
/// Words that a shell itself knows.
const BUILTIN: &[&str] = &[
    "!", ".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done", "echo", "elif", "else", "esac", "eval",
    "exec", "exit", "export", "false", "fc", "fg", "fi", "for", "function", "getopts", "hash", "if", "in", "jobs", "kill", "local",
    "printf", "pwd", "read", "readonly", "return", "select", "set", "shift", "source", "test", "then", "time", "times", "trap", "true",
    "type", "ulimit", "umask", "unalias", "unset", "until", "wait", "while", "{", "}",
];

/// The search path of programs under test: this process's, then the folders of administrators.
pub(crate) fn path() -> String {
    let own = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let further = FOR_ALL.into_iter().filter(|folder| !own.split(':').any(|known| known == *folder));
    std::iter::once(own.as_str()).chain(further).collect::<Vec<_>>().join(":")
}

/// The program of this name on the search path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return is_program(Path::new(name)).then(|| PathBuf::from(name));
    }
    path().split(':').map(|folder| Path::new(folder).join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// Fails with the first program that a plan starts and that this machine does not have.
pub(crate) fn check(plan: &Plan) -> Result<(), LabError> {
    let processes = plan.processes.iter().map(|process| (format!("process `{}`", process.name), &process.command));
    let commands = plan.timeline.iter().filter_map(|entry| match &entry.action {
        Action::Run { command, .. } => Some((format!("`{}`", entry.text), command)),
        _ => None,
    });
    for (what, command) in processes.chain(commands) {
        let Some(program) = program(command) else { continue };
        if OWN.iter().any(|folder| program.starts_with(folder)) {
            return Err(LabError::HiddenProgram { what, program });
        }
        if find(&program).is_none() {
            return Err(LabError::NoProgram { what, program });
        }
    }
    for (flow, tool) in tools::made(plan).filter_map(|flow| Some((flow, flow.tool.as_ref()?))) {
        let (client, server) = tools::programs(tool.kind);
        let server = server.filter(|_| tools::serves(flow).is_some());
        if let Some(program) = std::iter::once(client).chain(server).find(|program| find(program).is_none()) {
            let what = if plan.flows.iter().any(|known| known.name == flow.name) { "flow" } else { "stress" };
            return Err(LabError::NoProgram { what: format!("{what} `{}`", flow.name), program: program.to_owned() });
        }
    }
    Ok(())
}

/// The first word of a command line if it is surely the name of a program.
fn program(command: &Text) -> Option<String> {
    let TextPart::Literal(text) = command.0.first()? else { return None };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
    for word in text.split_ascii_whitespace() {
        // A word that goes on in a hole is not known.
        let whole = command.0.len() == 1 || !text.ends_with(word);
        if word == "exec" {
            continue;
        }
        let known = whole && word.chars().all(is_plain) && !BUILTIN.contains(&word) && !word.starts_with("./") && !word.starts_with("../");
        // Relative to the folder of the process, where it may be written first.
        return (known && (!word.contains('/') || word.starts_with('/'))).then(|| word.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_command_line() {
        let of = |text: &str| program(&Text::literal(text));
        assert_eq!(of("haproxy -db -f x").as_deref(), Some("haproxy"));
        assert_eq!(of("exec /usr/sbin/nginx").as_deref(), Some("/usr/sbin/nginx"));
        for unsure in ["A=1 haproxy", "while :; do x; done", "(haproxy)", "./mine", "bin/mine", "", "$X", "`x`", "a;b"] {
            assert_eq!(of(unsure), None, "{unsure}");
        }
        let holes = |first: &str| program(&Text(vec![TextPart::Literal(first.to_owned()), TextPart::Dir]));
        assert_eq!(holes("haproxy -f ").as_deref(), Some("haproxy"));
        assert_eq!(holes("haproxy"), None, "`haproxy${{dir}}` is another word");
    }

    #[test]
    fn programs_are_found_where_administrators_have_them() {
        assert!(FOR_ALL.iter().all(|folder| path().split(':').any(|known| known == *folder)));
        assert!(find("sh").is_some() && find("/bin/sh").is_some());
        assert!(find("no-such-program").is_none() && find("/etc/passwd").is_none());
    }
}
