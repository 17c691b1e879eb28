//! Each request on small texts; `|` marks the cursor. The disk is a table of texts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lsp_server::{Message, Notification, Request, RequestId};
use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::Scenario;
use scn_grammar::source::Sources;
use scn_grammar::{Load, LoadedText, NotLoaded};
use serde_json::{Value, json};

use crate::positions::Lines;
use crate::{Disk, Server};

#[derive(Clone, Default)]
struct Table(BTreeMap<String, String>);

impl Load for Table {
    fn file(&mut self, path: &str, by: &str) -> Result<LoadedText, NotLoaded> {
        let name = crate::places::beside(path, by);
        self.0.get(&name).map(|text| LoadedText { name, text: text.clone() }).ok_or_else(|| "there is none".into())
    }

    fn module(&mut self, _words: &[&str], _by: &str) -> Result<LoadedText, NotLoaded> {
        Err("there is none".into())
    }
}

impl Disk for Table {
    fn uses_of<'a>(&'a mut self, _: &Path, _: &mut Sources, _: &mut Vec<Diagnostic>) -> Box<dyn Load + 'a> {
        Box::new(self.clone())
    }

    fn read(&self, file: &Path) -> Option<String> {
        self.0.get(&*file.to_string_lossy()).cloned()
    }

    fn scenarios_under(&self, folder: &Path) -> Vec<PathBuf> {
        self.0.keys().map(PathBuf::from).filter(|path| path.starts_with(folder)).collect()
    }

    fn shown(&mut self, name: &str, _text: &str) -> Option<PathBuf> {
        Some(Path::new("/shown").join(name))
    }

    fn is_shown(&self, file: &Path) -> bool {
        file.starts_with("/shown")
    }

    fn plan_problems(&self, _: &Scenario) -> Vec<Diagnostic> {
        Vec::new()
    }
}

struct Client {
    server: Server,
    problems: BTreeMap<String, Vec<Value>>,
    ids: i32,
}

const URI: &str = "file:///w/a.scn";

impl Client {
    /// A client with one open document; gives the place of the mark.
    fn with(marked: &str, others: &[(&str, &str)]) -> (Client, Value) {
        let byte = marked.find('|').unwrap_or(0);
        let text = marked.replacen('|', "", 1);
        let table = others.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let mut client = Client { server: Server::new(Box::new(Table(table))), problems: BTreeMap::new(), ids: 0 };
        client.ask("initialize", json!({ "capabilities": {}, "workspaceFolders": [{ "uri": "file:///w", "name": "w" }] })).unwrap();
        client.tell("textDocument/didOpen", json!({ "textDocument": { "uri": URI, "languageId": "scn", "version": 1, "text": text } }));
        let position = Lines::of(&text).position(&text, byte);
        (client, json!({ "textDocument": { "uri": URI }, "position": position }))
    }

    fn note(&mut self, messages: Vec<Message>) -> Option<Result<Value, (i32, String)>> {
        let mut answer = None;
        for message in messages {
            match message {
                Message::Response(response) => answer = Some(response.response_result.map_err(|error| (error.code, error.message))),
                Message::Notification(said) => {
                    let all = said.params["diagnostics"].as_array().cloned().unwrap_or_default();
                    self.problems.insert(said.params["uri"].as_str().unwrap().to_owned(), all);
                }
                Message::Request(_) => {}
            }
        }
        answer
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        self.ids += 1;
        let request = Request { id: RequestId::from(self.ids), method: method.into(), params };
        let outcome = self.server.take(request.into());
        self.note(outcome.messages).unwrap()
    }

    fn tell(&mut self, method: &str, params: Value) {
        let outcome = self.server.take(Notification { method: method.into(), params }.into());
        self.note(outcome.messages);
        for _ in 0..10 {
            if self.server.patience().is_some() {
                let outcome = self.server.settle();
                self.note(outcome.messages);
            }
        }
    }

    fn change(&mut self, text: &str) {
        self.tell("textDocument/didChange", json!({ "textDocument": { "uri": URI, "version": 2 }, "contentChanges": [{ "text": text }] }));
    }

    fn codes(&self, uri: &str) -> Vec<&str> {
        self.problems.get(uri).into_iter().flatten().map(|one| one["code"].as_str().unwrap()).collect()
    }
}

