//! The table: what a service answers, and to whom.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::Method;
use http::header::{ALLOW, HeaderValue};
use stackup_core::{ErrorKind, Mv};

use crate::context::{Access, Visit};
use crate::{Fault, body};

/// One row: a verb, a path, who may, in which versions, and the handler.
pub struct Route<S> {
    pub verb: Method,
    /// axum's form: `/servers/{server_id}`.
    pub path: &'static str,
    pub access: Access,
    pub since: Option<Mv>,
    /// The last version that has it.
    pub until: Option<Mv>,
    /// The key of the body, for the actions of a POST.
    pub action: Option<&'static str>,
    endpoint: Endpoint<S>,
}

type Endpoint<S> = Arc<dyn Fn(Request, Arc<S>) -> BoxFuture<'static, Response> + Send + Sync>;

/// A row without its handler: for `stackup routes`, documents and guards.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    pub verb: Method,
    pub path: &'static str,
    pub access: Access,
    pub since: Option<Mv>,
    pub until: Option<Mv>,
    pub action: Option<&'static str>,
}

impl<S> Clone for Route<S> {
    fn clone(&self) -> Self {
        Self { verb: self.verb.clone(), endpoint: Arc::clone(&self.endpoint), ..*self }
    }
}

impl<S: Send + Sync + 'static> Route<S> {
    /// A row of the table. The path's parameters, the body and the query are the handler's
    /// extractors; its state is the service.
    pub fn new<H, T>(
        verb: Method,
        path: &'static str,
        access: impl Into<Access>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<S>> + Sync,
        T: 'static,
    {
        let endpoint: Endpoint<S> =
            Arc::new(move |request, state| Box::pin(handler.clone().call(request, state)));
        let access = access.into();
        Self { verb, path, access, since: None, until: None, action: None, endpoint }
    }

    /// From this version on.
    #[must_use]
    pub fn since(mut self, version: Mv) -> Self {
        self.since = Some(version);
        self
    }

    /// Up to this version, inclusive.
    #[must_use]
    pub fn until(mut self, version: Mv) -> Self {
        self.until = Some(version);
        self
    }

    pub fn info(&self) -> RouteInfo {
        RouteInfo {
            verb: self.verb.clone(),
            path: self.path,
            access: self.access,
            since: self.since,
            until: self.until,
            action: self.action,
        }
    }

    pub(crate) fn call(&self, request: Request, state: Arc<S>) -> BoxFuture<'static, Response> {
        (self.endpoint)(request, state)
    }

    fn answers(&self, version: Mv) -> bool {
        self.since.is_none_or(|since| version >= since)
            && self.until.is_none_or(|until| version <= until)
    }
}

macro_rules! verbs {
    ($($name:ident $verb:ident),*) => {$(
        #[doc = concat!("A row for ", stringify!($verb), ".")]
        pub fn $name<S, H, T>(path: &'static str, access: impl Into<Access>, handler: H) -> Route<S>
        where
            S: Send + Sync + 'static,
            H: Handler<T, Arc<S>> + Sync,
            T: 'static,
        {
            Route::new(Method::$verb, path, access, handler)
        }
    )*};
}
verbs!(get GET, head HEAD, post POST, put PUT, patch PATCH, delete DELETE);

/// A row for a POST whose body is `{"<key>": …}`: an action.
pub fn action<S, H, T>(
    path: &'static str,
    key: &'static str,
    access: impl Into<Access>,
    handler: H,
) -> Route<S>
where
    S: Send + Sync + 'static,
    H: Handler<T, Arc<S>> + Sync,
    T: 'static,
{
    Route { action: Some(key), ..Route::new(Method::POST, path, access, handler) }
}

/// The rows of one path.
pub(crate) struct PathRoutes<S> {
    rows: Vec<Route<S>>,
}

impl<S: Send + Sync + 'static> PathRoutes<S> {
    /// The rows by path.
    pub(crate) fn group(routes: Vec<Route<S>>) -> BTreeMap<&'static str, Self> {
        let mut paths: BTreeMap<&'static str, Self> = BTreeMap::new();
        for route in routes {
            paths.entry(route.path).or_insert_with(|| Self { rows: Vec::new() }).rows.push(route);
        }
        paths
    }

    /// Whether some row needs no token.
    pub(crate) fn any_open(&self) -> bool {
        self.rows.iter().any(|row| row.access == Access::Open)
    }

    /// The row that answers the request. Reads the body of an action, and gives it back.
    pub(crate) async fn choose(
        &self,
        request: Request,
        visit: &Visit,
    ) -> Result<(&Route<S>, Request), Fault> {
        let verb = request.method();
        let of_verb = |row: &&Route<S>| {
            row.verb == *verb || (*verb == Method::HEAD && row.verb == Method::GET)
        };
        let rows: Vec<&Route<S>> = self.rows.iter().filter(of_verb).collect();
        if rows.is_empty() {
            return Err(self.wrong_verb());
        }
        let current: Vec<&Route<S>> =
            rows.iter().copied().filter(|row| row.answers(visit.version)).collect();
        if current.is_empty() {
            return Err(Fault::not_found("The resource could not be found."));
        }
        match current.iter().find(|row| row.action.is_none()) {
            Some(row) => Ok((row, request)),
            None => choose_action(current, rows, request).await,
        }
    }

    fn wrong_verb(&self) -> Fault {
        let mut verbs: Vec<&str> = self.rows.iter().map(|row| row.verb.as_str()).collect();
        verbs.sort_unstable();
        verbs.dedup();
        let fault = Fault::new(
            ErrorKind::MethodNotAllowed,
            "The method specified is not allowed for this resource.",
        );
        fault.header(ALLOW, &verbs.join(", "))
    }
}

async fn choose_action<'a, S: Send + Sync + 'static>(
    current: Vec<&'a Route<S>>,
    all: Vec<&'a Route<S>>,
    request: Request,
) -> Result<(&'a Route<S>, Request), Fault> {
    let (parts, stream) = request.into_parts();
    let bytes = body::read(stream, body::MAX_JSON).await?;
    let value: serde_json::Value = body::parse(&bytes)?;
    let keys = value.as_object().ok_or_else(|| Fault::bad_request("Malformed request body"))?;
    let named = |row: &&&Route<S>| row.action.is_some_and(|key| keys.contains_key(key));
    let Some(row) = current.iter().find(named) else {
        // nova answers 404 for an action of another version, 400 for one that never was.
        return Err(if all.iter().any(|row| named(&row)) {
            Fault::not_found("The resource could not be found.")
        } else {
            let key = keys.keys().next().map_or("", String::as_str);
            Fault::bad_request(format!("There is no such action: {key}"))
        });
    };
    Ok((row, Request::from_parts(parts, Body::from(bytes))))
}

/// Runs a handler's future and drops the body of a HEAD answer, keeping its length.
pub(crate) async fn finish(verb: Method, work: impl Future<Output = Response>) -> Response {
    let response = work.await;
    if verb != Method::HEAD {
        return response;
    }
    let (parts, body) = response.into_parts();
    let length = body.size_hint().exact();
    let mut bare = Response::from_parts(parts, Body::empty());
    // hyper would add the length of the empty body.
    if let Some(length) = length
        && !bare.headers().contains_key(http::header::CONTENT_LENGTH)
    {
        bare.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    bare.into_response()
}
