//! The data of images, and where it is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use http::StatusCode;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    RANGE,
};
use serde_json::{Map, Value, json};
use stackup_core::ErrorKind;
use stackup_web::{Cx, Fault, Json};

use crate::drivers::files;
use crate::logic::data::{Download, Incoming};
use crate::{Error, Glance};

const BYTES: &str = "application/octet-stream";

pub(super) async fn upload(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Error> {
    let incoming = incoming(&headers, body)?;
    glance.upload(&cx, &id, incoming).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn stage(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Error> {
    let incoming = incoming(&headers, body)?;
    if !glance.config.import_methods.iter().any(|method| method == "glance-direct") {
        let why = "'glance-direct' method is not available at this site.";
        return Err(Error::NotFound(why.to_owned()));
    }
    glance.stage(&cx, &id, incoming).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn download(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    match glance.download(&cx, &id).await? {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(open) => send(open, &headers),
    }
}

/// Where the data is: for other services.
pub(super) async fn locations(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let image = glance.image_for(&cx, &id, "fetch_image_location").await?;
    let mut locations = Vec::new();
    if image.status.has_data() {
        let url = format!("file://{}", glance.files.image(&image.id).display());
        locations.push(json!({"url": url, "metadata": {"store": glance.config.store_id}}));
    }
    Ok(Json(json!(locations)))
}

/// Data that is elsewhere cannot be registered: every store here is a directory of this host.
pub(super) async fn add_location(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(request): Json<Map<String, Value>>,
) -> Result<StatusCode, Error> {
    let image = glance.image_for(&cx, &id, "add_image_location").await?;
    if !request.get("url").is_some_and(Value::is_string) {
        let why = "Provided object does not match schema 'location': 'url' is a required property";
        return Err(Error::BadRequest(why.to_owned()));
    }
    if image.status.as_str() != "queued" {
        let status = image.status;
        return Err(Error::Conflict(format!(
            "It's not allowed to add locations if image status is {status}."
        )));
    }
    let why = "http store must be enabled to use location API by normal user.";
    Err(Error::Forbidden(why.to_owned()))
}

/// The only copy of the data is not given away.
pub(super) async fn remove_from_store(
    State(glance): State<Arc<Glance>>,
    Cx(cx): Cx,
    Path((store, id)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    if store != glance.config.store_id {
        return Err(Error::Conflict(format!(
            "The selected store {store} is not available on this node."
        )));
    }
    let image = glance.image_for(&cx, &id, "get_image_location").await?;
    let image = glance.image_for(&cx, &image.id, "delete_image_location").await?;
    if image.status.as_str() != "active" {
        let why = "It's not allowed to remove image data from store if image status is not \
                   'active'";
        return Err(Error::Conflict(why.to_owned()));
    }
    let why = "Cannot delete image data from the only store containing it. Consider deleting the \
               image instead.";
    Err(Error::Forbidden(why.to_owned()))
}

fn incoming(
    headers: &HeaderMap,
    body: Body,
) -> Result<Incoming<impl futures::Stream<Item = Result<bytes::Bytes, String>> + use<>>, Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some(BYTES) {
        let message = format!("Invalid content type {kind}");
        return Err(Fault::new(ErrorKind::UnsupportedMediaType, message).into());
    }
    let size = headers
        .get("x-openstack-image-size")
        .or_else(|| headers.get(CONTENT_LENGTH))
        .map(|value| value.to_str().unwrap_or_default().trim().parse::<u64>());
    let announced = size.transpose().map_err(|_| {
        Error::BadRequest("Invalid or missing image size in request headers.".to_owned())
    })?;
    let stream = body.into_data_stream().map_err(|error| error.to_string());
    Ok(Incoming { stream, announced })
}

fn send(open: Download, headers: &HeaderMap) -> Result<Response, Error> {
    let whole = open.size;
    let part = match headers.get(RANGE) {
        None => None,
        Some(value) => Some(range(value.to_str().unwrap_or_default(), whole)?),
    };
    let (from, to) = part.unwrap_or((0, whole));
    let body = Body::from_stream(files::stream(open.file, from, to - from));
    let mut response = body.into_response();
    let mut tell = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    };
    tell(CONTENT_TYPE, BYTES);
    tell(ACCEPT_RANGES, "bytes");
    tell(CONTENT_LENGTH, &(to - from).to_string());
    if let Some(checksum) = &open.checksum {
        tell(HeaderName::from_static("content-md5"), checksum);
    }
    if part.is_some() {
        tell(CONTENT_RANGE, &format!("bytes {from}-{}/{whole}", to - 1));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Reads `bytes=a-b`, `bytes=a-` or `bytes=-n` as a half-open range; 416 on everything else.
fn range(text: &str, whole: u64) -> Result<(u64, u64), Error> {
    if text.contains(',') {
        let why = "Requests with multiple ranges are not supported in Glance. You may make \
                   multiple single-range requests instead.";
        return Err(Error::Range(why.to_owned()));
    }
    let wrong = || Error::Range(format!("Invalid range header: {text}"));
    let spec = text.strip_prefix("bytes=").ok_or_else(wrong)?;
    let (first, last) = spec.trim().split_once('-').ok_or_else(wrong)?;
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
    let (from, to) = match (first, last) {
        ("", suffix) => (whole.saturating_sub(number(suffix)?), whole),
        (first, "") => (number(first)?, whole),
        (first, last) => (number(first)?, number(last)?.saturating_add(1).min(whole)),
    };
    if from >= to {
        return Err(wrong());
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range("bytes=0-4", 10).unwrap(), (0, 5));
        assert_eq!(range("bytes=4-", 10).unwrap(), (4, 10));
        assert_eq!(range("bytes=-3", 10).unwrap(), (7, 10));
        assert_eq!(range("bytes=-30", 10).unwrap(), (0, 10));
        assert_eq!(range("bytes=8-99", 10).unwrap(), (8, 10));
        for wrong in [
            "bytes=10-",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=-",
            "bytes=-0",
            "lines=1-2",
            "bytes=0-1,3-4",
            "",
        ] {
            assert!(matches!(range(wrong, 10), Err(Error::Range(_))), "{wrong}");
        }
    }
}
