//! Every scenario that comes with the program checks without a word.

use std::collections::BTreeMap;
use std::path::Path;

use scn_grammar::source::Sources;
use scn_grammar::{Checked, check};

fn checked(path: &Path, params: &[(&str, &str)]) -> (Sources, Checked) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut sources = Sources::default();
    let file = sources.add(path.file_name().unwrap().to_string_lossy(), text);
    let params: BTreeMap<String, String> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let found = check(&mut sources, file, &params, &mut |path, _| Err(format!("no {path} here")));
    (sources, found)
}

#[test]
fn scenarios_check_without_a_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "scn") {
            let (_, found) = checked(&path, &[]);
            assert!(found.diagnostics.is_empty(), "{}: {:#?}", path.display(), found.diagnostics);
            assert!(!found.scenarios.is_empty());
            seen += 1;
        }
    }
    assert!(seen >= 3);
}