/// A whole scenario; `%` stands for what is put in.
fn scenario(flow: &str, expect: &str) -> String {
    format!(
        "scn 1\n\nuse std.patterns (sym)\nlet budget = 1.5s\n\n## Clients talk. Ä𝄞\nscenario s {{\n    topology {{\n        node client, server\n        \
         link wan: client <-> server {{ delay 20ms }}\n    }}\n    flow steady from client to server {{\n        pattern sym(1KiB)\n        rate 100/s\n        \
         {flow}\n    }}\n    timeline {{\n        at 5s stop steady\n    }}\n    expect {{\n        steady.loss == 0%\n        {expect}\n    }}\n}}\n"
    )
}

fn labels(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect()
}

fn completed(marked: &str) -> Value {
    let (mut client, at) = Client::with(marked, &[]);
    client.ask("textDocument/completion", at).unwrap()
}

fn hovered(marked: &str) -> String {
    let (mut client, at) = Client::with(marked, &[]);
    let found = client.ask("textDocument/hover", at).unwrap();
    found["contents"]["value"].as_str().unwrap_or("").to_owned()
}

#[test]
fn problems_come_and_go() {
    let (mut client, _) = Client::with(&scenario("rate 10ms", ""), &[]);
    assert!(!client.codes(URI).is_empty(), "{:?}", client.problems);
    let message = client.problems[URI][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("rate"), "{message}");
    client.change(&scenario("", "steady.outage.max < budget"));
    assert_eq!(client.codes(URI), [""; 0], "{:?}", client.problems);
}

#[test]
fn problems_of_used_files_are_told_there_and_open_texts_win() {
    let uses = "scn 1\nuse \"./b.scn\" (p)\nscenario s {\n    topology { node a, b; link a <-> b }\n    flow f from a to b { pattern p  total 1 }\n    expect { f.loss == 0% }\n}\n";
    let (mut client, _) = Client::with(uses, &[("/w/b.scn", "scn 1\npattern p { client sendz 1B }\n")]);
    assert!(!client.codes("file:///w/b.scn").is_empty(), "{:?}", client.problems);
    let fine = "scn 1\npattern p { client sends 1B }\n";
    client.tell(
        "textDocument/didOpen",
        json!({ "textDocument": { "uri": "file:///w/b.scn", "languageId": "scn", "version": 1, "text": fine } }),
    );
    assert_eq!((client.codes("file:///w/b.scn"), client.codes(URI)), (vec![], vec![]), "{:?}", client.problems);
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": "file:///w/b.scn" } }));
    assert!(!client.codes("file:///w/b.scn").is_empty(), "the text on disk counts again");
}

#[test]
fn hover_tells_names_literals_metrics_and_words() {
    let of_value = hovered(&scenario("", "steady.outage.max < bud|get"));
    assert!(of_value.contains("let budget = 1.5s") && of_value.contains("= `1500ms`"), "{of_value}");
    let of_literal = hovered(&scenario("", "steady.outage.max < 1.5|s"));
    assert!(of_literal.contains("`1.5s` = `1500ms`"), "{of_literal}");
    let of_metric = hovered(&scenario("", "steady.outage.ma|x < 1s"));
    assert!(of_metric.contains("a metric: duration") && of_metric.contains("RFC 6414"), "{of_metric}");
    let of_option = hovered(&scenario("connec|tions 5", ""));
    assert!(of_option.contains("alive at once"), "{of_option}");
    let of_flow = hovered(&scenario("", "ste|ady.errors == 0"));
    assert!(of_flow.contains("flow steady from client to server"), "{of_flow}");
    let of_scenario = hovered(&scenario("", "").replace("scenario s {", "scenario |s {"));
    assert!(of_scenario.contains("Clients talk. Ä𝄞"), "{of_scenario}");
    assert_eq!(hovered(&scenario("", "").replace("Clients talk", "Cli|ents talk")), "");
}

#[test]
fn definitions_lead_to_declarations_and_modules() {
    let go = |marked: &str| {
        let (mut client, at) = Client::with(marked, &[]);
        client.ask("textDocument/definition", at).unwrap()
    };
    let own = go(&scenario("", "ste|ady.errors == 0"));
    assert_eq!((own["uri"].as_str(), own["range"]["start"]["line"].as_u64()), (Some(URI), Some(11)), "{own}");
    let std = go(&scenario("", "").replace("pattern sym", "pattern sy|m"));
    assert_eq!(std["uri"], "file:///shown/std/patterns.scn", "{std}");
    let module = go(&scenario("", "").replace("use std.patterns", "use std.pat|terns"));
    assert_eq!(module["uri"], "file:///shown/std/patterns.scn", "{module}");
    assert_eq!(go("scn 1\n|\n"), Value::Null);
}

