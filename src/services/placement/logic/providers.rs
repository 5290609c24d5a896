//! Providers: made, renamed, moved, deleted; their traits and aggregates.

use stackup_core::{ProviderId, Time};
use stackup_store::{Reader, Tx};

use crate::error::Error;
use crate::model::provider::Provider;
use crate::store::{allocations, names, providers};

/// The provider, or the error that it is not there.
pub(crate) fn get(r: &Reader<'_>, id: &str) -> Result<Provider, Error> {
    providers::get(r, id)?.ok_or_else(|| Error::ProviderNotFound(id.to_owned()))
}

/// Makes a provider at the top, or below a parent.
pub(crate) fn create(
    tx: &mut Tx<'_>,
    id: &ProviderId,
    name: &str,
    parent: Option<&str>,
    now: Time,
) -> Result<Provider, Error> {
    if providers::get(tx, id)?.is_some() {
        return Err(Error::DuplicateProvider { field: "uuid", value: id.to_string() });
    }
    name_is_free(tx, name, None)?;
    let parent = parent.map(|parent| parent_of(tx, parent)).transpose()?;
    providers::insert(tx, id, name, parent.as_ref(), now)?;
    get(tx, id)
}

/// Renames a provider, or moves it with its subtree.
pub(crate) fn update(
    tx: &mut Tx<'_>,
    id: &str,
    name: &str,
    parent: Option<Option<&str>>,
    may_move: bool,
    now: Time,
) -> Result<Provider, Error> {
    let provider = get(tx, id)?;
    name_is_free(tx, name, Some(&provider.id))?;
    let target = match parent {
        None => provider.parent_id.clone(),
        Some(None) => None,
        Some(Some(id)) => Some(parent_of(tx, id)?.id),
    };
    let moves = target != provider.parent_id;
    // Before 1.37 a provider without parent could be given one, once.
    if moves && !may_move && provider.parent_id.is_some() {
        let what = if target.is_none() { "un-parenting" } else { "re-parenting" };
        return Err(Error::bad(format!(
            "Unable to save resource provider {id}: Object action update failed because: {what} a \
             provider is not currently allowed."
        )));
    }
    providers::update(tx, &provider.id, name, target.as_ref(), now)?;
    if moves {
        move_subtree(tx, &provider, target.as_ref())?;
    }
    get(tx, id)
}

fn move_subtree(tx: &mut Tx<'_>, top: &Provider, parent: Option<&ProviderId>) -> Result<(), Error> {
    let all = providers::all(tx)?;
    let mut subtree = vec![top.id.clone()];
    let mut at = 0;
    while let Some(id) = subtree.get(at).cloned() {
        let children = all.iter().filter(|p| p.parent_id.as_ref() == Some(&id) && p.id != top.id);
        subtree.extend(children.map(|child| child.id.clone()));
        at += 1;
    }
    if parent.is_some_and(|parent| subtree.contains(parent)) {
        return Err(Error::bad("creating loop in the provider tree is not allowed."));
    }
    let root = match parent {
        None => top.id.clone(),
        Some(parent) => get(tx, parent)?.root_id,
    };
    for id in &subtree {
        providers::set_root(tx, id, &root)?;
    }
    Ok(())
}

fn parent_of(r: &Reader<'_>, id: &str) -> Result<Provider, Error> {
    providers::get(r, id)?
        .ok_or_else(|| Error::bad(format!("parent provider UUID does not exist: {id}")))
}

fn name_is_free(r: &Reader<'_>, name: &str, own: Option<&ProviderId>) -> Result<(), Error> {
    match providers::by_name(r, name)? {
        Some(other) if Some(&other.id) != own => {
            Err(Error::DuplicateProvider { field: "name", value: name.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Deletes a provider that nobody uses and that has no children.
pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<(), Error> {
    let provider = get(tx, id)?;
    if providers::has_children(tx, &provider.id)? {
        return Err(Error::ProviderHasChildren(id.to_owned()));
    }
    if !allocations::of_provider(tx, &provider.id)?.is_empty() {
        return Err(Error::ProviderInUse(id.to_owned()));
    }
    Ok(providers::delete(tx, &provider.id)?)
}

/// Moves the provider's generation on. A writer that names one must name the current one.
pub(crate) fn bump(
    tx: &mut Tx<'_>,
    provider: &Provider,
    named: Option<u64>,
    now: Time,
) -> Result<u64, Error> {
    let stale = named.is_some_and(|generation| generation != provider.generation);
    if stale || !providers::bump(tx, provider, now)? {
        return Err(Error::ProviderGeneration(provider.id.to_string()));
    }
    Ok(provider.generation + 1)
}

/// Replaces the traits of a provider; each must be known.
pub(crate) fn set_traits(
    tx: &mut Tx<'_>,
    id: &str,
    wanted: &[String],
    generation: Option<u64>,
    now: Time,
) -> Result<u64, Error> {
    let provider = get(tx, id)?;
    super::names::check_traits(tx, wanted.iter())?;
    let generation = bump(tx, &provider, generation, now)?;
    providers::set_traits(tx, &provider.id, wanted)?;
    Ok(generation)
}

/// Replaces the aggregates of a provider.
pub(crate) fn set_aggregates(
    tx: &mut Tx<'_>,
    id: &str,
    wanted: &[String],
    generation: Option<u64>,
    now: Time,
) -> Result<u64, Error> {
    let provider = get(tx, id)?;
    let generation = bump(tx, &provider, generation, now)?;
    providers::set_aggregates(tx, &provider.id, wanted)?;
    Ok(generation)
}

/// Adds the custom names that a provider of this process brings along.
pub(crate) fn add_names(
    tx: &mut Tx<'_>,
    kind: names::Kind,
    wanted: &[String],
    now: Time,
) -> Result<(), Error> {
    for name in wanted.iter().filter(|name| crate::model::names::is_custom(name)) {
        names::add(tx, kind, name, now)?;
    }
    Ok(())
}
