//! Policy blobs.

use serde_json::Value;
use stackup_core::ids;
use stackup_store::Reader;

use super::overlay;
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::policy::PolicyBlob;
use crate::store::{Where, policies};

/// What a request says of a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct PolicyFields {
    pub(crate) kind: Option<String>,
    pub(crate) blob: Option<Value>,
    pub(crate) extra: Extra,
}

impl Keystone {
    pub(crate) async fn policies(&self, condition: Where) -> Result<Vec<PolicyBlob>, Error> {
        self.read(move |r| Ok(policies::list(r, &condition)?)).await
    }

    pub(crate) async fn policy_blob(&self, id: &str) -> Result<PolicyBlob, Error> {
        let id = id.to_owned();
        self.read(move |r| find(r, &id)).await
    }

    pub(crate) async fn create_policy(&self, fields: PolicyFields) -> Result<PolicyBlob, Error> {
        let policy = PolicyBlob {
            id: ids::hex(),
            kind: fields.kind.unwrap_or_default(),
            blob: fields.blob.unwrap_or_default(),
            extra: fields.extra,
        };
        self.write(move |tx| {
            policies::insert(tx, &policy)?;
            Ok(policy.clone())
        })
        .await
    }

    pub(crate) async fn update_policy(
        &self,
        id: &str,
        fields: PolicyFields,
    ) -> Result<PolicyBlob, Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            let mut policy = find(tx, &id)?;
            if let Some(kind) = fields.kind.clone() {
                policy.kind = kind;
            }
            if let Some(blob) = fields.blob.clone() {
                policy.blob = blob;
            }
            overlay(&mut policy.extra, fields.extra.clone());
            policies::update(tx, &policy)?;
            Ok(policy)
        })
        .await
    }

    pub(crate) async fn delete_policy(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            if policies::delete(tx, &id)? {
                return Ok(());
            }
            Err(Error::not_found("policy", &id))
        })
        .await
    }
}

fn find(r: &Reader<'_>, id: &str) -> Result<PolicyBlob, Error> {
    policies::get(r, id)?.ok_or_else(|| Error::not_found("policy", id))
}
