//! Changes of an image: JSON patch, in the two drafts that glance reads.

use serde_json::Value;

use super::{Image, property};
use crate::{Config, Error};

/// Which draft the content type names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draft {
    /// `application/openstack-images-v2.0-json-patch`: `{"replace": "/name", "value": …}`
    Four,
    /// `application/openstack-images-v2.1-json-patch`: `{"op": "replace", "path": "/name", …}`
    Ten,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Remove,
    Replace,
}

/// One change, checked as far as can be without the image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) op: Op,
    pub(crate) name: String,
    /// `Null` for a removal.
    pub(crate) value: Value,
    draft: Draft,
}

const OPERATIONS: &[(&str, Op)] =
    &[("add", Op::Add), ("remove", Op::Remove), ("replace", Op::Replace)];

impl Draft {
    /// The content types, as a client is told them.
    pub(crate) const ACCEPTED: &str = "application/openstack-images-v2.0-json-patch, \
                                       application/openstack-images-v2.1-json-patch";

    /// The draft of a content type; parameters after `;` do not matter.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/openstack-images-v2.0-json-patch" => Some(Draft::Four),
            "application/openstack-images-v2.1-json-patch" => Some(Draft::Ten),
            _ => None,
        }
    }
}

/// Reads a patch. 400 on what is no patch, 403 on attributes that nobody may write.
pub(crate) fn parse(draft: Draft, body: &Value, config: &Config) -> Result<Vec<Change>, Error> {
    let operations = body
        .as_array()
        .ok_or_else(|| bad("Request body must be a JSON array of operation objects.".to_owned()))?;
    operations.iter().map(|operation| change(draft, operation, config)).collect()
}

fn change(draft: Draft, raw: &Value, config: &Config) -> Result<Change, Error> {
    let Some(object) = raw.as_object() else {
        return Err(bad("Operations must be JSON objects.".to_owned()));
    };
    let (op, pointer) = match draft {
        Draft::Ten => ten(object)?,
        Draft::Four => four(object)?,
    };
    let path = decode(pointer)?;
    let name = path.first().cloned().unwrap_or_default();
    let depth = match (name.as_str(), op) {
        ("locations", Op::Add | Op::Remove) => 2,
        _ => 1,
    };
    if path.len() != depth || name.is_empty() {
        let path = path.join("/");
        return Err(bad(format!("Invalid JSON pointer for this resource: '/{path}'")));
    }
    let value = match (op, object.get("value")) {
        (Op::Remove, _) => Value::Null,
        (Op::Add | Op::Replace, Some(value)) => value.clone(),
        (Op::Add | Op::Replace, None) => {
            let op = op.as_str();
            return Err(bad(format!("Operation \"{op}\" requires a member named \"value\".")));
        }
    };
    if name == "id" {
        return Err(Error::Forbidden("Attribute 'id' is read-only.".to_owned()));
    }
    property::may_write(&name)?;
    if op != Op::Remove && name != "locations" {
        // The value is wrong or right whatever the image is: complain before it is looked up.
        let mut nobody = Image::queued(String::new(), None, stackup_core::Time::from_unix(0));
        property::set(&mut nobody, &name, &value, config)?;
    }
    Ok(Change { op, name, value, draft })
}

/// Makes the changes to `image`. The policy of each was checked before.
pub(crate) fn apply(
    image: &mut Image,
    changes: &[Change],
    admin: bool,
    config: &Config,
) -> Result<(), Error> {
    for change in changes {
        change.apply(image, admin, config)?;
    }
    Ok(())
}

impl Op {
    fn as_str(self) -> &'static str {
        match self {
            Op::Add => "add",
            Op::Remove => "remove",
            Op::Replace => "replace",
        }
    }
}

impl Change {
    fn apply(&self, image: &mut Image, admin: bool, config: &Config) -> Result<(), Error> {
        let name = self.name.as_str();
        if name == "locations" {
            return Err(Error::Forbidden(self.no_locations()));
        }
        let is_base = property::is_base(name);
        let exists = is_base || image.properties.contains_key(name);
        match self.op {
            Op::Remove if is_base => {
                Err(Error::Forbidden(format!("Property {name} may not be removed.")))
            }
            Op::Remove | Op::Replace if !exists => {
                Err(Error::Conflict(format!("Property {name} does not exist.")))
            }
            Op::Remove => {
                image.properties.remove(name);
                Ok(())
            }
            Op::Add if exists && self.draft == Draft::Four => {
                Err(Error::Conflict(format!("Property {name} already present.")))
            }
            Op::Add | Op::Replace if name == "owner" && !admin => {
                Err(Error::Forbidden("Owner can't be updated by non admin.".to_owned()))
            }
            Op::Add | Op::Replace => property::set(image, name, &self.value, config),
        }
    }

    fn no_locations(&self) -> String {
        let empty = self.value.as_array().is_some_and(Vec::is_empty) || self.value.is_null();
        if self.op == Op::Replace && empty {
            return "Cannot set locations to empty list.".to_owned();
        }
        let verb = match self.op {
            Op::Add => "add",
            Op::Remove => "remove",
            Op::Replace => "update",
        };
        format!("It's not allowed to {verb} locations if locations are invisible.")
    }
}

type Object = serde_json::Map<String, Value>;

