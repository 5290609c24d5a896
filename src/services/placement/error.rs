//! What can go wrong, and what a client is told.

use axum::response::{IntoResponse, Response};
use stackup_core::ErrorKind;
use stackup_policy::Denied;
use stackup_store::StoreError;
use stackup_web::Fault;

/// A refusal of placement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("No resource provider with uuid {0} found")]
    ProviderNotFound(String),
    #[error("No such resource class {0}.")]
    ClassNotFound(String),
    #[error("No such trait {0}.")]
    TraitNotFound(String),
    #[error("No inventory of class {class} for {provider}")]
    InventoryNotFound { provider: String, class: String },
    #[error("No allocations for consumer '{0}'")]
    NoAllocations(String),
    #[error("Conflicting resource provider {field}: {value} already exists.")]
    DuplicateProvider { field: &'static str, value: String },
    #[error("{0} already exists")]
    Duplicate(String),
    #[error("resource provider generation conflict: {0}")]
    ProviderGeneration(String),
    #[error("consumer generation conflict - {0}")]
    ConsumerGeneration(String),
    #[error("Unable to delete resource provider {0}: it has allocations")]
    ProviderInUse(String),
    #[error("Unable to delete parent resource provider {0}: It has child resource providers.")]
    ProviderHasChildren(String),
    #[error("Inventory for '{classes}' on resource provider '{provider}' in use.")]
    InventoryInUse { provider: String, classes: String },
    #[error("{0} is in use")]
    InUse(String),
    #[error("Unable to allocate inventory: {0}")]
    CannotAllocate(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    BadQuery(String),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl Error {
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::BadRequest(message.into())
    }

    /// The fault, with placement's own code of the error (placement: errors.py).
    pub(crate) fn fault(&self) -> Fault {
        let said = |kind| Fault::new(kind, self.to_string());
        match self {
            Error::ProviderNotFound(_)
            | Error::ClassNotFound(_)
            | Error::TraitNotFound(_)
            | Error::InventoryNotFound { .. }
            | Error::NoAllocations(_) => said(ErrorKind::NotFound),
            Error::DuplicateProvider { .. } => {
                said(ErrorKind::Conflict).name("placement.duplicate_name")
            }
            Error::Duplicate(_) | Error::InUse(_) | Error::CannotAllocate(_) => {
                said(ErrorKind::Conflict)
            }
            Error::ProviderGeneration(_) | Error::ConsumerGeneration(_) => {
                said(ErrorKind::Conflict).name("placement.concurrent_update")
            }
            Error::ProviderInUse(_) => {
                said(ErrorKind::Conflict).name("placement.resource_provider.inuse")
            }
            Error::ProviderHasChildren(_) => {
                said(ErrorKind::Conflict).name("placement.resource_provider.cannot_delete_parent")
            }
            Error::InventoryInUse { .. } => {
                said(ErrorKind::Conflict).name("placement.inventory.inuse")
            }
            Error::BadRequest(_) => said(ErrorKind::BadRequest),
            Error::BadQuery(_) => said(ErrorKind::BadRequest).name("placement.query.bad_value"),
            Error::Store(error) => match error {
                StoreError::NoSpace(_) => Fault::new(ErrorKind::NoSpace, "No space is left."),
                other => Fault::internal(other),
            },
            Error::Denied(denied) => {
                Fault::forbidden(format!("{} is disallowed by policy", denied.rule))
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.fault().into_response()
    }
}

impl From<Error> for stackup_contracts::CallError {
    fn from(error: Error) -> Self {
        let fault = error.fault();
        Self::new(fault.kind, "", fault.message)
    }
}
