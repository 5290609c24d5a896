//! Every provider with all that is known of it: what the search for candidates runs over.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stackup_store::{Reader, Row, StoreError};

use super::{inventories, providers};
use crate::model::candidates::Offer;

const INVENTORIES: &str = "
SELECT provider_id, resource_class, total, reserved, min_unit, max_unit, step_size,
       allocation_ratio
FROM inventory";
const USED: &str = "
SELECT provider_id, resource_class, CAST(SUM(used) AS INTEGER)
FROM allocation
GROUP BY provider_id, resource_class";
const TRAITS: &str = "SELECT provider_id, trait FROM provider_trait";
const AGGREGATES: &str = "SELECT provider_id, aggregate FROM provider_aggregate";

/// All of it, oldest provider first.
pub(crate) fn offers(r: &Reader<'_>) -> Result<Vec<Offer>, StoreError> {
    let mut offers = Vec::new();
    let mut index = HashMap::new();
    for provider in providers::all(r)? {
        index.insert(provider.id.to_string(), offers.len());
        offers.push(Offer {
            provider,
            inventories: BTreeMap::new(),
            used: BTreeMap::new(),
            traits: BTreeSet::new(),
            aggregates: BTreeSet::new(),
        });
    }
    let rows: Vec<Row> = r.query(INVENTORIES, &[])?;
    for row in &rows {
        if let Some(&at) = index.get(&row.get::<String>(0)?) {
            offers[at].inventories.insert(row.get(1)?, inventories::inventory(row, 2)?);
        }
    }
    for (provider, class, used) in r.query::<(String, String, u64)>(USED, &[])? {
        if let Some(&at) = index.get(&provider) {
            offers[at].used.insert(class, used);
        }
    }
    for (provider, name) in r.query::<(String, String)>(TRAITS, &[])? {
        if let Some(&at) = index.get(&provider) {
            offers[at].traits.insert(name);
        }
    }
    for (provider, aggregate) in r.query::<(String, String)>(AGGREGATES, &[])? {
        if let Some(&at) = index.get(&provider) {
            offers[at].aggregates.insert(aggregate);
        }
    }
    Ok(offers)
}
