use tokio::io::AsyncWriteExt as _;

use super::*;

/// A web server that answers everything with this.
async fn web(answer: &'static str) -> SocketAddr {
    server(move |mut stream| async move {
        head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.ok();
    })
    .await
}

const OK: &str = "HTTP/1.1 200 OK\r\nX-Role: primary\r\nContent-Length: 6\r\n\r\nalive\n";

#[tokio::test]
async fn a_good_answer_is_a_success() {
    let at = web(OK).await;
    for more in [
        "",
        "method = \"OPTIONS\"",
        "body = \"^ali\"",
        "digest = \"md5:4e5dc3caa06fa07c79bc3ba5e62ff86b\"",
        "expect_headers = { x-role = \"^primary$\" }",
        "status = \"404,200\"",
        "version = \"1.0\"",
    ] {
        let toml = format!("type = \"http\"\n{more}");
        assert_eq!(outcome(&toml, at).await, good(), "{more}");
    }
}

#[tokio::test]
async fn every_part_of_an_answer_can_be_wrong() {
    let at = web(OK).await;
    for (more, failure) in [
        ("status = \"201-299\"", Failure::Status(200)),
        ("body = \"dead\"", Failure::Body),
        ("digest = \"md5:00112233445566778899aabbccddeeff\"", Failure::Digest),
        ("expect_headers = { x-role = \"backup\" }", Failure::Header("x-role".into())),
        ("expect_headers = { x-nosuch = \"\" }", Failure::Header("x-nosuch".into())),
    ] {
        let toml = format!("type = \"http\"\n{more}");
        assert_eq!(outcome(&toml, at).await, failed(failure), "{more}");
    }
    let at = web("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(outcome("type = \"http\"", at).await, failed(Failure::Status(503)));
}

#[tokio::test]
async fn a_request_says_what_it_was_told_to() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let at = server(move |mut stream| {
        let told = told.clone();
        async move {
            told.send(head(&mut stream).await).ok();
            stream.write_all(OK.as_bytes()).await.ok();
        }
    })
    .await;
    let toml = "type = \"http\"\npath = \"/h?a=b\"\nhost = \"www.example.com\"\n\
        [headers]\nX-Probe = \"yes\"";
    assert_eq!(outcome(toml, at).await, good());
    let request = heard.recv().await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /h?a=b http/1.1\r\n"), "{request}");
    for line in ["host: www.example.com\r\n", "x-probe: yes\r\n", "connection: close\r\n"] {
        assert!(request.contains(line), "{request}");
    }
    outcome("type = \"http\"\nversion = \"1.0\"\nmethod = \"HEAD\"", at).await;
    let request = heard.recv().await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("head / http/1.0\r\n"), "{request}");
    assert!(request.contains(&format!("host: {at}\r\n")), "{request}");
}

#[tokio::test]
async fn a_server_that_sends_without_end_is_cut_off() {
    let endless = |start: &'static str| {
        server(move |mut stream| async move {
            head(&mut stream).await;
            stream.write_all(start.as_bytes()).await.ok();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        })
    };
    let body = endless("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(outcome("type = \"http\"\nbody = \"end\"", body).await, failed(Failure::TooLong));
    assert_eq!(outcome("type = \"http\"", body).await, good(), "a body that nobody asked for");
    let header = endless("HTTP/1.1 200 OK\r\nX: ").await;
    assert_eq!(outcome("type = \"http\"", header).await, failed(Failure::TooLong));
}

#[tokio::test]
async fn what_is_slow_or_breaks_off_is_named_by_its_stage() {
    let silent = server(|mut stream| async move {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let outcome_of = within(SHORT, "type = \"http\"", silent).await;
    assert_eq!(outcome_of, failed(Failure::Timeout(Stage::Answer)));
    let stalled = server(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.ok();
        std::future::pending::<()>().await;
    })
    .await;
    let outcome_of = within(SHORT, "type = \"http\"\nbody = \"half.\"", stalled).await;
    assert_eq!(outcome_of, failed(Failure::Timeout(Stage::Body)));
    let cut = web("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    let outcome_of = outcome("type = \"http\"\nbody = \"half\"", cut).await;
    assert_eq!(outcome_of, failed(Failure::Closed(Stage::Body)));
    let closed = server(|mut stream| async move {
        head(&mut stream).await;
    })
    .await;
    assert_eq!(outcome("type = \"http\"", closed).await, failed(Failure::Closed(Stage::Answer)));
}

#[tokio::test]
async fn what_is_no_http_is_said_to_be_none() {
    let at = web("220 mail.example.com ESMTP\r\n").await;
    assert!(matches!(outcome("type = \"http\"", at).await, Outcome::Failed(Failure::Protocol(_))));
}
