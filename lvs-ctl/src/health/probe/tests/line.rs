use tokio::{io::AsyncWriteExt as _, net::UdpSocket};

use super::*;

#[tokio::test]
async fn a_connection_is_all_that_tcp_wants() {
    let at = server(|_stream| async {}).await;
    assert_eq!(outcome("type = \"tcp\"", at).await, good());
    assert_eq!(outcome("type = \"tcp\"", nobody().await).await, failed(Failure::Refused));
}

#[tokio::test]
async fn a_source_that_is_not_ours_says_nothing_of_the_real_server() {
    let at = server(|_stream| async {}).await;
    let check = spec("type = \"tcp\"").read().unwrap();
    let probe = build(&check, &Authorities::default()).unwrap();
    let target = Target { source: Some([192, 0, 2, 77].into()), ..Target::plain(at) };
    let trip = Trip::new(errand(at, &check), target);
    assert!(matches!(run(&*probe, &trip, AMPLE).await, Outcome::Unchecked(_)));
}

#[tokio::test]
async fn a_mail_server_greets_in_as_many_lines_as_it_likes() {
    let mail = |greeting: &'static str| {
        server(move |mut stream| async move {
            stream.write_all(greeting.as_bytes()).await.ok();
            let mut line = [0; 100];
            let length = stream.read(&mut line).await.unwrap_or(0);
            let answer: &[u8] = if line[..length] == *b"HELO lvs.example\r\n" {
                b"250 hello\r\n"
            } else {
                b"550 no\r\n"
            };
            stream.write_all(answer).await.ok();
            assert!(stream.read(&mut line).await.is_ok());
        })
    };
    let smtp = "type = \"smtp\"\nhelo = \"lvs.example\"";
    assert_eq!(outcome(smtp, mail("220 mail\r\n").await).await, good());
    assert_eq!(outcome(smtp, mail("220-mail\r\n220 it is\r\n").await).await, good());
    assert_eq!(
        outcome("type = \"smtp\"", mail("220 mail\r\n").await).await,
        failed(Failure::Status(550))
    );
    assert_eq!(outcome(smtp, mail("421 busy\r\n").await).await, failed(Failure::Status(421)));
    let outcome_of = outcome(smtp, mail("HTTP/1.1 400\r\n").await).await;
    assert_eq!(outcome_of, failed(Failure::Protocol("HTTP/1.1 400".into())));
}

#[tokio::test]
async fn presets_know_their_servers_greetings() {
    let answering = |answer: &'static [u8]| {
        server(move |mut stream| async move {
            stream.write_all(answer).await.ok();
            let _length = stream.read(&mut [0; 100]).await;
        })
    };
    for (kind, answer) in [
        ("redis", &b"+PONG\r\n"[..]),
        ("mysql", b"\x4a\x00\x00\x00\x0a8.0.36\x00"),
        ("postgres", b"N"),
    ] {
        let at = answering(answer).await;
        assert_eq!(outcome(&format!("type = \"{kind}\""), at).await, good(), "{kind}");
    }
    let at = answering(b"-NOAUTH Authentication required.\r\n").await;
    let outcome_of = within(SHORT, "type = \"redis\"", at).await;
    assert!(matches!(outcome_of, Outcome::Failed(Failure::Answer | Failure::Timeout(_))));
}

#[tokio::test]
async fn an_exchange_sends_reads_and_gives_up() {
    let echo = server(|mut stream| async move {
        let mut bytes = [0; 100];
        let length = stream.read(&mut bytes).await.unwrap_or(0);
        // In two pieces.
        stream.write_all(&bytes[..1]).await.ok();
        stream.flush().await.ok();
        stream.write_all(&bytes[1..length]).await.ok();
    })
    .await;
    let toml = "type = \"exchange\"\nsend = 'ab\\x00c'\nexpect = '^ab\\x00c$'";
    assert_eq!(outcome(toml, echo).await, good());
    let other = "type = \"exchange\"\nsend = 'ab'\nexpect = 'z'";
    assert_eq!(outcome(other, echo).await, failed(Failure::Answer));
    let endless =
        server(|mut stream| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} })
            .await;
    assert_eq!(outcome(other, endless).await, failed(Failure::TooLong));
    let closed = server(|_stream| async {}).await;
    assert!(matches!(outcome(other, closed).await, Outcome::Failed(Failure::Closed(_))));
}

#[tokio::test]
async fn a_datagram_may_stay_unanswered_but_not_refused() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    assert_eq!(within(SHORT, "type = \"udp\"", at).await, good());
    let required = "type = \"udp\"\nrequire_reply = true";
    let outcome_of = within(SHORT, required, at).await;
    assert_eq!(outcome_of, failed(Failure::Timeout(Stage::Answer)));
    drop(silent);
    assert_eq!(outcome("type = \"udp\"", at).await, failed(Failure::Refused));
}

#[tokio::test]
async fn a_datagrams_answer_has_to_match() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            socket.send_to(&bytes[..length], from).await.ok();
        }
    });
    let toml = |expect: &str| format!("type = \"udp\"\nsend = \"ping\"\nexpect = \"{expect}\"");
    assert_eq!(outcome(&toml("^ping$"), at).await, good());
    assert_eq!(outcome(&toml("pong"), at).await, failed(Failure::Answer));
}

#[tokio::test]
async fn an_echo_is_answered_by_the_host_itself() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let outcome = outcome("type = \"icmp\"", address.parse().unwrap()).await;
        // Whoever may not ping has learnt nothing.
        assert!(matches!(outcome, Outcome::Good(_) | Outcome::Unchecked(_)), "{outcome:?}");
        if nix::unistd::geteuid().is_root() {
            assert_eq!(outcome, good(), "{address}");
        }
    }
}
