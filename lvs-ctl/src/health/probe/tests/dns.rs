use hickory_proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{RData, Record, rdata::A},
};
use tokio::net::UdpSocket;

use super::*;

/// A name server that answers with this code, after an answer to somebody else.
async fn names(code: ResponseCode) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 600];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            let question = Message::from_vec(&bytes[..length]).unwrap();
            let query = question.queries()[0].clone();
            let mut answer = Message::new();
            answer.set_message_type(MessageType::Response).add_query(query.clone());
            let address = RData::A(A::new(192, 0, 2, 53));
            answer.add_answer(Record::from_rdata(query.name().clone(), 60, address));
            answer.set_id(question.id().wrapping_add(1));
            socket.send_to(&answer.to_vec().unwrap(), from).await.ok();
            answer.set_id(question.id()).set_response_code(code);
            socket.send_to(&answer.to_vec().unwrap(), from).await.ok();
        }
    });
    address
}

#[tokio::test]
async fn a_name_server_answers_without_error() {
    let at = names(ResponseCode::NoError).await;
    assert_eq!(outcome("type = \"dns\"", at).await, good());
    let toml = |expect: &str| {
        format!("type = \"dns\"\nname = \"www.example.com\"\nrecord = \"a\"\nexpect = '{expect}'")
    };
    assert_eq!(outcome(&toml(r"^192\.0\.2\.53$"), at).await, good());
    assert_eq!(outcome(&toml("198"), at).await, failed(Failure::Answer));
}

#[tokio::test]
async fn a_name_servers_error_has_its_name() {
    let at = names(ResponseCode::ServFail).await;
    let Outcome::Failed(Failure::Rcode(words)) = outcome("type = \"dns\"", at).await else {
        panic!("an error is no success")
    };
    assert!(words.to_ascii_lowercase().contains("server fail"), "{words}");
}

#[tokio::test]
async fn what_is_no_name_server_is_said_to_be_none() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let (_, from) = socket.recv_from(&mut [0; 600]).await.unwrap();
        socket.send_to(b"hello", from).await.unwrap();
    });
    assert!(matches!(outcome("type = \"dns\"", at).await, Outcome::Failed(Failure::Protocol(_))));
}
