//! Every text of the project. In: the repository's folders. Out: fixed points, pairs of a sloppy text and its canonical form.

use std::path::{Path, PathBuf};

use super::*;

/// The `.scn` files under a folder of the repository, in order.
pub(super) fn files(folder: &str) -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|end| end == "scn") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} holds no scenario");
    found
}

/// All texts of the project that are UTF-8: its files, and the examples of its pages.
pub(super) fn texts() -> Vec<(String, String)> {
    let all = ["scenarios", "stdlib", "tests"].into_iter().flat_map(files);
    let read = |path: PathBuf| std::fs::read_to_string(&path).ok().map(|text| (path.display().to_string(), text));
    let mut texts: Vec<_> = all.filter_map(read).collect();
    let pages = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("diagnostics/pages")).unwrap();
    let mut pages: Vec<_> = pages.map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("REFERENCE.md"));
    for path in pages {
        let page = std::fs::read_to_string(&path).unwrap();
        let examples = page.split("```scn\n").skip(1).map(|rest| rest.split("```").next().unwrap_or("").to_owned());
        texts.extend(examples.map(|example| (path.display().to_string(), example)));
    }
    texts
}

#[test]
fn what_is_shipped_is_canonical() {
    for path in ["scenarios", "stdlib", "tests/format/canonical"].into_iter().flat_map(files) {
        let text = std::fs::read_to_string(&path).unwrap();
        match format(FileId(0), &text) {
            Ok(laid_out) => assert!(laid_out == text, "{} is not as `scn fmt` writes it:\n{laid_out}", path.display()),
            Err(problems) => panic!("{}: {problems:?}", path.display()),
        }
    }
}

#[test]
fn sloppy_texts_become_canonical() {
    let sloppy = files("tests/format/sloppy");
    assert!(sloppy.len() >= 5);
    for path in sloppy {
        let canonical = path.parent().unwrap().with_file_name("canonical").join(path.file_name().unwrap());
        let (text, wanted) = (std::fs::read_to_string(&path).unwrap(), std::fs::read_to_string(&canonical).unwrap());
        for text in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
            let laid_out = laid(&text);
            assert!(laid_out == wanted, "{}:\n{laid_out}", path.display());
        }
    }
}
