//! Accepts the guests' metadata requests and hands them, with their origin, to the handler.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::super::{MetadataHandler, MetadataOrigin};
use super::desired::METADATA_ADDRESS;

/// Enough for the encrypted password that a guest may post.
const LARGEST_BODY: usize = 64 * 1024;
/// Guests of one network that are served at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// A guest cannot keep one of them for longer.
const LONGEST_CONNECTION: Duration = Duration::from_secs(60);
const LONGEST_HEADER: Duration = Duration::from_secs(10);

/// Who answers, once somebody registered.
pub(super) type Handler = Arc<OnceLock<Arc<dyn MetadataHandler>>>;

/// Makes the listener; to be called inside the namespace.
pub(super) fn listener() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((METADATA_ADDRESS, 80))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until it is dropped, and its connections with it: a socket that lives on would keep a
/// removed namespace alive.
pub(super) async fn serve(
    listener: tokio::net::TcpListener,
    origin: MetadataOrigin,
    handler: Handler,
) {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = open.next() => {}
            accepted = listener.accept(), if open.len() < CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    open.push(connection(stream, peer.ip(), origin, Arc::clone(&handler)));
                }
                Err(error) => {
                    tracing::debug!(%error, "metadata listener");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, source: IpAddr, origin: MetadataOrigin, handler: Handler) {
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(answer(handler, origin, source, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEADER)
        .serve_connection(TokioIo::new(stream), service);
    // One that takes too long is dropped without a word.
    if let Ok(Err(error)) = tokio::time::timeout(LONGEST_CONNECTION, serving).await {
        tracing::debug!(%error, %source, "metadata connection");
    }
}

async fn answer(
    handler: Handler,
    origin: MetadataOrigin,
    source: IpAddr,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let Some(handler) = handler.get() else { return status(StatusCode::SERVICE_UNAVAILABLE) };
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let request = Request::from_parts(parts, body.to_bytes());
    handler.serve(origin, source, request).await.map(Full::new)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
