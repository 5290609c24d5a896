//! Who has which role on what.

use stackup_core::{DomainId, ProjectId, UserId};

stackup_core::wire_enum! {
    /// The kinds of those who have roles.
    pub(crate) enum ActorKind { User = "user", Group = "group" }
}

stackup_core::wire_enum! {
    /// The kinds of what roles are had on.
    pub(crate) enum TargetKind { Project = "project", Domain = "domain", System = "system" }
}

/// The id of the one system.
pub(crate) const SYSTEM: &str = "system";

/// One assignment, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Assignment {
    pub(crate) actor_kind: ActorKind,
    pub(crate) actor_id: String,
    pub(crate) target_kind: TargetKind,
    pub(crate) target_id: String,
    pub(crate) role_id: String,
    /// Holds for the projects below the target, not for the target.
    pub(crate) inherited: bool,
}

/// An assignment, or what follows from one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Effective {
    /// What holds.
    pub(crate) holds: Assignment,
    /// The assignment that it comes from; the same as `holds` when it is direct.
    pub(crate) source: Assignment,
    /// The role that implies the role, when another one does.
    pub(crate) implied_by: Option<String>,
}

/// Whose rights are asked for, on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A project, its domain, and the projects above it.
    Project {
        id: ProjectId,
        domain_id: DomainId,
        above: Vec<ProjectId>,
    },
    Domain(DomainId),
    System,
}

impl Place {
    /// Whether a stored assignment gives its role here.
    pub(crate) fn is_reached_by(&self, assignment: &Assignment) -> bool {
        let target = assignment.target_id.as_str();
        match (self, assignment.target_kind, assignment.inherited) {
            (Place::Project { id, .. }, TargetKind::Project, false) => *id == target,
            (Place::Project { above, .. }, TargetKind::Project, true) => {
                above.iter().any(|id| *id == target)
            }
            (Place::Project { domain_id, .. }, TargetKind::Domain, true) => *domain_id == target,
            (Place::Domain(id), TargetKind::Domain, false) => *id == target,
            (Place::System, TargetKind::System, _) => true,
            (Place::Project { .. } | Place::Domain(_) | Place::System, _, _) => false,
        }
    }
}

/// Which assignments to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AssignmentQuery {
    pub(crate) role_id: Option<String>,
    pub(crate) user_id: Option<UserId>,
    pub(crate) group_id: Option<String>,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) domain_id: Option<DomainId>,
    pub(crate) system: bool,
    pub(crate) inherited: Option<bool>,
    pub(crate) effective: bool,
    pub(crate) subtree: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(target_kind: TargetKind, target_id: &str, inherited: bool) -> Assignment {
        Assignment {
            actor_kind: ActorKind::User,
            actor_id: "u".to_owned(),
            target_kind,
            target_id: target_id.to_owned(),
            role_id: "r".to_owned(),
            inherited,
        }
    }

    #[test]
    fn inherited_roles_hold_below_only() {
        let child = Place::Project {
            id: "child".into(),
            domain_id: "d".into(),
            above: vec!["parent".into()],
        };
        assert!(child.is_reached_by(&on(TargetKind::Project, "child", false)));
        assert!(!child.is_reached_by(&on(TargetKind::Project, "child", true)));
        assert!(child.is_reached_by(&on(TargetKind::Project, "parent", true)));
        assert!(!child.is_reached_by(&on(TargetKind::Project, "parent", false)));
        assert!(child.is_reached_by(&on(TargetKind::Domain, "d", true)));
        assert!(!child.is_reached_by(&on(TargetKind::Domain, "d", false)));
        let domain = Place::Domain("d".into());
        assert!(domain.is_reached_by(&on(TargetKind::Domain, "d", false)));
        assert!(!domain.is_reached_by(&on(TargetKind::Domain, "d", true)));
        assert!(!Place::System.is_reached_by(&on(TargetKind::Domain, "d", false)));
    }
}
