//! The door for other services.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use stackup_contracts as contracts;
use stackup_contracts::{
    Allocation, CallError, Candidate, CandidateQuery, Consumer, ProviderSpec, Resources,
};
use stackup_core::{Ctx, ProviderId};

use super::{allocations, inventories, providers};
use crate::error::Error;
use crate::model::allocation::{Claim, Expected};
use crate::model::candidates::{Offer, search};
use crate::model::request::{Group, Request};
use crate::store::names::Kind;
use crate::{Placement, store};

#[async_trait]
impl contracts::Placement for Placement {
    #[tracing::instrument(skip_all, fields(provider = %spec.name))]
    async fn ensure_provider(&self, _: &Ctx, spec: &ProviderSpec) -> Result<(), CallError> {
        let (spec, now) = (spec.clone(), self.clock.now());
        let work = move |tx: &mut stackup_store::Tx<'_>| {
            if store::providers::get(tx, &spec.id)?.is_none() {
                providers::create(tx, &spec.id, &spec.name, None, now)?;
            }
            let classes: Vec<String> = spec.inventories.keys().cloned().collect();
            providers::add_names(tx, Kind::Class, &classes, now)?;
            providers::add_names(tx, Kind::Trait, &spec.traits, now)?;
            if store::inventories::list(tx, &spec.id)? != spec.inventories {
                inventories::replace(tx, &spec.id, &spec.inventories, None, now)?;
            }
            let mut traits = spec.traits.clone();
            traits.sort();
            traits.dedup();
            if store::providers::traits(tx, &spec.id)? != traits {
                providers::set_traits(tx, &spec.id, &traits, None, now)?;
            }
            Ok::<_, Error>(())
        };
        Ok(self.db.write(work).await?)
    }

    async fn delete_provider(&self, _: &Ctx, id: &ProviderId) -> Result<(), CallError> {
        let id = id.clone();
        Ok(self.db.write(move |tx| providers::delete(tx, &id)).await?)
    }

    async fn set_aggregates(
        &self,
        _: &Ctx,
        id: &ProviderId,
        aggregates: &[String],
    ) -> Result<(), CallError> {
        let (id, now) = (id.clone(), self.clock.now());
        let mut wanted = aggregates.to_vec();
        wanted.sort();
        wanted.dedup();
        let work = move |tx: &mut stackup_store::Tx<'_>| {
            providers::set_aggregates(tx, &id, &wanted, None, now).map(drop)
        };
        Ok(self.db.write(work).await?)
    }

    #[tracing::instrument(skip_all)]
    async fn candidates(
        &self,
        _: &Ctx,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>, CallError> {
        let request = as_request(query);
        let offers = self.db.offers().await.map_err(Error::from)?;
        let by_id: HashMap<&ProviderId, &Offer> =
            offers.iter().map(|offer| (&offer.provider.id, offer)).collect();
        let ways = search(&offers, &request);
        let chosen = ways.iter().flat_map(|way| way.allocations.keys());
        Ok(chosen.filter_map(|id| by_id.get(id).copied()).map(as_candidate).collect())
    }

    #[tracing::instrument(skip_all, fields(consumer = %consumer.id))]
    async fn allocate(
        &self,
        _: &Ctx,
        consumer: &Consumer,
        wanted: &[Allocation],
    ) -> Result<(), CallError> {
        let mut by_provider: BTreeMap<ProviderId, Resources> = BTreeMap::new();
        for allocation in wanted {
            let resources = by_provider.entry(allocation.provider.clone()).or_default();
            resources.extend(allocation.resources.clone());
        }
        let claim = Claim {
            consumer: consumer.id.clone(),
            project_id: consumer.project_id.to_string(),
            user_id: consumer.user_id.to_string(),
            kind: Some(consumer.kind.clone()),
            generation: Expected::Any,
            allocations: by_provider,
        };
        let now = self.clock.now();
        let claims = [claim];
        Ok(self.db.write(move |tx| allocations::claim(tx, &claims, now)).await?)
    }

    async fn allocations(&self, _: &Ctx, consumer: &str) -> Result<Vec<Allocation>, CallError> {
        let consumer = consumer.to_owned();
        let read = self.db.read(move |r| {
            let sides = store::allocations::of_consumer(r, &consumer)?;
            let each = sides.into_iter();
            let allocation =
                |(id, resources): (String, _)| Allocation { provider: id.into(), resources };
            Ok::<_, Error>(each.map(allocation).collect())
        });
        Ok(read.await?)
    }

    async fn consumers(&self, _: &Ctx, provider: &ProviderId) -> Result<Vec<String>, CallError> {
        let provider = provider.clone();
        let read = self.db.read(move |r| {
            let sides = store::allocations::of_provider(r, &provider)?;
            Ok::<_, Error>(sides.into_keys().collect())
        });
        Ok(read.await?)
    }

    async fn release(&self, _: &Ctx, consumer: &str) -> Result<(), CallError> {
        let consumer = consumer.to_owned();
        let work = move |tx: &mut stackup_store::Tx<'_>| {
            Ok::<_, Error>(store::allocations::release(tx, &consumer).map(drop)?)
        };
        Ok(self.db.write(work).await?)
    }
}

fn as_request(query: &CandidateQuery) -> Request {
    let sets = |groups: &[Vec<String>]| {
        groups.iter().map(|group| group.iter().cloned().collect()).collect()
    };
    let group = Group {
        resources: query.resources.clone(),
        required: query.required.iter().map(|name| [name.clone()].into()).collect(),
        forbidden: query.forbidden.iter().cloned().collect(),
        member_of: sets(&query.member_of),
        ..Group::default()
    };
    Request {
        groups: [(String::new(), group)].into(),
        limit: query.limit,
        nested: true,
        ..Request::default()
    }
}

fn as_candidate(offer: &Offer) -> Candidate {
    Candidate {
        provider: offer.provider.id.clone(),
        name: offer.provider.name.clone(),
        usage: offer.summary(),
        traits: offer.traits.iter().cloned().collect(),
    }
}
