//! What is limited, and what is counted for it.

use crate::model::{
    FLOATING_IP, NETWORK, PORT, RBAC_POLICY, ROUTER, Resource, SECURITY_GROUP, SECURITY_GROUP_RULE,
    SUBNET, SUBNET_POOL,
};

/// Every limited resource, in the order of the answers.
pub(crate) static LIMITED: [&Resource; 9] = [
    &NETWORK,
    &SUBNET,
    &SUBNET_POOL,
    &PORT,
    &ROUTER,
    &FLOATING_IP,
    &SECURITY_GROUP,
    &SECURITY_GROUP_RULE,
    &RBAC_POLICY,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Quota;

    #[test]
    fn every_limited_resource_has_a_default() {
        for resource in LIMITED {
            let name = resource.quota.expect("it is limited");
            assert!(Quota::default().of(name).is_some(), "{name}");
        }
    }
}
