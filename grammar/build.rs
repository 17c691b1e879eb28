//! Makes the table of diagnostic pages: a page is a file in `diagnostics/pages/`, its code the first line's. In: that folder. Out: a
//! Rust list for `diagnostics/pages.rs`. Checks nothing; tests do.

use std::fmt::Write;
use std::path::Path;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("diagnostics/pages");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder of pages is part of the crate").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut pages: Vec<(String, String)> = Vec::new();
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "md")) {
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
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("pages.rs"), table).expect("OUT_DIR can be written");
}
