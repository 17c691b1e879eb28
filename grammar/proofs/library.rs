//! The standard library: every file checks without a word, every public declaration says what it is for and is used by the library's own
//! tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::checked_with;
use crate::diagnostics::short;
use crate::resolve::load::STANDARD;
use crate::scenario::pattern::{Payload, Side, Step, StepKind, Template, TemplatePart};
use crate::source::FileId;
use crate::syntax::parse;
use crate::syntax::tree::{Document, Item, ItemKind};

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "scn"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn document(text: &str) -> Document {
    parse(FileId(0), text).0
}

/// The name of a public declaration.
fn public(item: &Item) -> Option<&str> {
    let name = item.kind.name().filter(|_| !matches!(item.kind, ItemKind::Scenario(_)))?;
    Some(name.text.as_str()).filter(|name| !name.starts_with('_'))
}

#[test]
fn every_file_checks_without_a_word() {
    let mut wrong = String::new();
    for (path, text) in files("stdlib").into_iter().chain(files("stdlib/tests")) {
        let (sources, found) = checked_with(&path.file_name().unwrap().to_string_lossy(), &text, &[], &[]);
        wrong.push_str(&short(&found.diagnostics, &sources));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_module_comes_with_the_program_and_has_its_tests() {
    let modules: Vec<String> = files("stdlib").iter().map(|(path, _)| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let tests: Vec<String> =
        files("stdlib/tests").iter().map(|(path, _)| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(modules, tests);
    let standard: Vec<&str> = STANDARD.iter().map(|(module, ..)| module.trim_start_matches("std.")).collect();
    assert_eq!(modules, standard);
}

#[test]
fn every_public_declaration_has_its_words_and_is_tested() {
    let mut wrong = Vec::new();
    for ((path, text), (_, test)) in files("stdlib").iter().zip(files("stdlib/tests")) {
        let used: BTreeSet<&str> = test.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let body = test.split_once("\nscenario ").map_or("", |(_, body)| body);
        let called: BTreeSet<&str> = body.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for item in &document(text).items {
            let Some(name) = public(item) else { continue };
            if item.doc.is_empty() {
                wrong.push(format!("{}: `{name}` says nothing of what it is for", path.display()));
            }
            if !used.contains(name) || !called.contains(name) {
                wrong.push(format!("{}: no test uses `{name}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Bytes that each side sends in one transaction.
fn bytes(steps: &[Step], sums: &mut [u64; 2]) {
    for step in steps {
        match &step.kind {
            StepKind::Sends { by, payload: Payload::Filled(size) | Payload::Random(size), .. } => sums[*by as usize] += size.most(),
            StepKind::Sends { by, payload: Payload::Text(Template(parts)), .. } => {
                let length = parts.iter().map(|part| if let TemplatePart::Literal(text) = part { text.len() } else { 0 });
                sums[*by as usize] += length.sum::<usize>() as u64;
            }
            StepKind::Repeat { count, steps } => {
                let mut once = [0; 2];
                bytes(steps, &mut once);
                for side in [Side::Client, Side::Server] {
                    sums[side as usize] += once[side as usize] * count.most();
                }
            }
            _ => {}
        }
    }
}

#[test]
fn the_presets_carry_what_they_always_did() {
    let presets = [
        ("http_head", 65, 99),
        ("mouse", 1, 1),
        ("symmetric", 6_000, 6_000),
        ("download", 6, 600_000),
        ("upload", 600_000, 6),
        ("bulk_both_ways", 600_000, 600_000),
        ("elephant", 100_000, 10_000_000_000),
        ("long_lived", 100_000, 100_000),
        ("datagram_test", 14, 15),
    ];
    for (preset, up, down) in presets {
        let text = format!(
            "scn 1\nuse std.patterns ({preset})\nscenario s {{\n topology {{ node a, b\n link a <-> b }}\n flow f from a to b {{ pattern {preset}  total 1 }}\n expect {{ f.corrupt == 0 }}\n}}\n"
        );
        let (sources, found) = checked_with("test.scn", &text, &[], &[]);
        assert!(found.diagnostics.is_empty(), "{}", short(&found.diagnostics, &sources));
        let mut sums = [0; 2];
        bytes(&found.scenarios[0].flows[0].pattern.as_ref().unwrap().steps, &mut sums);
        assert_eq!(sums, [up, down], "{preset}");
    }
}
