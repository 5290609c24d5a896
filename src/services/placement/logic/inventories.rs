//! Inventories: replaced, changed, removed; never below what is used of a class.

use std::collections::BTreeMap;

use stackup_contracts::Inventory;
use stackup_core::Time;
use stackup_store::Tx;

use super::{names, providers};
use crate::error::Error;
use crate::model::inventory::{MAX, capacity};
use crate::store::{allocations, inventories};

/// Replaces all inventories of a provider.
pub(crate) fn replace(
    tx: &mut Tx<'_>,
    id: &str,
    wanted: &BTreeMap<String, Inventory>,
    generation: Option<u64>,
    now: Time,
) -> Result<u64, Error> {
    let provider = providers::get(tx, id)?;
    for (class, inventory) in wanted {
        check(tx, id, class, inventory)?;
    }
    let used = allocations::used(tx, &provider.id)?;
    let gone: Vec<&str> = used
        .keys()
        .filter(|class| !wanted.contains_key(*class))
        .map(String::as_str)
        .collect();
    if !gone.is_empty() {
        return Err(Error::InventoryInUse {
            provider: id.to_owned(),
            classes: gone.join(", "),
        });
    }
    let generation = providers::bump(tx, &provider, generation, now)?;
    inventories::clear(tx, &provider.id)?;
    for (class, inventory) in wanted {
        inventories::put(tx, &provider.id, class, inventory)?;
    }
    Ok(generation)
}

/// Adds one class (POST) or changes one (PUT).
pub(crate) fn put(
    tx: &mut Tx<'_>,
    id: &str,
    class: &str,
    inventory: &Inventory,
    is_new: bool,
    generation: Option<u64>,
    now: Time,
) -> Result<u64, Error> {
    let provider = providers::get(tx, id)?;
    check(tx, id, class, inventory)?;
    let there = inventories::list(tx, &provider.id)?.contains_key(class);
    if is_new && there {
        return Err(Error::Duplicate(format!(
            "Update conflict: inventory of {class}"
        )));
    }
    if !is_new && !there {
        return Err(Error::bad(format!(
            "No inventory record with resource class {class} exists"
        )));
    }
    let generation = providers::bump(tx, &provider, generation, now)?;
    inventories::put(tx, &provider.id, class, inventory)?;
    Ok(generation)
}

/// Removes one class that nobody uses.
pub(crate) fn delete(tx: &mut Tx<'_>, id: &str, class: &str, now: Time) -> Result<(), Error> {
    let provider = providers::get(tx, id)?;
    if allocations::used(tx, &provider.id)?.contains_key(class) {
        let classes = class.to_owned();
        return Err(Error::InventoryInUse {
            provider: id.to_owned(),
            classes,
        });
    }
    if inventories::delete(tx, &provider.id, class)? == 0 {
        return Err(Error::InventoryNotFound {
            provider: id.to_owned(),
            class: class.to_owned(),
        });
    }
    providers::bump(tx, &provider, None, now)?;
    Ok(())
}

/// The amounts are in range, the class is known, and something is left to give.
fn check(tx: &Tx<'_>, id: &str, class: &str, inventory: &Inventory) -> Result<(), Error> {
    if !names::class_is_known(tx, class)? {
        return Err(Error::bad(format!(
            "Unknown resource class in inventory for {id}: {class}"
        )));
    }
    let Inventory {
        total,
        reserved,
        min_unit,
        max_unit,
        step_size,
        allocation_ratio,
    } = inventory;
    let positive = [*total, *min_unit, *max_unit, *step_size];
    let in_range = positive.iter().all(|n| (1..=MAX).contains(n)) && *reserved <= MAX;
    if !in_range || !allocation_ratio.is_finite() || *allocation_ratio < 0.0 {
        return Err(Error::bad(format!(
            "Invalid inventory for '{class}' on provider '{id}'."
        )));
    }
    // A provider may be reserved whole, but not more than that.
    if *reserved > *total || (*reserved < *total && capacity(inventory) == 0) {
        return Err(Error::bad(format!(
            "Invalid inventory for '{class}' on resource provider '{id}'. The reserved value is \
             greater than total."
        )));
    }
    Ok(())
}