const USER: &str = "scn 1\nuse \"./a.scn\" (ping)\nscenario t {\n    topology { node x, y; link x <-> y }\n    flow f from x to y { pattern ping  total 1 }\n    expect { f.loss == 0% }\n}\n";

#[test]
fn references_and_new_names_cross_files() {
    let others = [("/w/user.scn", USER)];
    let declares =
        "scn 1\n## Once.\npattern pi|ng(n: size = 1B) {\n    client sends n\n    server echoes\n}\npattern taken { client sends 1B }\n";
    let (mut client, at) = Client::with(declares, &others);
    let mut asked = at.clone();
    asked["context"] = json!({ "includeDeclaration": true });
    let places = client.ask("textDocument/references", asked).unwrap();
    let lines: Vec<(&str, u64)> = places
        .as_array()
        .unwrap()
        .iter()
        .map(|place| (place["uri"].as_str().unwrap(), place["range"]["start"]["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(lines, [(URI, 2), ("file:///w/user.scn", 1), ("file:///w/user.scn", 4)]);
    let to = |name: &str| {
        let mut asked = at.clone();
        asked["newName"] = json!(name);
        asked
    };
    let changes = client.ask("textDocument/rename", to("pong")).unwrap();
    assert_eq!(changes["changes"][URI].as_array().unwrap().len(), 1, "{changes}");
    assert_eq!(changes["changes"]["file:///w/user.scn"].as_array().unwrap().len(), 2, "{changes}");
    assert!(client.ask("textDocument/rename", to("2x")).unwrap_err().1.contains("is no name"));
    let taken = client.ask("textDocument/rename", to("taken"));
    assert!(taken.as_ref().is_err_and(|(_, why)| why.contains("would be an error")), "{taken:?}");
}

#[test]
fn names_of_the_library_stay() {
    let (mut client, mut at) = Client::with(&scenario("", "").replace("pattern sym", "pattern sy|m"), &[]);
    assert!(client.ask("textDocument/prepareRename", at.clone()).unwrap_err().1.contains("no file of this project"));
    at["newName"] = json!("other");
    assert!(client.ask("textDocument/rename", at).unwrap_err().1.contains("no file of this project"));
}

#[test]
fn completion_fits_the_place() {
    let found = completed(&scenario("con|", ""));
    assert!(labels(&found).contains(&"connections") && !labels(&found).contains(&"delay"), "{found}");
    let found = completed(&scenario("", "steady.|"));
    assert!(labels(&found).contains(&"latency.p99") && !labels(&found).contains(&"queued"), "{found}");
    let found = completed(&scenario("", "steady.latency.|"));
    assert!(labels(&found).contains(&"p99") && !labels(&found).contains(&"loss"), "{found}");
    let found = completed(&scenario("", "wan.|"));
    assert!(labels(&found).contains(&"dropped") && labels(&found).contains(&"forward"), "{found}");
    let found = completed(&scenario("", "steady.latency.p99 < 20|"));
    assert!(labels(&found).contains(&"20ms") && !labels(&found).contains(&"20MiB"), "{found}");
    let found = completed(&scenario("reconnect after 1|", ""));
    assert!(labels(&found).contains(&"1s") && !labels(&found).contains(&"1MiB"), "{found}");
    let found = completed("scn 1\n|\n");
    assert!(labels(&found).contains(&"scenario") && !labels(&found).contains(&"flow"), "{found}");
    let found = completed("scn 1\nuse std.|\n");
    assert!(labels(&found).contains(&"failover"), "{found}");
    let found = completed("scn 1\nuse std.patterns (|)\n");
    assert!(labels(&found).contains(&"sym"), "{found}");
    let found = completed("scn 1\nuse std.failover\nscenario s {\n    expect {\n        failover.|\n    }\n}\n");
    assert!(labels(&found).contains(&"survives"), "{found}");
    let found = completed(&scenario("", "").replace("stop steady", "stop |"));
    assert!(labels(&found).contains(&"steady"), "{found}");
    assert_eq!(completed("scn 1 # |\n"), json!([]));
}

#[test]
fn the_text_alone_tells_shape_and_colours() {
    let text = scenario("", "").replace("    flow steady from", "    # one\n    # two\n    flow   steady from");
    let (mut client, at) = Client::with(&text, &[]);
    let document = json!({ "textDocument": at["textDocument"] });
    let symbols = client.ask("textDocument/documentSymbol", document.clone()).unwrap();
    let names: Vec<&str> = symbols.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["budget", "s"]);
    let inner: Vec<&str> = symbols[1]["children"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(inner, ["client", "server", "wan", "steady"]);
    let folds = client.ask("textDocument/foldingRange", document.clone()).unwrap();
    assert!(folds.as_array().unwrap().iter().any(|fold| fold["kind"] == "comment"), "{folds}");
    assert!(folds.as_array().unwrap().iter().any(|fold| fold["startLine"] == 6 && fold["kind"] == "region"), "{folds}");
    let colours = client.ask("textDocument/semanticTokens/full", document.clone()).unwrap();
    assert!(colours["data"].as_array().unwrap().len() > 100, "{colours}");
    let options = json!({ "textDocument": at["textDocument"], "options": { "tabSize": 4, "insertSpaces": true } });
    let edits = client.ask("textDocument/formatting", options).unwrap();
    assert!(edits[0]["newText"].as_str().unwrap().contains("        rate 100/s\n    }\n"), "{edits}");
}

#[test]
fn colours_stand_where_the_words_stand() {
    let text = "scn 1\nlet ä = 1\nlet b = \"𝄞\" # c\n";
    let tokens = crate::colours::tokens(text, &crate::cursor::cut(text), &Lines::of(text), &(0..text.len()));
    let shown: Vec<(u32, u32, u32, &str)> =
        tokens.iter().map(|t| (t.delta_line, t.delta_start, t.length, crate::colours::SORTS[t.token_type as usize])).collect();
    assert!(shown.contains(&(0, 4, 4, "string")) && shown.contains(&(0, 5, 3, "comment")), "{shown:?}");
}

#[test]
fn colours_of_a_part_are_those_of_the_whole() {
    let text = &scenario("", "");
    let (scan, lines) = (crate::cursor::cut(text), Lines::of(text));
    let placed = |shown: std::ops::Range<usize>| {
        let (mut line, mut column) = (0, 0);
        let tokens = crate::colours::tokens(text, &scan, &lines, &shown);
        let at = |token: &lsp_types::SemanticToken| {
            column = if token.delta_line == 0 { column + token.delta_start } else { token.delta_start };
            line += token.delta_line;
            (line, column, token.length, token.token_type)
        };
        tokens.iter().map(at).collect::<Vec<_>>()
    };
    let whole = placed(0..text.len());
    let part = text.len() / 3..text.len() / 3 * 2;
    let inside =
        |place: &&(u32, u32, u32, u32)| part.contains(&lines.byte(text, lsp_types::Position { line: place.0, character: place.1 }));
    assert_eq!(placed(part.clone()), whole.iter().filter(inside).copied().collect::<Vec<_>>());
}

#[test]
fn what_is_asked_wrongly_is_refused_and_forgotten() {
    let (mut client, at) = Client::with(&scenario("", ""), &[]);
    assert_eq!(client.ask("textDocument/unknown", json!(null)).unwrap_err().0, -32601);
    assert_eq!(client.ask("textDocument/hover", json!({ "x": 1 })).unwrap_err().0, -32602);
    assert_eq!(client.ask("initialize", json!({ "capabilities": {} })).unwrap_err().0, -32600);
    let far = json!({ "textDocument": at["textDocument"], "position": { "line": 4_000_000, "character": 4_000_000 } });
    for method in ["hover", "definition", "completion"] {
        assert!(client.ask(&format!("textDocument/{method}"), far.clone()).is_ok(), "{method}");
    }
    let closed = json!({ "textDocument": { "uri": "file:///w/none.scn" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(client.ask("textDocument/hover", closed), Ok(Value::Null));
    client.tell("textDocument/didChange", json!({ "nonsense": true }));
    assert_eq!(client.ask("shutdown", Value::Null), Ok(Value::Null));
    assert_eq!(client.ask("textDocument/hover", far).unwrap_err().0, -32600);
    assert_eq!(client.server.take(Notification { method: "exit".into(), params: Value::Null }.into()).exit, Some(true));
}

#[test]
fn every_cut_of_a_text_is_answered() {
    let whole = scenario("over tcp { nodelay on }", "steady.latency.p99 < 20ms");
    let (mut client, at) = Client::with(&whole, &[]);
    let cuts = whole.char_indices().map(|(byte, _)| byte).filter(|byte| byte % 7 == 0);
    for byte in cuts {
        client.change(&whole[..byte]);
        let mut place = at.clone();
        place["position"] = serde_json::to_value(Lines::of(&whole).position(&whole, byte)).unwrap();
        for method in ["hover", "definition", "completion", "documentSymbol", "foldingRange", "semanticTokens/full"] {
            assert!(client.ask(&format!("textDocument/{method}"), place.clone()).is_ok(), "{method} at {byte}");
        }
    }
}
