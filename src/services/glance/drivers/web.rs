//! Fetching images from the web, from where the operator allows.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

use crate::config::WebDownload;

const CONNECT: Duration = Duration::from_secs(15);
/// Without a byte for so long, the other side counts as gone.
const SILENCE: Duration = Duration::from_secs(60);
const REDIRECTS: usize = 5;

/// Why nothing was fetched; told to the user in the task.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    #[error("URI for web-download does not pass filtering: {0}")]
    Filtered(String),
    #[error("https is not supported by this build: offer the image by http, or upload it")]
    NoTls,
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("{0}")]
    Failed(String),
}

/// A client that uses no proxy and follows no redirect out of what is allowed.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    client: Client,
    allowed: WebDownload,
}

impl Web {
    /// Fails when the TLS or resolver set-up of the host is broken.
    pub(crate) fn new(allowed: WebDownload) -> Result<Self, reqwest::Error> {
        let filter = allowed.clone();
        let follow = redirect::Policy::custom(move |attempt| {
            let wrong = match check(&filter, attempt.url().as_str()) {
                Err(error) => Some(error),
                Ok(url) => (url.scheme() == "https").then_some(WebError::NoTls),
            };
            match wrong {
                Some(error) => attempt.error(error),
                None if attempt.previous().len() > REDIRECTS => attempt.stop(),
                None => attempt.follow(),
            }
        });
        let client = Client::builder()
            .no_proxy()
            .redirect(follow)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .dns_resolver(Arc::new(Resolver(allowed.clone())))
            .build()?;
        Ok(Self { client, allowed })
    }

    /// Whether the operator allows to fetch from there.
    pub(crate) fn allows(&self, uri: &str) -> Result<(), WebError> {
        check(&self.allowed, uri).map(drop)
    }

    /// Begins to fetch: the length, if the other side says one, and the data.
    pub(crate) async fn get(
        &self,
        uri: &str,
    ) -> Result<(Option<u64>, impl Stream<Item = Result<Bytes, WebError>> + use<>), WebError> {
        let url = check(&self.allowed, uri)?;
        if url.scheme() == "https" {
            return Err(WebError::NoTls);
        }
        let response = self.client.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(WebError::Status(response.status().as_u16()));
        }
        Ok((response.content_length(), response.bytes_stream().map_err(failed)))
    }
}

/// Resolves names, and leaves out addresses that are disallowed themselves: a name in anybody's
/// domain may lead anywhere.
struct Resolver(WebDownload);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let filter = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let kept: Vec<SocketAddr> = found.filter(|at| reaches(&filter, at.ip())).collect();
            if kept.is_empty() {
                return Err(io::Error::other("the host has no address that is allowed").into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Whether an address that a name led to may be spoken to.
fn reaches(filter: &WebDownload, address: IpAddr) -> bool {
    // A host that is allowed by name may live anywhere.
    let named = !filter.allowed_hosts.is_empty();
    named || !filter.disallowed_hosts.contains(&address.to_canonical().to_string())
}

/// Upstream's filter: of an allowed and a disallowed list only the allowed one counts.
fn check(filter: &WebDownload, uri: &str) -> Result<Url, WebError> {
    let refused = || WebError::Filtered(uri.to_owned());
    let url = Url::parse(uri).map_err(|_| refused())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(refused)?;
    let host = host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
    let host = match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host,
    };
    let scheme = url.scheme().to_owned();
    let port_fits = match url.port() {
        None => true,
        Some(port) => passes(&port, &filter.allowed_ports, &filter.disallowed_ports),
    };
    let fits = passes(&scheme, &filter.allowed_schemes, &filter.disallowed_schemes)
        && passes(&host, &filter.allowed_hosts, &filter.disallowed_hosts)
        && port_fits;
    if fits { Ok(url) } else { Err(refused()) }
}

fn passes<T: PartialEq>(value: &T, allowed: &[T], disallowed: &[T]) -> bool {
    match allowed {
        [] => !disallowed.contains(value),
        _ => allowed.contains(value),
    }
}

fn failed(error: reqwest::Error) -> WebError {
    // The URL may carry a password; the user knows it anyway.
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    WebError::Failed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_filter_is_upstreams_and_spares_the_metadata_service() {
        let filter = WebDownload::default();
        for good in ["http://images.example.org/a.img", "https://h/a", "http://127.0.0.1/x"] {
            assert!(check(&filter, good).is_ok(), "{good}");
        }
        for bad in [
            "file:///etc/passwd",
            "ftp://h/a",
            "http://h:8080/a",
            "http://169.254.169.254/latest",
            "http://0xA9FEA9FE/latest",
            "http://2852039166/latest",
            "http://[fd00:ec2::254]/latest",
            "http://[::ffff:169.254.169.254]/latest",
            "/etc/passwd",
            "http://",
            "",
        ] {
            assert!(check(&filter, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_may_not_lead_to_the_metadata_service() {
        let mut filter = WebDownload::default();
        for (address, fine) in
            [("169.254.169.254", false), ("::ffff:169.254.169.254", false), ("127.0.0.1", true)]
        {
            assert_eq!(reaches(&filter, address.parse().unwrap()), fine, "{address}");
        }
        filter.allowed_hosts = vec!["mirror".into()];
        assert!(reaches(&filter, "169.254.169.254".parse().unwrap()));
    }

    #[test]
    fn an_allowed_list_silences_the_disallowed_one() {
        let filter = WebDownload {
            allowed_hosts: vec!["mirror".into()],
            disallowed_hosts: vec!["mirror".into()],
            ..WebDownload::default()
        };
        assert!(check(&filter, "http://MIRROR/a").is_ok());
        assert!(check(&filter, "http://other/a").is_err());
    }
}
