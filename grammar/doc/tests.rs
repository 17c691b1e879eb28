//! The pages of libraries: one as a whole, and what a hostile file can put there.

use std::collections::BTreeMap;

use super::markdown::{code, escaped};
use super::page;
use crate::source::Sources;
use crate::{LoadNothing, check_with_references};

fn page_of(name: &str, text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let found = check_with_references(&mut sources, file, &BTreeMap::new(), &mut LoadNothing);
    page(&sources, file, name, &found.references)
}

#[test]
fn a_page_shows_what_is_public_and_what_it_uses() {
    let text = "scn 1\n\nlet _base = 2s\n\n## Longer than that.\n## Twice as long.\n##\n## Not `shorter`.\nfn longer(by: duration = 1s) = _base * 2 + by\n\n\
                ## Says that a flow is fine.\ncheck fine(f: flow) { f.outage.max < longer() }\n";
    let expected = "# lib.scn\n\n- [fn longer](#fn-longer): Longer than that.\n- [check fine](#check-fine): Says that a flow is fine.\n\n\
                    ## fn longer\n\n```scn\nfn longer(by: duration = 1s) = _base * 2 + by\n```\n\nLonger than that. Twice as long.\n\n\
                    Not `shorter`.\n\nUses `_base`.\n\nSource: `lib.scn:9`\n\n\
                    ## check fine\n\n```scn\ncheck fine(f: flow)\n```\n\nSays that a flow is fine.\n\nUses `longer`.\n\nSource: `lib.scn:12`\n";
    assert_eq!(page_of("lib.scn", text), expected);
}

#[test]
fn a_scenario_shows_its_parameters_tags_and_matrix() {
    let text = "scn 1\n## Two of them.\nscenario two {\n tags ha, smoke\n ## How many.\n param items: count = 10\n param family = 4\n matrix family = [4, 6]\n}\n";
    let page = page_of("two.scn", text);
    for part in [
        "## scenario two\n",
        "Two of them.\n",
        "Tags: `ha`, `smoke`.\n",
        "- `param items: count = 10`: How many.\n",
        "- `matrix family = [4, 6]`\n",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_file_without_public_names_says_so() {
    assert!(page_of("x.scn", "scn 1\nlet _a = 1\n").ends_with("This file declares nothing for others.\n"));
}

#[test]
fn what_a_file_says_is_no_markup() {
    assert_eq!(escaped("<script>a_b*[x](y)"), "\\<script\\>a\\_b\\*\\[x\\](y)");
    assert_eq!(escaped("- no list"), "\\- no list");
    assert_eq!(escaped("a `b < c` d `e"), "a `b < c` d \\`e");
    assert_eq!(code("a``b`"), "``` a``b` ```");
    let page = page_of("<b>.scn", "scn 1\n## <img src=x onerror=1> [a](javascript:b)\nlet a = \"```\"\n");
    assert!(!page.contains("<img") || page.contains("\\<img"), "{page}");
    assert!(page.contains("````scn\nlet a = \"```\"\n````\n"), "{page}");
    assert!(page.starts_with("# \\<b\\>.scn\n"), "{page}");
}
