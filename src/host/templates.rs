//! The host's artefacts, rendered strictly: an unknown variable is an error.

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::error::{HostError, Kind};

pub(crate) const UNIT: &str = include_str!("../../templates/systemd/stackup.service.j2");
pub(crate) const NFT: &str = include_str!("../../templates/nftables/base.nft.j2");
pub(crate) const SYSCTL: &str = include_str!("../../templates/sysctl/90-stackup.conf.j2");
pub(crate) const CHRONY: &str = include_str!("../../templates/chrony/chrony.conf.j2");

pub(crate) fn render(template: &str, values: impl Serialize) -> Result<String, HostError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let text = environment
        .render_str(template, Serde(&values))
        .map_err(|error| HostError::new(Kind::Internal, "STK-TEMPLATE-001", error.to_string()))?;
    Ok(format!("{}\n", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_variable_is_an_error() {
        for template in [UNIT, NFT, CHRONY] {
            assert!(render(template, json!({})).is_err());
        }
    }

    #[test]
    fn settings_are_a_line_each() {
        let settings =
            json!({"settings": [{"name": "a.b", "value": "1"}, {"name": "c", "value": 2}]});
        let text = render(SYSCTL, settings).unwrap();
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["a.b = 1", "c = 2"]);
        assert!(text.ends_with("2\n"));
    }
}
