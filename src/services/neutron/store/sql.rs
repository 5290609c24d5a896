//! Statements put together from const pieces; values only ever as parameters.

use stackup_core::{Ctx, Reach, ToValue, Value};

use crate::model::Resource;

/// Whose rows a statement sees.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The caller's project; empty when the token has none.
    pub(crate) me: String,
    /// Every row.
    pub(crate) all: bool,
}

impl Scope {
    /// What the caller sees of a resource.
    pub(crate) fn of(cx: &Ctx, resource: &Resource) -> Self {
        let service = resource.service_sees && cx.caller.has_role("service");
        Self {
            me: cx.project_id().map(ToString::to_string).unwrap_or_default(),
            all: cx.reach() == Reach::All || service,
        }
    }

    /// Every row, as an administrator of no project sees them.
    pub(crate) fn everything() -> Self {
        Self { me: String::new(), all: true }
    }
}

/// A statement in the making.
#[derive(Debug, Default)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) params: Vec<Value>,
    me: Option<usize>,
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a parameter and its placeholder.
    pub(crate) fn bind(&mut self, value: &impl ToValue) {
        self.params.push(value.to_value());
        let index = self.params.len();
        self.text.push_str(&format!("${index}"));
    }

    /// Adds text in which `{me}` stands for the caller's project.
    pub(crate) fn template(&mut self, template: &str, scope: &Scope) {
        let mut pieces = template.split("{me}");
        self.push(pieces.next().unwrap_or_default());
        for piece in pieces {
            let index = *self.me.get_or_insert_with(|| {
                self.params.push(scope.me.to_value());
                self.params.len()
            });
            self.text.push_str(&format!("${index}"));
            self.text.push_str(piece);
        }
    }

    /// Adds `(…)` of the values. Lists are filled up to a power of two, so that there are few
    /// different statements to prepare.
    pub(crate) fn bind_list<T: ToValue>(&mut self, values: &[T]) {
        let Some(last) = values.last() else {
            self.push("(NULL)");
            return;
        };
        self.push("(");
        for index in 0..values.len().next_power_of_two() {
            if index > 0 {
                self.push(", ");
            }
            self.bind(values.get(index).unwrap_or(last));
        }
        self.push(")");
    }
}
