//! Timelines and expectations.

use super::checked;
use crate::diagnostics::short;

#[test]
fn tried() {
    let Ok(paths) = std::env::var("SCN_TRY") else { return };
    for path in paths.split(' ') {
        let text = std::fs::read_to_string(path).unwrap();
        let (sources, found) = checked(&text);
        println!("== {path}\n{}", short(&found.diagnostics, &sources));
        if std::env::var_os("SCN_SHOW").is_some() {
            for s in &found.scenarios {
                for e in &s.timeline {
                    println!("{e:?}");
                }
                for e in &s.expectations {
                    println!("{e:?}");
                }
            }
        }
    }
}
