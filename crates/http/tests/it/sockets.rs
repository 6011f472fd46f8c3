//! Over real sockets: heads that never come, connections that are too many, and the end.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tollkeeper_http::Limits;

use crate::world::{World, limited};

/// Nothing here takes this long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    world: World,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn new(adjust: impl Fn(&mut Limits)) -> Self {
        let world = World::with(|_| {}, limited(&adjust)).await;
        let mut limits = Limits::default();
        adjust(&mut limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = world.app.clone();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            tollkeeper_http::serve(listener, router, &limits, stopped).await;
        });
        Self { world, address, stop: Some(stop), task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Asks once on a connection of its own.
    async fn ask(&self, head: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn ended(self) {
        timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
    }
}

/// What comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that was cut has an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer on a connection that stays.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.ends_with("\"ok\"}") {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer comes").unwrap();
        assert!(read > 0, "the connection ended behind {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const LAST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_not_waited_for() {
    let server = Server::new(|limits| limits.header_time = Duration::from_millis(100)).await;
    let mut slow = server.connect().await;
    let mut silent = server.connect().await;
    let begun = Instant::now();
    // Each drop comes in time, the whole never does.
    let mut cut = false;
    while !cut && begun.elapsed() < PATIENCE {
        cut = slow.write_all(b"a").await.is_err()
            || matches!(timeout(Duration::from_millis(5), slow.read(&mut [0])).await, Ok(Ok(0) | Err(_)));
    }
    assert!(cut, "the slow one is still there");
    assert_eq!(rest(&mut silent).await, "");
    assert!(server.ask(LAST).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let server = Server::new(|limits| limits.header_bytes = 16 * 1024).await;
    let huge = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(17_000));
    assert!(server.ask(&huge).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert!(server.ask(&many).await.starts_with("HTTP/1.1 431"));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000));
    let answer = server.ask(&long).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(server.ask("nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    let large = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(12_000));
    assert!(server.ask(&large).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_ends_with_408() {
    let server = Server::new(|limits| limits.body_time = Duration::from_millis(50)).await;
    let head =
        "POST /api/webhooks/chargebee HTTP/1.1\r\nhost: x\r\nauthorization: Basic good\r\ncontent-length: 100\r\n\r\n{";
    let answer = server.ask(head).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"), "{answer}");
}

#[tokio::test]
async fn there_are_only_so_many_connections() {
    let server = Server::new(|limits| limits.connections = 2).await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    for stream in [&mut one, &mut two] {
        stream.write_all(HEALTH).await.unwrap();
        assert!(answer(stream).await.starts_with("HTTP/1.1 200"));
    }
    let mut third = server.connect().await;
    third.write_all(HEALTH).await.unwrap();
    // It is not answered while there is no place; the others are.
    for _ in 0..5 {
        one.write_all(HEALTH).await.unwrap();
        answer(&mut one).await;
        assert!(third.try_read(&mut [0; 16]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
    drop(two);
    assert!(answer(&mut third).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_address_of_the_other_side_is_counted() {
    let server = Server::new(|limits| {
        limits.failed_bearers = tollkeeper_http::Rate { per_minute: 1, burst: 1 };
    })
    .await;
    let head = |bearer: &str| {
        format!("GET /api/session HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {bearer}\r\n\r\n")
    };
    assert!(server.ask(&head("nonsense")).await.starts_with("HTTP/1.1 401"));
    assert!(server.ask(&head("nonsense")).await.starts_with("HTTP/1.1 429"));
}

#[tokio::test]
async fn what_was_asked_is_answered_before_the_end() {
    let mut server = Server::new(|_| {}).await;
    server.world.billing.pace.forget_permits(usize::MAX);
    let body = r#"{"plan":"starter"}"#;
    let head = format!(
        "POST /api/subscription/create HTTP/1.1\r\nhost: x\r\nauthorization: Bearer admin:org_1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut busy = server.connect().await;
    busy.write_all(head.as_bytes()).await.unwrap();
    let mut idle = server.connect().await;
    idle.write_all(HEALTH).await.unwrap();
    answer(&mut idle).await;
    timeout(PATIENCE, server.world.billing.asked_for.notified()).await.unwrap();

    server.stop();
    assert_eq!(rest(&mut idle).await, "", "who waits for nothing is let go");
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server.address).await.is_ok() {
        assert!(Instant::now() < deadline, "it still accepts");
    }
    assert!(!server.task.is_finished());
    server.world.billing.pace.add_permits(1);
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"hosted\""), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn a_stream_of_events_does_not_hold_up_the_end() {
    let mut server = Server::new(|_| {}).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer admin:org_1\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("event: entitlements") {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("it tells").unwrap();
        assert!(read > 0, "{text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    server.stop();
    // It ends as an answer ends: whoever listens knows that nothing was cut.
    assert!(rest(&mut stream).await.ends_with("0\r\n\r\n"));
    server.ended().await;
}

#[tokio::test]
async fn whoever_stops_waiting_for_the_end_cuts_what_is_open() {
    let mut server = Server::new(|_| {}).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /api/session HTTP/1.1\r\nhost: x\r\nauthorization: Bearer silence\r\n\r\n").await.unwrap();
    let mut idle = server.connect().await;
    idle.write_all(HEALTH).await.unwrap();
    answer(&mut idle).await;
    server.stop();
    assert_eq!(rest(&mut idle).await, "");
    assert!(!server.task.is_finished());
    server.task.abort();
    assert_eq!(rest(&mut busy).await, "");
}
