//! Somebody who talks to the cloud.

use std::collections::HashMap;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::Cloud;

/// A caller with a token, or without.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) cloud: Cloud,
    http: Client,
    pub token: String,
    /// The body of the token, `null` without one.
    pub body: Value,
    microversions: HashMap<&'static str, String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    pub bytes: Vec<u8>,
    /// `null` when the body is empty or no JSON.
    pub json: Value,
}

impl Session {
    pub(crate) fn anonymous(cloud: &Cloud) -> Self {
        Self {
            cloud: cloud.clone(),
            http: Client::new(),
            token: String::new(),
            body: Value::Null,
            microversions: HashMap::new(),
        }
    }

    pub(crate) fn of(cloud: &Cloud, answer: &Answer) -> Self {
        Self {
            token: answer.header("x-subject-token").to_owned(),
            body: answer.json["token"].clone(),
            ..Self::anonymous(cloud)
        }
    }

    /// The same caller, who asks a service for a microversion.
    #[must_use]
    pub fn at(&self, service: &'static str, version: &str) -> Self {
        let mut other = self.clone();
        other.microversions.insert(service, version.to_owned());
        other
    }

    pub fn project_id(&self) -> &str {
        self.body["project"]["id"].as_str().expect("a token of a project")
    }

    pub fn user_id(&self) -> &str {
        self.body["user"]["id"].as_str().expect("a token of a user")
    }

    /// The public endpoints of the token's catalog, by type.
    pub(crate) fn catalog(&self) -> HashMap<String, String> {
        let mut all = HashMap::new();
        for service in self.body["catalog"].as_array().into_iter().flatten() {
            let endpoints = service["endpoints"].as_array().into_iter().flatten();
            for endpoint in endpoints.filter(|endpoint| endpoint["interface"] == "public") {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                all.insert(text(&service["type"]), text(&endpoint["url"]));
            }
        }
        all
    }

    pub async fn get(&self, service: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, service, path)).await
    }

    pub async fn delete(&self, service: &str, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, service, path)).await
    }

    pub async fn post(&self, service: &str, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, service, path).json(body)).await
    }

    pub async fn put(&self, service: &str, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, service, path).json(body)).await
    }

    pub async fn patch(&self, service: &str, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, service, path).json(body)).await
    }

    /// A PUT of bytes: an image's data.
    pub async fn upload(&self, service: &str, path: &str, data: Vec<u8>) -> Answer {
        let request = self.request(Method::PUT, service, path);
        self.send(request.header("content-type", "application/octet-stream").body(data)).await
    }

    /// A request to be completed and sent.
    pub fn request(&self, method: Method, service: &str, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.cloud.endpoint(service));
        let mut request = self.http.request(method, url);
        if !self.token.is_empty() {
            request = request.header("x-auth-token", &self.token);
        }
        if let Some(version) = self.microversions.get(service) {
            request = request.header("openstack-api-version", format!("{service} {version}"));
        }
        request
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("the cloud answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("a whole body").to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, bytes, json }
    }
}

impl Answer {
    /// Asserts the status; the panic shows the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "the answer was {text}");
        self
    }

    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The text at a path of keys and indexes: `/server/id`.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        let value = self.json.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer} of {}", self.json)).to_owned()
    }
}
