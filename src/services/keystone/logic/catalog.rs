//! Regions, services, endpoints, and the catalog made of them.

use stackup_core::{Ctx, ids};
use stackup_store::{Reader, StoreError, Tx};

use super::overlay;
use crate::Keystone;
use crate::error::Error;
use crate::model::Extra;
use crate::model::catalog::{Endpoint, Interface, Region, Service};
use crate::store::{Where, catalog};

/// What a request says of a region.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegionFields {
    pub(crate) id: Option<String>,
    pub(crate) parent_id: Option<Option<String>>,
    pub(crate) description: Option<Option<String>>,
    pub(crate) extra: Extra,
}

/// What a request says of a service.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceFields {
    pub(crate) kind: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) extra: Extra,
}

/// What a request says of an endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndpointFields {
    pub(crate) service_id: Option<String>,
    pub(crate) region_id: Option<Option<String>>,
    pub(crate) interface: Option<Interface>,
    pub(crate) url: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) extra: Extra,
}

impl Keystone {
    /// Every enabled service with its enabled endpoints.
    pub(crate) async fn catalog(&self) -> Result<Vec<(Service, Vec<Endpoint>)>, Error> {
        self.read(|r| {
            let enabled = Where::new().eq("enabled", true);
            let mut endpoints = catalog::endpoints(r, &enabled)?;
            let services = catalog::services(r, &enabled)?;
            Ok(services
                .into_iter()
                .map(|service| {
                    let own = endpoints.extract_if(.., |e| e.service_id == service.id).collect();
                    (service, own)
                })
                .collect())
        })
        .await
    }

    pub(crate) async fn regions(&self, condition: Where) -> Result<Vec<Region>, Error> {
        self.read(move |r| Ok(catalog::regions(r, &condition)?)).await
    }

    pub(crate) async fn region(&self, id: &str) -> Result<Region, Error> {
        let id = id.to_owned();
        self.read(move |r| find_region(r, &id)).await
    }

    pub(crate) async fn create_region(&self, fields: RegionFields) -> Result<Region, Error> {
        let region = Region {
            id: fields.id.filter(|id| !id.is_empty()).unwrap_or_else(ids::hex),
            parent_id: fields.parent_id.flatten(),
            description: fields.description.flatten().unwrap_or_default(),
            extra: fields.extra,
        };
        self.write(move |tx| {
            if let Some(parent) = &region.parent_id {
                find_region(tx, parent)?;
            }
            let details = format!("Duplicate ID, {}.", region.id);
            catalog::insert_region(tx, &region).map_err(Error::duplicate("region", details))?;
            Ok(region.clone())
        })
        .await
    }

