//! The one way of text into XML. In: any text. Out: text that an XML 1.0 parser takes, in an attribute or a CDATA section.

/// What follows the head of a text that was cut, and precedes its tail.
const CUT: &str = "\n[... {} bytes left out ...]\n";

/// Without ANSI escapes and without characters that XML 1.0 has no place for.
fn legal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\t' | '\n' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// What follows ESC: a control sequence up to its final byte, an operating-system command up to its end, or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            while let Some(c) = chars.next_if(|c| ('\u{20}'..='\u{7e}').contains(c)) {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        }
        Some(']') => {
            while let Some(c) = chars.next_if(|c| *c != '\n') {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some('\u{20}'..='\u{7e}') => {
            chars.next();
        }
        _ => {}
    }
}

/// For the inside of a CDATA section: `]]>` is split over two sections.
pub(super) fn xml_text(text: &str) -> String {
    legal(text).replace("]]>", "]]]]><![CDATA[>")
}

/// For an attribute: one line. Quotes and brackets are the writer's matter.
pub(super) fn xml_attribute(text: &str) -> String {
    let words: Vec<String> = legal(text).split_whitespace().map(str::to_owned).collect();
    words.join(" ")
}

/// At most `max` bytes: the head and the tail, and how much is missing between them.
pub(super) fn capped(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let half = max.saturating_sub(CUT.len() + 20) / 2;
    let head = (0..=half).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let tail = (text.len() - half..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{}{}{}", &text[..head], CUT.replace("{}", &(tail - head).to_string()), &text[tail..])
}

/// Every `time` attribute with three decimals. The writer prints floating numbers whole, and sums of them with all their digits;
/// strict readers take at most three. Nothing outside the tags of suites and cases is touched.
pub(super) fn three_decimals(xml: &str) -> String {
    let mut out = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with("<![CDATA[") { rest.find("]]>").map(|at| at + 3) } else { rest.find('>').map(|at| at + 1) };
        let (tag, after) = rest.split_at(end.unwrap_or(rest.len()));
        let timed = tag.starts_with("<testsuite ") || tag.starts_with("<testcase ");
        out.push_str(&if timed { rounded(tag) } else { tag.to_owned() });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn rounded(tag: &str) -> String {
    let Some(begin) = tag.find(" time=\"").map(|at| at + 7) else { return tag.to_owned() };
    let Some(length) = tag[begin..].find('"') else { return tag.to_owned() };
    match tag[begin..begin + length].parse::<f64>() {
        Ok(seconds) => format!("{}{seconds:.3}{}", &tag[..begin], &tag[begin + length..]),
        Err(_) => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_illegal_characters_go() {
        let text = "a\u{1b}[1;31mred\u{1b}[0m b\0c\u{8}\u{fffe}\u{ffff}\u{1b}]0;title\u{7}d\u{1b}(Be\r\nf\rg\u{85}";
        assert_eq!(xml_text(text), "ared bcdBe\nf\ng");
        assert_eq!(xml_attribute("a\n b\t\tc"), "a b c");
    }

    #[test]
    fn a_section_cannot_be_closed_from_inside() {
        assert_eq!(xml_text("x]]>y"), "x]]]]><![CDATA[>y");
    }

    #[test]
    fn long_text_keeps_its_ends() {
        let text = format!("begin{}end", "é".repeat(5000));
        let short = capped(&text, 400);
        assert!(short.len() <= 400 && short.starts_with("begin") && short.ends_with("end") && short.contains("left out"));
        assert_eq!(capped("short", 400), "short");
    }

    #[test]
    fn times_get_three_decimals_and_texts_stay() {
        let xml = "<testsuite name=\"a\" time=\"8.299999999\"><testcase name=\"b\" time=\"2\"><x><![CDATA[<testcase time=\"2\">]]></x>";
        let wanted = "<testsuite name=\"a\" time=\"8.300\"><testcase name=\"b\" time=\"2.000\"><x><![CDATA[<testcase time=\"2\">]]></x>";
        assert_eq!(three_decimals(xml), wanted);
    }
}
