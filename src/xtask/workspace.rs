//! Reads the manifests of the workspace: its crates, where they live and what they depend on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::{Table, Value};

/// The root manifest and every member crate.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) manifest: Table,
    pub(crate) crates: Vec<Crate>,
}

/// One member: its directory relative to the root, and its manifest.
pub(crate) struct Crate {
    pub(crate) dir: String,
    pub(crate) path: PathBuf,
    pub(crate) manifest: Table,
}

/// One line of a dependency table.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
    pub(crate) inherited: bool,
}

impl Workspace {
    /// Fails when a manifest is missing or is not TOML.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let manifest = read_table(&root.join("Cargo.toml"))?;
        let members = manifest
            .get("workspace")
            .and_then(|workspace| workspace.get("members"))
            .and_then(Value::as_array)
            .context("the root manifest names no members")?;
        let mut crates = Vec::new();
        for member in members.iter().filter_map(Value::as_str) {
            for dir in expand(root, member)? {
                let path = root.join(&dir);
                let manifest = read_table(&path.join("Cargo.toml"))?;
                crates.push(Crate { dir, path, manifest });
            }
        }
        crates.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(Self { root: root.to_path_buf(), manifest, crates })
    }

    /// The member whose package has this name.
    pub(crate) fn package(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|member| member.name() == name)
    }

    /// A path as it is said to people: relative to the root.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

impl Crate {
    pub(crate) fn name(&self) -> &str {
        self.package("name").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn package(&self, key: &str) -> Option<&Value> {
        self.manifest.get("package").and_then(|package| package.get(key))
    }

    /// Everything in the dependency tables, build dependencies and target tables included.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let mut found = tables_of(&self.manifest);
        let targets = self.manifest.get("target").and_then(Value::as_table);
        for target in targets.into_iter().flat_map(|table| table.values()) {
            found.extend(target.as_table().map(tables_of).unwrap_or_default());
        }
        found
    }
}

fn tables_of(manifest: &Table) -> Vec<Dependency> {
    let mut found = Vec::new();
    for (key, dev) in
        [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
    {
        for (name, value) in manifest.get(key).and_then(Value::as_table).into_iter().flatten() {
            let inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
            found.push(Dependency { name: name.clone(), dev, inherited });
        }
    }
    found
}

fn read_table(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    text.parse().with_context(|| format!("parse {}", path.display()))
}

/// The directories a member pattern stands for; only a closing `/*` is a pattern.
fn expand(root: &Path, member: &str) -> Result<Vec<String>> {
    let Some(parent) = member.strip_suffix("/*") else {
        return Ok(vec![member.to_owned()]);
    };
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(root.join(parent)).with_context(|| format!("list {parent}"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            dirs.push(format!("{parent}/{}", entry.file_name().to_string_lossy()));
        }
    }
    Ok(dirs)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Crate, Workspace};

    /// A workspace of crates without files: (directory, package, dependency lines).
    pub(crate) fn workspace(crates: &[(&str, &str, &str)]) -> Workspace {
        let crates = crates
            .iter()
            .map(|(dir, name, dependencies)| Crate {
                dir: (*dir).to_owned(),
                path: format!("/nonexistent/{dir}").into(),
                manifest: format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}")
                    .parse()
                    .unwrap(),
            })
            .collect();
        Workspace { root: "/nonexistent".into(), manifest: toml::Table::new(), crates }
    }

    #[test]
    fn members_with_a_star_are_the_directories_with_a_manifest() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("Cargo.toml", "[workspace]\nmembers = [\"kit/*\", \"tests\"]"),
            (
                "kit/core/Cargo.toml",
                "[package]\nname = \"core\"\n[dev-dependencies]\nx.workspace = true",
            ),
            (
                "tests/Cargo.toml",
                "[package]\nname = \"tests\"\n[target.'cfg(unix)'.dependencies]\ny = \"1\"",
            ),
            ("kit/notes/README", ""),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes())
                .unwrap();
        }
        let workspace = Workspace::load(dir.path()).unwrap();
        let dirs: Vec<_> = workspace.crates.iter().map(|member| member.dir.as_str()).collect();
        assert_eq!(dirs, ["kit/core", "tests"]);
        let core = &workspace.package("core").unwrap().dependencies()[0];
        assert!(core.dev && core.inherited);
        let tests = &workspace.package("tests").unwrap().dependencies()[0];
        assert!(!tests.dev && !tests.inherited);
    }
}
