//! Files stay readable: a note over 500 lines, an error over 800, with a list of exceptions that only shrinks.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::{Findings, source, workspace::Workspace};

const SOFT: usize = 500;
const HARD: usize = 800;
/// Lines of `LIMIT PATH`; a file may be as long as its line says, and the line must follow it down.
const EXCEPTIONS: &str = "src/xtask/sizes.txt";
/// How far a file may be below its line before the line has to be lowered.
const SLACK: usize = 25;

/// Fails when sources or the list of exceptions cannot be read.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings> {
    let list = workspace.root.join(EXCEPTIONS);
    let exceptions = if list.is_file() { parse(&source::read(&list)?)? } else { BTreeMap::new() };
    let mut sizes = BTreeMap::new();
    for dir in ["src", "tests"] {
        for path in source::rust_files(&workspace.root.join(dir))? {
            sizes.insert(workspace.shown(&path), source::read(&path)?.lines().count());
        }
    }
    Ok(judge(&sizes, &exceptions))
}

fn parse(text: &str) -> Result<BTreeMap<String, usize>> {
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (limit, path) = line.split_once(' ').context("a line is `LIMIT PATH`")?;
            Ok((path.trim().to_owned(), limit.parse().with_context(|| format!("limit of {path}"))?))
        })
        .collect()
}

fn judge(sizes: &BTreeMap<String, usize>, exceptions: &BTreeMap<String, usize>) -> Findings {
    let mut findings = Findings::default();
    for (path, &lines) in sizes {
        match exceptions.get(path) {
            Some(&limit) if lines > limit => {
                findings
                    .error(format!("{path}: {lines} lines; the list of exceptions allows {limit}"));
            }
            Some(&limit) if lines <= HARD || lines + SLACK < limit => {
                findings.error(format!(
                    "{path}: {lines} lines now; lower or drop its line in {EXCEPTIONS}"
                ));
            }
            None if lines > HARD => {
                findings.error(format!("{path}: {lines} lines, over {HARD}: split it"));
            }
            None if lines > SOFT => findings.note(format!("{path}: {lines} lines, over {SOFT}")),
            Some(_) | None => {}
        }
    }
    for path in exceptions.keys().filter(|path| !sizes.contains_key(*path)) {
        findings.error(format!("{path}: is gone; drop its line in {EXCEPTIONS}"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{judge, parse};

    fn found(lines: usize, exceptions: &str) -> (usize, usize) {
        let sizes = [("src/a.rs".to_owned(), lines)].into();
        let findings = judge(&sizes, &parse(exceptions).unwrap());
        (findings.errors.len(), findings.notes.len())
    }

    #[test]
    fn limits_are_soft_at_500_and_hard_at_800() {
        assert_eq!(found(500, ""), (0, 0));
        assert_eq!(found(501, ""), (0, 1));
        assert_eq!(found(800, ""), (0, 1));
        assert_eq!(found(801, ""), (1, 0));
    }

    #[test]
    fn exceptions_only_shrink() {
        assert_eq!(found(900, "900 src/a.rs"), (0, 0));
        assert_eq!(found(901, "900 src/a.rs"), (1, 0));
        assert_eq!(found(850, "900 src/a.rs"), (1, 0));
        assert_eq!(found(790, "810 src/a.rs"), (1, 0));
        assert_eq!(found(10, "# none\n900 src/gone.rs"), (1, 0));
        assert!(parse("src/a.rs").is_err());
    }
}
