//! One listener, DevStack's paths; and, by profile, the classic ports.
//!
//! Sockets are bound before any work is done, so that a taken port is found at once and early
//! clients wait in the queue; they are served when every service is there.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use futures::FutureExt;
use http::{StatusCode, Uri};
use stackup_flow::Shutdown;
use stackup_web::Mount;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::catalog::ServiceKind;

/// A bound socket, and which service it leads to: `None` for the one with every path.
#[derive(Debug)]
pub struct Bound {
    pub address: SocketAddr,
    pub service: Option<ServiceKind>,
    listener: StdListener,
}

/// A port that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{address} cannot be listened on")]
pub struct BindError {
    pub address: SocketAddr,
    #[source]
    pub source: std::io::Error,
}

/// Binds one address. Port 0 takes a free one.
pub fn bind(address: SocketAddr, service: Option<ServiceKind>) -> Result<Bound, BindError> {
    let fail = |source| BindError { address, source };
    let listener = StdListener::bind(address).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok(Bound { address, service, listener })
}

/// Every service's router under its prefix.
#[derive(Clone)]
pub struct Mounts {
    services: Arc<Vec<(ServiceKind, Router)>>,
    main_port: u16,
}

impl Mounts {
    pub fn new(services: Vec<(ServiceKind, Router)>, main_port: u16) -> Self {
        Self { services: Arc::new(services), main_port }
    }

    /// Finds the service by the first part of the path, and hands it the rest.
    async fn by_path(&self, mut request: Request) -> Response {
        let path = request.uri().path();
        if path == "/healthz" {
            return "ok\n".into_response();
        }
        let found = self.services.iter().find_map(|(kind, router)| {
            let rest = path.strip_prefix(kind.prefix())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((*kind, router))
        });
        let Some((kind, router)) = found else { return self.root(path) };
        let rest = cut(request.uri(), kind.prefix());
        let Ok(uri) = rest else { return StatusCode::BAD_REQUEST.into_response() };
        *request.uri_mut() = uri;
        let mount = Mount { prefix: kind.prefix().to_owned(), main_port: None, tls: false };
        request.extensions_mut().insert(mount);
        call(router, request).await
    }

    /// A classic port: the whole path is the service's.
    async fn by_port(&self, kind: ServiceKind, mut request: Request) -> Response {
        let Some((_, router)) = self.services.iter().find(|(of, _)| *of == kind) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let main_port = Some(self.main_port);
        request.extensions_mut().insert(Mount { prefix: String::new(), main_port, tls: false });
        call(router, request).await
    }

    /// What a person sees who opens the address in a browser.
    fn root(&self, path: &str) -> Response {
        if path != "/" {
            return (StatusCode::NOT_FOUND, "no service answers here\n").into_response();
        }
        let mut text = String::from("stackup: an OpenStack cloud. Its services:\n\n");
        for (kind, _) in self.services.iter() {
            text.push_str(&format!("{:<12} {}\n", kind.codename(), kind.prefix()));
        }
        text.into_response()
    }
}

/// Serves one socket until the process ends; requests under way are finished.
pub async fn serve(bound: Bound, mounts: Mounts, shutdown: Shutdown) -> std::io::Result<()> {
    let listener = TcpListener::from_std(bound.listener)?.tap_io(|stream| {
        // An answer in two writes must not wait for the client's delayed ACK.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let service = bound.service;
    let app = Router::new().fallback(move |request: Request| {
        let mounts = mounts.clone();
        // The two futures are large and rarely moved; boxing keeps the connection's task small.
        match service {
            None => async move { mounts.by_path(request).await }.boxed(),
            Some(kind) => async move { mounts.by_port(kind, request).await }.boxed(),
        }
    });
    let ended = async move { shutdown.begun().await };
    axum::serve(listener, app).with_graceful_shutdown(ended).await
}

async fn call(router: &Router, request: Request) -> Response {
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The URI without the service's prefix.
fn cut(uri: &Uri, prefix: &str) -> Result<Uri, http::uri::InvalidUri> {
    let path = uri.path().strip_prefix(prefix).unwrap_or(uri.path());
    let path = if path.is_empty() { "/" } else { path };
    match uri.query() {
        Some(query) => format!("{path}?{query}").parse(),
        None => path.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_cut_and_queries_kept() {
        let cut = |text: &str| cut(&text.parse().unwrap(), "/compute").unwrap().to_string();
        assert_eq!(cut("/compute"), "/");
        assert_eq!(cut("/compute/v2.1/servers?a=b%20c"), "/v2.1/servers?a=b%20c");
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let error = bind(first.address, None).unwrap_err();
        assert_eq!(error.address, first.address);
        assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_path_leads_to_its_service_and_a_look_alike_does_not() {
        let echo = Router::new().fallback(|request: Request| async move {
            let mount = request.extensions().get::<Mount>().cloned().unwrap();
            format!("{} {}", mount.prefix, request.uri())
        });
        let mounts = Mounts::new(vec![(ServiceKind::Nova, echo)], 80);
        let get = async |path: &str| {
            let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
            let response = mounts.by_path(request).await;
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(get("/compute/v2.1?x=1").await, (200, "/compute /v2.1?x=1".to_owned()));
        assert_eq!(get("/computer").await.0, 404);
        assert_eq!(get("/healthz").await.0, 200);
    }
}
