//! `scn lsp`: the language server over standard input and output. Reads and writes messages, and gives the server its disk; what is
//! answered is decided in `scn_editors`.

use std::cell::OnceCell;
use std::fs;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use lsp_server::Message;
use scn_editors::{Disk, Outcome, Server};
use scn_grammar::Load;
use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::Scenario;
use scn_grammar::source::Sources;
use scn_runner::plan;

use super::tell;
use crate::exit::Exit;
use crate::uses::{Projects, store};
use crate::{load, results};

/// Messages that wait: more are not read, so a client that floods waits for its answers.
const WAITING: usize = 1_000;
/// A message larger than this is passed over.
const MAX_MESSAGE: u64 = 256 << 20;
/// A line of a message's head is no longer than this.
const MAX_LINE: u64 = 4_096;

/// What came in.
enum Read {
    /// A message.
    Message(Message),
    /// Something that is none, with what is wrong with it.
    Nonsense(String),
}

/// Serves the client on standard input and output until it says `exit` or goes away.
#[must_use]
pub fn lsp() -> Exit {
    let (sender, receiver) = sync_channel(WAITING);
    // It ends with the process: a read of standard input cannot be cut short.
    std::thread::spawn(move || read_all(&sender));
    let mut server = Server::new(Box::new(Machine::default()));
    match serve(&mut server, &receiver) {
        Ok(true) => Exit::Pass,
        Ok(false) => Exit::Fail,
        Err(error) => {
            tell(&format!("error: standard output could not be written: {error}"));
            Exit::Machine
        }
    }
}

/// Answers until the end. `false`: the client left without saying so.
fn serve(server: &mut Server, receiver: &Receiver<Read>) -> io::Result<bool> {
    loop {
        let read = match server.patience() {
            Some(pause) => receiver.recv_timeout(pause),
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let outcome = match read {
            Ok(Read::Message(message)) => server.take(message),
            Ok(Read::Nonsense(why)) => {
                refuse(&why)?;
                Outcome::default()
            }
            Err(RecvTimeoutError::Timeout) => server.settle(),
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        };
        let mut out = io::stdout().lock();
        for message in &outcome.messages {
            message.write(&mut out)?;
        }
        out.flush()?;
        if let Some(fine) = outcome.exit {
            return Ok(fine);
        }
    }
}

/// Says that something was no message. It has no number to answer to.
fn refuse(why: &str) -> io::Result<()> {
    let said = serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700, "message": why } }).to_string();
    let mut out = io::stdout().lock();
    write!(out, "Content-Length: {}\r\n\r\n{said}", said.len())?;
    out.flush()
}

/// Hands over every message of standard input, until its end or until nobody wants them.
fn read_all(sender: &SyncSender<Read>) {
    let mut input = BufReader::new(io::stdin());
    while let Ok(Some(read)) = read_one(&mut input) {
        if sender.send(read).is_err() {
            return;
        }
    }
}

/// The next message; `None`: the end. What is no head of a message is passed over up to the next one.
fn read_one(input: &mut impl BufRead) -> io::Result<Option<Read>> {
    let mut length: Option<u64> = None;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            match length {
                Some(length) => return body(input, length).map(Some),
                None => continue,
            }
        }
        let named = line.split_once(':').filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-length"));
        if let Some((_, value)) = named {
            length = value.trim().parse().ok();
        }
    }
}

/// What stands behind a head.
fn body(input: &mut impl BufRead, length: u64) -> io::Result<Read> {
    let mut body = input.by_ref().take(length);
    if length > MAX_MESSAGE {
        io::copy(&mut body, &mut io::sink())?;
        return Ok(Read::Nonsense(format!("a message has at most {} MiB", MAX_MESSAGE >> 20)));
    }
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes)?;
    Ok(match serde_json::from_slice(&bytes) {
        Ok(message) => Read::Message(message),
        Err(error) => Read::Nonsense(format!("this is no message: {error}")),
    })
}

/// The files of this machine.
#[derive(Default)]
struct Machine {
    /// The projects of the check under way: `scn.toml` may change at any time.
    projects: Option<Projects>,
    /// Where texts are shown that have no file of their own; `None`: there is no such place.
    shown: OnceCell<Option<PathBuf>>,
}

impl Machine {
    fn shown_folder(&self) -> Option<&Path> {
        let folder = || store().ok().map(|store| store.root().join("shown").join(env!("CARGO_PKG_VERSION")));
        self.shown.get_or_init(folder).as_deref()
    }
}

impl Disk for Machine {
    fn uses_of<'a>(&'a mut self, file: &Path, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) -> Box<dyn Load + 'a> {
        Box::new(self.projects.insert(Projects::new(false)).uses_of(file, sources, diagnostics))
    }

    fn read(&self, file: &Path) -> Option<String> {
        load::read_text(file)
    }

    fn scenarios_under(&self, folder: &Path) -> Vec<PathBuf> {
        load::find(&[folder.to_string_lossy().into_owned()]).unwrap_or_default()
    }

    fn shown(&mut self, name: &str, text: &str) -> Option<PathBuf> {
        let path = self.shown_folder()?.join(name);
        let inside = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        let written = || fs::read_to_string(&path).is_ok_and(|old| old == text);
        (inside && (written() || results::write(&path, text).is_ok())).then_some(path)
    }

    fn is_shown(&self, file: &Path) -> bool {
        self.shown_folder().is_some_and(|folder| file.starts_with(folder))
    }

    fn plan_problems(&self, scenario: &Scenario) -> Vec<Diagnostic> {
        match plan::plan(scenario, &plan::Settings::default()) {
            Ok(planned) => planned.warnings,
            Err(problems) => problems,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_on_behind_what_is_no_message() {
        let fine = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let framed = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let text = format!("rubbish\r\n\r\n{}{}content-length: x\r\n\r\n{}", framed("{nonsense"), framed(fine), framed(fine));
        let mut input = text.as_bytes();
        let mut found = Vec::new();
        while let Some(read) = read_one(&mut input).unwrap() {
            found.push(matches!(read, Read::Message(Message::Notification(_))));
        }
        assert_eq!(found, [false, true, true]);
        let mut cut: &[u8] = b"Content-Length: 50\r\n\r\n{";
        assert!(matches!(read_one(&mut cut), Ok(Some(Read::Nonsense(_)))));
    }
}
