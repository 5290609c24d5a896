//! Rulesets: text for `nft -f`, with a mark inside that says which text it was.

use sha2::{Digest, Sha256};

/// Tables of ours, replaced as one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// What `nft -f` reads.
    pub text: String,
    /// The name of an empty chain in the first table: when the kernel has it, it has this text.
    pub revision: String,
}

/// A table by family and name, and what stands between its braces.
pub(super) struct Table {
    pub(super) family: &'static str,
    pub(super) name: &'static str,
    pub(super) body: String,
    /// Named counters are to live on; chains and rules are replaced all the same.
    pub(super) keep: bool,
}

impl Ruleset {
    /// The transaction that replaces exactly these tables, whatever they held before.
    pub(super) fn of(tables: &[Table]) -> Self {
        let mut digest = Sha256::new();
        for table in tables {
            digest.update(format!("{} {} {}\n", table.family, table.name, table.body));
        }
        let revision = format!("rev_{}", hex::encode(&digest.finalize()[..8]));
        let mut text = String::new();
        for (index, Table { family, name, body, keep }) in tables.iter().enumerate() {
            let mark =
                if index == 0 { format!("  chain {revision} {{\n  }}\n") } else { String::new() };
            // Adding first makes the deletion valid where the table was never there.
            let clear = if *keep { "flush" } else { "delete" };
            text.push_str(&format!("add table {family} {name}\n{clear} table {family} {name}\n"));
            text.push_str(&format!("table {family} {name} {{\n{mark}{body}}}\n"));
        }
        Self { text, revision }
    }
}

/// Appends a line of a ruleset.
pub(super) fn line(body: &mut String, text: impl AsRef<str>) {
    body.push_str(text.as_ref());
    body.push('\n');
}

/// `{ a, b }`, or nothing when there is nothing.
pub(super) fn set<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> Option<String> {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    (!items.is_empty()).then(|| format!("{{ {} }}", items.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(body: &str) -> Table {
        Table { family: "ip", name: "t", body: body.to_owned(), keep: false }
    }

    #[test]
    fn the_revision_follows_the_text() {
        let one = Ruleset::of(&[table("a")]);
        assert_eq!(one, Ruleset::of(&[table("a")]));
        assert_ne!(one.revision, Ruleset::of(&[table("b")]).revision);
        assert!(one.text.contains(&one.revision));
        assert!(one.text.starts_with("add table ip t\ndelete table ip t\n"));
    }
}
