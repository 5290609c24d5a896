//! Goldens: bodies as they were when somebody looked at them.

use std::path::Path;

use serde_json::Value;

/// Compares a body with the golden file at `path`; ids and times are replaced by their kind first.
/// With `UPDATE_GOLDENS=1` in the environment it writes the file instead.
#[track_caller]
pub fn golden(path: impl AsRef<Path>, body: &Value) {
    let path = path.as_ref();
    let mut body = body.clone();
    normalise(&mut body);
    let text = format!("{body:#}\n");
    #[expect(clippy::disallowed_methods, reason = "the setting of a test run, not of the product")]
    if std::env::var("UPDATE_GOLDENS").is_ok() {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, text).expect("written");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(expected, text, "differs from {} (UPDATE_GOLDENS=1 accepts it)", path.display());
}

fn normalise(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(kind) = kind_of(text) {
                *text = kind.to_owned();
            } else if text.contains("://") || text.starts_with('/') {
                let parts = text.split('/').map(|part| kind_of(part).unwrap_or(part));
                *text = parts.collect::<Vec<_>>().join("/");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(map) => map.values_mut().for_each(normalise),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn kind_of(text: &str) -> Option<&'static str> {
    let time = text.len() >= 19 && text.as_bytes()[10] == b'T' && text.as_bytes()[4] == b'-';
    if stackup_core::ids::is_uuid_like(text) {
        Some("<uuid>")
    } else if time {
        Some("<time>")
    } else {
        None
    }
}
