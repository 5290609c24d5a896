//! Ids: opaque text with a type, so that a server's is never taken for a port's.

use uuid::Uuid;

/// A new random id in the usual form, `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`.
pub fn uuid() -> String {
    random().to_string()
}

/// A new random id without dashes, as keystone writes them.
pub fn hex() -> String {
    random().simple().to_string()
}

/// The id that always belongs to `name`: for what is seeded, so that two installs agree.
pub fn named(name: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{name}.stackup").as_bytes()).to_string()
}

/// Whether `text` is a UUID, with or without dashes, as upstream's `is_uuid_like` takes it.
pub fn is_uuid_like(text: &str) -> bool {
    Uuid::try_parse(text).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn random() -> Uuid {
    Uuid::new_v4()
}

/// Declares id types: text inside, told apart by the compiler, stored and sent as plain text.
#[macro_export]
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new random id with dashes.
            pub fn random() -> Self { Self($crate::ids::uuid()) }
            /// A new random id without dashes.
            pub fn random_hex() -> Self { Self($crate::ids::hex()) }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str { &self.0 }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
        impl From<String> for $name { fn from(text: String) -> Self { Self(text) } }
        impl From<&str> for $name { fn from(text: &str) -> Self { Self(text.to_owned()) } }
        impl From<$name> for String { fn from(id: $name) -> Self { id.0 } }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl PartialEq<str> for $name { fn eq(&self, other: &str) -> bool { self.0 == other } }
        impl PartialEq<&str> for $name { fn eq(&self, other: &&str) -> bool { self.0 == *other } }
        impl $crate::value::ToValue for $name {
            fn to_value(&self) -> $crate::value::Value { $crate::value::Value::Text(self.0.clone()) }
        }
        impl $crate::value::FromValue for $name {
            fn from_value(value: &$crate::value::Value) -> Result<Self, $crate::value::ValueError> {
                <String as $crate::value::FromValue>::from_value(value).map(Self)
            }
        }
    )*};
}

ids! {
    /// A keystone domain.
    DomainId,
    /// A nova flavor; any text, often a number.
    FlavorId,
    /// A glance image.
    ImageId,
    /// A neutron network.
    NetworkId,
    /// A neutron port.
    PortId,
    /// A keystone project.
    ProjectId,
    /// A placement resource provider.
    ProviderId,
    /// A neutron router.
    RouterId,
    /// A neutron security group.
    SecurityGroupId,
    /// A nova server.
    ServerId,
    /// A neutron subnet.
    SubnetId,
    /// A keystone user.
    UserId,
    /// A cinder volume.
    VolumeId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_uuid_like() {
        assert!(is_uuid_like(&uuid()) && is_uuid_like(&hex()));
        assert!(!is_uuid_like("m1.tiny") && !is_uuid_like(""));
        assert_eq!(hex().len(), 32);
    }

    #[test]
    fn named_ids_are_stable() {
        assert_eq!(named("m1.tiny"), named("m1.tiny"));
        assert_ne!(named("m1.tiny"), named("m1.small"));
    }
}
