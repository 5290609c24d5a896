//! The search for candidates: pure, over a snapshot of every provider.
//!
//! A candidate lies in one tree. The unnamed group may take each class from another provider of
//! the tree, or from one that shares with the tree through an aggregate; a named group takes all
//! its classes from one provider. All ways to do so are tried, tree by tree, up to the limit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stackup_contracts::{Inventory, Resources};
use stackup_core::ProviderId;

use super::inventory::{capacity, refusal};
use super::provider::Provider;
use super::request::{Group, Request};

/// The trait of a provider that shares with all members of its aggregates.
const SHARES: &str = "MISC_SHARES_VIA_AGGREGATE";
/// Ways of one tree beyond which no more are tried: a guard against products of large trees.
const MOST_PER_TREE: usize = 1000;

/// A provider with all that is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) provider: Provider,
    pub(crate) inventories: BTreeMap<String, Inventory>,
    pub(crate) used: BTreeMap<String, u64>,
    pub(crate) traits: BTreeSet<String>,
    pub(crate) aggregates: BTreeSet<String>,
}

impl Offer {
    fn fits(&self, class: &str, amount: u64) -> bool {
        let used = self.used.get(class).copied().unwrap_or(0);
        self.inventories
            .get(class)
            .is_some_and(|inv| refusal(inv, used, amount).is_none())
    }

    /// Used and capacity, by class.
    pub(crate) fn summary(&self) -> BTreeMap<String, (u64, u64)> {
        let usage = |class: &str| self.used.get(class).copied().unwrap_or(0);
        let entries = self.inventories.iter();
        entries
            .map(|(class, inv)| (class.clone(), (usage(class), capacity(inv))))
            .collect()
    }
}

/// One way to satisfy a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) allocations: BTreeMap<ProviderId, Resources>,
    /// Which providers each group took from.
    pub(crate) mappings: BTreeMap<String, Vec<ProviderId>>,
}

/// All ways to satisfy the request, in the order of the offers, up to its limit.
pub(crate) fn search(offers: &[Offer], request: &Request) -> Vec<Way> {
    let mut trees: BTreeMap<&str, Vec<&Offer>> = BTreeMap::new();
    let mut roots = Vec::new();
    for offer in offers {
        let members = trees
            .entry(offer.provider.root_id.as_str())
            .or_insert_with(|| {
                roots.push(offer.provider.root_id.as_str());
                Vec::new()
            });
        members.push(offer);
    }
    let sharing: Vec<&Offer> = offers
        .iter()
        .filter(|o| o.traits.contains(SHARES))
        .collect();
    let mut found = Vec::new();
    for root in roots {
        let tree = Tree::new(&trees[root], &sharing, root);
        for way in tree.ways(request) {
            if request.limit.is_some_and(|limit| found.len() >= limit) {
                return found;
            }
            if !found.contains(&way) {
                found.push(way);
            }
        }
    }
    found
}

/// A tree, and the providers that share with it.
struct Tree<'a> {
    root: Option<&'a Offer>,
    /// Members first, then sharing ones.
    offers: Vec<&'a Offer>,
    own: usize,
}

/// What one group takes: provider, class, amount.
type Take<'a> = Vec<(&'a Offer, &'a str, u64)>;

impl<'a> Tree<'a> {
    fn new(members: &[&'a Offer], sharing: &[&'a Offer], root: &str) -> Self {
        let mut offers = members.to_vec();
        let own = offers.len();
        for shared in sharing {
            let of_another = shared.provider.root_id != *root;
            let reaches = members
                .iter()
                .any(|m| !m.aggregates.is_disjoint(&shared.aggregates));
            if of_another && reaches {
                offers.push(shared);
            }
        }
        let root = members
            .iter()
            .copied()
            .find(|offer| offer.provider.id == *root);
        Self { root, offers, own }
    }

