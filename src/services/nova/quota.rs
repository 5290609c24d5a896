//! What is limited, and by how much from the start.

/// A limited resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    pub name: &'static str,
    /// Upstream's default.
    pub default: i64,
    /// Whom it is counted for.
    pub per: Per,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    Project,
    User,
    /// Not counted: a bound on one request.
    Request,
}

const fn limited(name: &'static str, default: i64, per: Per) -> Limited {
    Limited { name, default, per }
}

/// In the order of upstream's answers.
pub const LIMITED: &[Limited] = &[
    limited("instances", 10, Per::Project),
    limited("cores", 20, Per::Project),
    limited("ram", 51200, Per::Project),
    limited("metadata_items", 128, Per::Request),
    limited("injected_files", 5, Per::Request),
    limited("injected_file_content_bytes", 10240, Per::Request),
    limited("injected_file_path_bytes", 255, Per::Request),
    limited("key_pairs", 100, Per::User),
    limited("server_groups", 10, Per::Project),
    limited("server_group_members", 10, Per::Request),
];

/// Gone with the network proxies: shown until 2.35 as unlimited, and ignored when set.
pub const NETWORK: &[&str] =
    &["fixed_ips", "floating_ips", "security_group_rules", "security_groups"];

/// No longer shown from 2.57 on.
pub const INJECTED: &[&str] =
    &["injected_files", "injected_file_content_bytes", "injected_file_path_bytes"];

/// The resource of that name.
pub fn find(name: &str) -> Option<&'static Limited> {
    LIMITED.iter().find(|limited| limited.name == name)
}
