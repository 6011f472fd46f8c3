//! Connections: how many, how long they may be silent, and how they end.
//!
//! Every handler is behind limits of its own; what is limited here is what never becomes a request.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::sleep,
};
use tower::Service as _;

use crate::{events::Finishing, limits::Limits};

/// How long nothing is accepted after the system refused a connection (no more files, mostly).
const PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until `stop` resolves. Then accepts no more, finishes what is open, and returns; whoever drops it
/// before that cuts what is still open.
pub async fn serve(listener: TcpListener, router: Router, limits: &Limits, stop: impl Future<Output = ()>) {
    let most = u32::try_from(limits.connections.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(most as usize));
    // `true` asks connections to finish; when it is dropped, they are cut.
    let (finish, asked) = watch::channel(false);
    let protocol = protocol(limits);
    let accept = async {
        loop {
            let place = places.clone().acquire_owned().await.expect("nobody closes it");
            let (stream, peer) = accept(&listener).await;
            let answering = answer(protocol.clone(), stream, peer, router.clone(), asked.clone());
            tokio::spawn(async move {
                answering.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = stop => {}
    }
    drop(listener);
    finish.send_replace(true);
    let _all = places.acquire_many(most).await;
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_header_size(limits.header_bytes)
        // hyper takes nothing smaller.
        .max_buf_size(limits.header_bytes.max(16 * 1024));
    protocol
}

/// Accepts one connection, however long that takes.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The other side has gone already.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted right now: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection until it ends, or until it is asked to finish and has.
async fn answer(
    protocol: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut asked: watch::Receiver<bool>,
) {
    // Answers are small, and somebody waits for each.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection answers with delay");
    }
    let finishing = Finishing(asked.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(finishing.clone());
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = router.clone().call(request);
        async { Ok::<_, Infallible>(answered.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = protocol.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    loop {
        tokio::select! {
            outcome = &mut connection => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            changed = asked.changed() => match changed {
                Ok(()) => connection.as_mut().graceful_shutdown(),
                Err(_) => return,
            },
        }
    }
}
