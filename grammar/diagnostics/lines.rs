//! Where lines begin, found once for each text. In: sources. Out: lines and columns of many places quickly. Keeps no text.

use std::collections::BTreeMap;

use crate::source::{FileId, LineColumn, Sources, Span};

/// The line starts of every text that was asked about.
#[derive(Debug, Default)]
pub struct Lines {
    starts: BTreeMap<FileId, Vec<u32>>,
}

impl Lines {
    /// The starts of all lines of a text, in bytes. The first is 0.
    pub fn starts(&mut self, sources: &Sources, file: FileId) -> &[u32] {
        self.starts.entry(file).or_insert_with(|| {
            let after = |(at, _): (usize, u8)| u32::try_from(at + 1).ok();
            let text = &sources.get(file).text;
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').filter_map(after)).collect()
        })
    }

    /// The line of a byte, from 0.
    pub fn line(&mut self, sources: &Sources, file: FileId, byte: u32) -> usize {
        self.starts(sources, file).partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The bytes of a line, from 0, without its end.
    pub fn range(&mut self, sources: &Sources, file: FileId, line: usize) -> (usize, usize) {
        let starts = self.starts(sources, file);
        let start = starts.get(line).copied().unwrap_or(0) as usize;
        let next = starts.get(line + 1).map(|next| *next as usize);
        let text = &sources.get(file).text;
        let end = next.map_or(text.len(), |next| next - 1);
        let end = if end > start && text.as_bytes().get(end - 1) == Some(&b'\r') { end - 1 } else { end };
        (start.min(text.len()), end.min(text.len()))
    }

    /// First and one past the last place of a span, as people count.
    pub fn places(&mut self, sources: &Sources, span: Span) -> (LineColumn, LineColumn) {
        (self.place(sources, span.file, span.start), self.place(sources, span.file, span.end))
    }

    fn place(&mut self, sources: &Sources, file: FileId, byte: u32) -> LineColumn {
        let line = self.line(sources, file, byte);
        let (start, _) = self.range(sources, file, line);
        let text = &sources.get(file).text;
        let before = text.as_bytes().get(start..(byte as usize).min(text.len())).unwrap_or(&[]);
        // A byte that continues a character counts none.
        let column = before.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        LineColumn { line: number(line), column: number(column) }
    }
}
