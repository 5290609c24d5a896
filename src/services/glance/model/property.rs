//! The attributes of an image as users write them: which there are, what they may hold, who may not
//! touch them.

use serde_json::Value;

use super::{Image, Status, Visibility};
use crate::{Config, Error};

/// Set by glance alone.
const READ_ONLY: &[&str] = &[
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "direct_url",
    "self",
    "file",
    "schema",
    "stores",
    "os_hash_algo",
    "os_hash_value",
];
/// Of no meaning to users.
const RESERVED: &[&str] = &["location", "deleted", "deleted_at"];
const RESERVED_PREFIX: &str = "os_glance";

/// Longest name of a custom property, of an image and of a tag.
const LONGEST: usize = 255;

/// Refuses attributes that a request may not carry.
pub(crate) fn may_write(name: &str) -> Result<(), Error> {
    if READ_ONLY.contains(&name) {
        return Err(Error::Forbidden(format!("Attribute '{name}' is read-only.")));
    }
    if RESERVED.contains(&name) || name.starts_with(RESERVED_PREFIX) {
        return Err(Error::Forbidden(format!("Attribute '{name}' is reserved.")));
    }
    if name.chars().count() > LONGEST {
        return Err(Error::BadRequest(
            "Custom property should not be greater than 255 characters.".to_owned(),
        ));
    }
    Ok(())
}

/// Whether every image has the attribute, so that it can be set and not removed.
pub(crate) fn is_base(name: &str) -> bool {
    const SETTABLE: &[&str] = &[
        "container_format",
        "disk_format",
        "min_disk",
        "min_ram",
        "name",
        "tags",
        "owner",
        "visibility",
        "protected",
        "os_hidden",
    ];
    SETTABLE.contains(&name) || name == "id" || READ_ONLY.contains(&name)
}

/// Sets one attribute to what a request says. 400 when the value is not of its schema, 403 when
/// the image's state does not allow it.
pub(crate) fn set(
    image: &mut Image,
    name: &str,
    value: &Value,
    config: &Config,
) -> Result<(), Error> {
    match name {
        "id" => image.id = uuid(value)?,
        "name" => image.name = opt_text(name, value)?,
        "owner" => image.owner = opt_text(name, value)?,
        "visibility" => image.visibility = visibility(value)?,
        "protected" => image.protected = flag(name, value)?,
        "os_hidden" => image.os_hidden = flag(name, value)?,
        "min_disk" => image.min_disk = amount(name, value)?,
        "min_ram" => image.min_ram = amount(name, value)?,
        "tags" => image.tags = tags(value)?,
        "disk_format" => {
            still_queued(image, name)?;
            image.disk_format = one_of(name, value, &config.disk_formats)?;
        }
        "container_format" => {
            still_queued(image, name)?;
            image.container_format = one_of(name, value, &config.container_formats)?;
        }
        _ => {
            let value = custom(name, value)?;
            image.properties.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

/// Reads a visibility, where a policy depends on it before it is set.
pub(crate) fn visibility(value: &Value) -> Result<Visibility, Error> {
    let known = value.as_str().and_then(Visibility::parse);
    known.ok_or_else(|| {
        let words = Visibility::ALL.iter().map(|v| v.as_str());
        not_in("visibility", value, words)
    })
}

/// A tag is text of at most 255 characters.
pub(crate) fn tag(text: &str) -> Result<String, Error> {
    if text.chars().count() > LONGEST {
        return Err(invalid(&format!("'{text}' is too long"), "tags"));
    }
    Ok(text.to_owned())
}

/// The complaint of a value that is not of its schema.
pub(crate) fn invalid(why: &str, name: &str) -> Error {
    Error::BadRequest(format!(
        "Provided object does not match schema 'image': {why}: on instance ['{name}']"
    ))
}

fn still_queued(image: &Image, name: &str) -> Result<(), Error> {
    if matches!(image.status, Status::Queued | Status::Importing) {
        return Ok(());
    }
    Err(Error::Forbidden(format!("Attribute {name} can be only replaced for a queued image.")))
}

fn uuid(value: &Value) -> Result<String, Error> {
    let text = value.as_str().unwrap_or_default();
    if text.len() == 36 && stackup_core::ids::is_uuid_like(text) {
        return Ok(text.to_owned());
    }
    Err(invalid(&format!("{value} does not match the pattern of a UUID"), "id"))
}

fn opt_text(name: &str, value: &Value) -> Result<Option<String>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= LONGEST => Ok(Some(text.clone())),
        Value::String(text) => Err(invalid(&format!("'{text}' is too long"), name)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(invalid(&format!("{value} is not of type 'null', 'string'"), name))
        }
    }
}

fn flag(name: &str, value: &Value) -> Result<bool, Error> {
    value.as_bool().ok_or_else(|| invalid(&format!("{value} is not of type 'boolean'"), name))
}

fn amount(name: &str, value: &Value) -> Result<i64, Error> {
    let number = value
        .as_i64()
        .ok_or_else(|| invalid(&format!("{value} is not of type 'integer'"), name))?;
    let complaint = match number {
        i64::MIN..0 => "Cannot be a negative value",
        0..=0x7fff_ffff => return Ok(number),
        _ => "Cannot be greater than 2147483647",
    };
    Err(Error::BadRequest(format!("Invalid value '{number}' for parameter '{name}': {complaint}")))
}

fn tags(value: &Value) -> Result<Vec<String>, Error> {
    let items = value
        .as_array()
        .ok_or_else(|| invalid(&format!("{value} is not of type 'array'"), "tags"))?;
    let mut tags = Vec::with_capacity(items.len());
    for item in items {
        let text = item
            .as_str()
            .ok_or_else(|| invalid(&format!("{item} is not of type 'string'"), "tags"))?;
        tags.push(tag(text)?);
    }
    tags.sort();
    tags.dedup();
    Ok(tags)
}

fn one_of(name: &str, value: &Value, words: &[String]) -> Result<Option<String>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if words.contains(text) => Ok(Some(text.clone())),
        Value::String(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_) => Err(not_in(name, value, words.iter().map(String::as_str))),
    }
}

