//! Which profile: a built-in one, a file, or the one that was installed.

use std::path::Path;

use stackup_profile::{Profile, Resolved};

use crate::cli::{Globals, ProfileArgs};
use crate::credentials::Credentials;
use crate::ui::{Exit, Problem};

/// The installed profile's name in the state directory.
pub const FILE: &str = "profile.yaml";
const DEFAULT: &str = "single-node";

/// The profile that the command line names, changed as it says.
pub fn resolve(args: &ProfileArgs) -> Result<Resolved, Problem> {
    let name = args.profile.as_deref().unwrap_or(DEFAULT);
    let text = match stackup_profile::built_in(name) {
        Some(text) => text.to_owned(),
        None => read(Path::new(name))?,
    };
    stackup_profile::resolve(name, &text, &args.set).map_err(wrong)
}

/// The profile of the cloud whose state is here; another one only if the command line names it.
pub fn installed(globals: &Globals, args: &ProfileArgs) -> Result<Profile, Problem> {
    let path = globals.state_dir.join(FILE);
    let mut profile = match (&args.profile, path.is_file()) {
        (None, true) => {
            let name = path.display().to_string();
            stackup_profile::resolve(&name, &read(&path)?, &args.set).map_err(wrong)?.profile
        }
        _ => resolve(args)?.profile,
    };
    profile.state_dir.clone_from(&globals.state_dir);
    Ok(profile)
}

/// A clouds.yaml with every user of the seed.
pub fn clouds(credentials: &Credentials) -> String {
    let access = stackup_profile::clouds::Access {
        auth_url: &credentials.auth_url,
        region: &credentials.region,
        password: &credentials.password,
    };
    stackup_profile::clouds::merge("", &stackup_profile::clouds::entries(), &access)
        .unwrap_or_default()
}

fn read(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| {
        let names = stackup_profile::built_in_names().join(", ");
        Problem::new(Exit::Usage, format!("profile {} cannot be read: {error}", path.display()))
            .id("STK-PROFILE-000")
            .hint(format!("name a file, or one of {names}"))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn wrong(error: stackup_profile::ProfileError) -> Problem {
    let first = error.0.first();
    let id = first.map_or("STK-PROFILE-001", |problem| problem.id);
    let hint = first.map_or(String::new(), |problem| problem.hint.clone());
    Problem::new(Exit::Usage, error.to_string()).id(id).hint(hint)
}
