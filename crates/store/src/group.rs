//! Group commit on SQLite: writers that stand in line together share one transaction and one commit.
//!
//! SQLite has one writer at a time, and a durable commit waits for the disk; one commit for each writer would spend
//! most of the time waiting. So whoever comes to the head of the line finds the transaction of those before, works in a
//! savepoint of its own, and leaves the transaction open for those behind. Whoever began it has sent a committer to the
//! end of the line, so that everybody who stood there meanwhile takes part.
//!
//! Nobody is told anything before the commit, also not that it failed by itself: it may have seen what others of the
//! group wrote. An error undoes one savepoint; a lost commit, or a member that is dropped while it works, undoes all,
//! and all of them run again.

use std::{sync::Arc, time::Duration};

use sqlx::{Executor, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    time::timeout,
};

use crate::Error;

/// The line in front of the one writer.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pool: SqlitePool,
    patience: Duration,
    // The lock of Tokio is fair, which is what makes it a line.
    open: Arc<Mutex<Option<Group>>>,
}

/// A transaction that several share, and who waits for its end: `None` while it is open.
#[derive(Debug)]
struct Group {
    transaction: Transaction<'static, Sqlite>,
    fate: watch::Sender<Option<Result<(), Error>>>,
}

/// One of a group, at the head of the line. Dropping it undoes the whole group.
#[derive(Debug)]
pub(crate) struct Member {
    place: OwnedMutexGuard<Option<Group>>,
    line: Arc<Mutex<Option<Group>>>,
    group: Group,
    founder: bool,
}

impl Line {
    /// `pool` has one connection; `patience` is how long somebody stands in line.
    pub(crate) fn new(pool: SqlitePool, patience: Duration) -> Self {
        Self { pool, patience, open: Arc::default() }
    }

    /// The connection itself, for what cannot share.
    pub(crate) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Waits for the turn, and joins the open group or founds one.
    pub(crate) async fn join(&self) -> Result<Member, Error> {
        let turn = timeout(self.patience, self.open.clone().lock_owned()).await;
        let mut place = turn.map_err(|_| Error::from(sqlx::Error::PoolTimedOut))?;
        let open = place.take();
        let founder = open.is_none();
        let mut group = match open {
            Some(group) => group,
            // The one write lock at once: a reader that becomes a writer later would be refused without waiting.
            None => {
                Group { transaction: self.pool.begin_with("BEGIN IMMEDIATE").await?, fate: watch::Sender::new(None) }
            }
        };
        group.transaction.execute("SAVEPOINT member").await?;
        Ok(Member { place, line: self.open.clone(), group, founder })
    }
}

impl Member {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.group.transaction
    }

    /// Keeps what this member wrote, and waits until it is durable.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.group.transaction.execute("RELEASE member").await?;
        self.leave().await
    }

    /// Undoes what this member wrote, and waits for the end of what it may have seen.
    pub(crate) async fn rollback(mut self) -> Result<(), Error> {
        self.group.transaction.execute("ROLLBACK TO member").await?;
        self.group.transaction.execute("RELEASE member").await?;
        self.leave().await
    }

    async fn leave(self) -> Result<(), Error> {
        let Self { mut place, line, group, founder } = self;
        let mut fate = group.fate.subscribe();
        *place = Some(group);
        drop(place);
        if founder {
            // A task of its own, so that it happens whoever stops waiting.
            tokio::spawn(close(line));
        }
        match fate.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(fate)) => fate.clone(),
            // The group was undone by one that was dropped or met an error that ended the transaction.
            Ok(None) | Err(_) => Err(Error::Busy(Arc::new(sqlx::Error::Protocol(
                "the transaction was ended by another writer that shared it".to_owned(),
            )))),
        }
    }
}

/// Commits the open group, once everybody who stood in line before has joined it.
async fn close(line: Arc<Mutex<Option<Group>>>) {
    let mut open = line.lock().await;
    if let Some(Group { transaction, fate }) = open.take() {
        fate.send_replace(Some(transaction.commit().await.map_err(Error::from)));
    }
}
