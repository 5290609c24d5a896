//! One fault inside; one shape of it for each dialect.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use stackup_contracts::CallError;
use stackup_core::ErrorKind;
use stackup_policy::Denied;
use stackup_store::StoreError;

/// What a client is told, and what the log is.
#[derive(Debug, Clone)]
pub struct Fault {
    pub kind: ErrorKind,
    /// The HTTP status: the kind's own, unless upstream answers another.
    pub status: u16,
    /// The error's name where the dialect shows one: neutron's `type`, placement's `code`,
    /// nova's key.
    pub name: Option<Cow<'static, str>>,
    /// For the client: a sentence, without causes or secrets.
    pub message: String,
    /// For the log only.
    pub cause: Option<String>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// How a service writes a fault.
pub trait FaultShape: Send + Sync {
    /// The content type and the body.
    fn shape(&self, fault: &Fault, request_id: &str) -> (&'static str, Bytes);
}

impl Fault {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            name: None,
            message: message.into(),
            cause: None,
            headers: Vec::new(),
        }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    pub fn unauthorized() -> Self {
        Self::new(ErrorKind::Unauthorized, "The request you have made requires authentication.")
    }

    /// A failure of ours: the client hears no details, the log all of them.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let message = "An unexpected error prevented the server from fulfilling your request.";
        let mut fault = Self::new(ErrorKind::Internal, message);
        fault.cause = Some(chain(cause));
        fault
    }

    /// Another status than the kind's own.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

/// An error and its sources, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl IntoResponse for Fault {
    /// An empty answer that carries the fault; [`crate::Api`] writes the body.
    fn into_response(self) -> Response {
        let status = http::StatusCode::from_u16(self.status)
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let fault = Fault::internal(&error);
        if let StoreError::NoSpace(_) = error {
            let full = "No space is left to keep the request's result.";
            return Fault { cause: fault.cause, ..Fault::new(ErrorKind::NoSpace, full) };
        }
        fault
    }
}

impl From<Denied> for Fault {
    /// Nova's words; a service whose words differ maps `Denied` itself.
    fn from(denied: Denied) -> Self {
        Fault::forbidden(format!("Policy doesn't allow {} to be performed.", denied.rule))
    }
}

impl From<CallError> for Fault {
    /// The kind and the words stay. The name does not: it is of the service that was called, and
    /// would mean something else, or nothing, in the dialect of this one.
    fn from(error: CallError) -> Self {
        Fault::new(error.kind, error.message)
    }
}
