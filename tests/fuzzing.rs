//! Every input that fuzzing found worth keeping, given again to the same laws. In: `tests/fuzz/corpus`. `tests/fuzz/run` makes more.

use std::fs;
use std::time::{Duration, Instant};

use crate::built::repository;

#[path = "fuzz/laws.rs"]
mod laws;

/// No input of the corpus may take longer: ten times what the slowest takes here.
const LONGEST: Duration = Duration::from_secs(10);

fn again(target: &str, law: impl Fn(&str)) {
    let path = repository(&format!("tests/fuzz/corpus/{target}.jsonl"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() > 50, "the corpus of {target} is nearly empty");
    for (index, line) in text.lines().enumerate() {
        let input: String = serde_json::from_str(line).unwrap();
        let begun = Instant::now();
        law(&input);
        assert!(begun.elapsed() < LONGEST, "{}:{} took {:?}", path.display(), index + 1, begun.elapsed());
    }
}

#[test]
fn the_laws_of_the_language_hold_for_the_corpus() {
    again("language", laws::language);
}

#[test]
fn the_laws_of_locks_and_manifests_hold_for_the_corpus() {
    again("lock", laws::lock);
    again("manifest", laws::manifest);
}

#[test]
fn the_laws_of_records_hold_for_the_corpus() {
    again("record", |text| laws::record(text.as_bytes()));
}
