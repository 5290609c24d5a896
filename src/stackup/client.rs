//! A client of the cloud's own APIs, over HTTP like any other: for the check at the end of install.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::credentials::Credentials;

/// Logged in to one project.
pub struct Client {
    http: reqwest::Client,
    token: String,
    catalog: Value,
}

/// What a call came to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{method} {url} failed")]
    Transport {
        method: Method,
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{method} {url} answered {status}: {body}")]
    Refused { method: Method, url: String, status: u16, body: String },
    #[error("the catalog has no {0}")]
    NoEndpoint(String),
    #[error("{what} did not happen within {seconds} s{detail}")]
    Timeout { what: String, seconds: u64, detail: String },
}

impl Client {
    /// Logs in with a password.
    pub async fn login(
        credentials: &Credentials,
        user: &str,
        project: &str,
    ) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap_or_default();
        let domain = json!({"id": "default"});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user, "domain": domain, "password": credentials.password,
            }}},
            "scope": {"project": {"name": project, "domain": domain}},
        }});
        let url = format!("{}/v3/auth/tokens", credentials.auth_url);
        let request = http.post(&url).json(&body);
        let failed =
            |source| ClientError::Transport { method: Method::POST, url: url.clone(), source };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let token = response.headers().get("x-subject-token");
        let token = token.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let text = response.text().await.map_err(failed)?;
        if status != 201 {
            return Err(ClientError::Refused { method: Method::POST, url, status, body: text });
        }
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self { http, token, catalog: body["token"]["catalog"].clone() })
    }

    /// The public URL of a service type.
    pub fn endpoint(&self, kind: &str) -> Result<String, ClientError> {
        let services = self.catalog.as_array().into_iter().flatten();
        let service = services.filter(|service| service["type"] == kind);
        let endpoints = service.flat_map(|service| service["endpoints"].as_array());
        let url = endpoints.flatten().find(|e| e["interface"] == "public").map(|e| &e["url"]);
        let url = url.and_then(Value::as_str).map(|url| url.trim_end_matches('/').to_owned());
        url.ok_or_else(|| ClientError::NoEndpoint(kind.to_owned()))
    }

    /// Every service type with its public URL.
    pub fn endpoints(&self) -> Vec<(String, String)> {
        let services = self.catalog.as_array().into_iter().flatten();
        let kinds = services.filter_map(|service| service["type"].as_str());
        kinds.filter_map(|kind| Some((kind.to_owned(), self.endpoint(kind).ok()?))).collect()
    }

    pub async fn get(&self, kind: &str, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, kind, path, None).await
    }

    pub async fn post(&self, kind: &str, path: &str, body: Value) -> Result<Value, ClientError> {
        self.call(Method::POST, kind, path, Some(body)).await
    }

    pub async fn put(&self, kind: &str, path: &str, body: Value) -> Result<Value, ClientError> {
        self.call(Method::PUT, kind, path, Some(body)).await
    }

    /// What is not there counts as deleted.
    pub async fn delete(&self, kind: &str, path: &str) -> Result<(), ClientError> {
        match self.call(Method::DELETE, kind, path, None).await {
            Err(ClientError::Refused { status: 404, .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn call(
        &self,
        method: Method,
        kind: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ClientError> {
        let url = format!("{}{path}", self.endpoint(kind)?);
        let mut request =
            self.http.request(method.clone(), &url).header("x-auth-token", &self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let failed =
            |source| ClientError::Transport { method: method.clone(), url: url.clone(), source };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(failed)?;
        if status >= 400 {
            return Err(ClientError::Refused { method, url, status, body: text });
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Polls until `done` finds what it wants in the answer.
    pub async fn wait<T>(
        &self,
        (kind, path): (&str, &str),
        what: &str,
        seconds: u64,
        done: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, ClientError> {
        let begun = Instant::now();
        loop {
            let body = self.get(kind, path).await?;
            if let Some(found) = done(&body) {
                return Ok(found);
            }
            if begun.elapsed() > Duration::from_secs(seconds) {
                let detail = body.to_string();
                let detail = format!(": {}", detail.chars().take(400).collect::<String>());
                return Err(ClientError::Timeout { what: what.to_owned(), seconds, detail });
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
