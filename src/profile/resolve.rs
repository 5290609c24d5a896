//! Defaults ← file ← `--set`, and where each value came from.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::file::Profile;
use crate::validate::{line_of, validate};
use crate::{Problem, ProfileError};

/// Which layer a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// The profile's name or path.
    File(String),
    /// `--set`.
    Set,
}

/// A profile that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    pub profile: Profile,
    /// The origin of every value that is no default, by dotted key.
    pub origins: BTreeMap<String, Origin>,
}

impl Resolved {
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Every value with its dotted key and its origin, for `config show --origin`.
    pub fn values(&self) -> Vec<(String, Value, Origin)> {
        let mut leaves = Vec::new();
        flatten("", &tree_of(&self.profile), &mut leaves);
        leaves
            .into_iter()
            .map(|(key, value)| {
                let origin = self.origin(&key);
                (key, value, origin)
            })
            .collect()
    }

    /// The profile as YAML, complete.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(&self.profile).unwrap_or_default()
    }
}

const BUILT_IN: [(&str, &str); 3] = [
    ("single-node", include_str!("../../profiles/single-node.yaml")),
    ("minimal", include_str!("../../profiles/minimal.yaml")),
    ("ci", include_str!("../../profiles/ci.yaml")),
];

/// The text of a profile that comes with stackup.
pub fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

pub fn built_in_names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// Resolves the text of a profile, known to people as `name`, under the settings of the command
/// line (`a.b=c`, the value as YAML).
pub fn resolve(name: &str, text: &str, sets: &[String]) -> Result<Resolved, ProfileError> {
    let file = parse(name, text).map_err(|problem| ProfileError(vec![*problem]))?;
    let mut tree = tree_of(&Profile::default());
    let mut origins = BTreeMap::new();
    overlay(&mut tree, file, "", &Origin::File(name.to_owned()), &mut origins);
    let mut problems = Vec::new();
    for set in sets {
        if let Err(problem) = apply_set(&mut tree, set, &mut origins) {
            problems.push(*problem);
        }
    }
    if !problems.is_empty() {
        return Err(ProfileError(problems));
    }
    let profile: Profile = serde_json::from_value(tree).map_err(|error| {
        ProfileError(vec![problem(name, "STK-PROFILE-001", None, &error.to_string())])
    })?;
    let resolved = Resolved { profile, origins };
    let mut problems = validate(&resolved.profile);
    for problem in &mut problems {
        locate(problem, &resolved, text);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(ProfileError(problems)) }
}

/// The file's tree. It must be a profile as it stands, so that a mistake has its line.
fn parse(name: &str, text: &str) -> Result<Value, Box<Problem>> {
    let wrong = |error: serde_yaml::Error| {
        let line = error.location().map(|location| location.line());
        let message = without_place(&error.to_string());
        Box::new(problem(name, "STK-PROFILE-001", line, &message))
    };
    if serde_yaml::from_str::<Value>(text).map_err(wrong)?.is_null() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_yaml::from_str::<Profile>(text).map_err(wrong)?;
    serde_yaml::from_str(text).map_err(wrong)
}

/// The parser ends its messages with the place, which has its own field here.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

fn problem(name: &str, id: &'static str, line: Option<usize>, message: &str) -> Problem {
    Problem {
        id,
        source_name: Some(name.to_owned()),
        line,
        key: None,
        message: message.to_owned(),
        hint: "`stackup config show --origin` lists every key with its default".to_owned(),
    }
}

fn apply_set(
    tree: &mut Value,
    set: &str,
    origins: &mut BTreeMap<String, Origin>,
) -> Result<(), Box<Problem>> {
    let wrong = |key: Option<&str>, message: String, hint: &str| {
        Box::new(Problem {
            id: "STK-PROFILE-002",
            source_name: Some("--set".to_owned()),
            line: None,
            key: key.map(str::to_owned),
            message,
            hint: hint.to_owned(),
        })
    };
    let Some((key, text)) = set.split_once('=') else {
        let hint = "write it as --set network.bridge=br-public";
        return Err(wrong(None, format!("{set:?} has no `=`"), hint));
    };
    let value: Value = serde_yaml::from_str(text)
        .map_err(|error| wrong(Some(key), error.to_string(), "the value is read as YAML"))?;
    let mut changed = tree.clone();
    let Some(place) = place_of(&mut changed, key) else {
        let hint = "`stackup config show` lists every key";
        return Err(wrong(Some(key), "no such key".to_owned(), hint));
    };
    // A number is a fine password.
    *place = match (&*place, value) {
        (Value::String(_), Value::Number(_)) => Value::String(text.to_owned()),
        (_, Value::Number(_)) if key == "password" => Value::String(text.to_owned()),
        (_, value) => value,
    };
    if let Err(error) = serde_json::from_value::<Profile>(changed.clone()) {
        let hint = "`stackup config show` lists every key with its present value";
        return Err(wrong(Some(key), error.to_string(), hint));
    }
    *tree = changed;
    origins.insert(key.to_owned(), Origin::Set);
    Ok(())
}

