//! The server between messages: open texts, their checks, what the client was told. In: messages, and moments in which nothing comes.
//! Out: answers and problems. A changed text is checked when no message waits, so keys typed fast share one check.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use lsp_server::{ErrorCode, Message, Notification, Request, Response};
use lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, InitializeParams, PublishDiagnosticsParams,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::analysis::{Analysis, analyse};
use crate::documents::Documents;
use crate::places::{name_of, uri_of};
use crate::problems::by_document;
use crate::{Disk, requests};

/// A changed text is checked when nothing came for so long.
const PAUSE: Duration = Duration::from_millis(5);
/// The plans of its scenarios are looked at when nothing came for so long.
const REST: Duration = Duration::from_millis(300);

/// What a message led to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For the client.
    pub messages: Vec<Message>,
    /// The server is to end: with `true` it was told beforehand.
    pub exit: Option<bool>,
}

/// How far the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The client has not said who it is.
    New,
    /// All is asked and answered.
    Running,
    /// The client said that it will end the server.
    Closing,
}

/// What a language server knows.
pub struct Server {
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) documents: Documents,
    /// The folders that the editor shows.
    pub(crate) roots: Vec<PathBuf>,
    /// The last check of each open document.
    pub(crate) analyses: BTreeMap<String, Analysis>,
    phase: Phase,
    /// Documents whose last check is older than their text or than what they use.
    stale: BTreeSet<String>,
    /// Documents whose plans were not looked at since their check.
    unplanned: BTreeSet<String>,
    /// What the check of each open document said, by the document it is about.
    said: BTreeMap<String, BTreeMap<String, Vec<lsp_types::Diagnostic>>>,
    out: Vec<Message>,
}

impl Server {
    /// A server that reads through `disk`.
    #[must_use]
    pub fn new(disk: Box<dyn Disk>) -> Self {
        Server {
            disk,
            documents: Documents::default(),
            roots: Vec::new(),
            analyses: BTreeMap::new(),
            phase: Phase::New,
            stale: BTreeSet::new(),
            unplanned: BTreeSet::new(),
            said: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// Takes a message.
    pub fn take(&mut self, message: Message) -> Outcome {
        let mut exit = None;
        match message {
            Message::Request(request) => self.request(request),
            Message::Notification(notification) if notification.method == "exit" => exit = Some(self.phase == Phase::Closing),
            Message::Notification(notification) if self.phase == Phase::Running => self.notification(notification),
            // Answers to nothing that was asked, and what comes out of turn.
            Message::Notification(_) | Message::Response(_) => {}
        }
        Outcome { messages: std::mem::take(&mut self.out), exit }
    }

    /// How long to wait for a message before [`Server::settle`]; `None`: nothing is left to do.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        if self.stale.is_empty() { (!self.unplanned.is_empty()).then_some(REST) } else { Some(PAUSE) }
    }

    /// Does one piece of the work that waits: checks a document, or looks at its plans.
    pub fn settle(&mut self) -> Outcome {
        // The texts that were changed come before those that use them.
        let next = self.stale.iter().find(|name| !self.analyses.contains_key(*name)).or(self.stale.first()).cloned();
        if let Some(name) = next {
            self.check(&name);
        } else if let Some(name) = self.unplanned.pop_first() {
            self.plan(&name);
        }
        Outcome { messages: std::mem::take(&mut self.out), exit: None }
    }

    fn request(&mut self, request: Request) {
        let Request { id, method, params } = request;
        let answer = match (self.phase, method.as_str()) {
            (Phase::New, "initialize") => self.initialize(params),
            (Phase::New, _) => Err((ErrorCode::ServerNotInitialized, "`initialize` comes first".to_owned())),
            (Phase::Running, "shutdown") => {
                self.phase = Phase::Closing;
                Ok(Value::Null)
            }
            (Phase::Running, "initialize") => Err((ErrorCode::InvalidRequest, "`initialize` was said already".to_owned())),
            (Phase::Closing, _) => Err((ErrorCode::InvalidRequest, "the server was shut down".to_owned())),
            (Phase::Running, method) => {
                // A fault of the server costs this answer, not what the user is writing.
                let answer = catch_unwind(AssertUnwindSafe(|| requests::answer(self, method, params)));
                answer.unwrap_or_else(|_| Err((ErrorCode::InternalError, "a fault of scn; please report it with the text".to_owned())))
            }
        };
        let answer = match answer {
            Ok(value) => Response::new_ok(id, value),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        };
        self.out.push(answer.into());
    }

    fn initialize(&mut self, params: Value) -> requests::Answer {
        let params: InitializeParams = requests::read(params)?;
        let folders = params.workspace_folders.unwrap_or_default().into_iter().map(|folder| folder.uri);
        #[expect(deprecated, reason = "older clients name one folder so")]
        let root = params.root_uri;
        let mut roots: Vec<String> = folders.map(|uri| name_of(&uri)).collect();
        if roots.is_empty() {
            roots.extend(root.map(|uri| name_of(&uri)));
        }
        self.roots = roots.into_iter().filter(|root| root.starts_with('/')).map(PathBuf::from).collect();
        self.phase = Phase::Running;
        requests::capabilities()
    }

    fn notification(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        match method.as_str() {
            "textDocument/didOpen" => {
                if let Some(DidOpenTextDocumentParams { text_document: opened }) = read(params) {
                    let name = name_of(&opened.uri);
                    self.documents.open(name.clone(), opened.uri, opened.version, opened.text);
                    self.changed(&name);
                }
            }
            "textDocument/didChange" => {
                if let Some(DidChangeTextDocumentParams { text_document: changed, content_changes }) = read(params) {
                    let name = name_of(&changed.uri);
                    if self.documents.change(&name, changed.version, content_changes) {
                        self.changed(&name);
                    }
                }
            }
            "textDocument/didClose" => {
                if let Some(DidCloseTextDocumentParams { text_document: closed }) = read(params) {
                    self.close(&name_of(&closed.uri));
                }
            }
            // Something on disk is different now.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.stale.extend(self.documents.names().map(str::to_owned));
            }
            _ => {}
        }
    }

