//! The only code that prints.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde_json::Value;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Format {
    #[default]
    Text,
    Json,
    Yaml,
}

/// Writes data to stdout and everything else to stderr.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    pub format: Format,
    pub quiet: bool,
    pub colour: bool,
}

impl Printer {
    pub fn new(format: Format, quiet: bool, no_colour: bool) -> Self {
        let colour = !no_colour && std::io::stderr().is_terminal();
        Self { format, quiet, colour }
    }

    /// The answer of a verb: `text` for people, `data` for programs.
    pub fn answer(&self, text: &str, data: &Value) {
        match self.format {
            Format::Text => self.line(text),
            Format::Json => self.line(&data.to_string()),
            Format::Yaml => self.line(stackup_profile::to_yaml(data).trim_end()),
        }
    }

    /// A line of data.
    pub fn line(&self, text: &str) {
        // A closed pipe (`stackup … | head`) is no error of ours.
        drop(writeln!(std::io::stdout(), "{text}"));
    }

    /// A remark, left out by `--quiet`.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            drop(writeln!(std::io::stderr(), "{text}"));
        }
    }

    /// A complaint, never left out.
    pub fn complain(&self, text: &str) {
        drop(writeln!(std::io::stderr(), "{text}"));
    }

    /// A table with aligned columns.
    pub fn table(rows: &[Vec<String>]) -> String {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let lines = rows.iter().map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align() {
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(Printer::table(&rows), "a    bb\nccc  d");
    }
}