/// The place of a dotted key. The two free maps take new keys, the rest only what is there.
fn place_of<'a>(tree: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    let open = key.starts_with("config.") || key.starts_with("listen.ports.");
    let mut place = tree;
    for part in key.split('.') {
        if open && place.is_null() {
            *place = Value::Object(serde_json::Map::new());
        }
        let map = place.as_object_mut()?;
        if open && !map.contains_key(part) {
            map.insert(part.to_owned(), Value::Null);
        }
        place = map.get_mut(part)?;
    }
    Some(place)
}

/// Lays `over` on `tree`: maps join, everything else replaces.
fn overlay(
    tree: &mut Value,
    over: Value,
    key: &str,
    origin: &Origin,
    origins: &mut BTreeMap<String, Origin>,
) {
    match (tree, over) {
        (Value::Object(tree), Value::Object(over)) => {
            for (name, value) in over {
                let key = dotted(key, &name);
                overlay(tree.entry(name).or_insert(Value::Null), value, &key, origin, origins);
            }
        }
        (tree, over) => {
            *tree = over;
            origins.insert(key.to_owned(), origin.clone());
        }
    }
}

fn flatten(key: &str, value: &Value, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                flatten(&dotted(key, name), value, leaves);
            }
        }
        leaf => leaves.push((key.to_owned(), leaf.clone())),
    }
}

fn dotted(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

fn tree_of(profile: &Profile) -> Value {
    serde_json::to_value(profile).unwrap_or_default()
}

/// Says where the wrong value was written.
fn locate(problem: &mut Problem, resolved: &Resolved, text: &str) {
    let Some(key) = &problem.key else { return };
    match resolved.origin(key) {
        Origin::Default => {}
        Origin::Set => problem.source_name = Some("--set".to_owned()),
        Origin::File(name) => {
            problem.source_name = Some(name);
            problem.line = line_of(text, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, sets: &[&str]) -> Vec<Problem> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        resolve("my.yaml", text, &sets).unwrap_err().0
    }

    #[test]
    fn what_comes_with_stackup_is_valid() {
        for name in built_in_names() {
            let resolved = resolve(name, built_in(name).unwrap(), &[]).unwrap();
            assert_eq!(resolved.profile.schema_version, 1, "{name}");
        }
    }

    #[test]
    fn single_node_writes_down_the_defaults() {
        let resolved = resolve("single-node", built_in("single-node").unwrap(), &[]).unwrap();
        assert_eq!(resolved.profile, Profile::default());
        let empty = resolve("empty", "", &[]).unwrap();
        assert_eq!(empty.profile, Profile::default());
    }

    #[test]
    fn later_layers_win_and_are_remembered() {
        let text =
            "network:\n  bridge: br-a\n  public_cidr: 192.0.2.0/24\n  public_gateway: 192.0.2.1\n";
        let sets = [
            "network.bridge=br-b".to_owned(),
            "volumes.size=2G".to_owned(),
            "password=123".to_owned(),
        ];
        let resolved = resolve("my.yaml", text, &sets).unwrap();
        assert_eq!(resolved.profile.network.bridge, "br-b");
        assert_eq!(resolved.profile.password.as_deref(), Some("123"));
        assert_eq!(resolved.origin("network.bridge"), Origin::Set);
        assert_eq!(resolved.origin("network.public_cidr"), Origin::File("my.yaml".to_owned()));
        assert_eq!(resolved.origin("region"), Origin::Default);
        assert!(
            resolved
                .values()
                .iter()
                .any(|(key, _, origin)| { key == "volumes.size" && *origin == Origin::Set })
        );
        let again = resolve("again", &resolved.to_yaml(), &[]).unwrap();
        assert_eq!(again.profile, resolved.profile);
    }

    #[test]
    fn an_unknown_key_has_its_line() {
        let found = problems("region: R\nnetwork:\n  brigde: x\n", &[]);
        assert_eq!((found[0].id, found[0].line), ("STK-PROFILE-001", Some(3)));
        assert!(found[0].message.contains("brigde"), "{}", found[0]);
    }

    #[test]
    fn broken_yaml_and_wrong_types_have_their_line() {
        assert!(problems("region: [", &[])[0].line.is_some());
        assert_eq!(problems("listen:\n  port: many\n", &[])[0].line, Some(2));
    }

    #[test]
    fn wrong_sets_name_their_key() {
        for (set, key) in [
            ("netwrok.bridge=x", Some("netwrok.bridge")),
            ("listen.port=99999", Some("listen.port")),
            ("volumes.size=big", Some("volumes.size")),
            ("bridge", None),
        ] {
            let found = problems("", &[set]);
            assert_eq!((found[0].id, found[0].key.as_deref()), ("STK-PROFILE-002", key), "{set}");
        }
    }

    #[test]
    fn settings_of_services_are_free() {
        let sets = ["config.nova.zone=a".to_owned(), "listen.ports.keystone=5001".to_owned()];
        let resolved = resolve("x", "", &sets).unwrap();
        assert_eq!(resolved.profile.config["nova"]["zone"], "a");
        assert_eq!(resolved.profile.listen.ports["keystone"], 5001);
    }

    #[test]
    fn a_wrong_value_is_found_where_it_was_written() {
        let text = "region: R\nnetwork:\n  dns: []\n  public_gateway: 10.1.1.1\n";
        let found = problems(text, &[]);
        assert_eq!(found[0].to_string().split(' ').next(), Some("my.yaml:4:"));
    }
}
