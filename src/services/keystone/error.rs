//! Why keystone says no, in keystone's words.

use axum::response::{IntoResponse, Response};
use stackup_contracts::CallError;
use stackup_core::ErrorKind;
use stackup_policy::Denied;
use stackup_store::StoreError;
use stackup_web::Fault;

/// Every refusal of the service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A value that is wrong; the text says which and why.
    #[error("{0}")]
    Invalid(String),
    #[error(
        "Expecting to find {attribute} in {target}. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error."
    )]
    Expecting { attribute: &'static str, target: &'static str },
    #[error("Could not find {kind}: {id}.")]
    NotFound { kind: &'static str, id: String },
    /// As `NotFound`, where upstream's sentence is another.
    #[error("{0}")]
    Missing(String),
    #[error("Conflict occurred attempting to store {kind} - {details}.")]
    Conflict { kind: &'static str, details: String },
    /// Who asks is not known. The reason stays in the log: it would tell too much.
    #[error("The request you have made requires authentication.")]
    Unauthorized(&'static str),
    #[error("The account is locked for user: {0}.")]
    AccountLocked(String),
    #[error("The account is disabled for user: {0}.")]
    UserDisabled(String),
    #[error("The password is expired and needs to be changed for user: {0}.")]
    PasswordExpired(String),
    #[error("Attempted to authenticate with an unsupported method.")]
    UnsupportedMethod,
    #[error("Error authenticating with application credential: {0}")]
    ApplicationCredentialAuth(&'static str),
    #[error("You are not authorized to perform the requested action: {0}.")]
    Denied(String),
    /// Not allowed by the state of things, whoever asks.
    #[error("{0}")]
    Forbidden(String),
    #[error("the store did not answer")]
    Store(#[from] StoreError),
    /// Something of the process itself: a hash or a cipher that failed.
    #[error("{what} failed")]
    Internal {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{}", .0.message)]
    Fault(Box<Fault>),
}

impl Error {
    pub(crate) fn not_found(kind: &'static str, id: &str) -> Self {
        Error::NotFound { kind, id: id.to_owned() }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Error::Invalid(text.into())
    }

    pub(crate) fn internal(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Error::Internal { what, source: source.into() }
    }

    /// A name that somebody else has; any other failure stays what it is.
    pub(crate) fn duplicate(
        kind: &'static str,
        details: String,
    ) -> impl FnOnce(StoreError) -> Self {
        move |error| {
            if error.is_unique() { Error::Conflict { kind, details } } else { Error::Store(error) }
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        let kind = match self {
            Error::Invalid(_) | Error::Expecting { .. } => ErrorKind::BadRequest,
            Error::NotFound { .. } | Error::Missing(_) => ErrorKind::NotFound,
            Error::Conflict { .. } => ErrorKind::Conflict,
            Error::Unauthorized(_)
            | Error::AccountLocked(_)
            | Error::UserDisabled(_)
            | Error::PasswordExpired(_)
            | Error::UnsupportedMethod
            | Error::ApplicationCredentialAuth(_) => ErrorKind::Unauthorized,
            Error::Denied(_) | Error::Forbidden(_) => ErrorKind::Forbidden,
            Error::Store(error @ StoreError::NoSpace(_)) => {
                let mut fault = Fault::new(ErrorKind::NoSpace, "No space is left for the request.");
                fault.cause = Some(stackup_web::fault::chain(error));
                return fault;
            }
            Error::Store(_) | Error::Internal { .. } => return Fault::internal(self),
            Error::Fault(fault) => return (**fault).clone(),
        };
        let mut fault = Fault::new(kind, self.to_string());
        if let Error::Unauthorized(reason) = self {
            tracing::info!(reason, "refused to authenticate");
            fault.cause = Some((*reason).to_owned());
        }
        fault
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Error::Denied(denied.rule)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Fault(Box::new(fault))
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        let fault = error.fault();
        CallError::new(fault.kind, "", fault.message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.fault().into_response()
    }
}

/// What a rule's refusal says at the route.
pub(crate) fn denied(denied: Denied) -> Fault {
    Error::from(denied).fault()
}
