//! Our entries in a `clouds.yaml` that may hold other people's.
//!
//! The file is changed as text, between two marks: comments and the order of what is not ours stay,
//! and taking our part out gives back the very bytes that were there.

use std::collections::BTreeSet;

use serde_json::Value;

const BEGIN: &str = "# begin stackup (`stackup reset --host` removes this part)";
const END: &str = "# end stackup";

/// One entry: who one is in the cloud when naming it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    pub name: String,
    pub username: String,
    /// None: the whole system.
    pub project: Option<String>,
}

/// What all entries share.
#[derive(Debug, Clone)]
pub struct Access<'a> {
    pub auth_url: &'a str,
    pub region: &'a str,
    pub password: &'a str,
}

/// Why our entries could not be written into a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudsError {
    #[error("clouds.yaml is not valid YAML: {0}")]
    Invalid(String),
    #[error("clouds.yaml is written in a form that entries cannot be added to")]
    Form,
}

/// The entries that DevStack writes, and `stackup`, the administrator under our own name.
pub fn entries() -> Vec<Cloud> {
    let table = [
        ("stackup", "admin", Some("admin")),
        ("devstack", "demo", Some("demo")),
        ("devstack-admin", "admin", Some("admin")),
        ("devstack-admin-demo", "admin", Some("demo")),
        ("devstack-alt", "alt_demo", Some("alt_demo")),
        ("devstack-alt-member", "alt_demo_member", Some("alt_demo")),
        ("devstack-alt-reader", "alt_demo_reader", Some("alt_demo")),
        ("devstack-reader", "demo_reader", Some("demo")),
        ("devstack-system-admin", "admin", None),
        ("devstack-system-member", "system_member", None),
        ("devstack-system-reader", "system_reader", None),
    ];
    table
        .into_iter()
        .map(|(name, username, project)| Cloud {
            name: name.to_owned(),
            username: username.to_owned(),
            project: project.map(str::to_owned),
        })
        .collect()
}

/// The file with our entries in it. An entry of someone else keeps its name; ours of that name is
/// left out.
pub fn merge(existing: &str, clouds: &[Cloud], access: &Access<'_>) -> Result<String, CloudsError> {
    let foreign = strip(existing);
    let taken = names(&foreign)?;
    let ours: Vec<&Cloud> = clouds.iter().filter(|cloud| !taken.contains(&cloud.name)).collect();
    let merged = insert(&foreign, &ours, access);
    let names = names(&merged).map_err(|_| CloudsError::Form)?;
    let whole = taken.iter().chain(ours.iter().map(|cloud| &cloud.name)).all(|n| names.contains(n));
    if whole { Ok(merged) } else { Err(CloudsError::Form) }
}

/// The file without our part.
pub fn strip(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        match line.trim() {
            BEGIN => inside = true,
            END if inside => inside = false,
            _ if !inside => kept.push_str(line),
            _ => {}
        }
    }
    kept
}

/// A complete file with our entries alone.
pub fn render(clouds: &[Cloud], access: &Access<'_>) -> String {
    let mut text = "clouds:\n".to_owned();
    for cloud in clouds {
        push_cloud(&mut text, cloud, access, "  ");
    }
    text
}

fn names(text: &str) -> Result<BTreeSet<String>, CloudsError> {
    let tree: Value =
        serde_yaml::from_str(text).map_err(|error| CloudsError::Invalid(error.to_string()))?;
    let clouds = tree.get("clouds").and_then(Value::as_object);
    Ok(clouds.map(|map| map.keys().cloned().collect()).unwrap_or_default())
}

