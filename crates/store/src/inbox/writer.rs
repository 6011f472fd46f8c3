//! The way into the inbox: many waiting deliveries share one statement and one commit.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tollkeeper_core::{
    ids::{EventId, Source},
    ports::Subject,
    time::{MachineTime, Timestamp},
};

use crate::{
    Db, Error, Tx,
    value::{At, at},
};

/// Deliveries in one statement, at most.
const BATCH: usize = 128;
/// Deliveries that may wait; whoever comes then is told to come back.
const WAITING: usize = 4096;

/// A delivery on its way in.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who sent it.
    pub source: Source,
    /// Its own id there.
    pub event_id: EventId,
    /// The sender's name of the event.
    pub event_type: String,
    /// What it is about, as `Subject` writes it.
    pub subject: String,
    /// When it happened, by the sender's clock.
    pub occurred_at: Option<Timestamp>,
    /// When it came.
    pub received_at: MachineTime,
    /// The raw bytes.
    pub body: Bytes,
}

/// What became of a delivery. Either way it is durable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Stored.
    New,
    /// It was there already; that it came again is counted.
    Duplicate,
}

/// One row of a statement: a delivery and how often it came within the batch.
struct Batch<'a> {
    delivery: &'a Delivery,
    subject: Cow<'a, str>,
    count: i64,
}

type Answer = oneshot::Sender<Result<Put, Error>>;

enum Request {
    Put(Delivery, Answer),
    Stop(oneshot::Sender<()>),
}

/// Puts deliveries into the inbox. Cheap to clone; its task ends with the last clone or with [`Writer::stop`].
#[derive(Clone, Debug)]
pub struct Writer {
    requests: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts the task that writes. Needs a runtime.
    pub fn start(db: Db) -> Self {
        let (requests, inbox) = mpsc::channel(WAITING);
        tokio::spawn(run(db, inbox));
        Self { requests }
    }

    /// Stores a delivery and waits until it is durable. A caller that stops waiting does not stop the write.
    ///
    /// # Errors
    /// [`Error::is_unavailable`]: nothing is promised, let the sender try again. Anything else is about this delivery alone.
    pub async fn put(&self, delivery: Delivery) -> Result<Put, Error> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(Request::Put(delivery, answer)).map_err(|_| Error::Overloaded)?;
        // Without an answer the task has ended: it was stopped between our request and its turn.
        answered.await.unwrap_or(Err(Error::Overloaded))
    }

    /// Takes no more deliveries, and waits until those that were taken are stored and answered.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.requests.send(Request::Stop(done)).await.is_ok() {
            // It is told, or the task has ended: both are what we wait for.
            let _ = stopped.await;
        }
    }
}

async fn run(db: Db, mut inbox: mpsc::Receiver<Request>) {
    let mut requests = Vec::with_capacity(BATCH);
    let mut stopped = Vec::new();
    while inbox.recv_many(&mut requests, BATCH).await > 0 {
        let mut puts = Vec::with_capacity(requests.len());
        for request in requests.drain(..) {
            match request {
                Request::Put(delivery, answer) => puts.push((delivery, answer)),
                Request::Stop(done) => {
                    inbox.close();
                    stopped.push(done);
                }
            }
        }
        // Being stopped may be all that was asked for.
        if !puts.is_empty() {
            write(&db, puts).await;
        }
    }
    for done in stopped {
        // Whoever asked may have stopped waiting.
        let _ = done.send(());
    }
}

/// Writes what was drained together, and answers everybody.
async fn write(db: &Db, puts: Vec<(Delivery, Answer)>) {
    let deliveries: Vec<&Delivery> = puts.iter().map(|(delivery, _)| delivery).collect();
    let results = match put_all(db, &deliveries).await {
        Ok(results) => results.into_iter().map(Ok).collect(),
        // The database is away for all of them.
        Err(error) if error.is_unavailable() => vec![Err(error); deliveries.len()],
        // One of them cannot be stored (a NUL in an id, for example): the others must not suffer.
        Err(error) if deliveries.len() > 1 => {
            tracing::warn!(%error, deliveries = deliveries.len(), "a batch of deliveries was refused, storing them one by one");
            let mut results = Vec::with_capacity(deliveries.len());
            for delivery in &deliveries {
                results.push(put_all(db, &[delivery]).await.map(|puts| puts[0]));
            }
            results
        }
        Err(error) => vec![Err(error)],
    };
    for ((_, answer), result) in puts.into_iter().zip(results) {
        // The sender may have hung up; its delivery is stored all the same.
        let _ = answer.send(result);
    }
}

/// Stores deliveries in one transaction; answers in their order.
async fn put_all(db: &Db, deliveries: &[&Delivery]) -> Result<Vec<Put>, Error> {
    // Sorted by key, so that two processes that store the same deliveries take the rows in the same order.
    let mut batch: BTreeMap<(&str, &str), Batch<'_>> = BTreeMap::new();
    for delivery in deliveries {
        batch
            .entry((delivery.source.as_str(), delivery.event_id.as_str()))
            .and_modify(|row| row.count += 1)
            .or_insert_with(|| Batch { delivery, subject: subject(delivery), count: 1 });
    }
    let rows: Vec<&Batch<'_>> = batch.values().collect();
    let rows = &rows[..];
    let seen = db.write(|tx| Box::pin(async move { put_rows(tx, rows).await })).await?;
    // Seen as often as it came within the batch: it was not there before.
    let mut new: HashSet<(&str, &str)> = seen
        .iter()
        .map(|row| ((row.source.as_str(), row.event_id.as_str()), row.seen))
        .filter(|(key, seen)| batch.get(key).is_some_and(|row| row.count == *seen))
        .map(|(key, _)| key)
        .collect();
    // The first one of an id is the new one; the others within the batch repeat it.
    let keys = deliveries.iter().map(|delivery| (delivery.source.as_str(), delivery.event_id.as_str()));
    Ok(keys.map(|key| if new.remove(&key) { Put::New } else { Put::Duplicate }).collect())
}

row! {
    /// How often a delivery has been seen after it was put.
    struct Seen { source: String, event_id: String, seen: i64 }
}

/// Inserts deliveries whose ids are distinct.
async fn put_rows(tx: &mut Tx, rows: &[&Batch<'_>]) -> Result<Vec<Seen>, Error> {
    sql!(
        tx.c(),
        all Seen rows rows,
        "INSERT INTO inbox (source, event_id, event_type, subject, occurred_at, received_at, seen, body)",
        "
        ON CONFLICT (source, event_id) DO UPDATE
        SET seen = inbox.seen + excluded.seen
        RETURNING source, event_id, seen",
        |row| (
            row.delivery.source.as_str(),
            row.delivery.event_id.as_str(),
            row.delivery.event_type.as_str(),
            &*row.subject,
            at(row.delivery.occurred_at),
            At(row.delivery.received_at),
            row.count,
            &row.delivery.body[..]
        )
    )
}

/// What the row is filed under: what we do not model shares no subject, so that one of them never waits for another.
fn subject(delivery: &Delivery) -> Cow<'_, str> {
    if delivery.subject == Subject::Other.to_string() {
        Cow::Owned(format!("{}:{}", delivery.subject, delivery.event_id))
    } else {
        Cow::Borrowed(&delivery.subject)
    }
}
