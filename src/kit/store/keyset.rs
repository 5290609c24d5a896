//! Pages by keyset: the `WHERE` and `ORDER BY` of "the rows after this one".

use stackup_core::{Direction, Value};

/// One column of an order. The last column of every order is unique, so that no two rows tie.
#[derive(Debug, Clone)]
pub struct Order {
    pub column: &'static str,
    pub direction: Direction,
}

/// An order, and the row after which the page begins.
#[derive(Debug, Clone)]
pub struct Keyset {
    pub order: Vec<Order>,
    /// The marker's values of the order's columns; `None` for the first page.
    pub after: Option<Vec<Value>>,
}

impl Keyset {
    /// The condition that selects the rows after the marker, with its parameters pushed onto
    /// `params`; `None` on the first page. NULLs come first in ascending order, on both engines.
    pub fn condition(&self, params: &mut Vec<Value>) -> Option<String> {
        let after = self.after.as_ref()?;
        let mut alternatives = Vec::new();
        let mut equal: Vec<String> = Vec::new();
        for (order, value) in self.order.iter().zip(after) {
            let column = order.column;
            let (same, beyond) = match (value, order.direction) {
                (Value::Null, direction) => (
                    format!("{column} IS NULL"),
                    (direction == Direction::Ascending).then(|| format!("{column} IS NOT NULL")),
                ),
                (value, direction) => {
                    params.push(value.clone());
                    let n = params.len();
                    let beyond = match direction {
                        Direction::Ascending => format!("{column} > ${n}"),
                        Direction::Descending => format!("({column} < ${n} OR {column} IS NULL)"),
                    };
                    (format!("{column} = ${n}"), Some(beyond))
                }
            };
            if let Some(beyond) = beyond {
                let all: Vec<String> = equal.iter().cloned().chain([beyond]).collect();
                alternatives.push(format!("({})", all.join(" AND ")));
            }
            equal.push(same);
        }
        if alternatives.is_empty() {
            return Some("1 = 0".into());
        }
        Some(format!("({})", alternatives.join(" OR ")))
    }

    /// The `ORDER BY` list.
    pub fn order_by(&self) -> String {
        let columns = self.order.iter().map(|order| match order.direction {
            Direction::Ascending => format!("{} ASC NULLS FIRST", order.column),
            Direction::Descending => format!("{} DESC NULLS LAST", order.column),
        });
        columns.collect::<Vec<_>>().join(", ")
    }
}
