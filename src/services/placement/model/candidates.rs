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
        self.inventories.get(class).is_some_and(|inv| refusal(inv, used, amount).is_none())
    }

    /// Whether what several groups take together is still there; steps are each group's own.
    fn holds(&self, class: &str, amount: u64) -> bool {
        let used = self.used.get(class).copied().unwrap_or(0);
        self.inventories
            .get(class)
            .is_some_and(|inv| used + amount <= capacity(inv) && amount <= inv.max_unit)
    }

    /// Used and capacity, by class.
    pub(crate) fn summary(&self) -> BTreeMap<String, (u64, u64)> {
        let usage = |class: &str| self.used.get(class).copied().unwrap_or(0);
        let entries = self.inventories.iter();
        entries.map(|(class, inv)| (class.clone(), (usage(class), capacity(inv)))).collect()
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
    let world = World::new(offers);
    let mut found = Vec::new();
    for root in &world.roots {
        for way in Tree::new(&world, root).ways(request) {
            if request.limit.is_some_and(|limit| found.len() >= limit) {
                return found;
            }
            found.push(way);
        }
    }
    found
}

/// Which providers have, each for itself, all that a group asks for: the filter of a list.
pub(crate) struct Alone<'a> {
    world: World<'a>,
    group: &'a Group,
}

impl<'a> Alone<'a> {
    pub(crate) fn new(offers: &'a [Offer], group: &'a Group) -> Self {
        Self { world: World::new(offers), group }
    }

    pub(crate) fn suits(&self, offer: &Offer) -> bool {
        has_all(offer, self.group) && self.world.suits(offer, self.group, false)
    }
}

/// Every provider, by id and by tree.
struct World<'a> {
    by_id: HashMap<&'a str, &'a Offer>,
    trees: HashMap<&'a str, Vec<&'a Offer>>,
    /// In the order of the offers.
    roots: Vec<&'a str>,
    sharing: Vec<&'a Offer>,
}

impl<'a> World<'a> {
    fn new(offers: &'a [Offer]) -> Self {
        let mut world = Self {
            by_id: HashMap::with_capacity(offers.len()),
            trees: HashMap::new(),
            roots: Vec::new(),
            sharing: Vec::new(),
        };
        for offer in offers {
            let root = offer.provider.root_id.as_str();
            world.by_id.insert(offer.provider.id.as_str(), offer);
            if offer.traits.contains(SHARES) {
                world.sharing.push(offer);
            }
            let members = world.trees.entry(root).or_default();
            if members.is_empty() {
                world.roots.push(root);
            }
            members.push(offer);
        }
        world
    }

    /// Whether the provider lies where the group wants it: in the tree, in the aggregates, without
    /// the traits it forbids. Where groups spread, a root's aggregates are those of its tree.
    fn suits(&self, offer: &Offer, group: &Group, spread: bool) -> bool {
        if let Some(id) = &group.in_tree
            && self
                .by_id
                .get(id.as_str())
                .is_none_or(|wanted| wanted.provider.root_id != offer.provider.root_id)
        {
            return false;
        }
        let root = self.by_id.get(offer.provider.root_id.as_str()).filter(|_| spread);
        let meets = |set: &BTreeSet<String>| {
            !set.is_disjoint(&offer.aggregates)
                || root.is_some_and(|root| !set.is_disjoint(&root.aggregates))
        };
        group.member_of.iter().all(meets)
            && !meets(&group.not_member_of)
            && offer.traits.is_disjoint(&group.forbidden)
    }
}

/// A tree, and the providers that share with it.
struct Tree<'a> {
    world: &'a World<'a>,
    root: Option<&'a Offer>,
    /// Members first, then sharing ones.
    offers: Vec<&'a Offer>,
}

/// What one group takes: provider, class, amount. A group without resources takes a provider.
#[derive(Clone, Default)]
struct Take<'a> {
    from: Vec<&'a Offer>,
    parts: Vec<(&'a Offer, &'a str, u64)>,
}

impl<'a> Take<'a> {
    fn and(&self, offer: &'a Offer, class: &'a str, amount: u64) -> Self {
        let mut more = self.clone();
        if !more.from.iter().any(|known| std::ptr::eq(*known, offer)) {
            more.from.push(offer);
        }
        more.parts.push((offer, class, amount));
        more
    }

