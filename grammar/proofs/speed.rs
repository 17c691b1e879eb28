use super::checked;
#[test]
fn speed() {
    let mut text = String::from("scn 1\nuse std.patterns (sym)\n");
    let mut n = 0;
    while text.lines().count() < 10_000 {
        n += 1;
        text.push_str(&format!("scenario s{n} {{\n    param clients: count = {n}\n    topology {{\n        node a, b, c[1..10]\n        bridge lan\n        link a 10.0.0.1/24 <-> lan\n        link b 10.0.0.2/24 <-> lan {{ delay 2ms }}\n        link c[*] <-> lan\n    }}\n    service web on b {{ listen tcp :80  serve sym(1KiB) }}\n    flow f from a to web {{ pattern sym(1KiB)  connections clients  rate 100/s }}\n    flow g from c[*] to b {{ total 10 }}\n    timeline {{\n        at 0s   start f\n        when f.active == clients within 2s   mark ready\n        at 3s   down b   as failure\n        failure + 2s  up b\n        at 9s   stop f\n    }}\n    expect {{\n        f.outage.max < 1.5s \"at most ${{clients}}\"\n        f.loss == 0% before failure\n        g[*].loss == 0%\n        always f.rate >= 95/s before failure\n        never f.corrupt > 0\n    }}\n}}\n"));
    }
    let t = std::time::Instant::now();
    let (_, found) = checked(&text);
    println!("many scenarios {} lines {:?} {} {}", text.lines().count(), t.elapsed(), found.diagnostics.len(), found.scenarios.len());
    let head = "scn 1\nscenario s {\n topology { node a, b\n link a <-> b }\nflow f from a to b\n";
    let long: String = (0..9_900).map(|n| format!("  at {n}ns mark e{n}\n")).collect();
    let text = format!("{head} timeline {{\n{long} }}\nexpect {{ f.corrupt == 0 }}\n}}\n");
    let t = std::time::Instant::now();
    let (document, _) = crate::syntax::parse(crate::source::FileId(0), &text);
    println!("parse timeline {:?} {}", t.elapsed(), document.items.len());
    let t = std::time::Instant::now();
    let (_, found) = checked(&text);
    println!("timeline {:?} {} {}", t.elapsed(), found.diagnostics.len(), found.scenarios.len());
    let links: String = (0..4_900).map(|n| format!("  node n{n}\n  link n{n} 10.{}.{}.1/24 <-> a\n", n / 250, n % 250)).collect();
    let text = format!("scn 1\nscenario s {{\n topology {{ node a\n{links} }}\nflow f from a to n1\nexpect {{ f.corrupt == 0 }}\n}}\n");
    let t = std::time::Instant::now();
    let (_, found) = checked(&text);
    println!("topology {:?} {} {}", t.elapsed(), found.diagnostics.len(), found.scenarios.len());
    let flows: String = (0..9_000).map(|n| format!("  flow f{n} from a to b {{ total 1 }}\n")).collect();
    let exps: String = (0..9_000).map(|n| format!("  f{n}.transactions == {n}\n")).collect();
    let text = format!("scn 1\nscenario s {{\n topology {{ node a, b\n link a <-> b }}\n{flows}\nexpect {{ {exps} }}\n}}\n");
    let t = std::time::Instant::now();
    let (_, found) = checked(&text);
    println!("flows {:?} {} {}", t.elapsed(), found.diagnostics.len(), found.scenarios.len());
    let bad: String = (0..9_000).map(|n| format!("  flow f{n} from c to d{n} {{ ttal 1 }}\n")).collect();
    let text = format!("scn 1\nscenario s {{\n topology {{ node a, b\n link a <-> b }}\n{bad}\nexpect {{ f1.corrupt == 0 }}\n}}\n");
    let t = std::time::Instant::now();
    let (sources, found) = checked(&text);
    println!("bad {:?} {} {}", t.elapsed(), found.diagnostics.len(), found.scenarios.len());
    let t = std::time::Instant::now();
    let n = crate::diagnostics::draw(&found.diagnostics, &sources, true, 100).len();
    println!("draw {:?} {n}", t.elapsed());
    let t = std::time::Instant::now();
    let n = crate::diagnostics::json(&found.diagnostics, &sources).len();
    println!("json {:?} {n}", t.elapsed());
}
