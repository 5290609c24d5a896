//! Rows, read by position.

use stackup_core::{FromValue, Value};

use crate::StoreError;

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// The column at `index`, from 0. Fails when it is not there or holds another kind.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, StoreError> {
        let value = self.0.get(index).ok_or(StoreError::MissingColumn(index))?;
        Ok(T::from_value(value)?)
    }
}

/// A model that can be read from a row of its store's column list.
pub trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

impl FromRow for Row {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(row.clone())
    }
}

macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        impl<$($name: FromValue),*> FromRow for ($($name,)*) {
            fn from_row(row: &Row) -> Result<Self, StoreError> {
                Ok(($(row.get::<$name>($index)?,)*))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
