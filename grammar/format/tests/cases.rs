//! Single rules. In: a few words. Out: the same words laid out.

use super::*;

/// How `words` come out as a statement among others.
fn line(words: &str) -> String {
    laid(&format!("scenario s {{\n{words}\n}}\n")).lines().nth(1).unwrap().trim_start().to_owned()
}

#[test]
fn signs_have_their_blanks() {
    for (written, laid_out) in [
        ("let a=1", "let a = 1"),
        ("a<b", "a < b"),
        ("a<=b and c>=d or e!=f", "a <= b and c >= d or e != f"),
        ("a==-1", "a == -1"),
        ("link a<->b", "link a <-> b"),
        ("a+b*c", "a + b * c"),
        ("a-b", "a - b"),
        ("a -b", "a -b"),
        ("a- b", "a - b"),
        ("a == - 1", "a == -1"),
        ("f( - 1 )", "f(-1)"),
        ("node a ,b,c", "node a, b, c"),
        ("f [*]", "f [*]"),
        ("f[ * ].x", "f[*].x"),
        ("never (a)", "never (a)"),
        ("never(a)", "never(a)"),
        ("use std.patterns(sym)", "use std.patterns (sym)"),
        ("half   closes", "half   closes"),
        ("f(a   +   b,   c   <   d)", "f(a + b, c < d)"),
        ("a\t\tb", "a b"),
    ] {
        assert_eq!(line(written), laid_out, "{written}");
    }
}

#[test]
fn slashes_dots_and_colons_stay_in_literals() {
    for (written, laid_out) in [
        ("rate 100/s", "rate 100/s"),
        ("rate 1.5k/s", "rate 1.5k/s"),
        ("a 10.0.0.1/24", "a 10.0.0.1/24"),
        ("a 10.0.0.1/ 24", "a 10.0.0.1 / 24"),
        ("a ::/0", "a ::/0"),
        ("a fe80::ab/64", "a fe80::ab/64"),
        ("f(fe80::ab/64)", "f(fe80::ab/64)"),
        ("f(ab:cd:ef:01:23:45)", "f(ab:cd:ef:01:23:45)"),
        ("x = size/time", "x = size / time"),
        ("x = (a)/2", "x = (a) / 2"),
        ("x = a[1]/2", "x = a[1] / 2"),
        ("x = 10Mbit/s/2", "x = 10Mbit/s/2"),
        ("x = 10Mbps/2", "x = 10Mbit/s/2"),
        ("f(x:a/b)", "f(x: a / b)"),
        ("f(x:1/s)", "f(x: 1/s)"),
        ("f(x :1)", "f(x: 1)"),
        ("f(lb:80, y)", "f(lb: 80, y)"),
        ("to lb:80", "to lb:80"),
        ("listen tcp :80", "listen tcp :80"),
        ("listen tcp [::1]:80", "listen tcp [::1]:80"),
        ("param a:count", "param a: count"),
        ("link w : a <-> b", "link w: a <-> b"),
        ("link a ::1/64 <-> b", "link a ::1/64 <-> b"),
        ("1..5", "1..5"),
        ("a ..b", "a .. b"),
        ("expects /a / within 5s", "expects /a / within 5s"),
        ("x matches /a  +b/", "x matches /a  +b/"),
    ] {
        assert_eq!(line(written), laid_out, "{written}");
        assert_eq!(line(laid_out), laid_out);
    }
}

#[test]
fn bits_per_second_have_one_spelling() {
    for (written, laid_out) in [
        ("rate 10Mbps", "rate 10Mbit/s"),
        ("rate 1.5Gbps", "rate 1.5Gbit/s"),
        ("rate 64kbps", "rate 64kbit/s"),
        ("rate 9bps", "rate 9bit/s"),
        ("rate Mbps", "rate Mbps"),
        ("rate 1xMbps", "rate 1xMbps"),
        ("say \"10Mbps\"", "say \"10Mbps\""),
    ] {
        assert_eq!(line(written), laid_out, "{written}");
    }
}

