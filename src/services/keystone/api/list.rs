//! Lists: filters, pages, and the links around them.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::{Map, Value, json};
use stackup_core::Ctx;
use stackup_web::Query;

use crate::error::Error;
use crate::store::Where;

/// What a list can be filtered by: its name at the API, its column, and whether it is a flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) column: &'static str,
    pub(crate) flag: bool,
}

/// A filter on text.
pub(crate) const fn by(name: &'static str, column: &'static str) -> Filter {
    Filter { name, column, flag: false }
}

/// A filter on a flag.
pub(crate) const fn flag(name: &'static str, column: &'static str) -> Filter {
    Filter { name, column, flag: true }
}

/// A request for a list.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    path: String,
    raw: Option<String>,
    pub(crate) query: Query,
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let raw = parts.uri.query().map(str::to_owned);
        Ok(Self {
            path: parts.uri.path().to_owned(),
            query: Query::parse(raw.as_deref().unwrap_or_default()),
            raw,
        })
    }
}

impl Listing {
    /// The conditions that the store can check: `name=x`, and the rows after the marker.
    pub(crate) fn conditions(&self, filters: &[Filter], id_column: &str) -> Where {
        let mut condition = Where::new();
        for (name, value) in self.query.pairs() {
            let Some(filter) = filters.iter().find(|filter| filter.name == name) else {
                continue;
            };
            condition = match (filter.flag, value) {
                (true, text) => condition.eq(filter.column, is_true(text)),
                // An empty filter on what may be null asks for those without.
                (false, text) => condition.eq(filter.column, text),
            };
        }
        match self.query.get("marker").filter(|marker| !marker.is_empty()) {
            Some(marker) => condition.compare(id_column, ">", marker),
            None => condition,
        }
    }

    /// Whether a flag of the query is given and not 0.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|value| value != "0")
    }

    /// The body: what passes the inexact filters (`name__contains`), at most `limit` of them.
    pub(crate) fn wrap(
        &self,
        cx: &Ctx,
        key: &str,
        mut views: Vec<Value>,
        filters: &[Filter],
        default_limit: Option<usize>,
    ) -> Result<Value, Error> {
        let inexact: Vec<Inexact> = self
            .query
            .pairs()
            .filter_map(|(name, value)| Inexact::read(name, value, filters))
            .collect();
        views.retain(|view| inexact.iter().all(|filter| filter.passes(view)));
        let limit = self.limit(default_limit)?;
        let cut = limit.is_some_and(|limit| views.len() > limit);
        let mut next = Value::Null;
        if let Some(limit) = limit.filter(|_| cut) {
            views.truncate(limit);
            let marker = views.last().and_then(|view| view["id"].as_str()).unwrap_or_default();
            let limit = limit.to_string();
            let query = self
                .query
                .with(&["marker", "limit"], &[("limit", limit.as_str()), ("marker", marker)]);
            next = json!(format!("{}{}?{query}", cx.self_url, self.path));
        }
        let mut body = Map::new();
        body.insert(key.to_owned(), Value::Array(views));
        body.insert(
            "links".to_owned(),
            json!({"next": next, "self": self.self_link(cx), "previous": null}),
        );
        if cut {
            body.insert("truncated".to_owned(), json!(true));
        }
        Ok(Value::Object(body))
    }

    /// The URL of the request itself.
    pub(crate) fn self_link(&self, cx: &Ctx) -> String {
        match &self.raw {
            Some(query) => format!("{}{}?{query}", cx.self_url, self.path),
            None => format!("{}{}", cx.self_url, self.path),
        }
    }

    fn limit(&self, default: Option<usize>) -> Result<Option<usize>, Error> {
        let Some(text) = self.query.get("limit") else {
            return Ok(default);
        };
        match text.parse::<usize>() {
            Ok(0) => Ok(default),
            Ok(limit) => Ok(Some(limit)),
            Err(_) => Err(Error::invalid(format!(
                "Invalid input for field 'limit': '{text}' is not of type 'integer'"
            ))),
        }
    }
}

/// A flag of a filter: its name alone means true.
pub(crate) fn is_true(text: &str) -> bool {
    !matches!(text.to_ascii_lowercase().as_str(), "0" | "false" | "f" | "no" | "n" | "off")
}

/// `name__icontains=x`
struct Inexact {
    name: &'static str,
    comparator: Comparator,
    fold: bool,
    value: String,
}

enum Comparator {
    Contains,
    StartsWith,
    EndsWith,
    Equals,
}

impl Inexact {
    /// None when the filter is not one of the list's, or not a comparator that is known: upstream
    /// ignores both.
    fn read(name: &str, value: &str, filters: &[Filter]) -> Option<Self> {
        let (base, comparator) = name.split_once("__")?;
        let filter = filters.iter().find(|filter| filter.name == base)?;
        let (fold, comparator) = match comparator.strip_prefix('i') {
            Some(rest) => (true, rest),
            None => (false, comparator),
        };
        let comparator = match comparator {
            "contains" => Comparator::Contains,
            "startswith" => Comparator::StartsWith,
            "endswith" => Comparator::EndsWith,
            "equals" | "exact" => Comparator::Equals,
            _ => return None,
        };
        Some(Self {
            name: filter.name,
            comparator,
            fold,
            value: if fold { value.to_lowercase() } else { value.to_owned() },
        })
    }

    fn passes(&self, view: &Value) -> bool {
        let Some(text) = view[self.name].as_str() else {
            return false;
        };
        let text = if self.fold { text.to_lowercase() } else { text.to_owned() };
        match self.comparator {
            Comparator::Contains => text.contains(&self.value),
            Comparator::StartsWith => text.starts_with(&self.value),
            Comparator::EndsWith => text.ends_with(&self.value),
            Comparator::Equals => text == self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inexact_filters() {
        let filters = [by("name", "name")];
        let passes = |filter: &str, name: &str| {
            Inexact::read(filter, "Ab", &filters).unwrap().passes(&json!({"name": name}))
        };
        assert!(passes("name__contains", "xAbx") && !passes("name__contains", "xabx"));
        assert!(passes("name__icontains", "xabx"));
        assert!(passes("name__startswith", "Abc") && !passes("name__endswith", "Abc"));
        assert!(Inexact::read("name__near", "x", &filters).is_none());
        assert!(Inexact::read("email__contains", "x", &filters).is_none());
    }
}
