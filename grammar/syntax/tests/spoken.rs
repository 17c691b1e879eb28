//! What the messages say. In: one wrong statement. Out: the message and the help, word for word.

use super::*;

/// Message and help of the only problem.
fn said(text: &str) -> String {
    let (_, problems) = parse(FileId(0), &format!("scn 1\n{text}\n"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    let help = problems[0].help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
    format!("{}{help}", problems[0].message)
}

fn in_scenario(text: &str) -> String {
    said(&format!("scenario s {{\n{text}\n}}"))
}

#[test]
fn what_was_expected_is_said_in_words() {
    assert_eq!(
        in_scenario("topology { link a }"),
        "expected `<->` and the other end of the link or an address such as `10.0.0.1/24`, found `}`"
    );
    assert_eq!(
        in_scenario("topology { link a -> b }"),
        "expected `<->` and the other end of the link or an address such as `10.0.0.1/24`, found `->` (a link is written `a <-> b`)"
    );
    assert_eq!(in_scenario("timeout"), "expected a duration such as `200ms`, found the end of the line");
    assert_eq!(in_scenario("flow f form a to b"), "expected `from`, found `form` (did you mean `from`?)");
    assert_eq!(
        in_scenario("service s on a { listen tcp 80 }"),
        "expected where to listen: `:PORT` or `ADDRESS:PORT`, found `80` (write `:80`)"
    );
    assert_eq!(in_scenario("flow f from a to b { total }"), "expected a value after `total`, found the end of the statement");
    assert_eq!(in_scenario("timeline { at 3s mark a b }"), "expected one name after `mark`, such as `mark ready`, found `mark a b`");
    assert_eq!(in_scenario("timeline { at 3s down a as }"), "expected a name for the event, found `}`");
    assert_eq!(in_scenario("expect { a < b before }"), "expected a time such as `3s` or `failure + 200ms`, found `}`");
    assert_eq!(said("pattern p { client send 5B }").split_once(", found").unwrap().1, " `send` (did you mean `sends`?)");
}

#[test]
fn what_was_meant_is_suggested() {
    assert_eq!(in_scenario("timout 3s"), "`timout` begins no statement in a scenario (did you mean `timeout`?)");
    assert_eq!(said("flow f from a to b"), "`flow` cannot stand at top level (`flow` stands in a scenario)");
    assert_eq!(said("let a = 10 ms"), "a blank between the number and its unit `ms` (write `10ms`)");
    assert_eq!(said("let a = 10 parsecs"), "`parsecs` is not a unit (units of a duration: ns, us, ms, s, m, h)");
    assert_eq!(said("let a = 10Mb"), "`Mb` can be read in two ways (write `10Mbit/s` or `10MB/s`)");
    assert_eq!(
        in_scenario("topology { link a <-> b { delay 20 ms  loss 1% } }"),
        "a blank between the number and its unit `ms` (write `20ms`)"
    );
    assert_eq!(
        in_scenario("service s on a { listen tcp :80  sevre sym }"),
        "`sevre` begins no statement in a service (did you mean `serve`?)"
    );
}
