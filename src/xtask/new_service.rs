//! Lays out a service crate in the shape that all services share.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{source, workspace::Workspace};

/// Path within the crate, and its text, where `@name@` is the codename and `@Name@` its type.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("skeleton/Cargo.toml.in")),
    ("lib.rs", include_str!("skeleton/lib.rs.in")),
    ("config.rs", include_str!("skeleton/config.rs.in")),
    ("error.rs", include_str!("skeleton/error.rs.in")),
    ("policy.rs", include_str!("skeleton/policy.rs.in")),
    ("schema.sql", include_str!("skeleton/schema.sql.in")),
    ("migrations/0001_init.sql", include_str!("skeleton/schema.sql.in")),
    ("model/mod.rs", include_str!("skeleton/model.rs.in")),
    ("store/mod.rs", include_str!("skeleton/store.rs.in")),
    ("logic/mod.rs", include_str!("skeleton/logic.rs.in")),
    ("api/mod.rs", include_str!("skeleton/api.rs.in")),
    ("tests/it/main.rs", include_str!("skeleton/it.rs.in")),
];

/// Makes the crate and adds it to the root's table of versions. Fails when the service is there already.
pub(crate) fn create(workspace: &Workspace, codename: &str) -> Result<Vec<PathBuf>> {
    let plain = codename.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    ensure!(
        plain && codename.starts_with(|c: char| c.is_ascii_lowercase()),
        "a codename is lowercase letters and digits"
    );
    let dir = workspace.root.join("src/services").join(codename);
    if dir.exists() {
        bail!("{} is there already", workspace.shown(&dir));
    }
    let manifest = workspace.root.join("Cargo.toml");
    let listed = list_in_root(&source::read(&manifest)?, codename)?;
    let mut made = Vec::new();
    for (path, text) in FILES {
        let path = dir.join(path);
        put(&path, &fill(text, codename))?;
        made.push(path);
    }
    put(&manifest, &listed)?;
    Ok(made)
}

fn fill(text: &str, codename: &str) -> String {
    let mut type_name = codename.to_owned();
    type_name[..1].make_ascii_uppercase();
    text.replace("@name@", codename).replace("@Name@", &type_name)
}

/// The root manifest with the new crate after the last of our own.
fn list_in_root(text: &str, codename: &str) -> Result<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let last = lines
        .iter()
        .rposition(|line| line.starts_with("stackup-") && line.contains("path = \"src/services/"))
        .context("the root manifest lists no service")?;
    lines
        .insert(last + 1, format!("stackup-{codename} = {{ path = \"src/services/{codename}\" }}"));
    Ok(lines.join("\n") + "\n")
}

fn put(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    let mut file = File::create(path).with_context(|| format!("make {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{FILES, create, fill, list_in_root};
    use crate::workspace::tests::workspace;

    #[test]
    fn a_new_service_is_listed_after_the_last_one() {
        let root = "[workspace.dependencies]\nstackup-nova = { path = \"src/services/nova\" }\n\nclap = \"4\"\n";
        let listed = list_in_root(root, "heat").unwrap();
        assert!(
            listed.contains("nova\" }\nstackup-heat = { path = \"src/services/heat\" }\n\nclap")
        );
    }

    #[test]
    fn the_skeleton_holds_no_unfilled_name() {
        for (path, text) in FILES {
            assert!(!fill(text, "heat").contains('@'), "{path}");
        }
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["Heat", "he at", "../x", ""] {
            assert!(create(&workspace(&[]), name).is_err(), "{name}");
        }
    }
}
