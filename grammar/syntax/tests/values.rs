//! Literals and expressions. In: `let a = VALUE`. Out: the value as a short form.

use super::*;
use crate::syntax::tree::{Expr, ExprKind, Index, Indexed, ItemKind, Text, TextPart};

/// A value with every parenthesis that binding implies.
pub(super) fn short(expr: &Expr) -> String {
    let list = |values: &[Expr]| values.iter().map(short).collect::<Vec<_>>().join(", ");
    match &expr.kind {
        ExprKind::Quantity(quantity) => format!("{}:{quantity}", quantity.dimension.word()),
        ExprKind::Text(text) => short_text(text),
        ExprKind::Bytes(bytes) => format!("{bytes:?}"),
        ExprKind::Regex(regex) => format!("/{regex}/"),
        ExprKind::Address(address) => format!("address {address}"),
        ExprKind::Prefix(address, length) => format!("prefix {address}/{length}"),
        ExprKind::Mac(mac) => format!("mac {mac:x?}"),
        ExprKind::Range(from, to) => format!("{}..{}", short(from), short(to)),
        ExprKind::List(values) => format!("[{}]", list(values)),
        ExprKind::Path(path) => short_path(path),
        ExprKind::Call(path, arguments) => {
            let name = |n: &Option<crate::syntax::tree::Name>| n.as_ref().map_or(String::new(), |n| format!("{}: ", n.text));
            let arguments: Vec<_> = arguments.iter().map(|a| format!("{}{}", name(&a.name), short(&a.value))).collect();
            format!("{}({})", short_path(path), arguments.join(", "))
        }
        ExprKind::Negative(value) => format!("(- {})", short(value)),
        ExprKind::Not(value) => format!("(not {})", short(value)),
        ExprKind::Binary(operator, left, right) => format!("({operator:?} {} {})", short(left), short(right)),
        ExprKind::If(a, b, c) => format!("(if {} {} {})", short(a), short(b), short(c)),
        ExprKind::Parenthesis(value) => format!("<{}>", short(value)),
        ExprKind::Broken => "broken".to_owned(),
    }
}

pub(super) fn short_path(path: &[Indexed]) -> String {
    let index = |i: &Option<Index>| match i {
        None => String::new(),
        Some(Index::All) => "[*]".to_owned(),
        Some(Index::One(value)) => format!("[{}]", short(value)),
        Some(Index::Range(from, to)) => format!("[{}..{}]", short(from), short(to)),
    };
    path.iter().map(|p| format!("{}{}", p.name.text, index(&p.index))).collect::<Vec<_>>().join(".")
}

pub(super) fn short_text(text: &Text) -> String {
    let part = |p: &TextPart| match p {
        TextPart::Literal(literal) => literal.clone(),
        TextPart::Hole(value) => format!("${{{}}}", short(value)),
    };
    format!("{:?}", text.parts.iter().map(part).collect::<String>())
}

fn value(written: &str) -> String {
    let document = good(&format!("scn 1\nlet a = {written}\n"));
    let ItemKind::Let { value, .. } = &document.items[0].kind else { panic!("a let") };
    assert_eq!(value.span.start, 14, "{written}");
    assert_eq!(value.span.end as usize, 14 + written.len(), "{written}");
    short(value)
}

