//! One unit of work.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use stackup_core::{Ctx, Time, ids};
use stackup_flow::Event;
use stackup_policy::Policy;
use stackup_store::{Reader, Tx};

use crate::Neutron;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::{Fields, Kind, Record, Resource};
use crate::store::{self, Filter, Listing, Scope, records};

/// One transaction, who asks for it, and what to tell others when it is committed.
pub(crate) struct Work<'a, 'r> {
    pub(crate) tx: &'a mut Tx<'r>,
    pub(crate) cx: &'a Ctx,
    pub(crate) config: &'a Config,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Time,
    /// Servers whose addresses change.
    servers: BTreeSet<String>,
}

impl Neutron {
    /// Does `work` in one transaction; then wakes the dataplane and tells of changed servers.
    pub(crate) async fn work<T, F>(&self, cx: &Ctx, work: F) -> Result<T>
    where
        F: Fn(&mut Work<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (config, policy) = (Arc::clone(&self.config), Arc::clone(&self.policy));
        let (clock, cx) = (Arc::clone(&self.clock), cx.clone());
        let (value, servers) = self
            .db
            .write(move |tx| {
                let mut unit = Work {
                    tx,
                    cx: &cx,
                    config: &config,
                    policy: &policy,
                    now: clock.now(),
                    servers: BTreeSet::new(),
                };
                let value = work(&mut unit)?;
                Ok::<_, Error>((value, unit.servers))
            })
            .await?;
        self.changed.give();
        for server in servers {
            self.bus.publish(Event::AddressesChanged(server.into()));
        }
        Ok(value)
    }
}

impl<'r> Work<'_, 'r> {
    pub(crate) fn reader(&self) -> &Reader<'r> {
        self.tx
    }

    /// What the caller sees of a resource.
    pub(crate) fn scope(&self, resource: &Resource) -> Scope {
        Scope::of(self.cx, resource)
    }

    /// A row that the caller sees.
    pub(crate) fn find(&self, resource: &'static Resource, id: &str) -> Result<Record> {
        let found = records::find(self.tx, resource, &self.scope(resource), id)?;
        found.ok_or_else(|| not_found(resource, id))
    }

    /// A row, whoever asks; `shared` is still the caller's.
    pub(crate) fn any(&self, resource: &'static Resource, id: &str) -> Result<Record> {
        let scope = Scope { all: true, ..self.scope(resource) };
        let found = records::find(self.tx, resource, &scope, id)?;
        found.ok_or_else(|| not_found(resource, id))
    }

    /// Rows, whoever asks, oldest first.
    pub(crate) fn all(
        &self,
        resource: &'static Resource,
        filters: Vec<Filter>,
    ) -> Result<Vec<Record>> {
        let mut listing = Listing::of(filters);
        if resource.is_standard() {
            listing.page.sort = vec![stackup_core::SortKey {
                key: "created_at".to_owned(),
                direction: stackup_core::Direction::Ascending,
            }];
        }
        let scope = Scope { all: true, ..self.scope(resource) };
        records::list(self.tx, resource, &scope, &listing)
    }

    /// Writes a row with a new id, and its tags.
    pub(crate) fn insert(
        &mut self,
        resource: &'static Resource,
        fields: &mut Fields,
    ) -> Result<String> {
        fields.set_default("id", ids::uuid());
        let id = fields.text("id").unwrap_or_default().to_owned();
        records::insert(self.tx, resource, fields.values(), self.now)?;
        for tag in fields.list("tags").unwrap_or_default() {
            store::tags::add(self.tx, &id, tag.as_str().unwrap_or_default())?;
        }
        Ok(id)
    }

    /// Changes what the fields name.
    pub(crate) fn update(
        &mut self,
        resource: &'static Resource,
        id: &str,
        fields: &Fields,
    ) -> Result<()> {
        Ok(records::update(self.tx, resource, id, fields.values(), Some(self.now))?)
    }

    /// Makes a new revision of something that changed in another table.
    pub(crate) fn revise(&mut self, resource: &'static Resource, id: &str) -> Result<()> {
        Ok(records::update(self.tx, resource, id, &Map::new(), Some(self.now))?)
    }

    /// Changes single values, as part of a change that makes the revision.
    pub(crate) fn set(
        &mut self,
        resource: &'static Resource,
        id: &str,
        values: &Json,
    ) -> Result<()> {
        let none = Map::new();
        let values = values.as_object().unwrap_or(&none);
        Ok(records::update(self.tx, resource, id, values, None)?)
    }

    pub(crate) fn delete(&mut self, resource: &'static Resource, id: &str) -> Result<()> {
        Ok(records::delete(self.tx, resource, id)?)
    }

    /// The server behind a port has other addresses now.
    pub(crate) fn touch_server(&mut self, port: &Record) {
        if port.text("device_owner").starts_with("compute:")
            && let Some(server) = port.some_text("device_id")
        {
            self.servers.insert(server.to_owned());
        }
    }
}

/// The error of a resource that is not there, or not for the caller to see.
pub(crate) fn not_found(resource: &Resource, id: &str) -> Error {
    let id = id.to_owned();
    match resource.kind {
        Kind::AddressScope => Error::AddressScopeNotFound(id),
        Kind::DefaultRule => Error::DefaultSecurityGroupRuleNotFound(id),
        Kind::FloatingIp => Error::FloatingIPNotFound(id),
        Kind::MeteringLabel => Error::MeteringLabelNotFound(id),
        Kind::MeteringLabelRule => Error::MeteringLabelRuleNotFound(id),
        Kind::Network => Error::NetworkNotFound(id),
        Kind::Port => Error::PortNotFound(id),
        Kind::RbacPolicy => Error::RbacPolicyNotFound(id),
        Kind::Router => Error::RouterNotFound(id),
        Kind::SecurityGroup => Error::SecurityGroupNotFound(id),
        Kind::SecurityGroupRule => Error::SecurityGroupRuleNotFound(id),
        Kind::Subnet => Error::SubnetNotFound(id),
        Kind::SubnetPool => Error::SubnetPoolNotFound(id),
    }
}

/// `null`, for values that are cleared.
pub(crate) fn null() -> Json {
    json!(null)
}
