//! Tokens: what one says, and the few bytes that are signed.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stackup_core::{Caller, DomainRef, ProjectId, Scope, Time};

use super::role::RoleRef;
use super::trust::Trust;
use super::user::User;

stackup_core::wire_enum! {
    /// How somebody proved who they are.
    pub(crate) enum Method {
        Password = "password",
        Token = "token",
        ApplicationCredential = "application_credential",
        Totp = "totp",
        Ec2 = "ec2credential",
    }
}

/// What a token is good for, by ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScopeIds {
    Unscoped,
    Project(ProjectId),
    Domain(String),
    System,
}

/// What is signed and encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) user_id: String,
    pub(crate) methods: Vec<Method>,
    pub(crate) scope: ScopeIds,
    pub(crate) issued_at: Time,
    pub(crate) expires_at: Time,
    /// The token's own, then that of the one it was made from.
    pub(crate) audit_ids: Vec<String>,
    pub(crate) application_credential_id: Option<String>,
    pub(crate) trust_id: Option<String>,
}

/// A token that was found good.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) payload: Payload,
    pub(crate) user: User,
    pub(crate) user_domain: DomainRef,
    pub(crate) scope: Scope,
    pub(crate) roles: Vec<RoleRef>,
    pub(crate) application_credential: Option<ApplicationCredentialRef>,
    pub(crate) trust: Option<Trust>,
}

/// An application credential, as tokens show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationCredentialRef {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) unrestricted: bool,
    /// The project it was made for; the only one its tokens may have.
    pub(crate) project_id: ProjectId,
    pub(crate) expires_at: Option<Time>,
}

impl Token {
    /// The token's holder, as every service sees them.
    pub(crate) fn caller(&self) -> Caller {
        let credential = self.application_credential.as_ref();
        Caller {
            user_id: self.user.id.clone(),
            user_name: self.user.name.clone(),
            user_domain: self.user_domain.clone(),
            scope: self.scope.clone(),
            roles: self.roles.iter().map(|role| role.name.clone()).collect(),
            expires_at: self.payload.expires_at,
            issued_at: self.payload.issued_at,
            audit_ids: self.payload.audit_ids.clone(),
            methods: method_names(&self.payload.methods),
            application_credential_id: credential.map(|c| c.id.clone()),
            unrestricted: credential.is_none_or(|c| c.unrestricted),
            trust_id: self.trust.as_ref().map(|trust| trust.id.clone()),
        }
    }

    pub(crate) fn shared_caller(&self) -> Arc<Caller> {
        Arc::new(self.caller())
    }
}

pub(crate) fn method_names(methods: &[Method]) -> Vec<String> {
    methods.iter().map(|method| method.as_str().to_owned()).collect()
}

/// The layout of [`Packed`]; another number is another layout.
const VERSION: u8 = 1;

/// A payload on the wire: a msgpack array, ids as bytes where they are hexadecimal.
#[derive(Serialize, Deserialize)]
struct Packed(u8, Id, u8, u8, Option<Id>, i64, i64, Vec<Id>, Option<Id>, Option<Id>);

impl Payload {
    /// The bytes to sign.
    pub(crate) fn pack(&self) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        let bit =
            |method: &Method| 1u8 << Method::ALL.iter().position(|m| m == method).unwrap_or(0);
        let (kind, scope) = match &self.scope {
            ScopeIds::Unscoped => (0, None),
            ScopeIds::Project(id) => (1, Some(Id(id.to_string()))),
            ScopeIds::Domain(id) => (2, Some(Id(id.clone()))),
            ScopeIds::System => (3, None),
        };
        rmp_serde::to_vec(&Packed(
            VERSION,
            Id(self.user_id.clone()),
            self.methods.iter().map(bit).fold(0, |all, bit| all | bit),
            kind,
            scope,
            self.issued_at.unix_micros(),
            self.expires_at.unix_micros(),
            self.audit_ids.iter().cloned().map(Id).collect(),
            self.application_credential_id.clone().map(Id),
            self.trust_id.clone().map(Id),
        ))
    }

    /// The payload of signed bytes; `None` when they have another layout.
    pub(crate) fn unpack(bytes: &[u8]) -> Option<Self> {
        let packed: Packed = rmp_serde::from_slice(bytes).ok()?;
        let Packed(VERSION, user, methods, kind, scope, issued, expires, audits, credential, trust) =
            packed
        else {
            return None;
        };
        let scope = match (kind, scope) {
            (0, None) => ScopeIds::Unscoped,
            (1, Some(id)) => ScopeIds::Project(id.0.into()),
            (2, Some(id)) => ScopeIds::Domain(id.0),
            (3, None) => ScopeIds::System,
            _ => return None,
        };
        let has =
            |(index, method): (usize, &Method)| (methods >> index & 1 == 1).then_some(*method);
        Some(Self {
            user_id: user.0,
            methods: Method::ALL.iter().enumerate().filter_map(has).collect(),
            scope,
            issued_at: from_micros(issued),
            expires_at: from_micros(expires),
            audit_ids: audits.into_iter().map(|id| id.0).collect(),
            application_credential_id: credential.map(|id| id.0),
            trust_id: trust.map(|id| id.0),
        })
    }
}

fn from_micros(micros: i64) -> Time {
    let seconds = Time::from_unix(micros.div_euclid(1_000_000));
    let rest = u64::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0);
    seconds + std::time::Duration::from_micros(rest)
}

/// An id: 32 lower-case hexadecimal digits travel as 16 bytes, anything else as text.
struct Id(String);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match to_bytes(&self.0) {
            Some(bytes) => serializer.serialize_bytes(&bytes),
            None => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Ok(Id(text.to_owned()))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Id, E> {
                Ok(Id(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

fn to_bytes(text: &str) -> Option<[u8; 16]> {
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 32 || !plain {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(scope: ScopeIds) -> Payload {
        Payload {
            user_id: "0123456789abcdef0123456789abcdef".to_owned(),
            methods: vec![Method::Password, Method::Token],
            scope,
            issued_at: from_micros(1_700_000_000_123_456),
            expires_at: Time::from_unix(1_700_003_600),
            audit_ids: vec!["3T2dc1CGQxyJsHdDu1xkcw".to_owned()],
            application_credential_id: None,
            trust_id: None,
        }
    }

    #[test]
    fn every_scope_comes_back() {
        for scope in [
            ScopeIds::Unscoped,
            ScopeIds::Project("fedcba9876543210fedcba9876543210".into()),
            ScopeIds::Domain("default".to_owned()),
            ScopeIds::System,
        ] {
            let payload = payload(scope);
            let bytes = payload.pack().unwrap();
            assert!(bytes.len() < 96, "{} bytes", bytes.len());
            assert_eq!(Payload::unpack(&bytes), Some(payload));
        }
    }

    #[test]
    fn another_layout_is_no_token() {
        assert_eq!(Payload::unpack(b""), None);
        assert_eq!(Payload::unpack(&[0x91, 1]), None);
        let mut bytes = payload(ScopeIds::System).pack().unwrap();
        bytes[1] = 2;
        assert_eq!(Payload::unpack(&bytes), None);
    }
}
