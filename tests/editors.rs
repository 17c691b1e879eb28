//! The files in `editors/` against the language: every word it knows is in each editor's lists, and everything that scn reads is
//! read and coloured by them without an error. In: the sources of `grammar`, every scenario of the repository. What runs Vim, the
//! TextMate grammar and the tree-sitter grammar is `editors.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use scn_grammar::diagnostics::Severity;
use scn_grammar::source::Sources;
use scn_grammar::syntax;

use crate::built::{Place, finish, repository, skip};

const TEXTMATE: &str = "editors/vscode/syntaxes/scn.tmLanguage.json";
const VIM: &str = "editors/vim/syntax/scn.vim";
const TREE_SITTER: &str = "editors/tree-sitter/queries/highlights.scm";
/// Tables whose words stand in no scenario, or only as names of arguments.
const NO_WORDS: &[&str] = &["GILBERT_ELLIOTT", "UNKNOWN"];

/// Words by where they were found.
type Words = BTreeMap<String, BTreeSet<String>>;

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files under a folder of the repository with this ending, but for what builds and tools leave.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules", "scn-results"].contains(&name.as_str()) && !name.starts_with('.') {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
}

// ---- words -------------------------------------------------------------------------------------------------------------------

/// A word that a scenario can hold: what the tables list, without the examples and messages beside it.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// What stands between double quotes, comments left out.
fn quoted(source: &str) -> impl Iterator<Item = &str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2))
}

/// The tables of a source, by name: every `const NAME: TYPE` whose type is a list or the options of something.
fn tables(source: &str) -> Vec<(&str, &str)> {
    let constants = source.split("const ").skip(1);
    let named = constants.filter_map(|part| part.split_once(": "));
    let tables = named.filter(|(_, rest)| rest.split('=').next().is_some_and(|kind| kind.contains('[') || kind.contains("Known")));
    let end = |rest: &str| rest.find("];\n").into_iter().chain(rest.find("};\n")).min().unwrap_or(rest.len());
    tables
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(|(name, rest)| (name, &rest[..end(rest)]))
        .collect()
}

/// Whether a table is of metrics.
fn is_of_metrics(table: &str) -> bool {
    table.contains("METRICS") || ["STATISTICS", "TAKE_EVENT"].contains(&table)
}

/// The sources that list options, verbs and metrics, by their path in the repository.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&repository("grammar/expand"), ".rs", &mut found);
    files(&repository("grammar/scenario"), ".rs", &mut found);
    let named = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap().replace("\\\"", "'");
        (path.strip_prefix(repository("")).unwrap().to_string_lossy().into_owned(), text)
    };
    found.into_iter().map(named).collect()
}

/// Every word that `grammar` knows, by where it is listed. Read from the sources, so that a new table of options is seen without a
/// change here.
fn known() -> Words {
    let mut words = Words::new();
    let mut add = |place: &str, found: Vec<&str>| {
        let found = found.into_iter().filter(|word| is_word(word)).map(str::to_owned);
        words.entry(place.to_owned()).or_default().extend(found);
    };
    add("grammar/syntax/words.rs", quoted(&read("grammar/syntax/words.rs")).collect());
    let rules = read("grammar/syntax/scn.pest");
    let keywords = rules.lines().filter(|line| line.starts_with("kw_"));
    add("grammar/syntax/scn.pest", keywords.flat_map(quoted).collect());
    for (path, text) in sources() {
        for (name, table) in tables(&text).into_iter().filter(|(name, _)| !is_of_metrics(name) && !NO_WORDS.contains(name)) {
            // `what: "a node"` says whose options they are.
            let table = table.split_once("what: ").map_or(table, |(_, rest)| rest.split_once(',').map_or("", |(_, rest)| rest));
            add(&format!("{path}, {name}"), quoted(table).collect());
        }
    }
    words
}

/// The parts of the metrics' names.
fn metrics() -> BTreeSet<String> {
    let all = sources();
    let tables = all.iter().flat_map(|(_, text)| tables(text).into_iter().filter(|(name, _)| is_of_metrics(name)));
    // Sentences stand beside the names.
    let names = tables.flat_map(|(_, table)| quoted(table)).filter(|name| !name.contains(' '));
    names.flat_map(|name| name.split('.')).filter(|part| is_word(part)).map(str::to_owned).collect()
}

/// The words of a text, what a regex escapes taken away: `\b`, `\h`, `\%(`.
fn words_of(regex: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut chars = regex.chars();
    while let Some(c) = chars.next() {
        let escaped = c == '\\' && chars.next().is_some();
        plain.push(if escaped || !(c.is_ascii_alphanumeric() || c == '_') { ' ' } else { c });
    }
    plain.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn in_textmate(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(regex) if ["match", "begin", "end"].contains(&name.as_str()) => found.extend(words_of(regex)),
                    _ => in_textmate(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| in_textmate(value, found)),
        _ => {}
    }
}

fn in_vim() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in read(VIM).lines() {
        if let Some(keywords) = line.strip_prefix("syn keyword ") {
            found.extend(keywords.split(' ').skip(1).filter(|word| !word.contains('=')).map(str::to_owned));
        } else if line.starts_with("syn match ") {
            found.extend(quoted(line).flat_map(words_of));
        }
    }
    found
}

