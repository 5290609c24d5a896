//! Finds source files and reads them roughly, line by line: enough for guards, and fast.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Every `.rs` file under a directory, sorted; nothing when there is no such directory.
pub(crate) fn rust_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        if !dir.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&dir).with_context(|| format!("list {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// Whether code (not a comment) names this crate: `name::` or `use name`, on a word's boundary.
pub(crate) fn names_crate(text: &str, name: &str) -> bool {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = &line[at + name.len()..];
            let starts = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            let path = after.starts_with("::") && starts;
            let import = line.contains("use ") && starts && after.starts_with([';', ' ', ',']);
            path || import
        })
    })
}

#[cfg(test)]
mod tests {
    use super::names_crate;

    #[test]
    fn a_crate_is_named_by_path_or_import_only() {
        assert!(names_crate("use nix::unistd;", "nix"));
        assert!(names_crate("    let x = nix::unistd::getuid();", "nix"));
        assert!(names_crate("use nix;", "nix"));
        assert!(!names_crate("// nix::unistd is not used", "nix"));
        assert!(!names_crate("use std::os::unix::fs;", "nix"));
        assert!(!names_crate("let phoenix::x = 1;", "nix"));
        assert!(!names_crate("use crate::nix::x;", "nix"));
        assert!(!names_crate("let virt = 1;", "virt"));
    }
}