#[test]
fn literals() {
    for (written, read) in [
        ("200", "count:200"),
        ("100k", "count:100000"),
        ("0.5", "number:0.5"),
        ("1.5s", "duration:1500ms"),
        ("64B", "size:64B"),
        ("100Mbit/s", "bandwidth:100Mbit/s"),
        ("10Mbps", "bandwidth:10Mbit/s"),
        ("100KiB/s", "bandwidth:819200bit/s"),
        ("50/s", "rate:50/s"),
        ("10k/s", "rate:10k/s"),
        ("3/m", "rate:0.05/s"),
        ("0.1%", "ratio:0.1%"),
        ("hex\"00 11ff\"", "[0, 17, 255]"),
        ("/^250[ -]\\/\"{/", "/^250[ -]\\/\"{/"),
        ("10.0.0.1", "address 10.0.0.1"),
        ("2001:db8::1", "address 2001:db8::1"),
        ("::", "address ::"),
        ("fe80::1", "address fe80::1"),
        ("1:2:3:4:5:6:7:8", "address 1:2:3:4:5:6:7:8"),
        ("10.0.0.1/24", "prefix 10.0.0.1/24"),
        ("::/0", "prefix ::/0"),
        ("66:77:88:99:aa:bb", "mac [66, 77, 88, 99, aa, bb]"),
        ("50ms..200ms", "duration:50ms..duration:200ms"),
        ("64B..1KiB", "size:64B..size:1KiB"),
        ("1..50", "count:1..count:50"),
        ("[ipv4, ipv6,]", "[ipv4, ipv6]"),
        ("[]", "[]"),
        ("[1.3]", "[number:1.3]"),
    ] {
        assert_eq!(value(written), read, "{written}");
    }
}

#[test]
fn texts() {
    for (written, read) in [
        (r#""GET /\r\n""#, "GET /\r\n"),
        (r#""a \"b\" \$ \\ \x41 \u{e9} # { } ; $5""#, "a \"b\" $ \\ A é # { } ; $5"),
        (r#""HELO ${client.name}!""#, "HELO ${client.name}!"),
        (r#""\${x}""#, "${x}"),
        (r#"r"raw\n${x}""#, r"raw\n${x}"),
        ("\"\"\"\n        one\n          two ${x}\n\n        three\n        \"\"\"", "one\n  two ${x}\n\nthree\n"),
        ("\"\"\"one\n    two\"\"\"", "one\ntwo"),
        ("\"\"\"a \"quoted\" word\"\"\"", "a \"quoted\" word"),
        ("\"\"\"\"\"\"", ""),
        ("r\"\"\"\n  a\\n\n  b\"\"\"", "a\\n\nb"),
        ("\"\"", ""),
    ] {
        assert_eq!(value(written), format!("{read:?}"), "{written}");
    }
    assert_eq!(value("\"\"\"\r\n  a\r\n  b\r\n  \"\"\""), "\"a\\nb\\n\"");
}

#[test]
fn expressions() {
    for (written, read) in [
        ("a + b * c - d", "(Subtract (Add a (Multiply b c)) d)"),
        ("10.0.0.1 / 24", "(Divide address 10.0.0.1 count:24)"),
        ("1KiB / 2s", "(Divide size:1KiB duration:2s)"),
        ("100/clients", "(Divide count:100 clients)"),
        ("a / b / c", "(Divide (Divide a b) c)"),
        ("not a == b and c or d", "(Or (And (not (Equal a b)) c) d)"),
        ("a <= b and c != -d", "(And (LessEqual a b) (NotEqual c (- d)))"),
        ("-a * b", "(Multiply (- a) b)"),
        ("(a or b) and c", "(And <(Or a b)> c)"),
        ("counters.output matches /errors 0/", "(Matches counters.output /errors 0/)"),
        ("if a > 1 then b else c", "(if (Greater a count:1) b c)"),
        ("min(a, max(b, c))", "min(a, max(b, c))"),
        ("uniform(10ms, 50ms)", "uniform(duration:10ms, duration:50ms)"),
        ("std.patterns.sym(size: 1KiB)", "std.patterns.sym(size: size:1KiB)"),
        ("f[*].goodput.forward", "f[*].goodput.forward"),
        ("client[2].x[1..3]", "client[count:2].x[count:1..count:3]"),
        ("a + 1 .. b + 2", "(Add a count:1)..(Add b count:2)"),
        ("`if`", "if"),
        ("iffy + order + notes", "(Add (Add iffy order) notes)"),
        ("(\n    1 +   # one\n    2\n)", "<(Add count:1 count:2)>"),
    ] {
        assert_eq!(value(written), read, "{written}");
    }
}
