//! Tests of the syntax stage. In: texts. Out: trees and problems as they should be.

use super::*;

fn problems(text: &str) -> Vec<(&'static str, String)> {
    parse(FileId(0), text).1.into_iter().map(|d| (d.code, d.message)).collect()
}

#[test]
fn the_shipped_scenarios_parse() {
    for text in [
        include_str!("../../scenarios/two_nodes.scn"),
        include_str!("../../scenarios/failover.scn"),
        include_str!("../../scenarios/mail_session.scn"),
        include_str!("../../stdlib/patterns.scn"),
    ] {
        assert_eq!(problems(text), Vec::new());
    }
}
