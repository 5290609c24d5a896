//! Which microversion a request asks for.

use http::header::{HeaderMap, HeaderName, HeaderValue, VARY};
use stackup_core::{ErrorKind, Mv, MvRange};

use crate::Fault;

/// The header that all services share; its value is `type version`.
pub const HEADER: &str = "openstack-api-version";

/// A service's microversions, and how they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Microversions {
    /// `compute` in `OpenStack-API-Version: compute 2.79`.
    pub service_type: &'static str,
    pub range: MvRange,
    /// What a request without the header gets.
    pub default: Mv,
    /// The service's own older header, lower case: `x-openstack-nova-api-version`.
    pub legacy: Option<&'static str>,
}

impl Microversions {
    /// The version asked for. 400 on text that is no version, 406 outside the range.
    pub fn negotiate(&self, headers: &HeaderMap) -> Result<Mv, Fault> {
        let Some(asked) = self.asked(headers)? else {
            return Ok(self.default);
        };
        if asked.eq_ignore_ascii_case("latest") {
            return Ok(self.range.max);
        }
        let version: Mv = asked.parse().map_err(|()| {
            let message = format!(
                "API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
            );
            Fault::bad_request(message)
        })?;
        if self.range.contains(version) {
            return Ok(version);
        }
        let MvRange { min, max } = self.range;
        let message = format!(
            "Version {version} is not supported by the API. Minimum is {min} and maximum is {max}."
        );
        Err(Fault::new(ErrorKind::NotAcceptable, message))
    }

    /// Tells the client what it got, and caches what it depends on.
    pub fn decorate(&self, version: Mv, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set(HEADER, format!("{} {version}", self.service_type));
        headers.append(VARY, HeaderValue::from_static("OpenStack-API-Version"));
        if let Some(legacy) = self.legacy {
            if let Ok(value) = HeaderValue::from_str(&version.to_string()) {
                headers.insert(HeaderName::from_static(legacy), value);
            }
            headers.append(VARY, HeaderValue::from_static(legacy));
        }
    }

    fn asked(&self, headers: &HeaderMap) -> Result<Option<String>, Fault> {
        for value in headers.get_all(HEADER) {
            let text = value.to_str().map_err(|_| Fault::bad_request("unreadable version"))?;
            for part in text.split(',') {
                let mut words = part.split_whitespace();
                if words.next().is_some_and(|kind| kind.eq_ignore_ascii_case(self.service_type)) {
                    return Ok(Some(words.next().unwrap_or_default().to_owned()));
                }
            }
        }
        let legacy = self.legacy.and_then(|name| headers.get(name));
        Ok(legacy.and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOVA: Microversions = Microversions {
        service_type: "compute",
        range: MvRange { min: Mv(2, 1), max: Mv(2, 104) },
        default: Mv(2, 1),
        legacy: Some("x-openstack-nova-api-version"),
    };

    fn ask(name: &'static str, value: &str) -> Result<Mv, u16> {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )]);
        NOVA.negotiate(&headers).map_err(|fault| fault.status)
    }

    #[test]
    fn both_headers_and_the_edges() {
        assert_eq!(NOVA.negotiate(&HeaderMap::new()).ok(), Some(Mv(2, 1)));
        assert_eq!(ask(HEADER, "compute 2.79"), Ok(Mv(2, 79)));
        assert_eq!(ask(HEADER, "volume 3.1, compute latest"), Ok(Mv(2, 104)));
        assert_eq!(ask(HEADER, "volume 3.1"), Ok(Mv(2, 1)));
        assert_eq!(ask("x-openstack-nova-api-version", "2.3"), Ok(Mv(2, 3)));
        assert_eq!(ask(HEADER, "compute 2.105"), Err(406));
        assert_eq!(ask(HEADER, "compute two"), Err(400));
    }
}
