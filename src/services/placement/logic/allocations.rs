//! Allocations: a claim replaces all that a consumer has, or nothing happens.

use stackup_core::Time;
use stackup_store::Tx;

use super::providers;
use crate::error::Error;
use crate::model::allocation::{Claim, Consumer, Expected};
use crate::model::inventory::refusal;
use crate::store::{allocations, inventories};

/// Makes all the claims, in one transaction. The generation of each provider moves on once.
pub(crate) fn claim(tx: &mut Tx<'_>, claims: &[Claim], now: Time) -> Result<(), Error> {
    // What the consumers have is given back first, so that moving within a provider fits.
    let mut generations = Vec::new();
    for claim in claims {
        generations.push(check_generation(tx, claim)?);
        allocations::release(tx, &claim.consumer)?;
    }
    for (claim, generation) in claims.iter().zip(generations) {
        for (provider, resources) in &claim.allocations {
            check_room(tx, provider, resources)?;
        }
        allocations::replace(tx, claim, generation, now)?;
    }
    let mut touched: Vec<&str> =
        claims.iter().flat_map(|claim| claim.allocations.keys()).map(|id| &**id).collect();
    touched.sort_unstable();
    touched.dedup();
    for id in touched {
        let provider = providers::get(tx, id)?;
        providers::bump(tx, &provider, None, now)?;
    }
    Ok(())
}

fn check_generation(tx: &Tx<'_>, claim: &Claim) -> Result<u64, Error> {
    expect(claim, allocations::consumer(tx, &claim.consumer)?.as_ref())
}

/// The consumer's generation after the claim, if the one it names is the current one.
pub(crate) fn expect(claim: &Claim, there: Option<&Consumer>) -> Result<u64, Error> {
    let current = there.map(|consumer| consumer.generation);
    let conflict = |named: String| {
        let is = current.map_or("null".to_owned(), |generation| generation.to_string());
        Err(Error::ConsumerGeneration(format!("expected {is} but got {named}")))
    };
    match (claim.generation, current) {
        (Expected::New, Some(_)) => conflict("null".to_owned()),
        (Expected::At(named), current) if current != Some(named) => conflict(named.to_string()),
        (_, current) => Ok(current.map_or(1, |generation| generation + 1)),
    }
}

fn check_room(
    tx: &Tx<'_>,
    provider: &stackup_core::ProviderId,
    resources: &stackup_contracts::Resources,
) -> Result<(), Error> {
    let exists = crate::store::providers::get(tx, provider)?.is_some();
    if !exists {
        let text = format!("Allocation for resource provider '{provider}' that does not exist.");
        return Err(Error::bad(text));
    }
    let offered = inventories::list(tx, provider)?;
    let used = allocations::used(tx, provider)?;
    for (class, amount) in resources {
        if !super::names::class_is_known(tx, class)? {
            return Err(Error::bad(format!("No such resource class {class}.")));
        }
        let Some(inventory) = offered.get(class) else {
            return Err(Error::CannotAllocate(format!(
                "Inventory for '{class}' on resource provider '{provider}' invalid: not there."
            )));
        };
        let taken = used.get(class).copied().unwrap_or(0);
        if let Some(why) = refusal(inventory, taken, *amount) {
            return Err(Error::CannotAllocate(format!(
                "Unable to create allocation for '{class}' on resource provider '{provider}'. The \
                 requested amount {why}."
            )));
        }
    }
    Ok(())
}
