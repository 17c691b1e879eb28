//! Secrets in patterns and HTTP: they are on the wire, and in nothing that scn writes, says or logs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::built::{Ended, Place, finish};
use crate::http::places;

/// With what texts escape, and what they do not.
const TOKEN: &str = "hunter2\"\u{e9}x";
/// As a path can hold it.
const KEY: &str = "k3y-of-the-shop";

/// Transactions that end well and such that fail over a text with a secret in it, cut within it too.
const GUARDED: &str = r#"scn 1
secret token from env SCN_TEST_TOKEN
secret key from env SCN_TEST_KEY
pattern login {
    client sends "AUTH ${token}\r\n"
    server expects "AUTH ${token}\r\n"
    server sends "welcome ${token}\r\n"
    client expects line /^welcome/
}
pattern refused {
    client sends "AUTH ${token}\r\n"
    server expects line /^AUTH/
    server sends "no: ${token}\r\n"
    client expects "yes"
}
pattern hangs {
    client sends "${key}"
    server expects 3B
    server sends "you said ${key}"
    client expects /done/ within 100ms
}
pattern asks {
    client sends "GET /${key} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer ${key}\r\n\r\n"
    server sends "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Key: ${key}\r\n\r\nok"
}
pattern datagrams {
    client sends "AUTH ${token}"
    server sends "no ${token}"
    client expects "yes"
}
scenario guarded {
    timeout 30s
    topology {
        node a, b
        link a <-> b
    }
    service page on b {
        listen http :80 { path "/" { header "x-token" = "${key}"  body "it is ${token}" } }
    }
    service plays on b { listen http :81  serve asks }
    flow good    from a to b { pattern login  total 2 }
    flow bad     from a to b { pattern refused  total 2 }
    flow cut     from a to b { pattern hangs  total 1 }
    flow grams   from a to b over udp { pattern datagrams  total 1 }
    flow browsed from a to page { over http { path "/${key}"  header "authorization" = "${token}"  body "${token}" }  total 1 }
    flow lost    from a to page { over http { path "/${key}"  status 404 }  total 1 }
    flow two     from a to page { over http { version 2  path "/${key}"  header "x-key" = "${key}"  status 404 }  total 1 }
    flow played  from a to plays { over http { }  pattern asks  total 1 }
    expect {
        good.transactions == 2
        browsed.transactions == 1
        played.transactions == 1
        bad.failed_transactions == 2
        cut.failed_transactions == 1
        grams.failed_transactions == 1
        lost.failed_transactions == 1
        two.failed_transactions == 1
    }
}
"#;

fn scn(place: &Place, arguments: &[&str]) -> Ended {
    let mut command = place.command(arguments);
    finish(command.env("SCN_TEST_TOKEN", TOKEN).env("SCN_TEST_KEY", KEY).env("SCN_LOG", "trace"))
}

/// How a text may hold a secret, or a part of one that is no chance.
fn forms() -> Vec<String> {
    let whole = [TOKEN, KEY].into_iter().flat_map(|value| {
        [
            value.to_owned(),
            value.escape_debug().to_string(),
            value.as_bytes().escape_ascii().to_string(),
            value.escape_default().to_string(),
        ]
    });
    whole.chain(["hunter", "k3y-of", "the-shop"].map(str::to_owned)).collect()
}

fn assert_clean(what: &str, text: &str) {
    for form in forms() {
        let at = text.find(&form);
        let around = at.map(|at| text[at.saturating_sub(60)..].chars().take(160).collect::<String>());
        assert_eq!(around, None, "{what} holds {form:?}");
    }
}

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn secrets_are_on_the_wire_and_in_no_output() {
    for place in places() {
        place.write("guarded.scn", GUARDED);
        let mut said = Vec::new();
        let ran = scn(&place, &["run", "guarded.scn", "--capture", "all", "--json", "all.json"]);
        assert_eq!(ran.code, Some(0), "stdout:\n{}\nstderr:\n{}", ran.stdout, ran.stderr);
        for shown in ["got \"no: ***", "you said ***", "no ***", "GET /***"] {
            assert!(ran.stdout.contains(shown), "{shown} in:\n{}", ran.stdout);
        }
        said.push(ran);
        let once = scn(&place, &["run", "--once", "guarded.scn", "--out", "once"]);
        assert!(once.stderr.contains("AUTH ***"), "{}", once.stderr);
        said.push(once);
        let record = "scn-results/guarded.guarded.run.json";
        for arguments in [
            &["plan", "guarded.scn"][..],
            &["plan", "guarded.scn", "--format", "json"],
            &["judge", record],
            &["report", record, "--html", "again.html"],
        ] {
            said.push(scn(&place, arguments));
        }
        for ended in &said {
            assert_clean("standard output", &ended.stdout);
            assert_clean("standard error", &ended.stderr);
        }
        let (captures, others): (Vec<_>, Vec<_>) =
            files(place.path()).into_iter().partition(|path| path.extension() == Some("pcapng".as_ref()));
        assert!(others.len() > 6, "{others:?}");
        for path in others.iter().filter(|path| path.file_name() != Some("scn".as_ref())) {
            assert_clean(&path.to_string_lossy(), &String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
        let crossed: Vec<u8> = captures.iter().flat_map(|path| fs::read(path).unwrap()).collect();
        for value in [TOKEN, KEY] {
            assert!(crossed.windows(value.len()).any(|bytes| bytes == value.as_bytes()), "{value} crossed the link");
        }
    }
}
