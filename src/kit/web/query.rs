//! The query string: names may repeat, and order is kept.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::Fault;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    /// Reads `a=1&b=2`; what is not UTF-8 is replaced.
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The last value of a name: what upstream's frameworks take.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// Every pair, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A flag: `1 t true on y yes` and their opposites, in any case; 400 on anything else.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        self.get(name).map(|text| flag(name, text)).transpose()
    }

    /// The string again, without some names and with others: for links.
    pub fn with(&self, without: &[&str], extra: &[(&str, &str)]) -> String {
        let kept = self.pairs().filter(|(name, _)| !without.contains(name));
        let pairs = kept.chain(extra.iter().copied());
        let text = pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        text.collect::<Vec<_>>().join("&")
    }
}

/// Reads a flag as oslo's `bool_from_string(strict=True)` does.
pub fn flag(name: &str, text: &str) -> Result<bool, Fault> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Ok(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Ok(false),
        _ => Err(Fault::bad_request(format!("Invalid value '{text}' for {name}: not a boolean"))),
    }
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(from_hex);
        out.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn from_hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    match digits {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_escapes_and_odd_ends() {
        let query = Query::parse("tag=a&tag=b%20c&flag&x=1+2&bad=%zz%4");
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("x"), Some("1 2"));
        assert_eq!(query.get("bad"), Some("%zz%4"));
        assert_eq!(query.with(&["tag", "bad"], &[("marker", "ä")]), "flag=&x=1%202&marker=%C3%A4");
    }

    #[test]
    fn flags() {
        let query = Query::parse("a=True&b=off&c=maybe");
        assert_eq!(query.flag("a").ok(), Some(Some(true)));
        assert_eq!(query.flag("b").ok(), Some(Some(false)));
        assert_eq!(query.flag("none").ok(), Some(None));
        assert!(query.flag("c").is_err());
    }
}
