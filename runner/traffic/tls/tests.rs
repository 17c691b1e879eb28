//! What both ends agree on in a handshake, and how a connection is ended. Both ends are ours, on one thread.

use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsStream;
use tokio_rustls::rustls::{CommonState, HandshakeKind, ProtocolVersion};

use super::*;
use crate::plan::sample;
use crate::traffic::control::{Broken, Control, Role};

/// Both ends of a flow with what `over tls` and `listen tls` say.
fn ends(over: &str, listen: &str) -> Prepared {
    let text = format!(
        "topology {{ node client, server\n link client <-> server }}
         pattern both {{\n client sends 64B\n server sends 64B\n }}
         service web on server {{ listen tls :443 {{ {listen} }}  serve both }}
         flow f from client to web {{ over tls {{ {over} }}  total 1 }}
         expect {{ f.sent > 0 }}"
    );
    Prepared::new(&sample::plan(&text).unwrap(), &Files::new()).map_err(|(owner, why)| format!("{owner}: {why}")).unwrap()
}

/// A handle without orders.
fn control() -> Rc<Control> {
    Rc::new(Control::new(Role::Client(0, 1), None))
}

/// One handshake over loopback.
async fn shake(ends: &Prepared) -> (Result<Stream, Broken>, Result<Stream, Broken>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (here, there) = (control(), control());
    tokio::join!(ends.client(0).unwrap().connect(client.unwrap(), &here), ends.server(0).unwrap().accept(accepted.unwrap().0, &there))
}

fn session(stream: &Stream) -> &CommonState {
    let Stream::Secured(secured) = stream else { panic!("it is plain") };
    secured.stream.get_ref().1
}

/// The name that the client said.
fn said(stream: &Stream) -> Option<&str> {
    let Stream::Secured(secured) = stream else { panic!("it is plain") };
    let TlsStream::Server(stream) = &secured.stream else { panic!("it is the client's") };
    stream.get_ref().1.server_name()
}

fn words(broken: Result<Stream, Broken>) -> String {
    match broken.err().expect("refused") {
        Broken::Io(error) => error.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn both_ends_agree_on_what_is_said() {
    let ends = ends(
        "name \"www.example.com\"  versions [1.2]  alpn \"x\", \"http/1.1\"  ciphers \"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\"",
        "name \"www.example.com\"  alpn \"http/1.1\"",
    );
    let (client, server) = shake(&ends).await;
    let (client, server) = (client.unwrap(), server.unwrap());
    for end in [session(&client), session(&server)] {
        assert_eq!(end.protocol_version(), Some(ProtocolVersion::TLSv1_2));
        assert_eq!(end.alpn_protocol(), Some(&b"http/1.1"[..]));
        let suite = end.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite.as_str(), Some("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"));
    }
    assert_eq!(said(&server), Some("www.example.com"));
}

#[tokio::test]
async fn an_address_is_verified_and_not_said_as_a_name() {
    let (client, server) = shake(&ends("versions [1.3]  ciphers \"TLS_AES_128_GCM_SHA256\"", "")).await;
    let server = server.unwrap();
    assert_eq!(session(&client.unwrap()).protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session(&server).negotiated_cipher_suite().unwrap().suite().as_str(), Some("TLS13_AES_128_GCM_SHA256"));
    assert_eq!(said(&server), None);
}

/// How the second of two connections of a flow began, after a byte went each way on the first.
async fn second(over: &str, listen: &str) -> HandshakeKind {
    let ends = ends(over, listen);
    let (client, server) = shake(&ends).await;
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    assert_eq!(session(&client).handshake_kind(), Some(HandshakeKind::Full));
    client.write_all(b"a").await.unwrap();
    server.read_exact(&mut [0]).await.unwrap();
    server.write_all(b"b").await.unwrap();
    client.read_exact(&mut [0]).await.unwrap();
    session(&shake(&ends).await.0.unwrap()).handshake_kind().unwrap()
}

#[tokio::test]
async fn sessions_are_resumed_where_both_ends_want_it() {
    for version in ["1.2", "1.3"] {
        assert_eq!(second(&format!("resumption on  versions [{version}]"), "").await, HandshakeKind::Resumed, "{version}");
        assert_eq!(second(&format!("versions [{version}]"), "").await, HandshakeKind::Full, "{version}");
        assert_eq!(second(&format!("resumption on  versions [{version}]"), "resumption off").await, HandshakeKind::Full, "{version}");
    }
}

#[tokio::test]
async fn a_connection_is_closed_with_a_word_unless_it_is_cut() {
    for (cut, expected) in [(false, None), (true, Some(std::io::ErrorKind::ConnectionReset))] {
        let (client, server) = shake(&ends("", "")).await;
        let (mut client, server) = (client.unwrap(), server.unwrap());
        if cut {
            crate::traffic::wire::Transport::abort(&mut client);
        }
        drop(client);
        let Stream::Secured(mut server) = server else { panic!("it is plain") };
        // Below the stream, which takes an end without the word of TLS for one too.
        let read = server.stream.read(&mut [0]).await;
        assert_eq!(read.as_ref().err().map(std::io::Error::kind), expected, "{read:?}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_the_words_of_each_end() {
    let (client, server) = shake(&ends("name \"www.example.org\"", "name \"www.example.com\"")).await;
    let client = words(client);
    assert!(client.contains("certificate not valid for name \"www.example.org\""), "{client}");
    assert!(words(server).starts_with("received fatal alert: "));
    let (client, server) = shake(&ends("versions [1.2]", "versions [1.3]")).await;
    assert_eq!(words(client), "received fatal alert: ProtocolVersion");
    assert!(words(server).starts_with("peer is incompatible: "));
    let (client, _) = shake(&ends("alpn \"h2\"", "alpn \"http/1.1\"")).await;
    assert_eq!(words(client), "received fatal alert: NoApplicationProtocol");
    let (client, server) = shake(&ends("versions [1.2]", "verify on")).await;
    assert_eq!(words(client), "received fatal alert: CertificateRequired");
    assert!(words(server).contains("peer sent no certificates"));
    let (client, server) = shake(&ends("certificate auto", "verify on")).await;
    assert!(client.is_ok() && server.is_ok());
}

#[test]
fn what_cannot_be_had_is_told_before_anything_is_sent() {
    let refused = |over: &str, files: &Files| {
        let text = format!(
            "topology {{ node client, server\n link client <-> server }}
             flow f from client to server {{ over tls {{ {over} }}  total 1 }}
             expect {{ f.sent > 0 }}"
        );
        Prepared::new(&sample::plan(&text).unwrap(), files).err().expect("refused")
    };
    let (owner, why) = refused("versions [1.2]  ciphers \"TLS_AES_256_GCM_SHA384\"", &Files::new());
    assert_eq!(owner, "peer of f");
    assert!(why.contains("none of TLS_AES_256_GCM_SHA384 is of the versions that are said"), "{why}");
    let plan = "topology { node client, server\n link client <-> server }\nflow f from client to server { over tls { verify \"ca.pem\" }  total 1 }\nexpect { f.sent > 0 }";
    let plan = sample::plan(plan).unwrap();
    let named = files(&plan);
    assert_eq!(named.len(), 1);
    let mut held = Files::new();
    held.insert(named[0].0.clone(), b"nothing\n".to_vec().into());
    let (owner, why) = Prepared::new(&plan, &held).err().expect("refused");
    assert_eq!((owner.as_str(), why.as_str()), ("f", "ca.pem holds no certificate: one begins with -----BEGIN CERTIFICATE-----"));
}
