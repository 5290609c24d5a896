//! `limit`, `marker` and sort keys, read as upstream reads them.

use stackup_core::{Direction, Page, SortKey};

use crate::{Fault, Query};

/// How a service spells the order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortStyle {
    /// `sort_key=name&sort_dir=asc`, repeated: nova, neutron, glance.
    KeyAndDir,
    /// `sort=name:asc,id`: cinder; glance takes it too.
    Pairs,
}

/// Reads the page. `limit` is cut to `max`; 400 when it is no number, or negative. A limit of 0 is
/// the maximum, as nova has it; a service that answers none checks for itself.
pub fn page(query: &Query, max: usize, styles: &[SortStyle]) -> Result<Page, Fault> {
    let limit = match query.get("limit") {
        None => None,
        Some(text) => Some(text.parse::<usize>().map_err(|_| {
            Fault::bad_request(format!("limit param must be an integer: '{text}'"))
        })?),
    };
    let mut sort = Vec::new();
    if styles.contains(&SortStyle::KeyAndDir) {
        sort = key_and_dir(query)?;
    }
    if sort.is_empty() && styles.contains(&SortStyle::Pairs) {
        sort = pairs(query)?;
    }
    Ok(Page {
        limit: limit.filter(|limit| *limit > 0).map_or(max, |limit| limit.min(max)),
        marker: query.get("marker").map(str::to_owned),
        sort,
        limited: limit.is_some(),
    })
}

/// The URL of the next page: the same query with another marker.
pub fn next_link(url: &str, query: &Query, marker: &str) -> String {
    format!("{url}?{}", query.with(&["marker"], &[("marker", marker)]))
}

fn key_and_dir(query: &Query) -> Result<Vec<SortKey>, Fault> {
    let directions: Vec<Direction> =
        query.all("sort_dir").map(direction).collect::<Result<_, _>>()?;
    let keys = query.all("sort_key").filter(|key| !key.is_empty());
    Ok(keys
        .enumerate()
        .map(|(index, key)| SortKey {
            key: key.to_owned(),
            direction: directions
                .get(index)
                .or(directions.last())
                .copied()
                .unwrap_or(Direction::Ascending),
        })
        .collect())
}

fn pairs(query: &Query) -> Result<Vec<SortKey>, Fault> {
    let all = query.get("sort").unwrap_or_default();
    all.split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| {
            let (key, dir) = pair.split_once(':').unwrap_or((pair, "desc"));
            Ok(SortKey { key: key.trim().to_owned(), direction: direction(dir)? })
        })
        .collect()
}

fn direction(text: &str) -> Result<Direction, Fault> {
    match text.trim().to_ascii_lowercase().as_str() {
        "asc" => Ok(Direction::Ascending),
        "desc" => Ok(Direction::Descending),
        _ => Err(Fault::bad_request(format!(
            "Unknown sort direction '{text}', must be one of: asc, desc"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let read = |text: &str| page(&Query::parse(text), 1000, &[]).map(|page| page.limit);
        assert_eq!(read("").ok(), Some(1000));
        assert_eq!(read("limit=5").ok(), Some(5));
        assert_eq!(read("limit=5000").ok(), Some(1000));
        assert!(read("limit=-1").is_err() && read("limit=a").is_err() && read("limit=").is_err());
    }

    #[test]
    fn orders() {
        let sort = |text: &str, style| page(&Query::parse(text), 1, &[style]).map(|page| page.sort);
        let two = sort("sort_key=a&sort_key=b&sort_dir=desc", SortStyle::KeyAndDir).unwrap();
        assert_eq!(two[1].direction, Direction::Descending);
        let pairs = sort("sort=a:asc,b", SortStyle::Pairs).unwrap();
        assert_eq!((pairs.len(), pairs[0].direction), (2, Direction::Ascending));
        assert!(sort("sort_key=a&sort_dir=up", SortStyle::KeyAndDir).is_err());
    }
}
