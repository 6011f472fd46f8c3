//! Notices between processes: something changed, look now instead of at the next poll.
//!
//! They save waiting and never carry correctness: a lost one loses nothing, because whoever listens also polls.

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use crate::{Db, Error, Tx, dialect};

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// An organization's version changed; the payload is its id.
    Gate,
    /// Something arrived in the inbox.
    Inbox,
}

impl Channel {
    const ALL: [Self; 2] = [Self::Gate, Self::Inbox];

    /// The name in the database, which other programs may share.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "tollkeeper_gate",
            Self::Inbox => "tollkeeper_inbox",
        }
    }
}

/// A notice that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody told this.
    Notice(Channel, String),
    /// The connection was lost and made again: notices of the time between may be lost, so look at everything.
    Gap,
}

/// Tells every listener of this database, once and only if the transaction commits. Does nothing on SQLite, where no
/// second process works.
///
/// `payload` is below 8000 bytes; a longer one is an error of the database. Source: PostgreSQL 15 documentation,
/// "NOTIFY".
///
/// # Errors
/// Only the database's own.
pub async fn tell(tx: &mut Tx, channel: Channel, payload: &str) -> Result<(), Error> {
    dialect::tell(tx.c(), channel, payload).await
}

/// Hears notices, on a connection of its own beside those of the [`Db`].
#[derive(Debug)]
pub struct Listener {
    server: PgConnectOptions,
    /// `None` while it is to be connected.
    connection: Option<PgListener>,
}

impl Listener {
    /// Begins to listen to every channel; `None` on SQLite, where there is nobody else to hear.
    ///
    /// # Errors
    /// [`Error::is_unavailable`] when the database is away.
    pub async fn start(db: &Db) -> Result<Option<Self>, Error> {
        let Some(server) = dialect::server(&db.0) else { return Ok(None) };
        Ok(Some(Self { connection: Some(connect(&server).await?), server }))
    }

    /// Waits for the next notice. Nothing is lost when the waiting is given up.
    ///
    /// # Errors
    /// [`Error::is_unavailable`] when the database is away. Ask again later: it connects again.
    pub async fn hear(&mut self) -> Result<Heard, Error> {
        loop {
            let Some(connection) = &mut self.connection else {
                self.connection = Some(connect(&self.server).await?);
                return Ok(Heard::Gap);
            };
            let notice = match connection.try_recv().await {
                Ok(Some(notice)) => notice,
                Ok(None) => {
                    self.connection = None;
                    continue;
                }
                Err(error) => {
                    self.connection = None;
                    return Err(error.into());
                }
            };
            if let Some(channel) = Channel::ALL.into_iter().find(|channel| channel.as_str() == notice.channel()) {
                return Ok(Heard::Notice(channel, notice.payload().to_owned()));
            }
        }
    }
}

async fn connect(server: &PgConnectOptions) -> Result<PgListener, Error> {
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let mut listener = PgListener::connect_with(&pool.connect_with(server.clone()).await?).await?;
    // It is connected again by us, because somebody has to learn of the gap.
    listener.eager_reconnect(false);
    listener.listen_all(Channel::ALL.map(Channel::as_str)).await?;
    Ok(listener)
}
