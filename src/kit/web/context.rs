//! From a token to a caller, and from a route's rule to a yes or no.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use stackup_core::Ctx;

use crate::Fault;

/// Who may pass a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, even without a token.
    Open,
    /// Whoever holds a valid token; `logic` decides the rest.
    Token,
    /// Whom the rule allows. Its check on the caller's own project comes before the handler.
    Rule(&'static str),
}

impl From<&'static str> for Access {
    fn from(rule: &'static str) -> Self {
        Access::Rule(rule)
    }
}

/// The circumstances of the request, as a handler's argument: `Cx(cx): Cx`.
#[derive(Debug, Clone)]
pub struct Cx(pub Ctx);

/// On an open route there may be no caller: `MaybeCx(cx)`, where `cx` is an `Option<Ctx>`.
#[derive(Debug, Clone)]
pub struct MaybeCx(pub Option<Ctx>);

impl<S: Send + Sync> FromRequestParts<S> for Cx {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parts.extensions.get::<Cx>().cloned().ok_or_else(Fault::unauthorized)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeCx {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(MaybeCx(parts.extensions.get::<Cx>().map(|Cx(cx)| cx.clone())))
    }
}

/// What is known of a request before its caller is: on every route.
#[derive(Debug, Clone)]
pub struct Visit {
    pub request_id: std::sync::Arc<str>,
    pub version: stackup_core::Mv,
    /// `http://host[:port]` as the caller sees it.
    pub base_url: std::sync::Arc<str>,
    /// The service's own URL as the caller sees it.
    pub self_url: std::sync::Arc<str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let lost = || Fault::bad_request("the request did not come through a service");
        parts.extensions.get::<Visit>().cloned().ok_or_else(lost)
    }
}
