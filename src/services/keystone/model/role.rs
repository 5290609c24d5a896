//! Roles, and which imply which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stackup_core::DomainId;

use super::Extra;

/// A role; one with a domain can be assigned there only, and never reaches a token itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain_id: Option<DomainId>,
    pub(crate) description: Option<String>,
    pub(crate) options: Extra,
    pub(crate) extra: Extra,
}

/// A role, as tokens show it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoleRef {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Which role implies which: prior to implied.
#[derive(Debug, Clone, Default)]
pub(crate) struct Implications(BTreeMap<String, BTreeSet<String>>);

impl Implications {
    pub(crate) fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (prior, implied) in pairs {
            map.entry(prior).or_default().insert(implied);
        }
        Self(map)
    }

    /// What `role` implies, directly or not, each with the role that directly implies it. A cycle
    /// ends where it meets itself.
    pub(crate) fn of(&self, role: &str) -> Vec<(String, String)> {
        let mut seen = BTreeSet::from([role.to_owned()]);
        let mut queue = VecDeque::from([role.to_owned()]);
        let mut found = Vec::new();
        while let Some(prior) = queue.pop_front() {
            for implied in self.0.get(&prior).into_iter().flatten() {
                if seen.insert(implied.clone()) {
                    found.push((prior.clone(), implied.clone()));
                    queue.push_back(implied.clone());
                }
            }
        }
        found
    }

    /// The roles and everything they imply.
    pub(crate) fn expand(&self, roles: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for role in roles {
            all.extend(self.of(&role).into_iter().map(|(_, implied)| implied));
            all.insert(role);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Implications {
        let pairs = [("admin", "member"), ("member", "reader"), ("reader", "admin")];
        Implications::new(pairs.map(|(a, b)| (a.to_owned(), b.to_owned())))
    }

    #[test]
    fn a_chain_is_followed_and_a_cycle_ends() {
        let all = chain().expand(["admin".to_owned()]);
        assert_eq!(all.len(), 3);
        assert_eq!(chain().of("member").len(), 2);
        assert!(chain().of("other").is_empty());
    }
}
