//! Enums with upstream's spelling.

/// Declares an enum whose variants have one spelling, at the API and in the store.
///
/// Gives `as_str`, `parse`, `ALL`, `Display`, serde and the column conversions.
#[macro_export]
macro_rules! wire_enum {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// Every variant, in order.
            $vis const ALL: &'static [$name] = &[$($name::$variant),*];

            /// Upstream's spelling.
            $vis fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            /// The variant spelt `text`.
            $vis fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| ::serde::de::Error::unknown_variant(&text, &[$($text),*]))
            }
        }
        impl $crate::value::ToValue for $name {
            fn to_value(&self) -> $crate::value::Value { $crate::value::Value::Text(self.as_str().to_owned()) }
        }
        impl $crate::value::FromValue for $name {
            fn from_value(value: &$crate::value::Value) -> Result<Self, $crate::value::ValueError> {
                let text = <String as $crate::value::FromValue>::from_value(value)?;
                Self::parse(&text).ok_or_else(|| value.unexpected(stringify!($name)))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    wire_enum! {
        /// A test's.
        enum Colour { Red = "RED", DeepBlue = "deep-blue" }
    }

    #[test]
    fn spelling_goes_both_ways() {
        for colour in Colour::ALL {
            assert_eq!(Colour::parse(colour.as_str()), Some(*colour));
            let json = serde_json::to_string(colour).unwrap();
            assert_eq!(serde_json::from_str::<Colour>(&json).unwrap(), *colour);
        }
        assert!(serde_json::from_str::<Colour>("\"red\"").is_err());
    }
}
