//! What the templates are given: every word of the page, ready to be escaped. In: suites. Out: serialisable views. Lays nothing
//! out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::accounts::{self, Accounts};
use super::flows::{self, FlowView};
use super::programs::{self, Programs};
use super::source::{self, SourceView};
use super::svg::Markup;
use super::{STYLE, timeline, topology};
use crate::record::{EventRecord, ExpectationRecord, RunRecord, Verdict};
use crate::suite::{self, Standing, Suite, SuiteResult};
use crate::{excerpt, text, words};

/// Flows that have their numbers on the page.
const MAX_FLOWS: usize = 50;
/// Events listed.
const MAX_EVENTS: usize = 500;
/// Columns of an excerpt.
const EXCERPT_WIDTH: usize = 110;

#[derive(Serialize)]
pub(super) struct Page {
    style: &'static str,
    title: String,
    overall: Badge,
    counts: Vec<Badge>,
    /// The table over all scenarios, when there are several.
    index: Option<Vec<IndexRow>>,
    scenarios: Vec<Scenario>,
    programs: String,
}

/// A verdict with its class, symbol and words.
#[derive(Serialize, Clone)]
pub(super) struct Badge {
    pub class: &'static str,
    pub symbol: &'static str,
    pub text: String,
}

#[derive(Serialize)]
struct IndexRow {
    id: String,
    badge: Badge,
    scenario: String,
    file: String,
    took: String,
    tally: String,
    first: String,
}

#[derive(Serialize)]
struct Scenario {
    id: String,
    badge: Badge,
    name: String,
    doc: String,
    file: String,
    /// Whether the folded parts are open.
    open: bool,
    why: Option<String>,
    run: Option<Run>,
}

#[derive(Serialize)]
struct Run {
    facts: Vec<Pair>,
    tags: Vec<String>,
    tally: Vec<Badge>,
    ending: Option<String>,
    reproduce: String,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    timeline: Option<Markup>,
    timeline_note: String,
    expectations: Vec<Row>,
    flows: Vec<FlowView>,
    more_flows: usize,
    stresses: Vec<FlowView>,
    programs: Option<Programs>,
    captures: Vec<Pair>,
    topology: Option<Markup>,
    nodes: Vec<NodeRow>,
    links: Vec<LinkRow>,
    accounts: Option<Accounts>,
    source: SourceView,
    events: Vec<EventRow>,
    more_events: usize,
    params: Vec<Pair>,
    environment: Vec<Pair>,
}

/// A name and a value.
#[derive(Serialize)]
pub(super) struct Pair {
    pub name: String,
    pub value: String,
}

#[derive(Serialize)]
struct Problem {
    badge: Badge,
    words: String,
    name: Option<String>,
    place: String,
    excerpt: Option<ExcerptView>,
    facts: Vec<Pair>,
    nearby: Vec<Pair>,
}

#[derive(Serialize)]
struct ExcerptView {
    gutter: String,
    line: String,
    before: String,
    marked: String,
    after: String,
    indent: String,
    caret: String,
}

#[derive(Serialize)]
struct Row {
    badge: Badge,
    name: String,
    line: u32,
    note: bool,
    measured: String,
    expected: String,
    decided: String,
}

#[derive(Serialize)]
struct NodeRow {
    name: String,
    kind: String,
    addresses: String,
}

#[derive(Serialize)]
struct LinkRow {
    name: String,
    ends: String,
    engine: String,
    impairment: String,
}

#[derive(Serialize)]
struct EventRow {
    name: String,
    text: String,
    line: u32,
    planned: String,
    asked: String,
    done: String,
    width: String,
    until: String,
    error: Option<String>,
}

fn class(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail) => "fail",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::Error) => "error",
        None => "none",
    }
}

fn standing_badge(standing: Standing) -> Badge {
    let class = match standing {
        Standing::Judged(verdict) => class(Some(verdict)),
        Standing::NotJudged => "none",
        Standing::Skipped => "skipped",
    };
    Badge { class, symbol: standing.symbol(true), text: standing.word().to_owned() }
}

