//! The page holds what it promises: no script, no inline style, nothing from outside, everything escaped, of bounded size.

use super::*;
use crate::record::{RunRecord, example};
use crate::suite::SuiteResult;

fn page(records: &[RunRecord]) -> String {
    let suites: Vec<Suite<'_>> = records.iter().map(Suite::ran).collect();
    render(&suites).unwrap()
}

/// The page as XML: void elements are closed, the doctype and the style go.
fn parsed(html: &str, check: impl Fn(&roxmltree::Document<'_>)) {
    let begin = html.find("<style>").unwrap();
    let end = html.find("</style>").unwrap();
    let mut xml = format!("{}{}", &html[..begin], &html[end + 8..]).replace("<!DOCTYPE html>", "").replace("<br>", "<br/>");
    for open in ["<meta ", "<link "] {
        let mut from = 0;
        while let Some(at) = xml[from..].find(open).map(|at| at + from) {
            let close = at + xml[at..].find('>').unwrap();
            xml.insert(close, '/');
            from = close;
        }
    }
    xml = xml.replace("<details open>", "<details open=\"\">");
    let doc = roxmltree::Document::parse(&xml)
        .unwrap_or_else(|e| panic!("{e}: {}", xml.lines().nth(e.pos().row as usize - 1).unwrap_or_default()));
    check(&doc);
}

#[test]
fn every_page_is_well_formed_and_keeps_the_policy() {
    let every: Vec<Vec<RunRecord>> = example::all().into_iter().map(|r| vec![r]).chain([example::all()]).collect();
    for records in every {
        let html = page(&records);
        parsed(&html, |doc| {
            let mut ids = std::collections::BTreeSet::new();
            for node in doc.descendants().filter(roxmltree::Node::is_element) {
                assert_ne!(node.tag_name().name(), "script");
                for attribute in node.attributes() {
                    assert!(attribute.name() != "style" && !attribute.name().starts_with("on"), "{attribute:?}");
                    if attribute.name() == "href" {
                        assert!(attribute.value() == STYLE_FILE || attribute.value().starts_with('#'), "{attribute:?}");
                    }
                    assert!(!["src", "target", "action", "xlink:href"].contains(&attribute.name()));
                    if attribute.name() == "id" {
                        assert!(ids.insert(attribute.value().to_owned()));
                    }
                }
            }
            for link in doc.descendants().filter_map(|n| n.attribute("href")).filter_map(|href| href.strip_prefix('#')) {
                assert!(ids.contains(link), "{link}");
            }
        });
        let lower = html.to_lowercase().replace("http://www.w3.org/2000/svg", "");
        for forbidden in ["<script", " style=", "http:", "https:", "data:", "url(", "@import", "javascript:", "<iframe", "<form"] {
            assert!(!lower.contains(forbidden), "{forbidden}");
        }
        assert!(html.chars().all(|c| c == '\n' || !c.is_control()));
    }
}

#[test]
fn hostile_texts_are_shown_and_do_nothing() {
    let html = page(&[example::hostile()]);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.contains("{{x}}"));
    assert!(!html.contains('\u{202e}') && !html.contains('\0') && !html.contains('\u{1b}'));
    parsed(&html, |doc| {
        let shown = doc.descendants().filter_map(|n| n.text()).any(|text| text.contains("<script>alert(1)</script> ]]> \\x1b[31mred"));
        assert!(shown);
    });
}

#[test]
fn only_our_own_markup_is_written_unescaped() {
    let mut found: Vec<&str> =
        TEMPLATES.iter().flat_map(|(_, text)| text.split("{{{").skip(1)).map(|rest| rest.split("}}}").next().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, ["style", "timeline", "topology"]);
    assert!(!STYLE.contains('<'), "the style cannot end its element");
}

#[test]
fn the_verdict_comes_first_and_the_failures_before_the_rest() {
    let html = page(&[example::passing(), example::failover()]);
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(at("class=\"pill fail\"") < at("class=\"index\""));
    assert!(at("<h2>vip_failover</h2>") < at("<h2>two_nodes</h2>"));
    assert!(at("<h3>Attention</h3>") < at("<h3>Timeline</h3>") && at("<h3>Timeline</h3>") < at("<h3>Flows</h3>"));
    assert!(at("href=\"#s-scenarios-failover-vip_failover\"") < at("id=\"s-scenarios-failover-vip_failover\""));
    assert!(html.contains("scn run scenarios/failover.scn --seed 8675309 -p budget&#x3D;1ms"));
    assert!(html.contains("<title>3.000s down primary (failure), until 8.012s</title>"));
    assert!(html.contains("nothing was completed from 3.000s to 3.35"));
    assert!(html.contains("<code>failover.vip_failover.captures/backup.pcapng</code>") && html.contains("5210 frames of link backup-lan"));
}

#[test]
fn suites_without_a_run_are_there() {
    let suites = [
        Suite {
            file: "a.scn",
            scenario: "x",
            result: SuiteResult::NotRun { why: "user namespaces are <forbidden>" },
            paths: vec![],
            folder: "",
        },
        Suite { file: "b.scn", scenario: "y", result: SuiteResult::Skipped { why: "no tool haproxy" }, paths: vec![], folder: "" },
    ];
    let html = render(&suites).unwrap();
    assert!(html.contains("user namespaces are &lt;forbidden&gt;") && html.contains("no tool haproxy"));
    parsed(&html, |_| {});
    parsed(&render(&[]).unwrap(), |_| {});
}

#[test]
fn a_page_stays_small() {
    assert!(page(&[example::failover()]).len() < 150_000);
    let mut big = example::failover();
    let item = big.flows[0].items[0];
    big.flows[0].items = (0..100_000_i64)
        .map(|i| crate::record::flow::Item {
            intended_ns: i * 80_000,
            sent_ns: i * 80_000,
            done_ns: i * 80_000 + 100_000 + (i % 977) * 300,
            ..item
        })
        .collect();
    let flow = big.flows[0].clone();
    big.flows = (0..60).map(|i| crate::record::flow::FlowRecord { name: format!("f{i}"), ..flow.clone() }).collect();
    let mut event = big.events[2].clone();
    event.name = None;
    big.events = (0..5_000).map(|i| crate::record::EventRecord { asked_ns: i * 1_000_000, ..event.clone() }).collect();
    assert!(page(&[big]).len() < 1_500_000);
}

#[test]
fn a_large_network_has_tables_instead_of_a_picture() {
    let mut record = example::failover();
    record.nodes = (0..200).map(|i| crate::record::NodeRecord { name: format!("leaf{i}"), ..record.nodes[0].clone() }).collect();
    let html = page(&[record]);
    assert!(html.contains("leaf199") && !html.contains("class=\"node host\""));
}

#[test]
fn what_an_engine_cannot_tell_stands_in_the_place_of_its_lateness() {
    let mut record = example::failover();
    let told = page(std::slice::from_ref(&record));
    // The account's own lateness in the middle, in the row of each way.
    let middle = "<td class=\"number\">22us · ";
    let lateness = told.matches(middle).count();
    assert!(lateness > 0 && !told.contains("not how late"));
    record.links.iter_mut().filter_map(|link| link.account.as_mut()).for_each(|account| account.untold = vec!["not how late".into()]);
    let untold = page(&[record]);
    assert_eq!((untold.matches(middle).count(), untold.matches("not how late").count()), (0, lateness));
}