    fn ways(&self, request: &'a Request) -> Vec<Way> {
        if !self.root_suits(request) {
            return Vec::new();
        }
        let mut partial: Vec<Vec<(&'a str, Take<'a>)>> = vec![Vec::new()];
        for (suffix, group) in &request.groups {
            let takes = if suffix.is_empty() {
                self.spread(group)
            } else {
                self.on_one(group)
            };
            let mut next = Vec::new();
            for chosen in &partial {
                for take in &takes {
                    if next.len() >= MOST_PER_TREE {
                        break;
                    }
                    let mut extended = chosen.clone();
                    extended.push((suffix.as_str(), take.clone()));
                    next.push(extended);
                }
            }
            partial = next;
        }
        partial
            .iter()
            .filter_map(|chosen| self.join(chosen, request))
            .collect()
    }

    fn root_suits(&self, request: &Request) -> bool {
        self.root.is_some_and(|root| {
            request.root_required.is_subset(&root.traits)
                && request.root_forbidden.is_disjoint(&root.traits)
        })
    }

    /// The unnamed group: each class from any provider of the tree.
    fn spread(&self, group: &'a Group) -> Vec<Take<'a>> {
        if !self.in_tree(group) || !self.tree_member(group) {
            return Vec::new();
        }
        let suits = |offer: &&&Offer| offer.traits.is_disjoint(&group.forbidden);
        let mut takes: Vec<Take<'a>> = vec![Vec::new()];
        for (class, amount) in &group.resources {
            let from: Vec<&&Offer> = self
                .offers
                .iter()
                .filter(|o| o.fits(class, *amount))
                .filter(suits)
                .collect();
            let mut next = Vec::new();
            for take in &takes {
                for offer in &from {
                    if next.len() < MOST_PER_TREE {
                        let mut extended = take.clone();
                        extended.push((**offer, class.as_str(), *amount));
                        next.push(extended);
                    }
                }
            }
            takes = next;
        }
        takes.retain(|take| has_traits(take, group));
        takes
    }

    /// A named group: everything from one provider.
    fn on_one(&self, group: &'a Group) -> Vec<Take<'a>> {
        if !self.in_tree(group) {
            return Vec::new();
        }
        let all = |offer: &&Offer| {
            group
                .resources
                .iter()
                .all(|(class, amount)| offer.fits(class, *amount))
                && offer.traits.is_disjoint(&group.forbidden)
                && group
                    .required
                    .iter()
                    .all(|any| !any.is_disjoint(&offer.traits))
                && is_member(&offer.aggregates, group)
        };
        let suited = self.offers.iter().copied().filter(all);
        suited
            .map(|offer| {
                let each = group.resources.iter();
                each.map(|(class, amount)| (offer, class.as_str(), *amount))
                    .collect()
            })
            .collect()
    }

    fn in_tree(&self, group: &Group) -> bool {
        let own = &self.offers[..self.own];
        group
            .in_tree
            .as_ref()
            .is_none_or(|id| own.iter().any(|o| o.provider.id == **id))
    }

    /// For the unnamed group the aggregates of any provider of the tree count.
    fn tree_member(&self, group: &Group) -> bool {
        let own = &self.offers[..self.own];
        let all: BTreeSet<String> = own.iter().flat_map(|o| o.aggregates.clone()).collect();
        is_member(&all, group)
    }

    /// Adds the groups up; `None` when they break a rule between them, or no longer fit together.
    fn join(&self, chosen: &[(&str, Take<'a>)], request: &Request) -> Option<Way> {
        let mut allocations: BTreeMap<ProviderId, Resources> = BTreeMap::new();
        let mut mappings: BTreeMap<String, Vec<ProviderId>> = BTreeMap::new();
        let mut taken: HashMap<&str, &Offer> = HashMap::new();
        for (suffix, take) in chosen {
            let providers = mappings.entry((*suffix).to_owned()).or_default();
            for (offer, class, amount) in take {
                let id = &offer.provider.id;
                *allocations
                    .entry(id.clone())
                    .or_default()
                    .entry((*class).to_owned())
                    .or_insert(0) += amount;
                if !providers.contains(id) {
                    providers.push(id.clone());
                }
                taken.insert(id.as_str(), offer);
            }
        }
        let fits = allocations.iter().all(|(id, resources)| {
            resources
                .iter()
                .all(|(class, amount)| taken[id.as_str()].fits(class, *amount))
        });
        let touches_tree = taken.values().any(|offer| {
            self.offers[..self.own]
                .iter()
                .any(|own| own.provider.id == offer.provider.id)
        });
        let apart = !request.isolate || are_apart(&mappings);
        let near = request
            .same_subtree
            .iter()
            .all(|set| self.share_subtree(set, &mappings));
        (fits && touches_tree && apart && near).then_some(Way {
            allocations,
            mappings,
        })
    }

    /// Whether one of the groups' providers is an ancestor of all the others.
    fn share_subtree(
        &self,
        suffixes: &[String],
        mappings: &BTreeMap<String, Vec<ProviderId>>,
    ) -> bool {
        let of_suffix = |suffix: &String| mappings.get(suffix).cloned().unwrap_or_default();
        let providers: Vec<ProviderId> = suffixes.iter().flat_map(of_suffix).collect();
        providers
            .iter()
            .any(|top| providers.iter().all(|id| self.is_below(id, top)))
    }

    fn is_below(&self, id: &ProviderId, top: &ProviderId) -> bool {
        let mut at = Some(id.clone());
        while let Some(current) = at {
            if current == *top {
                return true;
            }
            let offer = self
                .offers
                .iter()
                .find(|offer| offer.provider.id == current);
            at = offer.and_then(|offer| offer.provider.parent_id.clone());
        }
        false
    }
}

fn has_traits(take: &Take<'_>, group: &Group) -> bool {
    let together: BTreeSet<&String> = take
        .iter()
        .flat_map(|(offer, _, _)| offer.traits.iter())
        .collect();
    group
        .required
        .iter()
        .all(|any| any.iter().any(|name| together.contains(name)))
}

fn is_member(aggregates: &BTreeSet<String>, group: &Group) -> bool {
    group
        .member_of
        .iter()
        .all(|any| !any.is_disjoint(aggregates))
        && group.not_member_of.is_disjoint(aggregates)
}

fn are_apart(mappings: &BTreeMap<String, Vec<ProviderId>>) -> bool {
    let mut seen = BTreeSet::new();
    let named = mappings.iter().filter(|(suffix, _)| !suffix.is_empty());
    named
        .flat_map(|(_, providers)| providers)
        .all(|id| seen.insert(id))
}

#[cfg(test)]
mod tests {
    use stackup_core::Time;

    use super::*;

    fn offer(id: &str, root: &str, inventories: &[(&str, u64)]) -> Offer {
        let parent = (id != root).then(|| root.into());
        Offer {
            provider: Provider {
                id: id.into(),
                name: id.to_owned(),
                generation: 0,
                parent_id: parent,
                root_id: root.into(),
                updated_at: Time::from_unix(0),
            },
            inventories: inventories
                .iter()
                .map(|(class, total)| ((*class).to_owned(), Inventory::of(*total, 1.0)))
                .collect(),
            used: BTreeMap::new(),
            traits: BTreeSet::new(),
            aggregates: BTreeSet::new(),
        }
    }

    fn group(resources: &[(&str, u64)]) -> Group {
        let resources = resources
            .iter()
            .map(|(class, n)| ((*class).to_owned(), *n))
            .collect();
        Group {
            resources,
            ..Group::default()
        }
    }

    fn request(groups: &[(&str, Group)]) -> Request {
        let groups = groups
            .iter()
            .map(|(s, g)| ((*s).to_owned(), g.clone()))
            .collect();
        Request {
            groups,
            ..Request::default()
        }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_hosts_with_room() {
        let mut full = offer("full", "full", &[("VCPU", 4), ("MEMORY_MB", 100)]);
        full.used.insert("VCPU".into(), 4);
        let offers = [
            full,
            offer("free", "free", &[("VCPU", 4), ("MEMORY_MB", 100)]),
        ];
        let ways = search(
            &offers,
            &request(&[("", group(&[("VCPU", 1), ("MEMORY_MB", 50)]))]),
        );
        assert_eq!(ways.len(), 1);
        assert_eq!(
            ways[0].allocations[&stackup_core::ProviderId::from("free")]["MEMORY_MB"],
            50
        );
    }

    #[test]
    fn a_sharing_provider_serves_the_members_of_its_aggregate() {
        let mut pool = offer("pool", "pool", &[("DISK_GB", 100)]);
        pool.traits = set(&[SHARES]);
        pool.aggregates = set(&["a"]);
        let mut near = offer("near", "near", &[("VCPU", 4)]);
        near.aggregates = set(&["a"]);
        let far = offer("far", "far", &[("VCPU", 4)]);
        let asked = request(&[("", group(&[("VCPU", 1), ("DISK_GB", 10)]))]);
        let ways = search(&[near, far, pool], &asked);
        assert_eq!(ways.len(), 1);
        assert_eq!(ways[0].allocations.len(), 2);
    }

    #[test]
    fn named_groups_lie_on_one_provider_each_and_apart_if_asked() {
        let offers = [
            offer("host", "host", &[("VCPU", 4)]),
            offer("nic1", "host", &[("BW", 10)]),
            offer("nic2", "host", &[("BW", 10)]),
        ];
        let groups = [
            ("", group(&[("VCPU", 1)])),
            ("_A", group(&[("BW", 6)])),
            ("_B", group(&[("BW", 4)])),
        ];
        let together = request(&groups);
        assert_eq!(search(&offers, &together).len(), 4);
        let apart = Request {
            isolate: true,
            ..together.clone()
        };
        assert_eq!(search(&offers, &apart).len(), 2);
        let crowded = request(&[("_A", group(&[("BW", 6)])), ("_B", group(&[("BW", 6)]))]);
        assert_eq!(
            search(&offers, &crowded).len(),
            2,
            "6 + 6 do not fit on one"
        );
    }

    #[test]
    fn traits_and_aggregates_choose() {
        let mut fast = offer("fast", "fast", &[("VCPU", 4)]);
        fast.traits = set(&["SSD", "AVX"]);
        fast.aggregates = set(&["a"]);
        let slow = offer("slow", "slow", &[("VCPU", 4)]);
        let offers = [fast, slow];
        let names = |group: Group| -> Vec<String> {
            let ways = search(&offers, &request(&[("", group)]));
            ways.iter()
                .flat_map(|way| way.allocations.keys().map(ToString::to_string))
                .collect()
        };
        let cpu = group(&[("VCPU", 1)]);
        assert_eq!(
            names(Group {
                required: vec![set(&["SSD", "X"])],
                ..cpu.clone()
            }),
            ["fast"]
        );
        assert_eq!(
            names(Group {
                forbidden: set(&["AVX"]),
                ..cpu.clone()
            }),
            ["slow"]
        );
        assert_eq!(
            names(Group {
                member_of: vec![set(&["a"])],
                ..cpu.clone()
            }),
            ["fast"]
        );
        assert_eq!(
            names(Group {
                not_member_of: set(&["a"]),
                ..cpu.clone()
            }),
            ["slow"]
        );
        assert_eq!(
            names(Group {
                in_tree: Some("slow".into()),
                ..cpu
            }),
            ["slow"]
        );
    }

    #[test]
    fn same_subtree_needs_a_common_top() {
        let mut numa = offer("numa1", "host", &[("VCPU", 4)]);
        numa.provider.parent_id = Some("host".into());
        let mut gpu1 = offer("gpu1", "host", &[("VGPU", 1)]);
        gpu1.provider.parent_id = Some("numa1".into());
        let gpu2 = offer("gpu2", "host", &[("VGPU", 1)]);
        let offers = [offer("host", "host", &[]), numa, gpu1, gpu2];
        let asked = Request {
            same_subtree: vec![vec!["_C".into(), "_G".into()]],
            ..request(&[("_C", group(&[("VCPU", 1)])), ("_G", group(&[("VGPU", 1)]))])
        };
        let ways = search(&offers, &asked);
        assert_eq!(ways.len(), 1);
        assert!(
            ways[0]
                .allocations
                .contains_key(&stackup_core::ProviderId::from("gpu1"))
        );
    }
}
