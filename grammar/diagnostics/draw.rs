//! Pictures of diagnostics: the excerpt, the underlined place, the other places, the help. In: diagnostics and their texts. Out:
//! text for a terminal. The drawing is miette's; long lines are cropped here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents,
    ThemeCharacters, ThemeStyles,
};

use super::lines::Lines;
use super::{Diagnostic, Label, Severity};
use crate::source::{FileId, Sources, Span};

/// A line of more bytes is shown in part.
const LONG_LINE: usize = 240;
/// Of a long line so many bytes are shown on either side of its first label.
const AROUND: usize = 90;
/// A place over more bytes is underlined at its beginning only.
const LONG_SPAN: u32 = 4_000;
/// The narrowest picture.
const LEAST_WIDTH: usize = 40;

/// Draws diagnostics one after another, `width` characters wide.
#[must_use]
pub fn draw(diagnostics: &[Diagnostic], sources: &Sources, colour: bool, width: usize) -> String {
    let styles = if colour { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(width.max(LEAST_WIDTH)).with_links(false).tab_width(4).with_context_lines(1);
    let mut lines = Lines::default();
    let mut text = String::new();
    for diagnostic in diagnostics {
        let picture = Picture::new(diagnostic, sources, &mut lines);
        if !text.is_empty() {
            text.push('\n');
        }
        let before = text.len();
        if handler.render_report(&mut text, &picture).is_err() {
            // The picture can't be drawn; the words are what matters.
            text.truncate(before);
            text.push_str(&super::short::short(std::slice::from_ref(diagnostic), sources));
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// A diagnostic as miette wants it: one text, and others as related ones.
#[derive(Debug)]
struct Picture {
    code: Option<&'static str>,
    severity: Severity,
    message: String,
    help: Option<String>,
    excerpt: Excerpt,
    labels: Vec<LabeledSpan>,
    related: Vec<Picture>,
}

impl Picture {
    fn new(diagnostic: &Diagnostic, sources: &Sources, lines: &mut Lines) -> Picture {
        let mut by_file: BTreeMap<FileId, Vec<(&Label, bool)>> = BTreeMap::new();
        by_file.entry(diagnostic.primary.span.file).or_default().push((&diagnostic.primary, true));
        for label in &diagnostic.secondary {
            by_file.entry(label.span.file).or_default().push((label, false));
        }
        let main = by_file.remove(&diagnostic.primary.span.file).unwrap_or_default();
        let (excerpt, labels) = Excerpt::new(&main, sources, lines);
        let related = by_file.into_values().map(|labels| {
            let message = labels.first().map_or(String::new(), |(label, _)| label.text.clone());
            let (excerpt, labels) = Excerpt::new(&labels, sources, lines);
            Picture { code: None, severity: Severity::Warning, message, help: None, excerpt, labels, related: Vec::new() }
        });
        Picture {
            code: Some(diagnostic.code),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            excerpt,
            labels,
            related: related.collect(),
        }
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Picture {}

impl miette::Diagnostic for Picture {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match (self.code, self.severity) {
            (None, _) => miette::Severity::Advice,
            (_, Severity::Warning) => miette::Severity::Warning,
            (_, Severity::Error) => miette::Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        Some(Box::new(self.related.iter().map(|picture| picture as &dyn miette::Diagnostic)))
    }
}

/// One line of an excerpt.
#[derive(Debug)]
struct Row {
    /// In the file, from 0.
    number: usize,
    /// Where it begins in the excerpt.
    start: usize,
    /// First byte shown, in the file.
    from: usize,
    /// One past the last byte shown, in the file.
    to: usize,
    /// What stands for the bytes cut off before.
    lead: usize,
    /// Characters cut off before.
    skipped: usize,
}

/// The lines of one text that a picture shows, long ones cropped. Rows are in order; labels count from its beginning.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    rows: Vec<Row>,
}

impl Excerpt {
    fn new(labels: &[(&Label, bool)], sources: &Sources, lines: &mut Lines) -> (Excerpt, Vec<LabeledSpan>) {
        let file = labels.first().map_or(FileId(0), |(label, _)| label.span.file);
        let source = sources.get(file);
        let mut wanted: BTreeMap<usize, Option<usize>> = BTreeMap::new();
        let count = lines.starts(sources, file).len();
        let mut spans = Vec::new();
        for (label, primary) in labels {
            let span = first_lines(label.span, &source.text);
            let (first, last) =
                (lines.line(sources, file, span.start), lines.line(sources, file, span.end.saturating_sub(1).max(span.start)));
            for line in first.saturating_sub(1)..=(last + 1).min(count - 1) {
                let empty = line + 1 == count && lines.range(sources, file, line).0 == source.text.len();
                if !empty || line <= last {
                    wanted.entry(line).or_insert(None);
                }
            }
            wanted.entry(first).and_modify(|place| *place = place.or(Some(span.start as usize)));
            spans.push((span, *primary, label.text.clone()));
        }
        let mut excerpt = Excerpt { name: source.name.clone(), text: String::new(), rows: Vec::new() };
        for (line, place) in wanted {
            let range = lines.range(sources, file, line);
            excerpt.push(line, range, place, &source.text);
        }
        let labels = spans.into_iter().map(|(span, primary, text)| {
            let start = excerpt.place(span.start as usize);
            let end = excerpt.place(span.end as usize).max(start);
            let place = SourceSpan::from((start, end - start));
            let text = if text.is_empty() { None } else { Some(text) };
            if primary { LabeledSpan::new_primary_with_span(text, place) } else { LabeledSpan::new_with_span(text, place) }
        });
        let labels = labels.collect();
        (excerpt, labels)
    }

    /// Adds a line, cropped around a place if it is long.
    fn push(&mut self, number: usize, range: (usize, usize), place: Option<usize>, text: &str) {
        let (mut from, mut to) = range;
        if to - from > LONG_LINE {
            let middle = place.unwrap_or(from).clamp(from, to);
            (from, to) = (middle.saturating_sub(AROUND).max(from), (middle + AROUND).min(to));
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            while !text.is_char_boundary(to) {
                to += 1;
            }
        }
        let start = self.text.len();
        let lead = if from > range.0 { "…" } else { "" };
        self.text.push_str(lead);
        self.text.push_str(&printable(&text[from..to]));
        self.text.push_str(if to < range.1 { "…" } else { "" });
        self.text.push('\n');
        let skipped = text[range.0..from].chars().count();
        self.rows.push(Row { number, start, from, to, lead: lead.len(), skipped });
    }

    /// Just the bytes of a place, so that the head of the picture names its line and column.
    fn exactly(&self, span: &SourceSpan, row: usize) -> Result<Box<dyn SpanContents<'_> + '_>, MietteError> {
        let row = self.rows.get(row).ok_or(MietteError::OutOfBounds)?;
        let (start, end) = (span.offset(), span.offset() + span.len());
        let data = self.text.get(start..end).ok_or(MietteError::OutOfBounds)?;
        let before = self.text.get((row.start + row.lead).min(start)..start).map_or(0, |text| text.chars().count());
        let contents = MietteSpanContents::new_named(self.name.clone(), data.as_bytes(), *span, row.number, row.skipped + before, 1);
        Ok(Box::new(contents))
    }

    /// A byte of the file as a byte of the excerpt.
    fn place(&self, byte: usize) -> usize {
        let row = self.rows.iter().rev().find(|row| row.from <= byte).or(self.rows.first());
        row.map_or(0, |row| row.start + row.lead + byte.clamp(row.from, row.to) - row.from)
    }
}

/// The text with what a terminal would obey replaced, byte for byte.
fn printable(text: &str) -> Cow<'_, str> {
    let control = |c: char| c.is_ascii_control() && c != '\t';
    if text.contains(control) { Cow::Owned(text.replace(control, "?")) } else { Cow::Borrowed(text) }
}

/// A place of bearable length, at least one character long where there is one.
fn first_lines(span: Span, text: &str) -> Span {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let start = span.start.min(length);
    let boundary = |at: u32| text.is_char_boundary(at as usize);
    let start = (0..=start).rev().find(|at| boundary(*at)).unwrap_or(0);
    let most = span.end.min(length).min(start.saturating_add(LONG_SPAN)).max(start);
    let end = (most..=length).find(|at| boundary(*at)).unwrap_or(length);
    // More than one line is underlined on its first only.
    let line = text[start as usize..end as usize].find('\n').map(|at| start + u32::try_from(at).unwrap_or(0));
    Span { start, end: line.filter(|at| *at > start).unwrap_or(end), ..span }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(&'a self, span: &SourceSpan, before: usize, after: usize) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let row_of = |byte: usize| self.rows.iter().rposition(|row| row.start <= byte).unwrap_or(0);
        let last_byte = (span.offset() + span.len()).saturating_sub(1).max(span.offset());
        let (mut first, mut last) = (row_of(span.offset()), row_of(last_byte));
        let joined = |a: usize, b: usize| self.rows.get(a).zip(self.rows.get(b)).is_some_and(|(a, b)| a.number + 1 == b.number);
        if (first..last).any(|row| !joined(row, row + 1)) {
            // Lines between are not here: miette draws such places one by one.
            return Err(MietteError::OutOfBounds);
        }
        if before == 0 && after == 0 {
            return self.exactly(span, first);
        }
        for _ in 0..before {
            if first > 0 && joined(first - 1, first) {
                first -= 1;
            }
        }
        for _ in 0..after {
            if joined(last, last + 1) {
                last += 1;
            }
        }
        let row = self.rows.get(first).ok_or(MietteError::OutOfBounds)?;
        let end = self.rows.get(last + 1).map_or(self.text.len(), |next| next.start);
        let data = self.text.as_bytes().get(row.start..end).ok_or(MietteError::OutOfBounds)?;
        let place = SourceSpan::from((row.start, data.len()));
        let contents = MietteSpanContents::new_named(self.name.clone(), data, place, row.number, 0, last + 1 - first);
        Ok(Box::new(contents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str, labels: &[(u32, u32)]) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a.scn", text);
        let span = |(start, end)| Span { file, start, end };
        let mut diagnostic = Diagnostic::error("scn::x::y", span(labels[0]), "something is wrong", "here").help("write it well");
        for label in &labels[1..] {
            diagnostic = diagnostic.also(span(*label), "and there");
        }
        draw(&[diagnostic], &sources, false, 80)
    }

    #[test]
    fn shows_both_places() {
        let picture = drawn("scn 1\nfirst\nsecond\nthird\n4\n5\n6\n7\n8\nninth\n", &[(6, 11), (35, 40)]);
        insta::assert_snapshot!(picture, @r"
        scn::x::y

          × something is wrong
           ╭─[a.scn:2:1]
         1 │ scn 1
         2 │ first
           · ──┬──
           ·   ╰── here
         3 │ second
           ╰────
            ╭─[a.scn:10:1]
          9 │ 8
         10 │ ninth
            · ──┬──
            ·   ╰── and there
            ╰────
          help: write it well
        ");
    }

    #[test]
    fn crops_long_lines() {
        let text = format!("scn 1\n{}bad{}\nend\n", "ä".repeat(100_000), "b".repeat(100_000));
        let picture = drawn(&text, &[(200_006, 200_009)]);
        assert!(picture.lines().all(|line| line.chars().count() < 300), "{picture}");
        assert!(picture.contains("bad") && picture.contains("a.scn:2:100001"), "{picture}");
    }

    #[test]
    fn survives_places_outside_the_text() {
        for text in ["", "\n", "ä", "a\r\nb\r\n", "\u{1b}[31m"] {
            for (start, end) in [(0, 0), (0, 1), (1, 1), (2, 900), (900, 1000)] {
                assert!(drawn(text, &[(start, end), (0, 0)]).contains("something is wrong"));
            }
        }
    }
}