fn ten(object: &Object) -> Result<(Op, &str), Error> {
    let words = "It must be one of the following: add, remove, replace.";
    let Some(word) = object.get("op") else {
        return Err(bad(format!("Unable to find `op` in JSON Schema change. {words}")));
    };
    let known = OPERATIONS.iter().find(|(name, _)| word.as_str() == Some(name));
    let Some((_, op)) = known else {
        return Err(bad(format!("Invalid operation: `{word}`. {words}")));
    };
    let Some(path) = object.get("path") else {
        return Err(bad("Unable to find 'path' in JSON Schema change".to_owned()));
    };
    Ok((*op, text(path)?))
}

fn four(object: &Object) -> Result<(Op, &str), Error> {
    let named: Vec<_> = OPERATIONS
        .iter()
        .filter_map(|(name, op)| object.get(*name).map(|path| (*op, path)))
        .collect();
    let count = match named.as_slice() {
        [(op, path)] => return Ok((*op, text(path)?)),
        [] => "exactly one member",
        _ => "only one member",
    };
    Err(bad(format!(
        "Operation objects must contain {count} named \"add\", \"remove\", or \"replace\"."
    )))
}

fn text(path: &Value) -> Result<&str, Error> {
    path.as_str().ok_or_else(|| bad(format!("Pointer `{path}` does not start with \"/\".")))
}

/// Reads a JSON pointer, in the limited form that glance takes.
fn decode(pointer: &str) -> Result<Vec<String>, Error> {
    let Some(inner) = pointer.strip_prefix('/') else {
        return Err(bad(format!("Pointer `{pointer}` does not start with \"/\".")));
    };
    let parts: Vec<&str> = inner.split('/').collect();
    let (last, before) = parts.split_last().map_or(("", &[][..]), |(l, b)| (*l, b));
    if before.iter().any(|part| part.trim().is_empty()) {
        return Err(bad(format!("Pointer `{pointer}` contains adjacent \"/\".")));
    }
    if last.is_empty() && !before.is_empty() {
        return Err(bad(format!("Pointer `{pointer}` end with \"/\".")));
    }
    let mut rest = inner;
    while let Some(at) = rest.find('~') {
        rest = &rest[at + 1..];
        if !rest.starts_with(['0', '1']) {
            return Err(bad(format!(
                "Pointer `{pointer}` contains \"~\" not part of a recognized escape sequence."
            )));
        }
    }
    let plain = |part: &&str| part.replace("~1", "/").replace("~0", "~").trim().to_owned();
    Ok(parts.iter().map(plain).collect())
}

fn bad(why: String) -> Error {
    Error::BadRequest(why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stackup_core::Time;

    use super::*;

    fn patched(draft: Draft, body: &Value) -> Result<Image, Error> {
        let config = Config::default();
        let mut image = Image::queued("i".into(), Some("p".into()), Time::from_unix(0));
        image.properties.insert("colour".into(), Some("red".into()));
        let changes = parse(draft, body, &config)?;
        apply(&mut image, &changes, false, &config)?;
        Ok(image)
    }

    fn ten(op: &str, path: &str, value: &Value) -> Result<Image, Error> {
        patched(Draft::Ten, &json!([{"op": op, "path": path, "value": value}]))
    }

    #[test]
    fn properties_are_added_replaced_and_removed() {
        let image = ten("replace", "/name", &json!("new")).unwrap();
        assert_eq!(image.name.as_deref(), Some("new"));
        let image = ten("add", "/a~1b~0c", &json!("x")).unwrap();
        assert!(image.properties.contains_key("a/b~c"));
        let image = ten("remove", "/colour", &Value::Null).unwrap();
        assert!(image.properties.is_empty());
        let body = json!([{"replace": "/tags", "value": ["t"]}]);
        assert_eq!(patched(Draft::Four, &body).unwrap().tags, ["t"]);
    }

    #[test]
    fn refusals_are_upstreams() {
        let forbidden = |r: Result<Image, Error>| assert!(matches!(r, Err(Error::Forbidden(_))));
        let conflict = |r: Result<Image, Error>| assert!(matches!(r, Err(Error::Conflict(_))));
        let bad = |r: Result<Image, Error>| assert!(matches!(r, Err(Error::BadRequest(_))));
        forbidden(ten("replace", "/status", &json!("active")));
        forbidden(ten("replace", "/id", &json!("x")));
        forbidden(ten("replace", "/owner", &json!("q")));
        forbidden(ten("add", "/owner", &json!("q")));
        forbidden(ten("remove", "/name", &Value::Null));
        forbidden(ten("add", "/locations/-", &json!({"url": "file:///etc/passwd"})));
        forbidden(ten("replace", "/locations", &json!([])));
        conflict(ten("replace", "/absent", &json!("x")));
        conflict(ten("remove", "/absent", &Value::Null));
        conflict(patched(Draft::Four, &json!([{"add": "/colour", "value": "x"}])));
        bad(ten("move", "/name", &json!("x")));
        bad(ten("replace", "name", &json!("x")));
        bad(ten("replace", "/", &json!("x")));
        bad(ten("replace", "/a//b", &json!("x")));
        bad(ten("replace", "/name/", &json!("x")));
        bad(ten("replace", "/a~2", &json!("x")));
        bad(ten("add", "/tags/-", &json!("x")));
        bad(patched(Draft::Ten, &json!({})));
        bad(patched(Draft::Ten, &json!(["x"])));
        bad(patched(Draft::Ten, &json!([{"op": "add", "path": "/x"}])));
        bad(patched(Draft::Four, &json!([{"add": "/x", "remove": "/y"}])));
    }
}
