//! How each family of services writes its faults.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::fault::{Fault, FaultShape};

const JSON: &str = "application/json";

/// `{"error": {"code", "message", "title"}}`
#[derive(Debug, Clone, Copy)]
pub struct Keystone;

/// `{"badRequest": {"code", "message"}}`: nova and cinder.
#[derive(Debug, Clone, Copy)]
pub struct Compute;

/// `{"NeutronError": {"type", "message", "detail"}}`
#[derive(Debug, Clone, Copy)]
pub struct Neutron;

/// `{"errors": [{"status", "title", "detail", "request_id", "code"}]}`
#[derive(Debug, Clone, Copy)]
pub struct Placement;

/// A small HTML page, as webob writes it.
#[derive(Debug, Clone, Copy)]
pub struct Glance;

impl FaultShape for Keystone {
    fn shape(&self, fault: &Fault, _: &str) -> (&'static str, Bytes) {
        let title = reason(fault.status);
        let error = json!({"code": fault.status, "message": fault.message, "title": title});
        (JSON, bytes(&json!({"error": error})))
    }
}

impl FaultShape for Compute {
    fn shape(&self, fault: &Fault, _: &str) -> (&'static str, Bytes) {
        // nova: api/openstack/wsgi.py, Fault._fault_names
        let key = fault.name.as_deref().unwrap_or(match fault.status {
            400 => "badRequest",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "itemNotFound",
            405 => "badMethod",
            406 => "notAcceptable",
            409 => "conflictingRequest",
            413 | 429 => "overLimit",
            415 => "badMediaType",
            501 => "notImplemented",
            503 => "serviceUnavailable",
            _ => "computeFault",
        });
        let mut inner = json!({"code": fault.status, "message": fault.message});
        if matches!(fault.status, 413 | 429) {
            let retry = fault.headers.iter().find(|(name, _)| name == "retry-after");
            let retry = retry.and_then(|(_, value)| value.to_str().ok());
            inner["retryAfter"] = json!(retry.unwrap_or("0"));
        }
        (JSON, bytes(&json!({ key: inner })))
    }
}

impl FaultShape for Neutron {
    fn shape(&self, fault: &Fault, _: &str) -> (&'static str, Bytes) {
        let kind = fault.name.as_deref().unwrap_or(match fault.status {
            400 => "HTTPBadRequest",
            401 => "HTTPUnauthorized",
            403 => "PolicyNotAuthorized",
            404 => "HTTPNotFound",
            405 => "HTTPMethodNotAllowed",
            409 => "Conflict",
            501 => "HTTPNotImplemented",
            503 => "ServiceUnavailable",
            _ => "HTTPInternalServerError",
        });
        let error = json!({"type": kind, "message": fault.message, "detail": ""});
        (JSON, bytes(&json!({"NeutronError": error})))
    }
}

impl FaultShape for Placement {
    fn shape(&self, fault: &Fault, request_id: &str) -> (&'static str, Bytes) {
        let mut error = json!({
            "status": fault.status,
            "title": reason(fault.status),
            "detail": format!(
                "{}\n\n {}  ", explanation(fault.status), fault.message
            ),
            "request_id": request_id,
        });
        error["code"] = json!(fault.name.as_deref().unwrap_or("placement.undefined_code"));
        (JSON, bytes(&json!({"errors": [error]})))
    }
}

impl FaultShape for Glance {
    fn shape(&self, fault: &Fault, _: &str) -> (&'static str, Bytes) {
        let (code, title) = (fault.status, reason(fault.status));
        let message = escape(&fault.message);
        let page = format!(
            "<html>\n <head>\n  <title>{code} {title}</title>\n </head>\n <body>\n  \
             <h1>{code} {title}</h1>\n  {message}<br /><br />\n\n\n </body>\n</html>"
        );
        ("text/html; charset=UTF-8", Bytes::from(page))
    }
}

fn bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// The status's phrase, as Python's webob spells it.
fn reason(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

fn explanation(status: u16) -> &'static str {
    match status {
        400 => {
            "The server could not comply with the request since it is either malformed or otherwise incorrect."
        }
        401 => {
            "This server could not verify that you are authorized to access the document you requested."
        }
        403 => "Access was denied to this resource.",
        404 => "The resource could not be found.",
        405 => "The method specified is not allowed for this resource.",
        406 => "The resource could not be generated that was acceptable to your browser.",
        409 => "There was a conflict when trying to complete your request.",
        415 => "The request media type is not supported by this server.",
        _ => "The server has either erred or is incapable of performing the requested operation.",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