    /// A text changed: it and all that use it have to be checked.
    fn changed(&mut self, name: &str) {
        self.stale.insert(name.to_owned());
        let users = self.analyses.iter().filter(|(_, analysis)| analysis.reads(name)).map(|(user, _)| user.clone());
        self.stale.extend(users.collect::<Vec<_>>());
    }

    fn close(&mut self, name: &str) {
        self.changed(name);
        self.documents.close(name);
        self.analyses.remove(name);
        self.stale.remove(name);
        self.unplanned.remove(name);
        let mut about: BTreeSet<String> = self.said.remove(name).unwrap_or_default().into_keys().collect();
        about.insert(name.to_owned());
        self.publish(about);
    }

    /// The last check of an open document, made anew if its text is newer.
    pub(crate) fn fresh(&mut self, name: &str) -> Option<&Analysis> {
        if self.stale.contains(name) {
            self.check(name);
        }
        self.analyses.get(name)
    }

    /// Checks an open document and tells what is wrong.
    fn check(&mut self, name: &str) {
        self.stale.remove(name);
        let Some(text) = self.documents.get(name).map(|open| open.text.clone()) else { return };
        let (documents, disk) = (&self.documents, &mut *self.disk);
        let Ok(analysis) = catch_unwind(AssertUnwindSafe(|| analyse(name, text, documents, disk))) else {
            self.analyses.remove(name);
            return;
        };
        let said = by_document(&analysis.problems, &analysis.sources, &mut *self.disk);
        if analysis.scenarios.is_empty() {
            self.unplanned.remove(name);
        } else {
            self.unplanned.insert(name.to_owned());
        }
        self.analyses.insert(name.to_owned(), analysis);
        self.say(name, said);
    }

    /// Looks at the plans of a document's scenarios.
    fn plan(&mut self, name: &str) {
        let Some(analysis) = self.analyses.get_mut(name) else { return };
        let scenarios = std::mem::take(&mut analysis.scenarios);
        let disk = &*self.disk;
        let found = catch_unwind(AssertUnwindSafe(|| scenarios.iter().flat_map(|one| disk.plan_problems(one)).collect::<Vec<_>>()));
        let found = found.unwrap_or_default();
        if !found.is_empty() {
            analysis.problems.extend(found);
            let said = by_document(&analysis.problems, &analysis.sources, &mut *self.disk);
            self.say(name, said);
        }
    }

    /// Takes what the check of a document says for what is known, and tells the client what changed.
    fn say(&mut self, name: &str, said: BTreeMap<String, Vec<lsp_types::Diagnostic>>) {
        let mut about: BTreeSet<String> = said.keys().cloned().collect();
        let before = self.said.insert(name.to_owned(), said).unwrap_or_default();
        about.extend(before.into_keys());
        about.insert(name.to_owned());
        self.publish(about);
    }

    /// Tells the client all that is known about these documents. What an open document's own check says of it is all; about others
    /// everything counts that the checks of their users say.
    fn publish(&mut self, about: BTreeSet<String>) {
        for name in about {
            let open = self.documents.get(&name);
            let mut diagnostics: Vec<lsp_types::Diagnostic> = Vec::new();
            for (user, said) in &self.said {
                if *user == name || open.is_none() {
                    let new = said.get(&name).into_iter().flatten().filter(|one| !diagnostics.contains(one)).cloned().collect::<Vec<_>>();
                    diagnostics.extend(new);
                }
            }
            let Some(uri) = open.map(|open| open.uri.clone()).or_else(|| uri_of(&name)) else { continue };
            let params = PublishDiagnosticsParams { uri, diagnostics, version: open.map(|open| open.version) };
            self.out.push(Notification::new("textDocument/publishDiagnostics".to_owned(), params).into());
        }
    }
}

/// Parameters of a notification; of wrong ones nobody can be told.
fn read<P: DeserializeOwned>(params: Value) -> Option<P> {
    serde_json::from_value(params).ok()
}
