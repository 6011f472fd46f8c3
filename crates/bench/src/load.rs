//! A load generator that takes little of the machine: prepared bytes over connections that stay open, on one thread.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::LocalSet,
};

use crate::{figures::micros, machine::thread_time};

/// Whole requests, one after the other in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    pub(crate) fn push(&mut self, head: &str, body: &[u8]) {
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
    }

    /// A request without a body.
    pub(crate) fn push_get(&mut self, head: &str) {
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, number: usize) -> &[u8] {
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[number]]
    }
}

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Each connection sends the next one as soon as it has its answer.
    Closed,
    /// So many a second, whether answers come or not; what starts late counts from when it should have started.
    PerSecond(u64),
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) took: Duration,
    /// Microseconds from when each should have been sent to its answer.
    pub(crate) latencies: Vec<u64>,
    /// What the client's thread had of a processor.
    pub(crate) client: Duration,
}

/// Told at which instant each request should have been sent, by its number.
pub(crate) type Sent = Arc<dyn Fn(usize, Instant) + Send + Sync>;

/// Sends all of `requests`, in their order. Every answer must be 200.
pub(crate) async fn send(
    address: SocketAddr,
    requests: Arc<Requests>,
    connections: usize,
    pace: Pace,
    sent: Option<Sent>,
) -> anyhow::Result<Outcome> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let work = move || {
        let outcome = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the client's runtime")
            .and_then(|runtime| LocalSet::new().block_on(&runtime, run(address, requests, connections, pace, sent)));
        let _ = answer.send(outcome);
    };
    std::thread::Builder::new().name("load".into()).spawn(work)?;
    answered.await.context("the client ended early")?
}

struct Shared {
    requests: Arc<Requests>,
    next: Cell<usize>,
    latencies: RefCell<Vec<u64>>,
    pace: Pace,
    begun: Instant,
    sent: Option<Sent>,
}

async fn run(
    address: SocketAddr,
    requests: Arc<Requests>,
    connections: usize,
    pace: Pace,
    sent: Option<Sent>,
) -> anyhow::Result<Outcome> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let latencies = RefCell::new(Vec::with_capacity(requests.len()));
    let shared = Rc::new(Shared { requests, next: Cell::new(0), latencies, pace, begun: Instant::now(), sent });
    let before = thread_time();
    let tasks: Vec<_> =
        streams.into_iter().map(|stream| tokio::task::spawn_local(connection(shared.clone(), stream))).collect();
    for task in tasks {
        task.await??;
    }
    let took = shared.begun.elapsed();
    Ok(Outcome { took, latencies: shared.latencies.take(), client: thread_time().saturating_sub(before) })
}

async fn connection(shared: Rc<Shared>, mut stream: TcpStream) -> anyhow::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let number = shared.next.get();
        if number >= shared.requests.len() {
            return Ok(());
        }
        shared.next.set(number + 1);
        let scheduled = match shared.pace {
            Pace::Closed => Instant::now(),
            Pace::PerSecond(rate) => {
                let nanos = number as u128 * 1_000_000_000 / u128::from(rate.max(1));
                let at = shared.begun + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                tokio::time::sleep_until(at.into()).await;
                at
            }
        };
        if let Some(sent) = &shared.sent {
            sent(number, scheduled);
        }
        stream.write_all(shared.requests.get(number)).await?;
        answer(&mut stream, &mut buffer).await.with_context(|| format!("request {number}"))?;
        shared.latencies.borrow_mut().push(micros(scheduled.elapsed()));
    }
}

/// Reads one answer to its end.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut filled = 0;
    loop {
        ensure!(filled < buffer.len(), "an answer is longer than any that is expected");
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        filled += read;
        let text = &buffer[..filled];
        let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else { continue };
        if filled < end + content_length(&text[..end])? {
            continue;
        }
        ensure!(
            text.starts_with(b"HTTP/1.1 200"),
            "the answer is not 200 but `{}`",
            String::from_utf8_lossy(&text[..text.len().min(500)])
        );
        return Ok(());
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let head = std::str::from_utf8(head)?;
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    Ok(line.context("the answer has no length")?.trim().parse()?)
}