    pub(crate) async fn update_region(
        &self,
        id: &str,
        fields: RegionFields,
    ) -> Result<Region, Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            let mut region = find_region(tx, &id)?;
            if let Some(parent) = fields.parent_id.clone() {
                check_parent(tx, &id, parent.as_deref())?;
                region.parent_id = parent;
            }
            if let Some(description) = fields.description.clone() {
                region.description = description.unwrap_or_default();
            }
            overlay(&mut region.extra, fields.extra.clone());
            catalog::update_region(tx, &region)?;
            Ok(region)
        })
        .await
    }

    /// Deletes a region with those below it; none of them may have endpoints.
    pub(crate) async fn delete_region(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            find_region(tx, &id)?;
            delete_branch(tx, &id).map_err(|error| match error {
                StoreError::Reference(_) => Error::Forbidden(format!(
                    "Unable to delete region {id} because it or its child regions have associated \
                     endpoints."
                )),
                other => Error::Store(other),
            })
        })
        .await
    }

    pub(crate) async fn services(&self, condition: Where) -> Result<Vec<Service>, Error> {
        self.read(move |r| Ok(catalog::services(r, &condition)?)).await
    }

    pub(crate) async fn service(&self, id: &str) -> Result<Service, Error> {
        let id = id.to_owned();
        self.read(move |r| find_service(r, &id)).await
    }

    pub(crate) async fn create_service(&self, fields: ServiceFields) -> Result<Service, Error> {
        let service = Service {
            id: ids::hex(),
            kind: fields.kind.unwrap_or_default(),
            enabled: fields.enabled.unwrap_or(true),
            extra: fields.extra,
        };
        self.write(move |tx| {
            catalog::insert_service(tx, &service)?;
            Ok(service.clone())
        })
        .await
    }

    pub(crate) async fn update_service(
        &self,
        id: &str,
        fields: ServiceFields,
    ) -> Result<Service, Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            let mut service = find_service(tx, &id)?;
            if let Some(kind) = fields.kind.clone() {
                service.kind = kind;
            }
            service.enabled = fields.enabled.unwrap_or(service.enabled);
            overlay(&mut service.extra, fields.extra.clone());
            catalog::update_service(tx, &service)?;
            Ok(service)
        })
        .await
    }

    /// Deletes a service with its endpoints.
    pub(crate) async fn delete_service(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(move |tx| match catalog::delete_service(tx, &id) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::not_found("service", &id)),
            Err(StoreError::Reference(_)) => Err(Error::Forbidden(format!(
                "Unable to delete service {id} because there are registered limits associated with \
                 it."
            ))),
            Err(other) => Err(other.into()),
        })
        .await
    }

    pub(crate) async fn endpoints(&self, condition: Where) -> Result<Vec<Endpoint>, Error> {
        self.read(move |r| Ok(catalog::endpoints(r, &condition)?)).await
    }

    pub(crate) async fn endpoint(&self, id: &str) -> Result<Endpoint, Error> {
        let id = id.to_owned();
        self.read(move |r| find_endpoint(r, &id)).await
    }

    pub(crate) async fn create_endpoint(
        &self,
        cx: &Ctx,
        fields: EndpointFields,
    ) -> Result<Endpoint, Error> {
        let endpoint = Endpoint {
            id: ids::hex(),
            service_id: fields.service_id.unwrap_or_default(),
            region_id: fields.region_id.flatten(),
            interface: fields.interface.unwrap_or(Interface::Public),
            url: fields.url.unwrap_or_default(),
            enabled: fields.enabled.unwrap_or(true),
            extra: fields.extra,
        };
        check_url(cx, &endpoint)?;
        self.write(move |tx| {
            check_references(tx, &endpoint)?;
            catalog::insert_endpoint(tx, &endpoint)?;
            Ok(endpoint.clone())
        })
        .await
    }

    pub(crate) async fn update_endpoint(
        &self,
        cx: &Ctx,
        id: &str,
        fields: EndpointFields,
    ) -> Result<Endpoint, Error> {
        let mut endpoint = self.endpoint(id).await?;
        if let Some(service) = fields.service_id {
            endpoint.service_id = service;
        }
        if let Some(region) = fields.region_id {
            endpoint.region_id = region;
        }
        if let Some(url) = fields.url {
            endpoint.url = url;
            check_url(cx, &endpoint)?;
        }
        endpoint.interface = fields.interface.unwrap_or(endpoint.interface);
        endpoint.enabled = fields.enabled.unwrap_or(endpoint.enabled);
        overlay(&mut endpoint.extra, fields.extra);
        self.write(move |tx| {
            check_references(tx, &endpoint)?;
            catalog::update_endpoint(tx, &endpoint)?;
            Ok(endpoint.clone())
        })
        .await
    }

    pub(crate) async fn delete_endpoint(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(move |tx| {
            if catalog::delete_endpoint(tx, &id)? {
                return Ok(());
            }
            Err(Error::not_found("endpoint", &id))
        })
        .await
    }
}

fn find_region(r: &Reader<'_>, id: &str) -> Result<Region, Error> {
    catalog::region(r, id)?.ok_or_else(|| Error::not_found("region", id))
}

fn find_service(r: &Reader<'_>, id: &str) -> Result<Service, Error> {
    catalog::service(r, id)?.ok_or_else(|| Error::not_found("service", id))
}

fn find_endpoint(r: &Reader<'_>, id: &str) -> Result<Endpoint, Error> {
    catalog::endpoint(r, id)?.ok_or_else(|| Error::not_found("endpoint", id))
}

/// A region must not come to lie below itself.
fn check_parent(r: &Reader<'_>, id: &str, parent: Option<&str>) -> Result<(), Error> {
    let mut next = parent.map(str::to_owned);
    while let Some(above) = next {
        if above == id {
            let parent = parent.unwrap_or_default();
            return Err(Error::invalid(format!(
                "The specified parent region {parent} would create a circular region hierarchy."
            )));
        }
        next = find_region(r, &above)?.parent_id;
    }
    Ok(())
}

fn delete_branch(tx: &mut Tx<'_>, id: &str) -> Result<(), StoreError> {
    for child in catalog::regions(tx, &Where::new().eq("parent_id", id))? {
        delete_branch(tx, &child.id)?;
    }
    catalog::delete_region(tx, id).map(drop)
}

/// A service that is not there is the request's fault. A region that is not there is made, as
/// upstream does.
fn check_references(tx: &mut Tx<'_>, endpoint: &Endpoint) -> Result<(), Error> {
    let wrong = |error: Error| Error::invalid(error.to_string());
    find_service(tx, &endpoint.service_id).map_err(wrong)?;
    let Some(id) = &endpoint.region_id else {
        return Ok(());
    };
    match catalog::region(tx, id)? {
        Some(_) => Ok(()),
        None => {
            let region = Region {
                id: id.clone(),
                parent_id: None,
                description: String::new(),
                extra: Extra::new(),
            };
            Ok(catalog::insert_region(tx, &region)?)
        }
    }
}

/// The placeholders of a URL must be ones that can be filled in.
fn check_url(cx: &Ctx, endpoint: &Endpoint) -> Result<(), Error> {
    let rendered = endpoint.rendered(&cx.base_url, "user", Some("project"));
    let unknown = rendered.is_none_or(|url| url.contains("$(") || url.contains("%("));
    if unknown {
        let url = &endpoint.url;
        return Err(Error::invalid(format!(
            "Cannot create an endpoint with an invalid URL: {url}."
        )));
    }
    Ok(())
}
