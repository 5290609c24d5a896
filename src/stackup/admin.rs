//! The door for the operator's own verbs: a socket in the state directory that only root opens.
//!
//! `stackup status`, `trace` and `routes` ask here. The APIs know nothing of it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stackup_flow::{Shutdown, Supervisor};
use stackup_web::trace::Ring;
use stackup_web::{Depth, RouteInfo};
use tokio::net::{UnixListener, UnixStream};

/// The socket's name in the state directory.
pub const SOCKET: &str = "stackup.sock";
const PATIENCE: Duration = Duration::from_secs(10);

/// What the socket tells.
#[derive(Clone)]
pub struct Admin {
    pub supervisor: Supervisor,
    pub ring: Ring,
    pub about: About,
    pub routes: Vec<(&'static str, Vec<RouteInfo>)>,
}

/// The running process, for `stackup status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    pub version: String,
    pub pid: u32,
    pub auth_url: String,
    pub addresses: Vec<String>,
    pub state_dir: PathBuf,
    pub services: Vec<ServiceStatus>,
    pub hypervisor: String,
    pub firewall: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceStatus {
    pub codename: String,
    /// `deep`, `whole` or `shallow`.
    pub depth: String,
    pub prefix: String,
}

/// How much of a service is real, in a word.
pub fn depth_word(depth: Depth) -> &'static str {
    match depth {
        Depth::Deep => "deep",
        Depth::Whole => "whole",
        Depth::Shallow => "shallow",
    }
}

/// Binds the socket, readable by root alone. One left by a killed process is replaced.
pub fn bind(state_dir: &Path) -> std::io::Result<UnixListener> {
    let path = state_dir.join(SOCKET);
    stackup_system::files::remove_if_there(&path)?;
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the socket until the process ends.
pub async fn serve(listener: UnixListener, admin: Admin, shutdown: Shutdown) {
    let app = Router::new()
        .route("/status", get(status))
        .route("/trace", get(recent))
        .route("/trace/{id}", get(trace))
        .route("/routes", get(routes))
        .with_state(admin);
    let ended = async move { shutdown.begun().await };
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(ended).await {
        tracing::error!(%error, "operator's socket failed");
    }
}

async fn status(State(admin): State<Admin>) -> Response {
    let tasks = admin.supervisor.status();
    let tasks = tasks.iter().map(|(name, task)| {
        json!({
            "name": name,
            "runs": task.runs,
            "repaired": task.last.repaired,
            "failed": task.last.failed,
            "took_ms": task.took.as_secs_f64() * 1000.0,
            "period_s": task.period.as_secs(),
        })
    });
    let tasks: Vec<Value> = tasks.collect();
    axum::Json(json!({"about": admin.about, "tasks": tasks})).into_response()
}

async fn recent(State(admin): State<Admin>) -> Response {
    axum::Json(admin.ring.recent()).into_response()
}

async fn trace(State(admin): State<Admin>, UrlPath(id): UrlPath<String>) -> Response {
    match admin.ring.story(&id) {
        Some(lines) => axum::Json(lines).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn routes(State(admin): State<Admin>) -> Response {
    let rows = admin.routes.iter().flat_map(|(service, rows)| {
        rows.iter().map(move |row| {
            json!({
                "service": service,
                "verb": row.verb.as_str(),
                "path": row.path,
                "action": row.action,
                "since": row.since.map(|version| version.to_string()),
                "until": row.until.map(|version| version.to_string()),
                "access": match row.access {
                    stackup_web::Access::Open => "open",
                    stackup_web::Access::Token => "token",
                    stackup_web::Access::Rule(rule) => rule,
                },
            })
        })
    });
    axum::Json(rows.collect::<Vec<Value>>()).into_response()
}

/// Why the running process could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("stackup does not run here")]
    NotRunning(#[source] std::io::Error),
    #[error("{0} is not known")]
    NotFound(String),
    #[error("stackup does not answer")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Asks the process that runs on this state directory.
pub async fn ask(state_dir: &Path, path: &str) -> Result<Value, AskError> {
    let socket = state_dir.join(SOCKET);
    let stream = UnixStream::connect(&socket).await.map_err(AskError::NotRunning)?;
    let failed = |error: hyper::Error| AskError::Failed(Box::new(error));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let request = http::Request::get(path)
        .header(http::header::HOST, "stackup")
        .body(Empty::<axum::body::Bytes>::new())
        .map_err(|error| AskError::Failed(Box::new(error)))?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
    };
    // The connection is driven beside the request; it ends when the sender is dropped.
    let both = async { futures::future::join(answer, connection).await.0 };
    let late = |_| AskError::Failed("no answer in time".into());
    let (status, bytes) =
        tokio::time::timeout(PATIENCE, both).await.map_err(late)?.map_err(failed)?;
    if status == StatusCode::NOT_FOUND {
        return Err(AskError::NotFound(path.to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| AskError::Failed(Box::new(error)))
}
