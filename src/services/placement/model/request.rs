//! A question for candidates, as it was asked.

use std::collections::{BTreeMap, BTreeSet};

use stackup_contracts::Resources;

/// A question: groups of resources, and rules between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// By suffix; the unnamed group may spread over a tree, the others lie on one provider each.
    pub(crate) groups: BTreeMap<String, Group>,
    /// `group_policy=isolate`: no two named groups on one provider.
    pub(crate) isolate: bool,
    pub(crate) limit: Option<usize>,
    /// Whether the asker knows trees: several providers of one may be used together.
    pub(crate) nested: bool,
    pub(crate) root_required: BTreeSet<String>,
    pub(crate) root_forbidden: BTreeSet<String>,
    /// Sets of suffixes whose providers lie in one subtree.
    pub(crate) same_subtree: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) resources: Resources,
    /// One of each set.
    pub(crate) required: Vec<BTreeSet<String>>,
    pub(crate) forbidden: BTreeSet<String>,
    /// In one aggregate of each set.
    pub(crate) member_of: Vec<BTreeSet<String>>,
    /// In none of these.
    pub(crate) not_member_of: BTreeSet<String>,
    /// In the tree of this provider.
    pub(crate) in_tree: Option<String>,
}
