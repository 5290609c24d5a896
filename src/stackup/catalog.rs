//! The services this program has: what each is called where, and what it needs.

/// A service that is part of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceKind {
    Keystone,
    Placement,
    Glance,
    Neutron,
    Nova,
}

impl ServiceKind {
    /// In the order in which they are composed: each after those it needs.
    pub const ALL: &'static [ServiceKind] = &[
        ServiceKind::Keystone,
        ServiceKind::Placement,
        ServiceKind::Glance,
        ServiceKind::Neutron,
        ServiceKind::Nova,
    ];

    /// What engineers call it: `nova`.
    pub fn codename(self) -> &'static str {
        match self {
            ServiceKind::Keystone => "keystone",
            ServiceKind::Placement => "placement",
            ServiceKind::Glance => "glance",
            ServiceKind::Neutron => "neutron",
            ServiceKind::Nova => "nova",
        }
    }

    pub fn parse(codename: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.codename() == codename)
    }

    /// The path it has on the main listener, as DevStack has it.
    pub fn prefix(self) -> &'static str {
        match self {
            ServiceKind::Keystone => "/identity",
            ServiceKind::Placement => "/placement",
            ServiceKind::Glance => "/image",
            ServiceKind::Neutron => "/networking",
            ServiceKind::Nova => "/compute",
        }
    }

    /// The port it has of its own in older guides.
    pub fn classic_port(self) -> u16 {
        match self {
            ServiceKind::Keystone => 5000,
            ServiceKind::Placement => 8778,
            ServiceKind::Glance => 9292,
            ServiceKind::Neutron => 9696,
            ServiceKind::Nova => 8774,
        }
    }

    /// Its entries in the catalog: type, name, and the path of the endpoint.
    pub fn catalog(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            ServiceKind::Keystone => &[("identity", "keystone", "/identity")],
            ServiceKind::Placement => &[("placement", "placement", "/placement")],
            ServiceKind::Glance => &[("image", "glance", "/image")],
            ServiceKind::Neutron => &[("network", "neutron", "/networking")],
            ServiceKind::Nova => &[
                ("compute", "nova", "/compute/v2.1"),
                ("compute_legacy", "nova_legacy", "/compute/v2/$(project_id)s"),
            ],
        }
    }

    /// The services without which it cannot work.
    pub fn needs(self) -> &'static [ServiceKind] {
        use ServiceKind::{Glance, Keystone, Neutron, Placement};
        match self {
            Keystone => &[],
            Placement | Glance | Neutron => &[Keystone],
            ServiceKind::Nova => &[Keystone, Placement, Glance, Neutron],
        }
    }
}

/// The kinds that the profile names, in the order of composition. Fails on an unknown name, on a
/// missing need, and when identity is not among them.
pub fn chosen(codenames: &[String]) -> Result<Vec<ServiceKind>, CatalogError> {
    let mut wanted = Vec::new();
    for name in codenames {
        let kind = ServiceKind::parse(name).ok_or_else(|| CatalogError::Unknown(name.clone()))?;
        wanted.push(kind);
    }
    for kind in &wanted {
        if let Some(need) = kind.needs().iter().find(|need| !wanted.contains(need)) {
            return Err(CatalogError::Needs { service: kind.codename(), need: need.codename() });
        }
    }
    if !wanted.contains(&ServiceKind::Keystone) {
        return Err(CatalogError::NoIdentity);
    }
    Ok(ServiceKind::ALL.iter().copied().filter(|kind| wanted.contains(kind)).collect())
}

/// A profile whose services do not add up.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    #[error("there is no service {0:?}; there are keystone, placement, glance, neutron, nova")]
    Unknown(String),
    #[error("{service} needs {need}, which the profile leaves out")]
    Needs { service: &'static str, need: &'static str },
    #[error("a cloud needs keystone")]
    NoIdentity,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(names: &[&str]) -> Result<Vec<ServiceKind>, CatalogError> {
        chosen(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn everything_comes_after_what_it_needs() {
        for (index, kind) in ServiceKind::ALL.iter().enumerate() {
            for need in kind.needs() {
                assert!(ServiceKind::ALL[..index].contains(need), "{kind:?} before {need:?}");
            }
        }
    }

    #[test]
    fn a_profile_is_checked() {
        assert_eq!(
            choose(&["glance", "keystone"]),
            Ok(vec![ServiceKind::Keystone, ServiceKind::Glance])
        );
        assert!(matches!(choose(&["keystone", "nova"]), Err(CatalogError::Needs { .. })));
        assert!(matches!(choose(&["keystone", "zun"]), Err(CatalogError::Unknown(_))));
        assert_eq!(choose(&[]), Err(CatalogError::NoIdentity));
    }
}
