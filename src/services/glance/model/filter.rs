//! Which images a list is of: the query string, read as upstream reads it.

use stackup_core::{Direction, Page, SortKey, Time, Value};
use stackup_web::Query;

use super::{MemberStatus, Visibility};
use crate::{Config, Error};

/// A list's conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter {
    pub(crate) columns: Vec<Condition>,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) tags: Vec<String>,
    pub(crate) visibility: Wanted,
    /// `None` is any.
    pub(crate) member_status: Option<MemberStatus>,
}

/// The visibilities asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All but other projects' community images.
    #[default]
    Usual,
    All,
    One(Visibility),
}

/// `column op values`; several values are alternatives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) column: &'static str,
    pub(crate) op: &'static str,
    pub(crate) values: Vec<Value>,
}

const SORT_KEYS: &[&str] = &[
    "name",
    "status",
    "container_format",
    "disk_format",
    "size",
    "id",
    "created_at",
    "updated_at",
];

/// Reads filters, order and page. 400 on what upstream refuses; what it does not know is taken for
/// a custom property.
pub(crate) fn read(query: &Query, config: &Config) -> Result<(Filter, Page), Error> {
    let mut filter = Filter { member_status: Some(MemberStatus::Accepted), ..Filter::default() };
    let mut hidden = false;
    for (name, value) in query.pairs() {
        match name {
            "limit" | "marker" | "sort" | "sort_key" | "sort_dir" => {}
            "tag" => filter.tags.push(value.trim().to_owned()),
            "visibility" => filter.visibility = wanted(value)?,
            "member_status" => filter.member_status = member_status(value)?,
            "os_hidden" => hidden = flag(name, value)?,
            "protected" => {
                let condition =
                    Condition::equal("protected", Value::Int(flag(name, value)?.into()));
                filter.columns.push(condition);
            }
            "changes-since" => {
                return Err(bad("The \"changes-since\" filter is no longer available on v2."));
            }
            _ => match column(name, value)? {
                Some(condition) => filter.columns.push(condition),
                None => filter.properties.push((name.to_owned(), value.to_owned())),
            },
        }
    }
    let hidden = Condition::equal("os_hidden", Value::Int(hidden.into()));
    filter.columns.push(hidden);
    Ok((filter, page(query, config)?))
}

impl Condition {
    pub(crate) fn equal(column: &'static str, value: Value) -> Self {
        Self { column, op: "=", values: vec![value] }
    }
}

/// A condition on a column of images; `None` when there is no such column.
fn column(name: &str, text: &str) -> Result<Option<Condition>, Error> {
    let words = ["name", "id", "status", "container_format", "disk_format"];
    if let Some(column) = words.into_iter().find(|column| *column == name) {
        return worded(column, text).map(Some);
    }
    let times = ["created_at", "updated_at"];
    if let Some(column) = times.into_iter().find(|column| *column == name) {
        return timed(column, text).map(Some);
    }
    let plain = ["checksum", "os_hash_value", "os_hash_algo", "owner"];
    if let Some(column) = plain.into_iter().find(|column| *column == name) {
        return Ok(Some(Condition::equal(column, Value::Text(text.to_owned()))));
    }
    for column in ["size", "virtual_size", "min_disk", "min_ram"] {
        let op = match name.strip_prefix(column) {
            Some("") => return numbered(column, text).map(Some),
            Some("_min") => ">=",
            Some("_max") => "<=",
            _ => continue,
        };
        let Ok(number) = text.parse() else {
            return Err(bad("Unable to filter on a range with a non-numeric value."));
        };
        let values = vec![Value::Int(number)];
        return Ok(Some(Condition { column, op, values }));
    }
    Ok(None)
}

fn worded(column: &'static str, text: &str) -> Result<Condition, Error> {
    match text.split_once(':') {
        None => Ok(Condition::equal(column, Value::Text(text.to_owned()))),
        Some(("eq", word)) => Ok(Condition::equal(column, Value::Text(word.to_owned()))),
        Some(("in", list)) => Ok(Condition {
            column,
            op: "=",
            values: split(list)?.into_iter().map(Value::Text).collect(),
        }),
        Some((op, _)) => {
            Err(Error::BadRequest(format!("Unable to filter by unknown operator '{op}'.")))
        }
    }
}