/// The verdict of an expectation; a note's is neutral.
pub(super) fn badge(expectation: &ExpectationRecord) -> Badge {
    let verdict = suite::judged(expectation);
    if suite::counts(expectation) {
        Badge { class: class(verdict), symbol: words::symbol(verdict, true), text: words::verdict(verdict).to_owned() }
    } else {
        Badge { class: "none", symbol: "i", text: format!("note: {}", words::verdict(verdict)) }
    }
}

/// The view of the whole page.
pub(super) fn page(suites: &[Suite<'_>]) -> Page {
    let mut order: Vec<&Suite<'_>> = suites.iter().collect();
    let rank = |standing: Standing| match standing {
        Standing::Judged(Verdict::Fail) => 0,
        Standing::Judged(Verdict::Error) => 1,
        Standing::Judged(Verdict::Inconclusive) => 2,
        Standing::NotJudged => 3,
        Standing::Judged(Verdict::Pass) => 4,
        Standing::Skipped => 5,
    };
    order.sort_by_key(|suite| rank(suite.standing()));
    let ids = ids(&order);
    let many = order.len() > 1;
    let overall = suite::overall(suites);
    let mut counts: Vec<Badge> = Vec::new();
    for suite in &order {
        let badge = standing_badge(suite.standing());
        if !counts.iter().any(|seen| seen.class == badge.class) {
            let count = order.iter().filter(|other| other.standing() == suite.standing()).count();
            counts.push(Badge { text: format!("{count} {}", badge.text), ..badge });
        }
    }
    let mut programs: Vec<String> = order.iter().filter_map(|s| s.record()).map(|r| words::visible(&r.program)).collect();
    programs.sort();
    programs.dedup();
    let name =
        if many { words::plural(order.len(), "scenario") } else { order.first().map_or(String::new(), |s| words::visible(s.scenario)) };
    Page {
        style: STYLE,
        title: format!("{} {name}", words::verdict(overall)),
        overall: Badge { class: class(overall), symbol: words::symbol(overall, true), text: words::verdict(overall).to_owned() },
        counts,
        index: many.then(|| order.iter().zip(&ids).map(|(suite, id)| index_row(suite, id)).collect()),
        scenarios: order.iter().zip(&ids).map(|(suite, id)| scenario(suite, id, many)).collect(),
        programs: programs.join(", "),
    }
}

/// Anchors that stay the same from run to run.
fn ids(suites: &[&Suite<'_>]) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    suites
        .iter()
        .map(|suite| {
            let path = suite.file.strip_suffix(".scn").unwrap_or(suite.file);
            let mut slug = String::from("s");
            for c in format!("-{path}-{}", suite.scenario).chars().take(200) {
                let c = if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
                if c != '-' || !slug.ends_with('-') {
                    slug.push(c);
                }
            }
            let slug = slug.trim_end_matches('-').to_owned();
            let again = seen.entry(slug.clone()).or_insert(0);
            *again += 1;
            if *again == 1 { slug } else { format!("{slug}-{again}") }
        })
        .collect()
}

fn whole(record: &RunRecord) -> String {
    words::duration(record.setup_ns.saturating_add(record.duration_ns).saturating_add(record.cleanup_ns))
}

fn index_row(suite: &Suite<'_>, id: &str) -> IndexRow {
    let tally =
        suite.record().map(|r| suite::tally(r).iter().map(|(v, n)| format!("{n} {}", words::verdict(*v))).collect::<Vec<_>>().join(", "));
    let first = match &suite.result {
        SuiteResult::Ran(record) => {
            let broke = words::ending(&record.ended).filter(|_| record.verdict == Some(Verdict::Error));
            broke.or_else(|| suite::attention(record).first().map(|e| words::visible(&e.name))).or_else(|| words::ending(&record.ended))
        }
        SuiteResult::NotRun { why } | SuiteResult::Skipped { why } => Some(words::visible(why)),
    };
    IndexRow {
        id: id.to_owned(),
        badge: standing_badge(suite.standing()),
        scenario: words::visible(suite.scenario),
        file: words::visible(suite.file),
        took: suite.record().map_or(String::new(), whole),
        tally: tally.unwrap_or_default(),
        first: words::shortened(&first.unwrap_or_default(), 160),
    }
}

fn scenario(suite: &Suite<'_>, id: &str, many: bool) -> Scenario {
    let standing = suite.standing();
    Scenario {
        id: id.to_owned(),
        badge: standing_badge(standing),
        name: words::visible(suite.scenario),
        doc: suite.record().map_or(String::new(), |r| r.scenario.doc.lines().map(words::visible).collect::<Vec<_>>().join(" ")),
        file: words::visible(suite.file),
        open: !many || standing != Standing::Judged(Verdict::Pass),
        why: match &suite.result {
            SuiteResult::Ran(_) => None,
            SuiteResult::NotRun { why } | SuiteResult::Skipped { why } => Some(words::visible(why)),
        },
        run: suite.record().map(run),
    }
}

fn pair(name: &str, value: impl AsRef<str>) -> Pair {
    Pair { name: words::visible(name), value: words::visible(value.as_ref()) }
}

fn run(record: &RunRecord) -> Run {
    let (timeline, timeline_note) = timeline::draw(record).map_or((None, String::new()), |(picture, note)| (Some(picture), note));
    Run {
        facts: vec![
            pair("started", &record.started),
            pair("timeline", words::duration(record.duration_ns)),
            pair("set-up", words::duration(record.setup_ns)),
            pair("clean-up", words::duration(record.cleanup_ns)),
            pair("seed", record.seed.to_string()),
            pair("tolerance", words::duration(record.tolerance_ns)),
        ],
        tags: record.scenario.tags.iter().map(|tag| words::visible(tag)).collect(),
        tally: suite::tally(record)
            .into_iter()
            .map(|(v, n)| Badge { class: class(v), symbol: words::symbol(v, true), text: format!("{n} {}", words::verdict(v)) })
            .collect(),
        ending: words::ending(&record.ended),
        reproduce: words::reproduce(record),
        problems: suite::attention(record).into_iter().map(|e| problem(record, e)).collect(),
        warnings: record.warnings.iter().map(|w| words::visible(w)).collect(),
        timeline,
        timeline_note,
        expectations: record.expectations.iter().map(row).collect(),
        flows: record.flows.iter().take(MAX_FLOWS).map(flows::view).collect(),
        more_flows: record.flows.len().saturating_sub(MAX_FLOWS),
        stresses: record.stresses.iter().take(MAX_FLOWS).map(flows::stress).collect(),
        programs: programs::view(record),
        captures: record.captures.iter().map(|capture| pair(&words::visible(&capture.file), text::capture_words(capture))).collect(),
        topology: topology::draw(topology::Network {
            name: &record.scenario.name,
            nodes: &record.nodes,
            links: &record.links,
            first: record.flows.first().map_or(0, |flow| flow.from as usize),
        }),
        nodes: record
            .nodes
            .iter()
            .map(|n| NodeRow {
                name: words::visible(&n.name),
                kind: words::visible(&n.kind),
                addresses: words::visible(&n.addresses.join(", ")),
            })
            .collect(),
        links: record.links.iter().map(|link| link_row(record, link)).collect(),
        accounts: accounts::view(record),
        source: source::view(record),
        events: record.events.iter().take(MAX_EVENTS).map(event_row).collect(),
        more_events: record.events.len().saturating_sub(MAX_EVENTS),
        params: record
            .scenario
            .params
            .iter()
            .map(|(name, value, set)| pair(name, format!("{value}{}", if *set { " (set for this run)" } else { "" })))
            .collect(),
        environment: record.environment.iter().map(|(name, value)| pair(name, value)).collect(),
    }
}

fn row(e: &ExpectationRecord) -> Row {
    let outcome = e.outcome.as_ref();
    Row {
        badge: badge(e),
        name: words::visible(&e.name),
        line: e.line,
        note: !suite::counts(e),
        measured: outcome.map_or_else(|| "not judged".to_owned(), |o| words::visible(&o.measured)),
        expected: outcome.map_or(String::new(), |o| words::visible(&o.expected)),
        decided: outcome.and_then(|o| o.decided_ns).map_or(String::new(), words::instant),
    }
}

fn problem(record: &RunRecord, e: &ExpectationRecord) -> Problem {
    let mut facts = Vec::new();
    let mut nearby = Vec::new();
    if let Some(outcome) = &e.outcome {
        facts.push(pair("expected", &outcome.expected));
        facts.push(pair("measured", &outcome.measured));
        facts.push(pair("reason", &outcome.reason));
        if let Some(at) = outcome.decided_ns {
            facts.push(pair("decided", format!("at {}", words::instant(at))));
        }
        if let Some((from, to)) = outcome.window_ns {
            let samples = words::plural(usize::try_from(outcome.samples).unwrap_or(usize::MAX), "sample");
            facts.push(pair("judged", format!("from {} to {}, {samples}", words::instant(from), words::instant(to))));
        }
        if let Some((worst, at)) = &outcome.worst {
            facts.push(pair("worst", format!("{worst} at {}", words::instant(*at))));
        }
        nearby = outcome.nearby.iter().filter_map(|at| record.events.get(*at as usize)).map(near).collect();
    } else {
        facts.push(pair("reason", words::ending(&record.ended).unwrap_or_else(|| "nobody judged it".to_owned())));
    }
    Problem {
        badge: badge(e),
        words: words::visible(&e.words),
        name: (e.name != e.words).then(|| words::visible(&e.name)),
        place: format!("{}:{}:{}", words::visible(&record.scenario.file), e.line, e.column),
        excerpt: excerpt::of(record, e, EXCERPT_WIDTH).map(|x| excerpt_view(&x)),
        facts,
        nearby,
    }
}

fn near(event: &EventRecord) -> Pair {
    let name = event.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    pair(&words::instant(event.asked_ns), format!("{}{name}", event.text))
}

/// The line in three parts, so that the wanted one can be marked.
fn excerpt_view(x: &excerpt::Excerpt) -> ExcerptView {
    let (mut before, mut marked, mut after) = (String::new(), String::new(), String::new());
    let mut column = 0;
    for c in x.text.chars() {
        let part = match column {
            at if at < x.indent => &mut before,
            at if at < x.indent + x.length => &mut marked,
            _ => &mut after,
        };
        part.push(c);
        column += words::column(c);
    }
    let line = x.line.to_string();
    ExcerptView { gutter: " ".repeat(line.len()), line, before, marked, after, indent: " ".repeat(x.indent), caret: "^".repeat(x.length) }
}

fn link_row(record: &RunRecord, link: &crate::record::LinkRecord) -> LinkRow {
    let name = |at: u32| record.nodes.get(at as usize).map_or("?", |node| node.name.as_str());
    LinkRow {
        name: words::visible(&link.name),
        ends: words::visible(&format!("{} to {}", name(link.ends[0]), name(link.ends[1]))),
        engine: words::visible(&link.engine),
        impairment: words::visible(&link.impairment),
    }
}

fn event_row(event: &EventRecord) -> EventRow {
    let width = u64::try_from(event.done_ns.saturating_sub(event.asked_ns)).unwrap_or(0);
    EventRow {
        name: words::visible(event.name.as_deref().unwrap_or_default()),
        text: words::visible(&event.text),
        line: event.line,
        planned: words::instant(event.planned_ns),
        asked: words::instant(event.asked_ns),
        done: words::instant(event.done_ns),
        width: words::duration(width),
        until: event.until_ns.map_or(String::new(), words::instant),
        error: event.error.as_ref().map(|error| words::visible(error)),
    }
}
