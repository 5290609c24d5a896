//! What a store column holds, and how Rust values become one.

use std::fmt;

/// A column of a row: the five kinds that SQLite and PostgreSQL share.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A column that did not hold what the reader expected: a bug in a statement or a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, the column holds {found}")]
pub struct ValueError {
    pub expected: &'static str,
    pub found: String,
}

/// What can be bound to a statement.
pub trait ToValue {
    fn to_value(&self) -> Value;
}

/// What can be read from a column. Fails on a value of another kind.
pub trait FromValue: Sized {
    fn from_value(value: &Value) -> Result<Self, ValueError>;
}

impl Value {
    /// The error of a reader that wanted something else.
    pub fn unexpected(&self, expected: &'static str) -> ValueError {
        ValueError { expected, found: self.to_string() }
    }
}

impl fmt::Display for Value {
    /// The kind only: an error must not carry a secret out of a column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::Null => "null",
            Value::Int(_) => "an integer",
            Value::Real(_) => "a real",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
        })
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl ToValue for $int {
            /// Beyond the column's range is its end: `usize::MAX` rows are all rows.
            fn to_value(&self) -> Value { Value::Int(i64::try_from(*self).unwrap_or(i64::MAX)) }
        }
        impl FromValue for $int {
            fn from_value(value: &Value) -> Result<Self, ValueError> {
                match value {
                    Value::Int(int) => <$int>::try_from(*int).map_err(|_| value.unexpected(stringify!($int))),
                    other => Err(other.unexpected(stringify!($int))),
                }
            }
        }
    )*};
}
integers!(i32, i64, u8, u16, u32, u64, usize);

impl ToValue for bool {
    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        i64::from_value(value).map(|int| int != 0)
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        Value::Real(*self)
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Real(real) => Ok(*real),
            // SQLite gives a whole number back as an integer when the column has no affinity.
            #[expect(clippy::cast_precision_loss, reason = "quantities here are far below 2^52")]
            Value::Int(int) => Ok(*int as f64),
            other => Err(other.unexpected("a real")),
        }
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(other.unexpected("text")),
        }
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => Err(other.unexpected("bytes")),
        }
    }
}

impl ToValue for serde_json::Value {
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
}

impl FromValue for serde_json::Value {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        serde_json::from_str(&String::from_value(value)?).map_err(|_| value.unexpected("JSON"))
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl FromValue for Value {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Ok(value.clone())
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}