#[test]
fn two_blanks_part_the_options_of_a_line() {
    for (written, laid_out) in [
        ("link a <-> b{delay 20ms loss 1%}", "link a <-> b { delay 20ms  loss 1% }"),
        ("flow f { over tcp { ecn on nodelay on } rate 5/s }", "flow f { over tcp { ecn on  nodelay on }  rate 5/s }"),
        ("flow f { reconnect after 5s sample tcp_info every 1s }", "flow f { reconnect after 5s  sample tcp_info every 1s }"),
        ("flow f { pattern std.mail(5, to: b) rate -1 + x total 3 }", "flow f { pattern std.mail(5, to: b)  rate -1 + x  total 3 }"),
        ("process p { run \"x\" env A = \"b\" stop SIGTERM within 2s }", "process p { run \"x\"  env A = \"b\"  stop SIGTERM within 2s }"),
        ("service s { listen tcp lb:80 serve sym }", "service s { listen tcp lb:80  serve sym }"),
        ("frame { vlan 123 ipv4 { ttl 9 } payload random 64B }", "frame { vlan 123  ipv4 { ttl 9 }  payload random 64B }"),
        ("flow f { if a == b { rate 1/s total 2 } }", "flow f { if a == b { rate 1/s  total 2 } }"),
        ("link a <-> b { loss 1% for i in 1..3 { delay 5ms rate i } }", "link a <-> b { loss 1%  for i in 1..3 { delay 5ms  rate i } }"),
        ("choose { 70% { client sends 1B } 30% { pause 1s } }", "choose { 70% { client sends 1B }  30% { pause 1s } }"),
        ("expect { a < b during c..d }", "expect { a < b during c..d }"),
    ] {
        assert_eq!(line(written), laid_out, "{written}");
        assert_eq!(line(laid_out), laid_out);
    }
}

#[test]
fn a_column_stays_where_it_is_when_words_before_it_grow() {
    let written = "scenario s {\n link a 1.1.1.1/24,1.1.1.2/24   <-> b # x\n link b                         <-> c # y\n}\n";
    let laid_out = "scenario s {\n    link a 1.1.1.1/24, 1.1.1.2/24  <-> b # x\n    link b                         <-> c # y\n}\n";
    assert_eq!(laid(written), laid_out);
}

#[test]
fn a_block_is_opened_when_its_line_is_longer_than_the_width() {
    let of_length = |n: usize| format!("node {} {{ mtu 9000 }}\n", "n".repeat(n - "node  { mtu 9000 }".len()));
    assert_eq!(laid(&of_length(WIDTH)).lines().count(), 1);
    assert_eq!(laid(&of_length(WIDTH + 1)).lines().count(), 3);
    let accents = of_length(WIDTH).replacen("nnnn", "\"é\"n", 1);
    assert_eq!(laid(&accents).lines().count(), 1, "characters count, not bytes");
    let commented = of_length(WIDTH).replace('\n', "  # a comment counts for nothing\n");
    assert_eq!(laid(&commented).lines().count(), 1);
}

#[test]
fn ends_of_lines_and_of_the_file_are_plain() {
    for written in [
        "let a = 1",
        "let a = 1\n\n\n",
        "\u{feff}let a = 1\r\n",
        "\n\n  let a = 1  ;;\t\n \n",
        "let a = \\\r\n".replace('\\', "1").as_str(),
    ] {
        assert_eq!(laid(written), "let a = 1\n", "{written:?}");
    }
    assert_eq!(laid(""), "");
    assert_eq!(laid("\u{feff} \r\n"), "");
    assert_eq!(laid("\r\n# a \r\n"), "# a\n");
    assert_eq!(laid("let a = \"\"\"\r\n  x\r\r\n  y\r\n  \"\"\"\r\n"), "let a = \"\"\"\n    x\n    y\n    \"\"\"\n");
    assert_eq!(laid("let a = \"\"\"\r\n  \r\n\"\"\"\r\n"), "let a = \"\"\"\n  \n\"\"\"\n");
}

#[test]
fn a_text_that_cannot_be_read_is_refused() {
    for (text, code) in [
        ("scn 1\nscenario s {\n", "scn::syntax::unclosed_block"),
        ("scn 1\nlet a = \"x\n", "scn::syntax::unterminated_text"),
        ("scn 1\nlet a = (1\n", "scn::syntax::unclosed_parenthesis"),
        ("scn 1\n}\n", "scn::syntax::stray_brace"),
        ("scn 1\nlet a = 5 +\n", "scn::syntax::expected"),
        ("scn 1\nlet a = 5Mb\n", "scn::syntax::ambiguous_unit"),
        ("let a = 5\n", "scn::syntax::missing_version"),
        ("scn 1\n\0\n", "scn::syntax::not_text"),
    ] {
        let problems = format(FileId(0), text).unwrap_err();
        assert!(problems.iter().any(|problem| problem.code == code), "{text}: {problems:?}");
    }
    assert_eq!(format(FileId(0), "scn 1\nlet a=5\n"), Ok("scn 1\n\nlet a = 5\n".to_owned()));
}
