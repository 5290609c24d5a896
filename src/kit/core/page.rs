//! A slice of a list, by keyset: never by offset.

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// One column of a sort order, by its name at the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    pub key: String,
    pub direction: Direction,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most so many, already cut to the service's maximum.
    pub limit: usize,
    /// The id of the last row of the page before.
    pub marker: Option<String>,
    /// In order of weight; empty means the service's default.
    pub sort: Vec<SortKey>,
    /// Whether the client set the limit itself: some services add a `next` link only then.
    pub limited: bool,
}

impl Page {
    /// Everything, in the default order.
    pub fn all() -> Self {
        Self { limit: usize::MAX, marker: None, sort: Vec::new(), limited: false }
    }
}
