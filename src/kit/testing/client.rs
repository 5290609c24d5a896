//! A client that calls a router without a socket.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// Calls a service's router. Each `with_*` gives another client; the router is shared.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: HeaderMap,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// `Null` when the body is empty or no JSON.
    pub json: Value,
    pub bytes: Vec<u8>,
}

impl Client {
    pub fn new(router: Router) -> Self {
        Self { router, headers: HeaderMap::new() }.with_header("host", "cloud.test")
    }

    /// As the holder of a token; see [`crate::StubIdentity`].
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        self.with_header("x-auth-token", token)
    }

    #[must_use]
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        let value = HeaderValue::from_str(value).expect("a header's value");
        headers.insert(HeaderName::from_static(name), value);
        Self { router: self.router.clone(), headers }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Body::empty()).await
    }

    pub async fn post(&self, path: &str, json: &Value) -> Answer {
        self.send_json(Method::POST, path, json).await
    }

    pub async fn put(&self, path: &str, json: &Value) -> Answer {
        self.send_json(Method::PUT, path, json).await
    }

    pub async fn patch(&self, path: &str, json: &Value) -> Answer {
        self.send_json(Method::PATCH, path, json).await
    }

    pub async fn send_json(&self, method: Method, path: &str, json: &Value) -> Answer {
        let client = match self.headers.contains_key("content-type") {
            true => self.clone(),
            false => self.with_header("content-type", "application/json"),
        };
        client.send(method, path, Body::from(json.to_string())).await
    }

    /// Sends anything.
    pub async fn send(&self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a path");
        *request.headers_mut() = self.headers.clone();
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes().to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes,
        }
    }
}

impl Answer {
    /// Asserts the status; the panic shows the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let wanted = StatusCode::from_u16(status).expect("a status");
        assert_eq!(
            self.status,
            wanted.as_u16(),
            "the answer was {}",
            String::from_utf8_lossy(&self.bytes)
        );
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