fn timed(column: &'static str, text: &str) -> Result<Condition, Error> {
    let (op, moment) = match Time::parse(text) {
        Ok(moment) => ("=", Ok(moment)),
        Err(error) => match text.split_once(':') {
            Some((op, rest)) => (operator(op)?, Time::parse(rest)),
            None => ("=", Err(error)),
        },
    };
    let moment = moment.map_err(|_| {
        Error::BadRequest(format!(
            "Bad \"{column}\" query filter format. Use ISO 8601 DateTime notation."
        ))
    })?;
    let values = vec![Value::Text(moment.micros_z())];
    Ok(Condition { column, op, values })
}

fn numbered(column: &'static str, text: &str) -> Result<Condition, Error> {
    let (op, digits) = match text.split_once(':') {
        Some((op, digits)) => (operator(op)?, digits),
        None => ("=", text),
    };
    let number = digits
        .parse()
        .map_err(|_| Error::BadRequest(format!("Invalid value '{text}' for {column}")))?;
    let values = vec![Value::Int(number)];
    Ok(Condition { column, op, values })
}

fn operator(word: &str) -> Result<&'static str, Error> {
    match word {
        "eq" => Ok("="),
        "neq" => Ok("<>"),
        "gt" => Ok(">"),
        "gte" => Ok(">="),
        "lt" => Ok("<"),
        "lte" => Ok("<="),
        _ => Err(bad("Unable to filter on a unknown operator.")),
    }
}

/// Splits `a,"b,c",d` at the commas outside quotes.
fn split(list: &str) -> Result<Vec<String>, Error> {
    let wrong = |why: &str| Error::BadRequest(format!("Invalid filter value {list}. {why}"));
    let mut words = Vec::new();
    let mut rest = list;
    loop {
        let word;
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted
                .char_indices()
                .find(|(at, c)| *c == '"' && !quoted[..*at].ends_with('\\'))
                .map(|(at, _)| at)
                .ok_or_else(|| wrong("The quote is not closed."))?;
            word = &quoted[..end];
            rest = &quoted[end + 1..];
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(wrong("There is no comma after closing quotation mark."));
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            word = &rest[..end];
            rest = &rest[end..];
            if word.contains('"') {
                return Err(wrong("There is no comma before opening quotation mark."));
            }
        }
        words.push(word.to_owned());
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(words),
        }
    }
}

fn wanted(text: &str) -> Result<Wanted, Error> {
    match (text, Visibility::parse(text)) {
        ("", _) => Ok(Wanted::Usual),
        ("all", _) => Ok(Wanted::All),
        (_, Some(one)) => Ok(Wanted::One(one)),
        (_, None) => Err(Error::BadRequest(format!("Invalid visibility value: {text}"))),
    }
}

fn member_status(text: &str) -> Result<Option<MemberStatus>, Error> {
    if text == "all" {
        return Ok(None);
    }
    let status = MemberStatus::parse(text);
    status.map(Some).ok_or_else(|| Error::BadRequest(format!("Invalid status: {text}")))
}

fn flag(name: &str, text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::BadRequest(format!(
            "Invalid value '{text}' for '{name}' filter. Valid values are 'true' or 'false'."
        ))),
    }
}

fn page(query: &Query, config: &Config) -> Result<Page, Error> {
    let limit = query.get("limit").map(limit).transpose()?;
    Ok(Page {
        limit: limit.unwrap_or(config.page_default).min(config.page_max),
        marker: query.get("marker").map(str::to_owned),
        sort: sort(query)?,
        limited: limit.is_some(),
    })
}