#[test]
fn every_word_is_in_the_lists_of_each_editor() {
    let (known, metrics) = (known(), metrics());
    let count = |name: &str| known.get(name).map_or(0, BTreeSet::len);
    let (statements, keywords) = (count("grammar/syntax/words.rs"), count("grammar/syntax/scn.pest"));
    let options = known.iter().filter(|(name, _)| name.starts_with("grammar/expand")).map(|(_, words)| words.len()).sum::<usize>();
    let found = format!("{statements} words of statements, {keywords} keywords, {options} options, {} parts of metrics", metrics.len());
    let enough = statements >= 30 && keywords >= 50 && options >= 60 && metrics.len() >= 50;
    assert!(enough, "the tables of grammar stand elsewhere now, tell `known` where: {found}");

    let mut textmate = BTreeSet::new();
    in_textmate(&serde_json::from_str(&read(TEXTMATE)).unwrap(), &mut textmate);
    let tree_sitter: BTreeSet<String> =
        read(TREE_SITTER).lines().filter(|l| !l.starts_with(';')).flat_map(quoted).map(str::to_owned).collect();
    let mut missing = String::new();
    for (editor, listed, has_metrics) in [(TEXTMATE, &textmate, true), (VIM, &in_vim(), true), (TREE_SITTER, &tree_sitter, false)] {
        for (place, words) in &known {
            let absent: Vec<&str> = words.difference(listed).map(String::as_str).collect();
            if !absent.is_empty() {
                missing.push_str(&format!("\n{editor} lacks, of {place}: {}", absent.join(" ")));
            }
        }
        let absent: Vec<&str> = metrics.difference(listed).map(String::as_str).collect();
        if has_metrics && !absent.is_empty() {
            missing.push_str(&format!("\n{editor} lacks, of the metrics: {}", absent.join(" ")));
        }
    }
    assert!(missing.is_empty(), "put these words into the list of their kind (options, verbs, ...):{missing}");
}

// ---- what scn reads ----------------------------------------------------------------------------------------------------------

fn is_read(name: &str, text: &str) -> bool {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (_, problems) = syntax::parse(file, text);
    problems.iter().all(|problem| problem.severity == Severity::Warning)
}

/// Every scenario of the repository, and every example of the reference and of the diagnostics' pages, that has no syntax error; and
/// what scn says of a broken one.
fn corpus() -> Place {
    let place = Place::new();
    let (mut scenarios, mut pages) = (Vec::new(), Vec::new());
    files(&repository(""), ".scn", &mut scenarios);
    files(&repository("grammar"), ".md", &mut pages);
    let mut count = 0;
    let mut add = |path: &Path, number: usize, text: &str| {
        let name = path.strip_prefix(repository("")).unwrap().to_string_lossy().replace('/', "--");
        if is_read(&name, text) {
            place.write(&format!("{}-{number}.scn", name.trim_end_matches(".scn")), text);
            count += 1;
        }
    };
    for path in scenarios {
        // Files that are not UTF-8 are no scenarios.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        add(&path, 0, &text);
    }
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        let examples = text.split("```scn\n").skip(1).filter_map(|rest| rest.split_once("\n```").map(|(example, _)| example));
        examples.enumerate().for_each(|(number, example)| add(&path, number + 1, &format!("{example}\n")));
    }
    assert!(count >= 100, "only {count} scenarios are read");
    let broken = Place::new();
    broken.write("broken.scn", "scn 1\n\nscenario s {\n    timeout 5sec\n    topology { node a; link a <-> c }\n}\n");
    let said = broken.scn(&["check", "--message-format", "short", "broken.scn"]);
    let lines =
        format!("{}{}", said.stdout, said.stderr).lines().filter(|l| l.contains("[scn::")).map(|l| format!("{l}\n")).collect::<String>();
    assert!(!lines.is_empty(), "{said:?}");
    place.write("problems.txt", lines);
    place
}

/// Reads the corpus as an editor does; `module` is the Python package that it takes.
fn as_editor(kind: &str, module: Option<&str>) {
    let python = repository("target/python/bin/python");
    let ready = |module: &str| python.exists() && finish(Command::new(&python).args(["-c", &format!("import {module}")])).code == Some(0);
    if let Some(module) = module.filter(|module| !ready(module)) {
        return skip(&format!("the Python package {module} is not installed; tests/all installs it"));
    }
    let corpus = corpus();
    let python = if module.is_some() { python } else { PathBuf::from("python3") };
    let script = repository("tests/editors.py");
    let ended = finish(Command::new(python).arg(script).arg(kind).arg(repository("")).arg(corpus.path()));
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn the_tree_sitter_grammar_reads_what_scn_reads() {
    if !Path::new("/usr/bin/cc").exists() {
        return skip("no C compiler; tests/all installs gcc");
    }
    as_editor("tree-sitter", Some("tree_sitter"));
}

#[test]
fn the_textmate_grammar_marks_nothing_that_scn_reads() {
    as_editor("textmate", Some("textmate_grammar"));
}

#[test]
fn vim_colours_and_indents_scenarios() {
    let has_syntax = Path::new("/usr/bin/vim").exists() && finish(Command::new("vim").arg("--version")).stdout.contains("+syntax");
    if !has_syntax {
        return skip("no Vim with colours; tests/all installs it");
    }
    as_editor("vim", None);
}

#[test]
fn the_snippet_of_a_whole_file_checks() {
    let snippets: serde_json::Value = serde_json::from_str(&read("editors/vscode/snippets/scn.json")).unwrap();
    let lines = snippets["A whole file"]["body"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let mut text = lines.collect::<Vec<_>>().join("\n") + "\n";
    for number in 1..=9 {
        let opening = format!("${{{number}:");
        let Some(start) = text.find(&opening) else { continue };
        let proposed = text[start + opening.len()..].split('}').next().unwrap().to_owned();
        text = text.replacen(&format!("{opening}{proposed}}}"), &proposed, 1).replace(&format!("${number}"), &proposed);
    }
    let place = Place::new();
    place.write("a.scn", &text);
    let ended = place.scn(&["check", "--strict", "a.scn"]);
    assert_eq!(ended.code, Some(0), "{text}\n{ended:?}");
}
