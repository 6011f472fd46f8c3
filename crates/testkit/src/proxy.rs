//! A proxy in front of Postgres that cuts connections at the worst moment: around a COMMIT.
//!
//! Reads only as much of the protocol as that takes. Source: PostgreSQL 15 documentation, "Message Formats".

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Where a connection is cut. Either way the client never learns what became of its COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The COMMIT does not reach the server.
    BeforeCommit,
    /// The server has committed; its answer does not reach the client.
    AfterCommit,
}

/// The proxy; gone with all its connections when dropped.
#[derive(Debug)]
pub struct CutProxy {
    url: String,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    next: Mutex<Option<Cut>>,
    cuts: AtomicUsize,
    connections: Mutex<JoinSet<()>>,
}

impl CutProxy {
    /// Stands in front of the database that `url` names.
    ///
    /// # Panics
    /// When the address cannot be read, or no port is free.
    pub async fn start(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("an address has a scheme");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, server) = authority.rsplit_once('@').map_or(("", authority), |(user, server)| (user, server));
        let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address: SocketAddr = listener.local_addr().expect("a bound port has an address");
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        // What is encrypted cannot be read on its way.
        let path = format!("{path}{}sslmode=disable", if path.contains('?') { '&' } else { '?' });
        let shared = Arc::new(Shared::default());
        let acceptor = tokio::spawn(accept(listener, server, shared.clone()));
        Self { url: format!("{scheme}://{user}{address}/{path}"), shared, acceptor }
    }

    /// The address of the same database, through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Cuts the connection that commits next; once.
    pub fn cut_next(&self, cut: Cut) {
        *self.shared.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// How often a COMMIT was cut so far.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Cuts every connection, and waits until they are gone. New ones are let through.
    pub async fn cut_all(&self) {
        let mut open = std::mem::take(&mut *self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner));
        open.shutdown().await;
    }
}

impl Drop for CutProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

async fn accept(listener: TcpListener, server: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, taken) = (server.clone(), shared.clone());
        let connection = async move {
            if let Ok(server) = TcpStream::connect(server).await {
                // However it ends, both sides are closed.
                let _ = carry(client, server, &taken).await;
            }
        };
        shared.connections.lock().unwrap_or_else(PoisonError::into_inner).spawn(connection);
    }
}

/// Carries messages both ways until one side ends or the connection is to be cut.
async fn carry(mut client: TcpStream, mut server: TcpStream, shared: &Shared) -> io::Result<()> {
    let (mut asked, mut answered) = (Messages { startup: true, ..Messages::default() }, Messages::default());
    let mut committing = false;
    loop {
        tokio::select! {
            read = client.read_buf(&mut asked.bytes) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(message) = asked.next() {
                    let cut = is_commit(&message)
                        .then(|| shared.next.lock().unwrap_or_else(PoisonError::into_inner).take())
                        .flatten();
                    if cut == Some(Cut::BeforeCommit) {
                        shared.cuts.fetch_add(1, Ordering::SeqCst);
                        return Ok(());
                    }
                    committing |= cut == Some(Cut::AfterCommit);
                    server.write_all(&message).await?;
                }
            }
            read = server.read_buf(&mut answered.bytes) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(message) = answered.next() {
                    if !committing {
                        client.write_all(&message).await?;
                    } else if message[0] == b'Z' {
                        // Ready for the next query: what came before is done.
                        shared.cuts.fetch_add(1, Ordering::SeqCst);
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What was read of one direction, and not yet carried on.
#[derive(Debug, Default)]
struct Messages {
    bytes: Vec<u8>,
    /// The first message of a client has no type in front of its length.
    startup: bool,
}

impl Messages {
    /// The next whole message.
    fn next(&mut self) -> Option<Vec<u8>> {
        let kind = usize::from(!self.startup);
        let length = self.bytes.get(kind..kind + 4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        if self.bytes.len() < kind + length {
            return None;
        }
        self.startup = false;
        Some(self.bytes.drain(..kind + length).collect())
    }
}

/// Whether a message asks for a COMMIT: a simple query (`Q`, text), or one to prepare (`P`, name, text).
fn is_commit(message: &[u8]) -> bool {
    let text = match message {
        [b'Q', _, _, _, _, text @ ..] => text,
        [b'P', _, _, _, _, rest @ ..] => rest.split_inclusive(|byte| *byte == 0).nth(1).unwrap_or_default(),
        _ => return false,
    };
    text.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"COMMIT"))
}