fn insert(foreign: &str, ours: &[&Cloud], access: &Access<'_>) -> String {
    let lines: Vec<&str> = foreign.split_inclusive('\n').collect();
    let head = lines.iter().position(|line| line.trim_end() == "clouds:");
    let mut text = String::new();
    let Some(head) = head else {
        text.push_str(foreign);
        if !foreign.is_empty() && !foreign.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("{BEGIN}\nclouds:\n"));
        for cloud in ours {
            push_cloud(&mut text, cloud, access, "  ");
        }
        text.push_str(&format!("{END}\n"));
        return text;
    };
    let indent = lines[head + 1..].iter().find_map(|line| indent_of(line)).unwrap_or("  ");
    lines[..=head].iter().for_each(|line| text.push_str(line));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{indent}{BEGIN}\n"));
    for cloud in ours {
        push_cloud(&mut text, cloud, access, indent);
    }
    text.push_str(&format!("{indent}{END}\n"));
    lines[head + 1..].iter().for_each(|line| text.push_str(line));
    text
}

fn indent_of(line: &str) -> Option<&str> {
    let content = line.trim_start();
    if content.is_empty() || content.starts_with('#') || content.len() == line.len() {
        return None;
    }
    Some(&line[..line.len() - content.len()])
}

fn push_cloud(text: &mut String, cloud: &Cloud, access: &Access<'_>, indent: &str) {
    let quoted = |value: &str| Value::from(value).to_string();
    let mut line = |depth: usize, content: String| {
        text.push_str(indent);
        text.push_str(&"  ".repeat(depth));
        text.push_str(&content);
        text.push('\n');
    };
    line(0, format!("{}:", cloud.name));
    line(1, format!("region_name: {}", quoted(access.region)));
    line(1, "identity_api_version: \"3\"".to_owned());
    line(1, "auth:".to_owned());
    line(2, format!("auth_url: {}", quoted(access.auth_url)));
    line(2, format!("username: {}", quoted(&cloud.username)));
    line(2, "user_domain_id: default".to_owned());
    line(2, format!("password: {}", quoted(access.password)));
    match &cloud.project {
        Some(project) => {
            line(2, format!("project_name: {}", quoted(project)));
            line(2, "project_domain_id: default".to_owned());
        }
        None => line(2, "system_scope: all".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: Access<'_> = Access {
        auth_url: "http://127.0.0.1/identity",
        region: "RegionOne",
        password: "se\"cret: #1",
    };

    const FOREIGN: &str = "# mine\nclouds:\n    # work\n    work:\n        auth: {auth_url: x}\n    devstack:\n        region_name: Far\ncache: {}\n";

    #[test]
    fn a_new_file_has_all_entries_and_hard_passwords() {
        let text = merge("", &entries(), &ACCESS).unwrap();
        let tree: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(tree["clouds"]["devstack-admin"]["auth"]["password"], ACCESS.password);
        assert_eq!(tree["clouds"]["devstack-system-admin"]["auth"]["system_scope"], "all");
        assert_eq!(tree["clouds"].as_object().unwrap().len(), entries().len());
        assert_eq!(strip(&text), "");
    }

    #[test]
    fn other_peoples_entries_stay_as_they_are() {
        let text = merge(FOREIGN, &entries(), &ACCESS).unwrap();
        let tree: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(tree["clouds"]["devstack"]["region_name"], "Far");
        assert_eq!(tree["clouds"]["work"]["auth"]["auth_url"], "x");
        assert_eq!(tree["clouds"]["stackup"]["auth"]["username"], "admin");
        assert_eq!(strip(&text), FOREIGN);
    }

    #[test]
    fn merging_twice_is_merging_once() {
        let once = merge(FOREIGN, &entries(), &ACCESS).unwrap();
        assert_eq!(merge(&once, &entries(), &ACCESS).unwrap(), once);
        let beside = merge("cache: {}\n", &entries(), &ACCESS).unwrap();
        assert_eq!(merge(&beside, &entries(), &ACCESS).unwrap(), beside);
        assert_eq!(strip(&beside), "cache: {}\n");
    }

    #[test]
    fn a_form_that_cannot_be_added_to_is_refused() {
        assert_eq!(merge("clouds: {a: {}}\n", &entries(), &ACCESS), Err(CloudsError::Form));
        assert!(matches!(merge("clouds: [", &entries(), &ACCESS), Err(CloudsError::Invalid(_))));
    }
}
