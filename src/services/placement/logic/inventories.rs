//! Inventories: replaced, changed, removed; never below what is used of a class.

use std::collections::BTreeMap;

use stackup_contracts::Inventory;
use stackup_core::Time;
use stackup_store::Tx;

use super::{names, providers};
use crate::error::Error;
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
    for class in wanted.keys() {
        check(tx, id, class)?;
    }
    let generation = providers::bump(tx, &provider, generation, now)?;
    let used = allocations::used(tx, &provider.id)?;
    let gone: Vec<&str> =
        used.keys().filter(|class| !wanted.contains_key(*class)).map(String::as_str).collect();
    if !gone.is_empty() {
        return Err(Error::InventoryInUse { provider: id.to_owned(), classes: gone.join(", ") });
    }
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
    check(tx, id, class)?;
    let there = inventories::list(tx, &provider.id)?.contains_key(class);
    if is_new && there {
        return Err(Error::InventoryExists(class.to_owned()));
    }
    if !is_new && !there {
        return Err(Error::bad(format!("No inventory record with resource class {class} exists")));
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
        return Err(Error::InventoryInUse { provider: id.to_owned(), classes });
    }
    if inventories::delete(tx, &provider.id, class)? == 0 {
        return Err(Error::InventoryNotFound { provider: id.to_owned(), class: class.to_owned() });
    }
    providers::bump(tx, &provider, None, now)?;
    Ok(())
}

/// The class is known; the amounts were checked where they came in.
fn check(tx: &Tx<'_>, id: &str, class: &str) -> Result<(), Error> {
    if names::class_is_known(tx, class)? {
        return Ok(());
    }
    Err(Error::bad(format!(
        "Unknown resource class in inventory for resource provider {id}: No such resource class \
         {class}."
    )))
}
