//! Everything that can go wrong, and what the client is told.

use axum::response::{IntoResponse, Response};
use stackup_contracts::CallError;
use stackup_core::{ErrorKind, ServerId};
use stackup_policy::Denied;
use stackup_store::StoreError;
use stackup_web::Fault;
use thiserror::Error;

use crate::drivers::DriverError;
use crate::model::keypair::KeyError;
use crate::model::server::Refused;

/// What nova's logic answers when it does not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    #[error("Instance {0} could not be found.")]
    ServerNotFound(String),
    #[error("Flavor {0} could not be found.")]
    FlavorNotFound(String),
    /// Anything else that is not there: the sentence names it.
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense: the sentence says why.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Forbidden(String),
    /// A quota does not allow it.
    #[error("{0}")]
    OverQuota(String),
    #[error("{0}")]
    NotImplemented(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("No valid host was found. {0}")]
    NoValidHost(String),
    /// The server was deleted, or taken over by another task, while this one ran.
    #[error("instance {0} is being worked on by another task")]
    Overtaken(ServerId),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error(transparent)]
    Policy(#[from] stackup_policy::PolicyError),
    /// The web layer's own complaint about a request.
    #[error("{}", .0.message)]
    Request(Box<Fault>),
}

impl Error {
    pub(crate) fn server(id: &str) -> Self {
        Error::ServerNotFound(id.to_owned())
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::Invalid(message.into())
    }

    /// The HTTP side of it.
    pub fn fault(&self) -> Fault {
        let say = |kind| Fault::new(kind, self.to_string());
        match self {
            Error::ServerNotFound(_) | Error::FlavorNotFound(_) | Error::NotFound(_) => {
                say(ErrorKind::NotFound)
            }
            Error::Invalid(_) | Error::NoValidHost(_) | Error::Key(KeyError::Invalid) => {
                say(ErrorKind::BadRequest)
            }
            Error::Conflict(_) | Error::Refused(_) | Error::Overtaken(_) => {
                say(ErrorKind::Conflict)
            }
            Error::Forbidden(_) => say(ErrorKind::Forbidden),
            // nova: 403, not 413, for a quota since 2.1
            Error::OverQuota(_) => say(ErrorKind::Forbidden),
            Error::NotImplemented(_) => say(ErrorKind::NotImplemented),
            Error::Unavailable(_) => say(ErrorKind::Unavailable),
            Error::Denied(denied) => Fault::from(denied.clone()),
            Error::Call(call) => called(call),
            Error::Request(fault) => (**fault).clone(),
            Error::Driver(error) => driver(error),
            Error::Store(StoreError::NoSpace(_)) => say(ErrorKind::NoSpace),
            Error::Store(error) => Fault::internal(error),
            Error::Policy(error) => Fault::internal(error),
            Error::Key(error) => Fault::internal(error),
        }
    }
}

/// What another service said; its own name of the error is no key of nova's.
fn called(call: &CallError) -> Fault {
    match call.kind {
        ErrorKind::OverLimit => Fault::forbidden(call.message.clone()),
        kind => Fault::new(kind, call.message.clone()),
    }
}

fn driver(error: &DriverError) -> Fault {
    let say = |kind| Fault::new(kind, error.to_string());
    match error {
        DriverError::WrongState { .. } | DriverError::GuestNotFound { .. } => {
            say(ErrorKind::Conflict)
        }
        DriverError::DeviceNotFound { .. } | DriverError::HostNotFound { .. } => {
            say(ErrorKind::NotFound)
        }
        DriverError::Image { .. } => say(ErrorKind::BadRequest),
        DriverError::NotSupported { .. } => say(ErrorKind::NotImplemented),
        DriverError::Timeout { .. } | DriverError::Failed { .. } => Fault::internal(error),
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Request(Box::new(fault))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.fault().into_response()
    }
}