fn not_in<'a>(name: &str, value: &Value, words: impl Iterator<Item = &'a str>) -> Error {
    let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    invalid(&format!("{value} is not one of [{}]", words.join(", ")), name)
}

/// Custom properties are text; those that name a kernel or ramdisk are ids, and may be null.
fn custom(name: &str, value: &Value) -> Result<Option<String>, Error> {
    let is_id = matches!(name, "kernel_id" | "ramdisk_id");
    match value {
        Value::Null if is_id => Ok(None),
        Value::String(text) if is_id && !stackup_core::ids::is_uuid_like(text) => {
            Err(invalid(&format!("'{text}' does not match the pattern of a UUID"), name))
        }
        Value::String(text) => Ok(Some(text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(invalid(&format!("{value} is not of type 'string'"), name))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stackup_core::Time;

    use super::*;

    fn attempt(name: &str, value: &Value) -> Result<Image, Error> {
        let mut image = Image::queued("i".into(), None, Time::from_unix(0));
        may_write(name)?;
        set(&mut image, name, value, &Config::default())?;
        Ok(image)
    }

    #[test]
    fn values_follow_the_schema() {
        for (name, good, bad) in [
            ("name", json!("x"), json!(1)),
            ("min_disk", json!(3), json!(-1)),
            ("min_ram", json!(3), json!("3")),
            ("min_ram", json!(0), json!(1_i64 << 40)),
            ("protected", json!(true), json!("true")),
            ("disk_format", json!("qcow2"), json!("floppy")),
            ("container_format", json!(null), json!("floppy")),
            ("visibility", json!("community"), json!("hidden")),
            ("tags", json!(["b", "a", "a"]), json!("a")),
            ("kernel_id", json!(null), json!("nonsense")),
            ("colour", json!("red"), json!(7)),
        ] {
            assert!(attempt(name, &good).is_ok(), "{name} = {good}");
            let error = attempt(name, &bad).unwrap_err();
            assert!(matches!(error, Error::BadRequest(_)), "{name} = {bad}: {error}");
        }
        assert_eq!(attempt("tags", &json!(["b", "a", "a"])).unwrap().tags, ["a", "b"]);
    }

    #[test]
    fn what_glance_keeps_to_itself_is_forbidden() {
        for name in ["status", "checksum", "deleted", "os_glance_import_task", "file"] {
            let error = attempt(name, &json!("x")).unwrap_err();
            assert!(matches!(error, Error::Forbidden(_)), "{name}: {error}");
        }
    }
}
