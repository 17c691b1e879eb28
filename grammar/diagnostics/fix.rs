//! Makes the safe changes that diagnostics carry. In: a text and the diagnostics of its file. Out: the mended text, which is sure to be
//! readable. Writes no file.

use super::{Diagnostic, Fix, Severity};
use crate::source::FileId;
use crate::syntax::parse;

/// The same as [`fix`], but for a text that would have more syntax errors than before.
///
/// # Errors
/// The fixes would do harm, which is a mistake of the program; the first problem of the mended text.
pub fn mend(text: &str, file: FileId, diagnostics: &[Diagnostic]) -> Result<(String, usize), String> {
    let (mended, made) = fix(text, file, diagnostics);
    let errors =
        |text: &str| -> Vec<Diagnostic> { parse(file, text).1.into_iter().filter(|problem| problem.severity == Severity::Error).collect() };
    let left = errors(&mended);
    match left.first() {
        Some(first) if made > 0 && left.len() > errors(text).len() => Err(first.message.clone()),
        _ => Ok((mended, made)),
    }
}

/// The text with every fix of the file made, and how many were made. Of fixes that overlap the first is made; a second run makes
/// the next.
#[must_use]
pub fn fix(text: &str, file: FileId, diagnostics: &[Diagnostic]) -> (String, usize) {
    let mut fixes: Vec<&Fix> = diagnostics.iter().filter_map(|d| d.fix.as_ref()).filter(|f| f.span.file == file).collect();
    fixes.sort_by_key(|f| (f.span.start, f.span.end));
    let (mut mended, mut at, mut made) = (String::with_capacity(text.len()), 0, 0);
    for fix in fixes {
        let (start, end) = (fix.span.start as usize, fix.span.end as usize);
        let Some(between) = text.get(at..start) else { continue };
        if start > end || !text.is_char_boundary(end) {
            continue;
        }
        mended.push_str(between);
        mended.push_str(&fix.text);
        at = end;
        made += 1;
    }
    mended.push_str(&text[at..]);
    (mended, made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn problem(start: u32, end: u32, text: &str) -> Diagnostic {
        let span = Span { file: FileId(0), start, end };
        Diagnostic::warning("scn::test", span, "", "").fixed_by(span, text)
    }

    #[test]
    fn fixes_are_made_from_the_front_and_overlapping_ones_left() {
        let text = "one two three";
        let problems = [problem(8, 13, "3"), problem(0, 3, "1"), problem(2, 5, "x"), problem(3, 4, "")];
        assert_eq!(fix(text, FileId(0), &problems), ("1two 3".to_owned(), 3));
    }

    #[test]
    fn a_fix_that_would_break_a_text_is_refused() {
        let text = "scn 1\nlet a = 1\n";
        assert_eq!(mend(text, FileId(0), &[problem(14, 15, "2")]), Ok(("scn 1\nlet a = 2\n".to_owned(), 1)));
        let broken = mend(text, FileId(0), &[problem(14, 15, "(")]);
        assert!(broken.is_err_and(|why| !why.is_empty()));
    }

    #[test]
    fn fixes_of_other_files_and_beyond_the_text_are_left() {
        let mut other = problem(0, 1, "x");
        other.fix.as_mut().unwrap().span.file = FileId(1);
        assert_eq!(fix("ab", FileId(0), &[other, problem(1, 9, "x")]), ("ab".to_owned(), 0));
    }
}
