//! Regions, services and endpoints.

use stackup_store::{FromRow, Reader, Row, StoreError, Tx, params};

use super::{Result, Where, extra, json};
use crate::model::catalog::{Endpoint, Region, Service};

const SELECT_REGION: &str = "
SELECT id, parent_id, description, extra
FROM regions";
const INSERT_REGION: &str = "
INSERT INTO regions (id, parent_id, description, extra)
VALUES ($1, $2, $3, $4)";
const UPDATE_REGION: &str = "
UPDATE regions
SET parent_id = $2, description = $3, extra = $4
WHERE id = $1";
const DELETE_REGION: &str = "
DELETE FROM regions
WHERE id = $1";
const SELECT_SERVICE: &str = "
SELECT id, type, enabled, extra
FROM services";
const INSERT_SERVICE: &str = "
INSERT INTO services (id, type, enabled, extra)
VALUES ($1, $2, $3, $4)";
const UPDATE_SERVICE: &str = "
UPDATE services
SET type = $2, enabled = $3, extra = $4
WHERE id = $1";
const DELETE_SERVICE: &str = "
DELETE FROM services
WHERE id = $1";
const SELECT_ENDPOINT: &str = "
SELECT id, service_id, region_id, interface, url, enabled, extra
FROM endpoints";
const INSERT_ENDPOINT: &str = "
INSERT INTO endpoints (id, service_id, region_id, interface, url, enabled, extra)
VALUES ($1, $2, $3, $4, $5, $6, $7)";
const UPDATE_ENDPOINT: &str = "
UPDATE endpoints
SET service_id = $2, region_id = $3, interface = $4, url = $5, enabled = $6, extra = $7
WHERE id = $1";
const DELETE_ENDPOINT: &str = "
DELETE FROM endpoints
WHERE id = $1";

impl FromRow for Region {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            parent_id: row.get(1)?,
            description: row.get(2)?,
            extra: extra(row.get(3)?),
        })
    }
}

impl FromRow for Service {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            enabled: row.get(2)?,
            extra: extra(row.get(3)?),
        })
    }
}

impl FromRow for Endpoint {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            service_id: row.get(1)?,
            region_id: row.get(2)?,
            interface: row.get(3)?,
            url: row.get(4)?,
            enabled: row.get(5)?,
            extra: extra(row.get(6)?),
        })
    }
}

pub(crate) fn region(r: &Reader<'_>, id: &str) -> Result<Option<Region>> {
    Ok(regions(r, &Where::new().eq("id", id))?.pop())
}

pub(crate) fn regions(r: &Reader<'_>, condition: &Where) -> Result<Vec<Region>> {
    r.query(&condition.sql(SELECT_REGION, "id"), condition.params())
}

pub(crate) fn insert_region(tx: &mut Tx<'_>, region: &Region) -> Result<()> {
    tx.execute(INSERT_REGION, &region_row(region)).map(drop)
}

pub(crate) fn update_region(tx: &mut Tx<'_>, region: &Region) -> Result<()> {
    tx.execute(UPDATE_REGION, &region_row(region)).map(drop)
}

fn region_row(region: &Region) -> [stackup_store::Value; 4] {
    params![region.id, region.parent_id, region.description, json(&region.extra)]
}

pub(crate) fn delete_region(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE_REGION, &params![id]).map(|rows| rows > 0)
}

pub(crate) fn service(r: &Reader<'_>, id: &str) -> Result<Option<Service>> {
    Ok(services(r, &Where::new().eq("id", id))?.pop())
}

pub(crate) fn services(r: &Reader<'_>, condition: &Where) -> Result<Vec<Service>> {
    r.query(&condition.sql(SELECT_SERVICE, "type, id"), condition.params())
}

pub(crate) fn insert_service(tx: &mut Tx<'_>, service: &Service) -> Result<()> {
    tx.execute(INSERT_SERVICE, &service_row(service)).map(drop)
}

pub(crate) fn update_service(tx: &mut Tx<'_>, service: &Service) -> Result<()> {
    tx.execute(UPDATE_SERVICE, &service_row(service)).map(drop)
}

fn service_row(service: &Service) -> [stackup_store::Value; 4] {
    params![service.id, service.kind, service.enabled, json(&service.extra)]
}

/// Deletes a service with its endpoints.
pub(crate) fn delete_service(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE_SERVICE, &params![id]).map(|rows| rows > 0)
}

pub(crate) fn endpoint(r: &Reader<'_>, id: &str) -> Result<Option<Endpoint>> {
    Ok(endpoints(r, &Where::new().eq("id", id))?.pop())
}

pub(crate) fn endpoints(r: &Reader<'_>, condition: &Where) -> Result<Vec<Endpoint>> {
    r.query(&condition.sql(SELECT_ENDPOINT, "id"), condition.params())
}

pub(crate) fn insert_endpoint(tx: &mut Tx<'_>, endpoint: &Endpoint) -> Result<()> {
    tx.execute(INSERT_ENDPOINT, &endpoint_row(endpoint)).map(drop)
}

pub(crate) fn update_endpoint(tx: &mut Tx<'_>, endpoint: &Endpoint) -> Result<()> {
    tx.execute(UPDATE_ENDPOINT, &endpoint_row(endpoint)).map(drop)
}

fn endpoint_row(endpoint: &Endpoint) -> [stackup_store::Value; 7] {
    params![
        endpoint.id,
        endpoint.service_id,
        endpoint.region_id,
        endpoint.interface,
        endpoint.url,
        endpoint.enabled,
        json(&endpoint.extra)
    ]
}

pub(crate) fn delete_endpoint(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    tx.execute(DELETE_ENDPOINT, &params![id]).map(|rows| rows > 0)
}
