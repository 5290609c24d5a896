//! The little languages of the query: `resources`, `required`, `member_of`, `in_tree`.

use std::collections::BTreeSet;

use stackup_contracts::Resources;
use stackup_core::{Ctx, Mv};
use stackup_web::Query;

use crate::error::Error;
use crate::model::inventory::MAX;
use crate::model::request::Group;

/// `member_of` several times: all of them.
const ALL_AGGREGATES: Mv = Mv(1, 24);
/// `member_of=!…`
const FORBIDDEN_AGGREGATES: Mv = Mv(1, 32);
/// `required=!TRAIT`.
const FORBIDDEN_TRAITS: Mv = Mv(1, 22);
/// `required=in:A,B`, and `required` several times; before, the last one counted.
const ANY_TRAITS: Mv = Mv(1, 39);

/// What the parameters with this suffix ask for together.
pub(super) fn group(cx: &Ctx, query: &Query, suffix: &str) -> Result<Group, Error> {
    let name = |word: &str| format!("{word}{suffix}");
    let mut group = Group::default();
    if let Some(text) = query.get(&name("resources")) {
        group.resources = resources(text)?;
    }
    let (required, member_of) = (name("required"), name("member_of"));
    let mut wanted: Vec<&str> = query.all(&required).collect();
    if !cx.since(ANY_TRAITS) && wanted.len() > 1 {
        wanted.drain(..wanted.len() - 1);
    }
    for text in wanted {
        traits(cx, text, &mut group)?;
    }
    let wanted: Vec<&str> = query.all(&member_of).collect();
    if !cx.since(ALL_AGGREGATES) && wanted.len() > 1 {
        return Err(Error::bad(format!("Multiple {member_of} parameters are not supported")));
    }
    for text in wanted {
        aggregates(cx, &member_of, text, &mut group)?;
    }
    group.in_tree = query.get(&name("in_tree")).map(in_tree).transpose()?;
    let against = |any: &&BTreeSet<String>| any.is_subset(&group.forbidden);
    if let Some(any) = group.required.iter().find(against) {
        let names: Vec<&str> = any.iter().map(String::as_str).collect();
        return Err(Error::bad(format!(
            "Conflicting required and forbidden traits found in the following traits keys: \
             {required}: ({})",
            names.join(", ")
        )));
    }
    Ok(group)
}

/// `VCPU:1,MEMORY_MB:512`
fn resources(text: &str) -> Result<Resources, Error> {
    let wrong = |got: &str| {
        Error::bad(format!(
            "Badly formed resources parameter. Expected resources query string parameter in form: \
             ?resources=VCPU:2,MEMORY_MB:1024. Got: {got}."
        ))
    };
    if text.trim().is_empty() {
        return Err(wrong("empty string"));
    }
    let mut all = Resources::new();
    for part in text.split(',') {
        let (class, amount) = part.split_once(':').ok_or_else(|| wrong(part))?;
        let Ok(number) = amount.trim().parse::<i64>() else {
            return Err(Error::bad(format!(
                "Requested resource {class} expected positive integer amount. Got: {amount}."
            )));
        };
        let Some(number) = u64::try_from(number).ok().filter(|number| *number > 0) else {
            return Err(Error::bad(format!(
                "Requested resource {class} requires amount >= 1. Got: {number}."
            )));
        };
        // More than any inventory can hold is never found, and needs no more room than this.
        all.insert(class.trim().to_owned(), number.min(MAX + 1));
    }
    Ok(all)
}

/// `A,!B`, or `in:A,B` for one of several.
pub(super) fn traits(cx: &Ctx, text: &str, group: &mut Group) -> Result<(), Error> {
    let wrong = |what: String| Error::bad(format!("Invalid query string parameters: {what}"));
    if let Some(any) = text.strip_prefix("in:") {
        let form = "in:HW_CPU_X86_VMX,CUSTOM_MAGIC";
        if !cx.since(ANY_TRAITS) {
            let what =
                format!("The format '{form}' only supported since microversion 1.39. Got: {text}");
            return Err(wrong(what));
        }
        let set: BTreeSet<String> = any.split(',').map(|name| name.trim().to_owned()).collect();
        if set.iter().any(String::is_empty) {
            return Err(wrong(format!(
                "Expected 'required' parameter value of the form: {form}. Got an empty trait in: \
                 {text}"
            )));
        }
        if set.iter().any(|name| name.starts_with('!')) {
            return Err(wrong(format!(
                "The format '{form}' does not support forbidden traits. Got: {text}"
            )));
        }
        group.required.push(set);
        return Ok(());
    }
    let may_forbid = cx.since(FORBIDDEN_TRAITS);
    let form = format!("HW_CPU_X86_VMX,{}CUSTOM_MAGIC", if may_forbid { "!" } else { "" });
    let expected = format!("Expected 'required' parameter value of the form: {form}.");
    for part in text.split(',').map(str::trim) {
        let name = part.trim_start_matches('!');
        if name.is_empty() {
            return Err(wrong(format!("{expected} Got an empty trait in: {text}")));
        }
        if name == part {
            group.required.push([name.to_owned()].into());
        } else if may_forbid {
            group.forbidden.insert(name.to_owned());
        } else {
            return Err(wrong(format!("{expected} Got: {text}")));
        }
    }
    Ok(())
}

/// `UUID`, `in:UUID,UUID`, and both with a `!` before them.
fn aggregates(cx: &Ctx, name: &str, text: &str, group: &mut Group) -> Result<(), Error> {
    let (forbidden, rest) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let list = match rest.strip_prefix("in:") {
        None if rest.contains(',') => {
            return Err(Error::bad(format!(
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword \
                 using the valid microversion. Got: {text}"
            )));
        }
        None => rest,
        Some(list) => list,
    };
    let mut set = BTreeSet::new();
    for id in list.split(',') {
        set.insert(super::uuid(id).map_err(|_| {
            Error::bad(format!(
                "Invalid query string parameters: Expected 'member_of' parameter to contain valid \
                 UUID(s). Got: {id}"
            ))
        })?);
    }
    if !forbidden {
        group.member_of.push(set);
        return Ok(());
    }
    if !cx.since(FORBIDDEN_AGGREGATES) {
        return Err(Error::bad(format!(
            "Forbidden {name} parameters are not supported in the specified microversion"
        )));
    }
    group.not_member_of.extend(set);
    Ok(())
}

fn in_tree(text: &str) -> Result<String, Error> {
    super::uuid(text.trim()).map_err(|_| {
        Error::bad(format!(
            "Invalid query string parameters: Expected 'in_tree' parameter to be a format of \
             uuid. Got: {text}"
        ))
    })
}
