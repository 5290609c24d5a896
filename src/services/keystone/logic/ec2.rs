//! Tokens for requests signed with EC2 keys: `/v3/ec2tokens` and `/v3/s3tokens`.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use stackup_core::Time;

use super::passwords::{keyed, same};
use super::tokens::audit_id;
use crate::Keystone;
use crate::error::Error;
use crate::model::credential::EC2;
use crate::model::token::{Method, Payload, ScopeIds, Token};

/// Minutes that a dated signature is good for.
const SIGNATURE_MINUTES: u64 = 15;

/// Which service was signed for: they sign differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    Ec2,
    S3,
}

impl Keystone {
    /// A token for whoever has signed, if the signature is right.
    pub(crate) async fn authenticate_signature(
        &self,
        signed: Signed,
        request: &Value,
    ) -> Result<Token, Error> {
        let access = request["access"].as_str();
        let access = access.ok_or(Error::Unauthorized("EC2 signature not supplied"))?;
        let missing = || Error::Missing("EC2 access key not found.".to_owned());
        let found = self.find_credential(&super::credentials::ec2_id(access)).await?;
        let found = found.filter(|found| found.kind == EC2).ok_or_else(missing)?;
        let blob: Value = serde_json::from_str(&found.blob).unwrap_or_default();
        let secret = blob["secret"].as_str().unwrap_or_default();
        let good = match signed {
            Signed::Ec2 => ec2_signature_is_right(request, secret),
            Signed::S3 => s3_signature_is_right(request, secret),
        };
        if !good {
            return Err(Error::Unauthorized("wrong EC2 signature"));
        }
        let now = self.now();
        if !is_recent(request, now) {
            return Err(Error::Unauthorized("the signature is too old"));
        }
        let project = found.project_id.ok_or_else(missing)?;
        let lifetime = std::time::Duration::from_secs(self.config.token_expiration);
        let payload = Payload {
            user_id: found.user_id.to_string(),
            methods: vec![Method::Ec2],
            scope: ScopeIds::Project(project),
            issued_at: now,
            expires_at: now + lifetime,
            audit_ids: vec![audit_id()],
            application_credential_id: blob["app_cred_id"].as_str().map(str::to_owned),
            trust_id: blob["trust_id"].as_str().map(str::to_owned),
        };
        Ok(self.issue(payload).await?.1)
    }
}

fn s3_signature_is_right(request: &Value, secret: &str) -> bool {
    let (token, signature) = (&request["token"], &request["signature"]);
    let (Some(token), Some(signature)) = (token.as_str(), signature.as_str()) else {
        return false;
    };
    let Ok(text) = URL_SAFE.decode(token) else {
        return false;
    };
    let right = if text.starts_with(b"AWS4") {
        match v4(&text, secret, &["s3", "iam", "sts"]) {
            Some(right) => right,
            None => return false,
        }
    } else {
        STANDARD.encode(hmac_sha1(secret, &text))
    };
    same(signature.as_bytes(), right.as_bytes())
}

/// AWS signature 4 over a string to sign whose scope names one of the services.
fn v4(text: &[u8], secret: &str, services: &[&str]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let lines: Vec<&str> = text.split('\n').collect();
    let ["AWS4-HMAC-SHA256", _, scope, _] = lines.as_slice() else {
        return None;
    };
    let parts: Vec<&str> = scope.split('/').collect();
    let [date, region, service, "aws4_request"] = parts.as_slice() else {
        return None;
    };
    if !services.is_empty() && !services.contains(service) {
        return None;
    }
    let mut key = keyed(format!("AWS4{secret}").as_bytes(), &[date.as_bytes()]);
    for part in [*region, *service, "aws4_request"] {
        key = keyed(&key, &[part.as_bytes()]);
    }
    Some(hex(&keyed(&key, &[text.as_bytes()])))
}

/// EC2 requests send what was signed in pieces: verb, host, path, params, headers, body_hash.
fn ec2_signature_is_right(request: &Value, secret: &str) -> bool {
    let Some(signature) = request["signature"].as_str() else {
        return false;
    };
    let params = &request["params"];
    let version = params["SignatureVersion"].as_str();
    let host = request["host"].as_str().unwrap_or_default();
    let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
    // Some clients sign the host without its port.
    [host, bare].into_iter().any(|host| {
        let right = match version {
            Some("2") => ec2_v2(request, host, secret),
            Some("1") | Some("0") => None,
            _ => ec2_v4(request, host, secret),
        };
        right.is_some_and(|right| same(right.as_bytes(), signature.as_bytes()))
    })
}

