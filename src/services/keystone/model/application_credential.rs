//! Application credentials: part of a user's roles on one project, without the user's password.

use stackup_core::{ProjectId, Time, UserId};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApplicationCredential {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) user_id: UserId,
    pub(crate) project_id: ProjectId,
    pub(crate) description: Option<String>,
    pub(crate) secret_hash: String,
    pub(crate) expires_at: Option<Time>,
    /// May make others.
    pub(crate) unrestricted: bool,
    pub(crate) role_ids: Vec<String>,
    pub(crate) access_rules: Vec<AccessRule>,
}

/// A request that an application credential may make; one without rules may make all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessRule {
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) path: String,
}

impl AccessRule {
    /// Whether the rule is for a request. In the rule's path `*` and `{name}` stand for one segment,
    /// `**` for any number.
    pub(crate) fn covers(&self, verb: &str, path: &str) -> bool {
        let segments = |path: &'_ str| -> Vec<String> {
            path.trim_matches('/').split('/').map(str::to_owned).collect()
        };
        self.method == verb && matches(&segments(&self.path), &segments(path))
    }
}

fn matches(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            (0..=path.len()).any(|skipped| matches(rest, path.get(skipped..).unwrap_or_default()))
        }
        (Some((first, rest)), Some((segment, others))) => {
            let wild = first == "*" || (first.starts_with('{') && first.ends_with('}'));
            (wild || first == segment) && matches(rest, others)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_paths() {
        let covers = |pattern: &str, path: &str| {
            let rule = AccessRule {
                id: String::new(),
                service: "compute".to_owned(),
                method: "GET".to_owned(),
                path: pattern.to_owned(),
            };
            assert!(!rule.covers("DELETE", path));
            rule.covers("GET", path)
        };
        assert!(covers("/v2.1/servers", "/v2.1/servers"));
        assert!(covers("/v2.1/servers/*", "/v2.1/servers/1"));
        assert!(covers("/v2.1/servers/{id}/ips", "/v2.1/servers/1/ips"));
        assert!(covers("/v2.1/**", "/v2.1/servers/1/ips") && covers("/**", "/"));
        assert!(!covers("/v2.1/servers/*", "/v2.1/servers/1/ips"));
        assert!(!covers("/v2.1/servers", "/v2.1/servers/1"));
    }
}
