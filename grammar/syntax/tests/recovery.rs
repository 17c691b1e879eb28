//! Broken, hostile and huge texts. In: such texts. Out: bounded problems, in order, and no crash.

use proptest::prelude::*;

use super::*;

#[test]
fn one_file_reports_every_mistake() {
    let text = "scn 1\nlet a = 5sec\nscenario s {\n    timout 3s\n    topology {\n        link a b\n        node a b\n    }\n    flow f form a to b { total 1 }\n\
                    expect {\n        f.loss = 0%\n    }\n}\nlet z = hex\"0\"\n";
    let codes: Vec<_> = problems(text);
    assert_eq!(
        codes,
        [
            ("unknown_unit", "5sec"),
            ("unknown_statement", "timout"),
            ("expected", ""),
            ("expected", "b"),
            ("expected", "form"),
            ("expected", "="),
            ("bad_bytes", "hex\"0\""),
        ]
    );
}

#[test]
fn a_missing_brace_is_found_by_indentation() {
    let text = "scn 1\nscenario s {\n    topology {\n        node a, b\n        link a <-> b\n    flow f from a to b { total 1 }\n    expect {\n        f.loss == 0%\n    }\n}\n";
    assert_eq!(problems(text), [("unclosed_block", "{")]);
    let (document, _) = parse(FileId(0), text);
    assert!(matches!(&document.items[0].kind, tree::ItemKind::Scenario(s) if s.body.len() == 3));
    assert_eq!(
        problems("scn 1\nscenario s {\n    topology {\n        node a\n}\nlet a = 5sec\n"),
        [("unclosed_block", "{"), ("unknown_unit", "5sec")]
    );
}

#[test]
fn a_brace_too_many_is_one_problem() {
    let text = "scn 1\nscenario s {\n    topology {\n        node a, b\n    }\n    }\n    flow f from a to b { total 1 }\n}\n";
    assert_eq!(problems(text), [("stray_brace", "}")]);
}

#[test]
fn odd_files() {
    assert_eq!(problems(""), [("missing_version", "")]);
    assert_eq!(problems("\n# nothing\n"), [("missing_version", "")]);
    assert_eq!(problems("let a = 1"), [("missing_version", "let")]);
    assert_eq!(problems("scn 2\nfrobnicate"), [("newer_version", "2")]);
    assert_eq!(problems("scn 1\nscn 1\n"), [("misplaced", "scn")]);
    assert_eq!(problems("scn\n"), [("expected", "")]);
    assert_eq!(problems("scn 1 scenario x {}\n"), [("expected", "scenario")]);
    assert_eq!(problems("scn 1; scenario x {}\n"), []);
    assert_eq!(problems("scn 1 sec\n"), [("unknown_unit", "sec")]);
    assert_eq!(problems("scn 1 {}\n"), [("unexpected_block", "{")]);
    assert_eq!(problems("\u{7f}ELF\0\0"), [("not_text", "\0")]);
    assert_eq!(problems("scn 1\nlet a = “x”\n"), [("expected", "“")]);
    assert_eq!(problems("scn 1\nlet a = \"x\n"), [("unterminated_text", "\"x")]);
    assert_eq!(problems("scn 1\nlet a = \"\"\"x\n}\n"), [("unterminated_text", "\"\"\"")]);
}

#[test]
fn nesting_has_a_limit_and_the_rest_is_still_read() {
    let after = "\nlet x = 5sec\n";
    let blocks = format!("scn 1\nscenario s {{ flow f from a to b {} {} }}{after}", "x {".repeat(10_000), "}".repeat(10_000));
    let parens = format!("scn 1\nlet a = {}1{}{after}", "(".repeat(10_000), ")".repeat(10_000));
    let lists = format!("scn 1\nlet a = {}{after}", "[".repeat(10_000));
    let sums = format!("scn 1\nlet a = {}1{after}", "1 + ".repeat(10_000));
    let signs = format!("scn 1\nlet a = {}1{after}", "- ".repeat(10_000));
    let ifs = format!("scn 1\nlet a = {}1{after}", "if a then ".repeat(10_000));
    let mixed = format!("scn 1\nlet a = {}1{}{after}", "if a then 1 + (".repeat(60), ")".repeat(60));
    let calls = format!("scn 1\nlet a = {}1{}{after}", "f(1 + ".repeat(64), ")".repeat(64));
    for text in [&blocks, &parens, &lists, &sums, &signs, &ifs, &mixed, &calls] {
        let found = problems(text);
        assert!(found.len() <= 3 && found.last() == Some(&("unknown_unit", "5sec")), "{found:?}");
    }
    assert!(problems(&blocks).contains(&("too_deep", "{")));
}

#[test]
fn problems_are_bounded() {
    let found = problems(&format!("scn 1\n{}", "frobnicate 3\n".repeat(10_000))).len();
    assert_eq!(found, MOST_ERRORS + 1);
    assert_eq!(problems(&format!("scn 1\n{}", "}".repeat(10_000))).len(), MOST_ERRORS + 1);
    assert_eq!(problems(&format!("scn 1\nlet a = \"{}\"", "\\q".repeat(10_000))).len(), MOST_ERRORS + 1);
    assert_eq!(problems(&"a".repeat(2_000_000)).len(), 2);
}

/// Pieces of the language, `~` between them.
const PIECES: &str = "scn 1\n~scenario~s~{~}~(~)~[~]~\n~;~topology~node~a~b~,~link~<->~flow~from~to~10.0.0.1/24~:80~\"~\"\"\"~${~/~#~##~r\"~hex\"~\\~`~\
    timeline~at~3s~expect~==~..~+~-~not~if~then~else~pattern~client~sends~1KiB~within~and~stays~é~use~let~=~service~on~listen~tcp~mark~as~for~\
    ::~\r\n~\t~ ";

/// Pieces of the language in any order.
fn pieces() -> impl Strategy<Value = String> {
    let words: Vec<&str> = PIECES.split('~').collect();
    prop::collection::vec((prop::sample::select(words), any::<bool>()), 0..60)
        .prop_map(|all| all.into_iter().map(|(word, blank)| format!("{word}{}", if blank { " " } else { "" })).collect())
}

/// Every place that a problem points to is a place of the text.
fn places_are_good(text: &str) {
    let (document, problems) = parse(FileId(0), text);
    assert!(problems.len() <= MOST_ERRORS + 1);
    for problem in &problems {
        for label in std::iter::once(&problem.primary).chain(&problem.secondary) {
            assert!(text.get(label.span.start as usize..label.span.end as usize).is_some(), "{problem:?}");
        }
    }
    assert!(problems.is_sorted_by_key(|p| p.primary.span));
    for comment in &document.comments {
        assert_eq!(&text[comment.span.start as usize..comment.span.end as usize], comment.value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        places_are_good(&text);
        places_are_good(&format!("scn 1\nlet a = {text}"));
    }

    #[test]
    fn no_order_of_pieces_makes_it_panic(text in pieces()) {
        places_are_good(&text);
        places_are_good(&format!("scn 1\nscenario s {{\n{text}\n}}"));
    }

    #[test]
    fn a_cut_file_makes_it_no_panic(cut in 0usize..1500, from in 0usize..1500) {
        let text = include_str!("../../../scenarios/failover.scn");
        places_are_good(text.get(..cut).unwrap_or(text));
        places_are_good(text.get(from..).unwrap_or(text));
    }
}
