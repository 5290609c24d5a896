//! Regions, services and endpoints, and the URLs that a caller sees.

use super::Extra;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    pub(crate) id: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) description: String,
    pub(crate) extra: Extra,
}

/// A service; its name and description are among the extra attributes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) enabled: bool,
    pub(crate) extra: Extra,
}

stackup_core::wire_enum! {
    /// Who an endpoint is for.
    pub(crate) enum Interface { Public = "public", Internal = "internal", Admin = "admin" }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) service_id: String,
    pub(crate) region_id: Option<String>,
    pub(crate) interface: Interface,
    /// As written; one that begins with `/` was seeded.
    pub(crate) url: String,
    pub(crate) enabled: bool,
    pub(crate) extra: Extra,
}

impl Endpoint {
    /// The URL as an administrator sees it: whole, with its placeholders.
    pub(crate) fn shown(&self, base_url: &str) -> String {
        if self.url.starts_with('/') {
            format!("{}{}", base_url.trim_end_matches('/'), self.url)
        } else {
            self.url.clone()
        }
    }

    /// The URL for a token. None when it needs a project and the token has none.
    pub(crate) fn rendered(
        &self,
        base_url: &str,
        user_id: &str,
        project_id: Option<&str>,
    ) -> Option<String> {
        let mut url = self.shown(base_url);
        for name in ["$(project_id)s", "$(tenant_id)s", "%(project_id)s", "%(tenant_id)s"] {
            if url.contains(name) {
                url = url.replace(name, project_id?);
            }
        }
        Some(url.replace("$(user_id)s", user_id).replace("%(user_id)s", user_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint {
            id: String::new(),
            service_id: String::new(),
            region_id: None,
            interface: Interface::Public,
            url: url.to_owned(),
            enabled: true,
            extra: Extra::new(),
        }
    }

    #[test]
    fn seeded_ones_follow_the_caller() {
        let url = endpoint("/compute/v2.1").rendered("http://10.0.0.1", "u", None);
        assert_eq!(url.as_deref(), Some("http://10.0.0.1/compute/v2.1"));
    }

    #[test]
    fn a_project_is_filled_in_or_the_endpoint_left_out() {
        let swift = endpoint("http://h:8080/v1/AUTH_$(project_id)s");
        let url = swift.rendered("http://x", "u", Some("p"));
        assert_eq!(url.as_deref(), Some("http://h:8080/v1/AUTH_p"));
        assert_eq!(swift.rendered("http://x", "u", None), None);
    }
}
