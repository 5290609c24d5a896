//! Bodies: read, parsed with upstream's complaints, and written.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stackup_core::ErrorKind;

use crate::Fault;

/// Bytes of JSON that a request may have; data has its own routes.
pub const MAX_JSON: usize = 4 << 20;

/// A JSON body: `Json(request): Json<CreateServer>` as a handler's last argument, and
/// `Json(view)` as its answer.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        let bytes = read(request.into_body(), MAX_JSON).await?;
        parse(&bytes).map(Json)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, &self.0)
    }
}

/// A JSON answer with a status.
pub fn answer<T: Serialize + ?Sized>(status: StatusCode, view: &T) -> Response {
    match serde_json::to_vec(view) {
        Ok(bytes) => {
            let mut response = (status, Bytes::from(bytes)).into_response();
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(error) => Fault::internal(&error).into_response(),
    }
}

/// Reads a body of at most `limit` bytes.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, Fault> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Fault::new(ErrorKind::TooLarge, "Request is too large."))
        }
        Err(_) => Err(Fault::bad_request("The request body could not be read.")),
    }
}

/// Parses JSON. The complaint names the place and what was expected, as the schemas do.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if bytes.is_empty() {
        return Err(Fault::bad_request("Malformed request body: it is empty"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Fault::bad_request(match error.classify() {
            serde_json::error::Category::Data => format!("Invalid input: {error}"),
            _ => format!("Malformed request body: {error}"),
        })
    })
}
