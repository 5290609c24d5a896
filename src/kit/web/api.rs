//! A service's table, dressed: everything between the socket and the handler.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::Method;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use stackup_contracts::{AuthError, Hub};
use stackup_core::{Ctx, ErrorKind, Mv, Origin, ids};
use stackup_policy::Policy;
use tracing::Instrument;

use crate::context::{Access, Cx, Visit};
use crate::routes::{PathRoutes, Route, finish};
use crate::{Fault, FaultShape, Microversions};

/// Where a service is mounted, put into the request by whoever dispatched it.
#[derive(Debug, Clone, Default)]
pub struct Mount {
    /// The path that was cut off: `/compute`; empty on a port of its own.
    pub prefix: String,
    /// The port of the main listener, when the request came to another.
    pub main_port: Option<u16>,
    pub tls: bool,
}

/// What a service's API needs besides its table. All of it is shared.
#[derive(Clone)]
pub struct Api {
    /// `nova`
    pub codename: &'static str,
    pub shape: Arc<dyn FaultShape>,
    pub microversions: Option<Microversions>,
    pub policy: Arc<Policy>,
    pub hub: Hub,
    /// What a rule's refusal says; the default is nova's sentence.
    pub denied: fn(stackup_policy::Denied) -> Fault,
}

impl Api {
    /// The router of a table, for a service as its state.
    pub fn router<S: Send + Sync + 'static>(
        self,
        service: &Arc<S>,
        routes: Vec<Route<S>>,
    ) -> Router {
        let api = Arc::new(self);
        let mut router = Router::new();
        for (path, rows) in PathRoutes::group(routes) {
            let (api, service, rows) = (Arc::clone(&api), Arc::clone(service), Arc::new(rows));
            let endpoint = move |request: Request| {
                let (api, service, rows) =
                    (Arc::clone(&api), Arc::clone(&service), Arc::clone(&rows));
                async move { api.dispatch(&rows, service, request).await }
            };
            router = router.route(path, axum::routing::any(endpoint));
        }
        router.fallback(|| async { Fault::not_found("The resource could not be found.") }).layer(
            middleware::from_fn(move |request: Request, next: Next| {
                let api = Arc::clone(&api);
                async move { api.dress(request, next).await }
            }),
        )
    }

    /// Chooses the row, makes the caller, checks the rule, runs the handler.
    async fn dispatch<S: Send + Sync + 'static>(
        &self,
        rows: &PathRoutes<S>,
        service: Arc<S>,
        request: Request,
    ) -> Response {
        let Some(visit) = request.extensions().get::<Visit>().cloned() else {
            return Fault::bad_request("the request did not come through a service")
                .into_response();
        };
        let verb = request.method().clone();
        match self.admit(rows, &visit, request).await {
            Ok((row, request)) => finish(verb, row.call(request, service)).await,
            Err(fault) => fault.into_response(),
        }
    }

    async fn admit<'a, S: Send + Sync + 'static>(
        &self,
        rows: &'a PathRoutes<S>,
        visit: &Visit,
        mut request: Request,
    ) -> Result<(&'a Route<S>, Request), Fault> {
        // The token comes first: whoever has none learns nothing of what is there.
        let (verb, path) = (request.method().clone(), request.uri().path().to_owned());
        let cx = self.authenticate(visit, request.headers(), &verb, &path).await;
        let open = rows.any_open();
        if !open && let Err(fault) = &cx {
            return Err(fault.clone());
        }
        let (row, chosen) = rows.choose(request, visit).await?;
        request = chosen;
        match (row.access, cx) {
            (Access::Open, Err(_)) => {}
            (Access::Open | Access::Token, Ok(cx)) => {
                request.extensions_mut().insert(Cx(cx));
            }
            (Access::Rule(rule), Ok(cx)) => {
                self.policy.check_own(&cx, rule).map_err(self.denied)?;
                request.extensions_mut().insert(Cx(cx));
            }
            (Access::Token | Access::Rule(_), Err(fault)) => return Err(fault),
        }
        Ok((row, request))
    }

    async fn authenticate(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        verb: &Method,
        path: &str,
    ) -> Result<Ctx, Fault> {
        let token = headers.get("x-auth-token").and_then(|value| value.to_str().ok());
        let token = token.ok_or_else(Fault::unauthorized)?;
        let identity = self.hub.identity().map_err(Fault::from)?;
        let caller = identity.authenticate(token).await.map_err(|error| match error {
            AuthError::Invalid => Fault::unauthorized(),
            AuthError::Unavailable(why) => Fault::new(ErrorKind::Unavailable, why),
        })?;
        let bound = caller.application_credential_id.is_some();
        if bound && !identity.may_request(&caller, self.codename, verb.as_str(), path).await {
            return Err(Fault::unauthorized());
        }
        Ok(Ctx {
            request_id: Arc::clone(&visit.request_id),
            caller,
            origin: Origin::Api,
            version: visit.version,
            base_url: Arc::clone(&visit.base_url),
            self_url: Arc::clone(&visit.self_url),
        })
    }

    /// The outer coat of every request.
    async fn dress(&self, mut request: Request, next: Next) -> Response {
        let begun = Instant::now();
        let request_id: Arc<str> = format!("req-{}", ids::uuid()).into();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let span = tracing::info_span!(
            "request", request_id = %request_id, service = self.codename, %method, %path
        );
        let negotiated = self.negotiate(request.headers());
        let version = negotiated.as_ref().map_or(Mv::ZERO, |version| *version);
        let visit = visit(&request, Arc::clone(&request_id), version);
        request.extensions_mut().insert(visit);
        let work = async {
            match negotiated {
                Ok(_) => next.run(request).await,
                Err(fault) => fault.into_response(),
            }
        };
        let caught = AssertUnwindSafe(work).catch_unwind().instrument(span.clone()).await;
        let mut response = caught.unwrap_or_else(|_| panicked().into_response());
        span.in_scope(|| self.finish(&mut response, &request_id, version));
        tracing::debug!(
            parent: &span,
            status = response.status().as_u16(),
            ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    }

    fn negotiate(&self, headers: &HeaderMap) -> Result<Mv, Fault> {
        self.microversions.as_ref().map_or(Ok(Mv::ZERO), |versions| versions.negotiate(headers))
    }

    /// Writes a fault's body, and the headers of every answer.
    fn finish(&self, response: &mut Response, request_id: &str, version: Mv) {
        if let Some(fault) = response.extensions_mut().remove::<Fault>() {
            if fault.status >= 500 {
                tracing::error!(
                    status = fault.status, message = %fault.message,
                    cause = fault.cause.as_deref().unwrap_or(""), "request failed"
                );
            }
            let (kind, body) = self.shape.shape(&fault, request_id);
            *response.body_mut() = Body::from(body);
            let headers = response.headers_mut();
            headers.remove(http::header::CONTENT_LENGTH);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            for (name, value) in fault.headers {
                headers.insert(name, value);
            }
            if fault.status == 401 && !headers.contains_key(http::header::WWW_AUTHENTICATE) {
                headers.insert(
                    http::header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Keystone uri=\"/identity\""),
                );
            }
        }
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(request_id) {
            if self.codename == "nova" {
                headers.insert(HeaderName::from_static("x-compute-request-id"), id.clone());
            }
            headers.insert(HeaderName::from_static("x-openstack-request-id"), id);
        }
        if let Some(versions) = &self.microversions
            && version != Mv::ZERO
        {
            versions.decorate(version, headers);
        }
    }
}

