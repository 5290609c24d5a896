//! What can go wrong in glance, and how each case is told to a client.

use std::io;

use axum::response::{IntoResponse, Response};
use stackup_contracts::CallError;
use stackup_core::ErrorKind;
use stackup_policy::Denied;
use stackup_store::StoreError;
use stackup_web::Fault;

/// Every failure that reaches the API. The texts are upstream's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    /// The image went away while its data came in.
    #[error("{0}")]
    Gone(String),
    /// A quota, a size limit or a full disk: glance answers 413 to all of them.
    #[error("{0}")]
    TooLarge(String),
    /// The data is not what it claims, or not safe to keep.
    #[error("{0}")]
    InvalidData(String),
    #[error("{0}")]
    Range(String),
    /// The request itself could not be read.
    #[error("{}", .0.message)]
    Request(Fault),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("could not {doing}")]
    Io {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("{0}")]
    Call(#[from] CallError),
}

impl Error {
    /// There is no such image, or none that the caller may see.
    pub(crate) fn no_image(id: &str) -> Self {
        Error::NotFound(format!("No image found with ID {id}"))
    }

    /// A failure of the file store; a full disk is told as such.
    pub(crate) fn io(doing: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::TooLarge(
                "Image storage media is full: There is not enough disk space on the image storage \
                 media."
                    .to_owned(),
            ),
            _ => Error::Io { doing, source },
        }
    }

    fn fault(&self) -> Fault {
        let kind = match self {
            Error::Request(fault) => return fault.clone(),
            Error::Store(StoreError::NoSpace(_)) => ErrorKind::NoSpace,
            Error::Store(_) | Error::Io { .. } => return Fault::internal(self),
            Error::Call(error) => error.kind,
            Error::BadRequest(_) => ErrorKind::BadRequest,
            Error::Forbidden(_) => ErrorKind::Forbidden,
            Error::NotFound(_) => ErrorKind::NotFound,
            Error::Conflict(_) => ErrorKind::Conflict,
            Error::Gone(_) => ErrorKind::Gone,
            Error::TooLarge(_) => ErrorKind::TooLarge,
            Error::InvalidData(_) => ErrorKind::UnsupportedMediaType,
            Error::Range(_) => ErrorKind::RangeNotSatisfiable,
        };
        Fault::new(kind, self.to_string())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Request(fault)
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        let rule = denied.rule;
        Error::Forbidden(format!("You are not authorized to complete {rule} action."))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        error.fault()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.fault().into_response()
    }
}

/// The same failure, told to another service.
impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        if let Error::Call(inner) = error {
            return inner;
        }
        let fault = error.fault();
        CallError::new(fault.kind, "", fault.message)
    }
}

/// What a rule's refusal says.
pub(crate) fn denied(denied: Denied) -> Fault {
    Error::from(denied).into()
}
