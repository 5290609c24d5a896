//! A source file that no `mod` line reaches is never compiled: its tests pass by not being there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Result;
use toml::Value;

use crate::{
    Findings, source,
    workspace::{Crate, Workspace},
};

/// Fails when sources cannot be read.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::default();
    for member in &workspace.crates {
        let mut reached = BTreeSet::new();
        for root in roots(member)? {
            walk(&root, true, &mut reached)?;
        }
        for path in source::rust_files(&member.path)? {
            if !reached.contains(&path) {
                findings.error(format!("{}: no `mod` line reaches it", workspace.shown(&path)));
            }
        }
    }
    Ok(findings)
}

/// Where cargo starts to read a crate: what the manifest names, what it finds by itself in tests/ and benches/.
fn roots(member: &Crate) -> Result<Vec<PathBuf>> {
    let mut roots: Vec<PathBuf> =
        ["lib.rs", "main.rs", "build.rs"].map(|name| member.path.join(name)).into();
    for key in ["bin", "test", "bench", "example"] {
        let targets = member.manifest.get(key).and_then(Value::as_array);
        for path in targets.into_iter().flatten().filter_map(|target| target.get("path")?.as_str())
        {
            roots.push(member.path.join(path));
        }
    }
    if member.package("autotests").and_then(Value::as_bool) != Some(false) {
        for dir in ["tests", "benches"] {
            let Ok(entries) = std::fs::read_dir(member.path.join(dir)) else {
                continue;
            };
            for entry in entries {
                let path = entry?.path();
                roots.push(if path.is_dir() { path.join("main.rs") } else { path });
            }
        }
    }
    roots.retain(|path| {
        path.is_file() && path.extension().is_some_and(|extension| extension == "rs")
    });
    Ok(roots)
}

fn walk(file: &Path, root: bool, reached: &mut BTreeSet<PathBuf>) -> Result<()> {
    if !reached.insert(file.to_path_buf()) {
        return Ok(());
    }
    let parent = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default();
    let dir = if root || stem == "mod" { parent.to_path_buf() } else { parent.join(stem) };
    for module in modules(&source::read(file)?) {
        let candidates = match module.path {
            Some(path) => vec![parent.join(path)],
            None => {
                let inner = module.outer.iter().fold(dir.clone(), |dir, name| dir.join(name));
                vec![
                    inner.join(format!("{}.rs", module.name)),
                    inner.join(&module.name).join("mod.rs"),
                ]
            }
        };
        for path in candidates.iter().filter(|path| path.is_file()) {
            walk(path, false, reached)?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
struct Module {
    name: String,
    /// Inline modules around it, which are directories to the compiler.
    outer: Vec<String>,
    /// A `#[path = "…"]` before it.
    path: Option<String>,
}

/// The `mod name;` lines of a source file. Inline modules are told by the indentation that rustfmt gives.
fn modules(text: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let mut outer: Vec<(usize, String)> = Vec::new();
    let mut path = None;
    for line in text.lines() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(value) = code.strip_prefix("#[path = \"") {
            path = value.split('"').next().map(str::to_owned);
            continue;
        }
        if code == "}" {
            outer.retain(|(at, _)| *at < indent);
        }
        let declared = visibility_off(code).strip_prefix("mod ");
        if let Some(name) =
            declared.and_then(|rest| rest.split(';').next().filter(|name| is_name(name)))
        {
            let outer = outer.iter().map(|(_, name)| name.clone()).collect();
            found.push(Module { name: name.to_owned(), outer, path: path.take() });
        } else if let Some(name) =
            declared.and_then(|rest| rest.strip_suffix(" {")).filter(|name| is_name(name))
        {
            outer.push((indent, name.to_owned()));
        } else if !code.starts_with('#') && !code.is_empty() {
            path = None;
        }
    }
    found
}

fn visibility_off(code: &str) -> &str {
    let Some(rest) = code.strip_prefix("pub") else {
        return code;
    };
    let rest = if rest.starts_with('(') {
        rest.split_once(')').map_or(rest, |(_, rest)| rest)
    } else {
        rest
    };
    rest.trim_start()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{check, modules};
    use crate::workspace::tests::workspace;

    fn names(text: &str) -> Vec<String> {
        modules(text).into_iter().map(|module| module.name).collect()
    }

    #[test]
    fn mod_lines_are_read() {
        assert_eq!(
            names("mod a;\npub mod b;\npub(crate) mod c;\n#[cfg(test)]\nmod d;"),
            ["a", "b", "c", "d"]
        );
        assert!(names("// mod a;\nmodel x;\nmod tests {\n}").is_empty());
        let inner = modules("mod tests {\n    mod helper;\n}\nmod after;");
        assert_eq!(inner[0].outer, ["tests"]);
        assert!(inner[1].outer.is_empty());
        assert_eq!(modules("#[path = \"x/y.rs\"]\nmod z;")[0].path.as_deref(), Some("x/y.rs"));
    }

    #[test]
    fn a_file_without_a_mod_line_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("lib.rs", "mod api;\nmod logic;"),
            ("api/mod.rs", "mod volumes;"),
            ("api/volumes.rs", ""),
            ("logic.rs", "mod flows;"),
            ("logic/flows.rs", ""),
            ("tests/it/main.rs", "mod volumes;"),
            ("tests/it/volumes.rs", ""),
            ("tests/it/snapshots.rs", ""),
            ("store.rs", ""),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes())
                .unwrap();
        }
        let mut workspace = workspace(&[("src/services/cinder", "stackup-cinder", "")]);
        workspace.crates[0].path = dir.path().to_path_buf();
        workspace.root = dir.path().to_path_buf();
        let errors = check(&workspace).unwrap().errors;
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(
            errors[0].starts_with("store.rs") && errors[1].starts_with("tests/it/snapshots.rs"),
            "{errors:?}"
        );
    }
}