fn panicked() -> Fault {
    let message = "An unexpected error prevented the server from fulfilling your request.";
    let mut fault = Fault::new(ErrorKind::Internal, message);
    fault.cause = Some("the handler panicked".to_owned());
    fault
}

/// The URLs as the caller sees them: from `X-Forwarded-*` if a proxy set them, else from `Host`.
fn visit(request: &Request, request_id: Arc<str>, version: Mv) -> Visit {
    let mount = request.extensions().get::<Mount>().cloned().unwrap_or_default();
    let header = |name: &str| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    };
    let scheme = header("x-forwarded-proto").unwrap_or(if mount.tls { "https" } else { "http" });
    let host = header("x-forwarded-host")
        .or(header(HOST.as_str()))
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .unwrap_or("127.0.0.1");
    let base_url = match mount.main_port {
        None => format!("{scheme}://{host}"),
        Some(port) => format!("{scheme}://{}", with_port(host, port, scheme)),
    };
    let self_url = format!("{scheme}://{host}{}", mount.prefix);
    Visit { request_id, version, base_url: base_url.into(), self_url: self_url.into() }
}

/// The host with another port; the scheme's own is left out.
fn with_port(host: &str, port: u16, scheme: &str) -> String {
    let bare = match host.rsplit_once(':') {
        Some((bare, digits))
            if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            bare
        }
        _ => host,
    };
    match (scheme, port) {
        ("http", 80) | ("https", 443) => bare.to_owned(),
        _ => format!("{bare}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_ports() {
        assert_eq!(with_port("10.0.0.1:5000", 80, "http"), "10.0.0.1");
        assert_eq!(with_port("[::1]:5000", 8080, "http"), "[::1]:8080");
        assert_eq!(with_port("[::1]", 80, "http"), "[::1]");
        assert_eq!(with_port("cloud", 443, "https"), "cloud");
    }
}