fn ec2_v2(request: &Value, host: &str, secret: &str) -> Option<String> {
    let params = request["params"].as_object()?;
    let text = format!(
        "{}\n{host}\n{}\n{}",
        request["verb"].as_str()?,
        request["path"].as_str()?,
        canonical_query(params, &["Signature"])
    );
    match params.get("SignatureMethod")?.as_str()? {
        "HmacSHA256" => Some(STANDARD.encode(keyed(secret.as_bytes(), &[text.as_bytes()]))),
        "HmacSHA1" => Some(STANDARD.encode(hmac_sha1(secret, text.as_bytes()))),
        _ => None,
    }
}

fn ec2_v4(request: &Value, host: &str, secret: &str) -> Option<String> {
    let headers = request["headers"].as_object()?;
    let header = |name: &str| {
        let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str())
    };
    let authorization = header("authorization")?;
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(name)?;
        Some(rest.split([',', ' ']).next().unwrap_or(rest))
    };
    let (_, scope) = part("Credential=")?.split_once('/')?;
    let signed_headers = part("SignedHeaders=")?;
    let mut canonical = String::new();
    for name in signed_headers.split(';') {
        let value = if name == "host" { host } else { header(name)? };
        canonical.push_str(&format!("{name}:{}\n", value.trim()));
    }
    let params = request["params"].as_object().cloned().unwrap_or_default();
    let verb = request["verb"].as_str()?;
    let query = if verb == "POST" { String::new() } else { canonical_query(&params, &[]) };
    let whole = format!(
        "{verb}\n{}\n{query}\n{canonical}\n{signed_headers}\n{}",
        request["path"].as_str()?,
        request["body_hash"].as_str()?
    );
    let date = header("x-amz-date").or_else(|| params.get("X-Amz-Date")?.as_str())?;
    let digest = hex(&Sha256::digest(whole.as_bytes()));
    v4(format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}").as_bytes(), secret, &[])
}

fn canonical_query(params: &serde_json::Map<String, Value>, without: &[&str]) -> String {
    let mut pairs: Vec<(String, String)> = params
        .iter()
        .filter(|(name, _)| !without.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (stackup_web::query::encode(name), stackup_web::query::encode(&value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// A signature with a date is good for some minutes; one without was meant to last.
fn is_recent(request: &Value, now: Time) -> bool {
    let dates = [
        &request["params"]["Timestamp"],
        &request["headers"]["X-Amz-Date"],
        &request["params"]["X-Amz-Date"],
    ];
    let Some(date) = dates.into_iter().find_map(Value::as_str) else {
        return true;
    };
    let Ok(date) = Time::parse(date).or_else(|_| Time::parse(&with_dashes(date))) else {
        return false;
    };
    now.since(date) <= std::time::Duration::from_secs(SIGNATURE_MINUTES * 60)
}

/// `20261121T040850Z` with the dashes and colons that a time has elsewhere.
fn with_dashes(date: &str) -> String {
    let mut text = date.to_owned();
    if text.len() == 16 && text.is_ascii() {
        for (at, mark) in [(13, ':'), (11, ':'), (6, '-'), (4, '-')] {
            text.insert(at, mark);
        }
    }
    text
}

fn hmac_sha1(secret: &str, text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else {
        return Vec::new();
    };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_v4_example_of_the_manual() {
        // AWS's "deriving the signing key" example: IAM, 2015-08-30.
        let text = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                    f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let right = v4(text.as_bytes(), secret, &["iam"]);
        let known = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(right.as_deref(), Some(known));
        assert_eq!(v4(text.as_bytes(), secret, &["s3"]), None);
    }

    #[test]
    fn s3_signatures_of_both_kinds() {
        let text = URL_SAFE.encode("GET\n\n\nThu, 17 Nov 2005 18:49:58 GMT\n/bucket/");
        let signature = STANDARD.encode(hmac_sha1("secret", &URL_SAFE.decode(&text).unwrap()));
        let request = json!({"token": text, "signature": signature});
        assert!(s3_signature_is_right(&request, "secret"));
        assert!(!s3_signature_is_right(&request, "other"));
        assert!(!s3_signature_is_right(&json!({"token": 1}), "secret"));
    }

    #[test]
    fn dates_with_and_without_marks() {
        let now = Time::parse("2026-11-21T04:20:00Z").unwrap();
        let at = |date: &str| json!({"headers": {"X-Amz-Date": date}});
        assert!(is_recent(&at("20261121T041000Z"), now));
        assert!(!is_recent(&at("20261121T030000Z"), now));
        assert!(!is_recent(&at("soon"), now));
        assert!(is_recent(&json!({}), now));
    }
}
