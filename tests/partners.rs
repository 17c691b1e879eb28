//! A program of somebody else at each end: socat answers flows, and asks services, over TCP and UDP.

use crate::http::{passes, places};

const SOCAT: &str = r#"scn 1

# What an echo of lines says, whoever is at the other end.
pattern lines {
    client sends "one ${client.name}\n"
    server sends "one client\n"
    client sends "two\n"
    server sends "two\n"
}

pattern large {
    client sends 100KiB
    server echoes
}

pattern greeting {
    client sends "who are you\n"
    server sends "I am ${server.name}\n"
    server closes
}

scenario socat_at_both_ends {
    needs tool socat
    timeout 30s
    topology {
        node client, server
        link client 10.1.0.10/24 <-> server 10.1.0.1/24
    }
    process echo on server {
        run "exec socat TCP-LISTEN:7000,reuseaddr,fork EXEC:cat"
        ready tcp 10.1.0.1:7000 within 10s
    }
    process mirror on server {
        run "exec socat UDP-LISTEN:7001,reuseaddr,fork EXEC:cat"
        ready udp 10.1.0.1:7001 within 10s
    }
    service greeter on server { listen tcp :7002  serve greeting }
    flow texts from client to 10.1.0.1:7000 { pattern lines  total 20  connections 4 }
    flow bytes from client to 10.1.0.1:7000 { pattern large  total 5 }
    flow datagrams from client to 10.1.0.1:7001 { over udp  pattern lines  total 10 }
    timeline {
        at 0s  run on client "printf 'who are you\n' | socat -t 5 - TCP:10.1.0.1:7002" as answer
    }
    expect {
        texts.transactions == 20
        texts.failed_transactions == 0
        bytes.transactions == 5
        bytes.corrupt == 0
        datagrams.transactions == 10
        datagrams.loss == 0%
        answer.output matches /^I am server\n$/
    }
}
"#;

#[test]
fn socat_answers_and_asks() {
    for place in places() {
        if passes(&place, "socat", SOCAT).is_none() {
            return;
        }
    }
}
