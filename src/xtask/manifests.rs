//! Every manifest inherits: package fields, lints and the versions of dependencies come from the root.

use std::collections::BTreeSet;

use anyhow::Result;
use toml::Value;

use crate::{
    Findings,
    workspace::{Crate, Workspace},
};

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

pub(crate) fn check(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut used = BTreeSet::new();
    for member in &workspace.crates {
        inherits(member, &mut findings);
        naming(member, &mut findings);
        for dependency in member.dependencies() {
            if !dependency.inherited {
                let (dir, name) = (&member.dir, &dependency.name);
                findings.error(format!("{dir}: {name} must say `workspace = true`"));
            }
            used.insert(dependency.name);
        }
    }
    let table = workspace.manifest.get("workspace").and_then(|root| root.get("dependencies"));
    for name in table.and_then(Value::as_table).into_iter().flatten().map(|(name, _)| name) {
        if !used.contains(name) {
            findings.note(format!("{name} is in [workspace.dependencies] and nobody uses it"));
        }
    }
    Ok(findings)
}

fn inherits(member: &Crate, findings: &mut Findings) {
    let from_root = |value: Option<&Value>| {
        value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    for key in INHERITED {
        if !from_root(member.package(key)) {
            findings.error(format!("{}: `{key}.workspace = true` is missing", member.dir));
        }
    }
    if !from_root(member.manifest.get("lints")) {
        findings.error(format!("{}: `[lints] workspace = true` is missing", member.dir));
    }
}

/// Crates are named after their directory, and a library is its `lib.rs`.
fn naming(member: &Crate, findings: &mut Findings) {
    let last = member.dir.rsplit('/').next().unwrap_or_default();
    let expected = match last {
        "stackup" | "xtask" => last.to_owned(),
        other => format!("stackup-{other}"),
    };
    if member.name() != expected {
        findings.error(format!("{}: the package should be named {expected}", member.dir));
    }
    let lib = member.manifest.get("lib").and_then(|lib| lib.get("path")).and_then(Value::as_str);
    if last != "xtask" && lib != Some("lib.rs") {
        findings.error(format!("{}: `[lib] path = \"lib.rs\"` is missing", member.dir));
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::workspace::tests::workspace;

    const GOOD: &str = "[package]\nname = \"stackup-core\"\nversion.workspace = true\n\
        edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\
        publish.workspace = true\n[lib]\npath = \"lib.rs\"\n[lints]\nworkspace = true\n\
        [dependencies]\nserde.workspace = true\n";

    fn errors(manifest: &str) -> Vec<String> {
        let mut workspace = workspace(&[("src/kit/core", "stackup-core", "")]);
        workspace.crates[0].manifest = manifest.parse().unwrap();
        check(&workspace).unwrap().errors
    }

    #[test]
    fn a_manifest_that_inherits_passes() {
        assert_eq!(errors(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_omission_is_an_error() {
        for (good, bad) in [
            ("version.workspace = true\nedition", "version = \"1.0.0\"\nedition"),
            ("[lints]\nworkspace = true\n", ""),
            ("serde.workspace = true", "serde = \"1\""),
            ("\"stackup-core\"", "\"core\""),
            ("[lib]\npath = \"lib.rs\"\n", ""),
        ] {
            let found = errors(&GOOD.replace(good, bad));
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
        }
    }
}
