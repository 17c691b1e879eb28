//! Makes two tables. Diagnostic pages: a page is a file in `diagnostics/pages/`, its code the first line's. The standard library: each
//! file of `stdlib/` is the module `std.NAME`. In: these folders. Out: Rust lists in `OUT_DIR`. Checks nothing; tests do.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    // Asked when it runs: a folder that was moved keeps its built script.
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    std::fs::write(Path::new(&out).join("pages.rs"), pages(&root.join("diagnostics/pages"))).expect("OUT_DIR can be written");
    std::fs::write(Path::new(&out).join("stdlib.rs"), modules(&root.join("../stdlib"))).expect("OUT_DIR can be written");
}

/// The files of a folder with an ending, in the order of their names.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder is part of the project").flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == end));
    files.sort();
    files
}

/// Code and text of every page.
fn pages(folder: &Path) -> String {
    let mut pages: Vec<(String, String)> = Vec::new();
    for file in files(folder, "md") {
        let text = std::fs::read_to_string(&file).expect("a page is a readable text");
        let code = text.lines().next().unwrap_or("").trim_start_matches('#').trim().to_owned();
        pages.push((code, file.display().to_string()));
    }
    pages.sort();
    let mut table = String::from("&[\n");
    for (code, file) in &pages {
        let _ = writeln!(table, "    ({code:?}, include_str!({file:?})),");
    }
    table.push_str("]\n");
    table
}

/// Module, name to show and text of every file of the standard library.
fn modules(folder: &Path) -> String {
    let mut table = String::from("&[\n");
    for file in files(folder, "scn") {
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let (module, shown, path) = (format!("std.{stem}"), format!("std/{stem}.scn"), file.display().to_string());
        let _ = writeln!(table, "    ({module:?}, {shown:?}, include_str!({path:?})),");
    }
    table.push_str("]\n");
    table
}