/// Reads `limit`, which may be 0: then the page is empty.
pub(crate) fn limit(text: &str) -> Result<usize, Error> {
    match text.trim().parse::<i64>() {
        Err(_) => Err(bad("limit param must be an integer")),
        Ok(negative @ i64::MIN..0) => {
            tracing::trace!(negative, "refused limit");
            Err(bad("limit param must be positive"))
        }
        Ok(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
    }
}

fn sort(query: &Query) -> Result<Vec<SortKey>, Error> {
    let classic = query.has("sort_key") || query.has("sort_dir");
    let Some(pairs) = query.get("sort") else {
        return classic_sort(query);
    };
    if classic {
        return Err(bad("Old and new sorting syntax cannot be combined"));
    }
    let key = |pair: &str| {
        let (key, dir) = pair.split_once(':').unwrap_or((pair, "desc"));
        sort_key(key, direction(if dir.is_empty() { "desc" } else { dir })?)
    };
    pairs.trim().split(',').map(key).collect()
}

fn classic_sort(query: &Query) -> Result<Vec<SortKey>, Error> {
    let directions: Vec<Direction> =
        query.all("sort_dir").map(direction).collect::<Result<_, _>>()?;
    let keys: Vec<&str> = match query.has("sort_key") {
        true => query.all("sort_key").collect(),
        false => vec!["created_at"],
    };
    if directions.len() > 1 && directions.len() != keys.len() {
        return Err(bad("Number of sort dirs does not match the number of sort keys"));
    }
    let of = |index: usize| {
        let one = directions.get(index).or(directions.first());
        one.copied().unwrap_or(Direction::Descending)
    };
    let keys = keys.into_iter().enumerate();
    keys.map(|(index, key)| sort_key(key, of(index))).collect()
}

fn sort_key(key: &str, direction: Direction) -> Result<SortKey, Error> {
    let key = key.trim();
    if !SORT_KEYS.contains(&key) {
        let known = SORT_KEYS.join(", ");
        return Err(Error::BadRequest(format!(
            "Invalid sort key: {key}. It must be one of the following: {known}."
        )));
    }
    Ok(SortKey { key: key.to_owned(), direction })
}

fn direction(text: &str) -> Result<Direction, Error> {
    match text.trim() {
        "asc" => Ok(Direction::Ascending),
        "desc" => Ok(Direction::Descending),
        other => Err(Error::BadRequest(format!("Invalid sort direction: {other}"))),
    }
}

fn bad(why: &str) -> Error {
    Error::BadRequest(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Result<(Filter, Page), Error> {
        read(&Query::parse(query), &Config::default())
    }

    fn first(query: &str) -> Condition {
        parsed(query).unwrap().0.columns.swap_remove(0)
    }

    #[test]
    fn operators() {
        assert_eq!(first("name=a"), Condition::equal("name", Value::Text("a".into())));
        let quoted = first("name=in:a,\"b,c\",");
        let words = ["a", "b,c", ""].map(|word| Value::Text(word.into()));
        assert_eq!(quoted.values, words);
        assert_eq!(first("size_min=5").op, ">=");
        assert_eq!(first("size=lt:5").op, "<");
        assert_eq!(first("created_at=gte:2026-01-01T00:00:00Z").op, ">=");
        assert_eq!(first("updated_at=2026-01-01T00:00:00Z").op, "=");
        let own = parsed("colour=red").unwrap().0.properties;
        assert_eq!(own, [("colour".to_owned(), "red".to_owned())]);
    }

    #[test]
    fn wrong_queries_are_refused() {
        for query in [
            "name=like:a",
            "name=in:\"a",
            "name=in:a\"b\"",
            "created_at=gt:yesterday",
            "created_at=near:2026-01-01T00:00:00Z",
            "size_max=big",
            "visibility=hidden",
            "member_status=maybe",
            "os_hidden=perhaps",
            "protected=1",
            "limit=-1",
            "limit=x",
            "sort=colour:asc",
            "sort=name:up",
            "sort=name&sort_key=id",
            "sort_key=name&sort_dir=asc&sort_dir=desc&sort_dir=asc",
            "changes-since=2026-01-01",
        ] {
            assert!(matches!(parsed(query), Err(Error::BadRequest(_))), "{query}");
        }
    }

    #[test]
    fn order_and_page() {
        let (_, page) = parsed("sort=name:asc,size&limit=5000&marker=m").unwrap();
        assert_eq!(page.limit, 1000);
        let order: Vec<_> = page.sort.iter().map(|s| (s.key.as_str(), s.direction)).collect();
        let expected = [("name", Direction::Ascending), ("size", Direction::Descending)];
        assert_eq!(order, expected);
        assert_eq!(parsed("").unwrap().1.limit, 25);
    }
}
