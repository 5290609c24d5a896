//! /reshaper: inventories and allocations of several providers, changed as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stackup_contracts::Inventory;
use stackup_web::Cx;

use super::valid::Valid;
use super::{allocations, inventories};
use crate::Placement;
use crate::error::Error;
use crate::logic;
use crate::model::allocation::Claim;
use crate::store;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reshape {
    inventories: BTreeMap<String, inventories::Replace>,
    allocations: BTreeMap<String, allocations::Body>,
}

pub(super) async fn reshape(
    State(placement): State<Arc<Placement>>,
    Cx(cx): Cx,
    Valid(request): Valid<Reshape>,
) -> Result<StatusCode, Error> {
    let mut wanted: Vec<(String, BTreeMap<String, Inventory>, u64)> = Vec::new();
    for (id, replace) in &request.inventories {
        let (all, generation) = replace.read(&cx)?;
        wanted.push((super::uuid(id)?, all, generation));
    }
    let claims: Vec<Claim> = request
        .allocations
        .into_iter()
        .map(|(consumer, body)| body.claim(&cx, &consumer))
        .collect::<Result<_, _>>()?;
    let now = placement.clock.now();
    let work = move |tx: &mut stackup_store::Tx<'_>| {
        // Out of the way first: inventories may shrink below what the claims move elsewhere.
        for claim in &claims {
            let there = store::allocations::consumer(tx, &claim.consumer)?;
            logic::allocations::expect(claim, there.as_ref())?;
            store::allocations::clear(tx, &claim.consumer)?;
        }
        for (id, inventories, generation) in &wanted {
            if store::providers::get(tx, id)?.is_none() {
                return Err(Error::NoProviderToReshape(id.clone()));
            }
            logic::inventories::replace(tx, id, inventories, Some(*generation), now)?;
        }
        logic::allocations::claim(tx, &claims, now)?;
        // placement: reshaper.py sets inventories twice, before and after; readers count on it.
        for (id, ..) in &wanted {
            let provider = logic::providers::get(tx, id)?;
            logic::providers::bump(tx, &provider, None, now)?;
        }
        Ok(())
    };
    placement.db.write(work).await?;
    Ok(StatusCode::NO_CONTENT)
}