    /// The traits may be spread over the providers that are taken from.
    fn has_traits(&self, group: &Group) -> bool {
        let has = |any: &BTreeSet<String>| self.from.iter().any(|o| !any.is_disjoint(&o.traits));
        group.required.iter().all(has)
    }
}

impl<'a> Tree<'a> {
    fn new(world: &'a World<'a>, root: &str) -> Self {
        let members = world.trees.get(root).map(Vec::as_slice).unwrap_or_default();
        let mut offers = members.to_vec();
        for shared in &world.sharing {
            let of_another = shared.provider.root_id != *root;
            let mut members = members.iter();
            if of_another && members.any(|m| !m.aggregates.is_disjoint(&shared.aggregates)) {
                offers.push(shared);
            }
        }
        let root = world.by_id.get(root).copied();
        Self { world, root, offers }
    }

    fn ways(&self, request: &'a Request) -> Vec<Way> {
        if !self.root_suits(request) {
            return Vec::new();
        }
        let mut partial: Vec<Vec<(&'a str, Take<'a>)>> = vec![Vec::new()];
        for (suffix, group) in &request.groups {
            let takes = if suffix.is_empty() { self.spread(group) } else { self.on_one(group) };
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
        partial.iter().filter_map(|chosen| self.join(chosen, request)).collect()
    }

    fn root_suits(&self, request: &Request) -> bool {
        self.root.is_some_and(|root| {
            request.root_required.is_subset(&root.traits)
                && request.root_forbidden.is_disjoint(&root.traits)
        })
    }

    /// The unnamed group: each class from any provider of the tree.
    fn spread(&self, group: &'a Group) -> Vec<Take<'a>> {
        let mut takes = vec![Take::default()];
        for (class, amount) in &group.resources {
            let fits = |o: &&&Offer| o.fits(class, *amount) && self.world.suits(o, group, true);
            let from: Vec<&'a Offer> = self.offers.iter().filter(fits).copied().collect();
            let mut next = Vec::new();
            for take in &takes {
                let room = MOST_PER_TREE - next.len();
                next.extend(from.iter().take(room).map(|o| take.and(o, class, *amount)));
            }
            takes = next;
        }
        takes.retain(|take| take.has_traits(group));
        takes
    }

    /// A named group: everything from one provider.
    fn on_one(&self, group: &'a Group) -> Vec<Take<'a>> {
        let suited = |o: &&&Offer| has_all(o, group) && self.world.suits(o, group, false);
        let take = |offer: &&'a Offer| Take {
            from: vec![*offer],
            parts: group.resources.iter().map(|(class, n)| (*offer, class.as_str(), *n)).collect(),
        };
        self.offers.iter().filter(suited).map(take).collect()
    }

    /// Adds the groups up; `None` when they break a rule between them, or no longer fit together.
    fn join(&self, chosen: &[(&str, Take<'a>)], request: &Request) -> Option<Way> {
        let mut allocations: BTreeMap<ProviderId, Resources> = BTreeMap::new();
        let mut mappings: BTreeMap<String, Vec<ProviderId>> = BTreeMap::new();
        for (suffix, take) in chosen {
            let ids = take.from.iter().map(|offer| offer.provider.id.clone());
            mappings.insert((*suffix).to_owned(), ids.collect());
            for (offer, class, amount) in &take.parts {
                let resources = allocations.entry(offer.provider.id.clone()).or_default();
                *resources.entry((*class).to_owned()).or_insert(0) += amount;
            }
        }
        let mut taken = allocations.iter().filter_map(|(id, resources)| {
            self.world.by_id.get(id.as_str()).map(|offer| (*offer, resources))
        });
        let fits = taken.clone().all(|(offer, resources)| {
            resources.iter().all(|(class, amount)| offer.holds(class, *amount))
        });
        let root = self.root.map(|root| &root.provider.id);
        let touches_tree = taken.any(|(offer, _)| Some(&offer.provider.root_id) == root);
        let apart = !request.isolate || are_apart(&mappings);
        let near = request.same_subtree.iter().all(|set| self.share_subtree(set, &mappings));
        let nested_fits = request.nested || self.one_of_each_tree(&allocations);
        (fits && touches_tree && apart && near && nested_fits)
            .then_some(Way { allocations, mappings })
    }

    /// Clients that know no trees are not shown ways that need two providers of one.
    fn one_of_each_tree(&self, allocations: &BTreeMap<ProviderId, Resources>) -> bool {
        let mut seen = BTreeSet::new();
        let mut roots = allocations.keys().filter_map(|id| self.world.by_id.get(id.as_str()));
        roots.all(|offer| seen.insert(&offer.provider.root_id))
    }

    /// Whether one of the groups' providers is an ancestor of all the others.
    fn share_subtree(
        &self,
        suffixes: &[String],
        mappings: &BTreeMap<String, Vec<ProviderId>>,
    ) -> bool {
        let of_suffix = |suffix: &String| mappings.get(suffix).into_iter().flatten();
        let providers: Vec<&ProviderId> = suffixes.iter().flat_map(of_suffix).collect();
        providers.iter().any(|top| providers.iter().all(|id| self.is_below(id, top)))
    }

    fn is_below(&self, id: &ProviderId, top: &ProviderId) -> bool {
        let mut at = Some(id);
        while let Some(current) = at {
            if current == top {
                return true;
            }
            let offer = self.world.by_id.get(current.as_str());
            at = offer.and_then(|offer| offer.provider.parent_id.as_ref());
        }
        false
    }
}

/// Whether one provider has the room and the traits that a group asks for.
fn has_all(offer: &Offer, group: &Group) -> bool {
    group.resources.iter().all(|(class, amount)| offer.fits(class, *amount))
        && group.required.iter().all(|any| !any.is_disjoint(&offer.traits))
}

fn are_apart(mappings: &BTreeMap<String, Vec<ProviderId>>) -> bool {
    let mut seen = BTreeSet::new();
    let named = mappings.iter().filter(|(suffix, _)| !suffix.is_empty());
    named.flat_map(|(_, providers)| providers).all(|id| seen.insert(id))
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
        let resources = resources.iter().map(|(class, n)| ((*class).to_owned(), *n)).collect();
        Group { resources, ..Group::default() }
    }

    fn request(groups: &[(&str, Group)]) -> Request {
        let groups = groups.iter().map(|(s, g)| ((*s).to_owned(), g.clone())).collect();
        Request { groups, nested: true, ..Request::default() }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_hosts_with_room() {
        let mut full = offer("full", "full", &[("VCPU", 4), ("MEMORY_MB", 100)]);
        full.used.insert("VCPU".into(), 4);
        let offers = [full, offer("free", "free", &[("VCPU", 4), ("MEMORY_MB", 100)])];
        let ways = search(&offers, &request(&[("", group(&[("VCPU", 1), ("MEMORY_MB", 50)]))]));
        assert_eq!(ways.len(), 1);
        assert_eq!(ways[0].allocations[&stackup_core::ProviderId::from("free")]["MEMORY_MB"], 50);
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
        let groups =
            [("", group(&[("VCPU", 1)])), ("_A", group(&[("BW", 6)])), ("_B", group(&[("BW", 4)]))];
        let together = request(&groups);
        assert_eq!(search(&offers, &together).len(), 4);
        let apart = Request { isolate: true, ..together.clone() };
        assert_eq!(search(&offers, &apart).len(), 2);
        let crowded = request(&[("_A", group(&[("BW", 6)])), ("_B", group(&[("BW", 6)]))]);
        assert_eq!(search(&offers, &crowded).len(), 2, "6 + 6 do not fit on one");
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
            ways.iter().flat_map(|way| way.allocations.keys().map(ToString::to_string)).collect()
        };
        let cpu = group(&[("VCPU", 1)]);
        assert_eq!(names(Group { required: vec![set(&["SSD", "X"])], ..cpu.clone() }), ["fast"]);
        assert_eq!(names(Group { forbidden: set(&["AVX"]), ..cpu.clone() }), ["slow"]);
        assert_eq!(names(Group { member_of: vec![set(&["a"])], ..cpu.clone() }), ["fast"]);
        assert_eq!(names(Group { not_member_of: set(&["a"]), ..cpu.clone() }), ["slow"]);
        assert_eq!(names(Group { in_tree: Some("slow".into()), ..cpu }), ["slow"]);
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
        assert!(ways[0].allocations.contains_key(&stackup_core::ProviderId::from("gpu1")));
    }
}
