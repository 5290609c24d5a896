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
    #[error(
        "Resource provider {0} in inventories not found: No resource provider with uuid {0} found"
    )]
    NoProviderToReshape(String),
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
    #[error("Conflicting resource class already exists: {0}")]
    ClassExists(String),
    #[error("Update conflict: an inventory of class {0} is there already")]
    InventoryExists(String),
    #[error(
        "Resource provider's generation already changed. Please update the generation and try \
         again. (resource provider generation conflict: {0})"
    )]
    ProviderGeneration(String),
    #[error("consumer generation conflict - {0}")]
    ConsumerGeneration(String),
    #[error("Unable to delete resource provider {0}: Resource provider has allocations.")]
    ProviderInUse(String),
    #[error("Unable to delete parent resource provider {0}: It has child resource providers.")]
    ProviderHasChildren(String),
    #[error("Inventory for '{classes}' on resource provider '{provider}' in use.")]
    InventoryInUse { provider: String, classes: String },
    #[error(
        "Error in delete resource class: Cannot delete resource class {0}. Class is in use in \
         inventory."
    )]
    ClassInUse(String),
    #[error("The trait {0} is in use by a resource provider.")]
    TraitInUse(String),
    #[error("Unable to allocate inventory: {0}")]
    CannotAllocate(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    BadQuery(String),
    #[error("{0}")]
    BadDuplicate(&'static str),
    #[error("{0}")]
    MissingQuery(String),
    #[error("The method specified is not allowed for this resource.")]
    NotAllowed,
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
            Error::NoProviderToReshape(_) => {
                said(ErrorKind::BadRequest).name("placement.resource_provider.not_found")
            }
            Error::DuplicateProvider { .. } => {
                said(ErrorKind::Conflict).name("placement.duplicate_name")
            }
            Error::ClassExists(_)
            | Error::ClassInUse(_)
            | Error::TraitInUse(_)
            | Error::CannotAllocate(_) => said(ErrorKind::Conflict),
            Error::InventoryExists(_) => {
                said(ErrorKind::Conflict).name("placement.concurrent_update")
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
            Error::BadDuplicate(_) => {
                said(ErrorKind::BadRequest).name("placement.query.duplicate_key")
            }
            Error::MissingQuery(_) => {
                said(ErrorKind::BadRequest).name("placement.query.missing_value")
            }
            Error::NotAllowed => said(ErrorKind::MethodNotAllowed),
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
