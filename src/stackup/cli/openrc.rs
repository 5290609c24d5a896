//! `stackup openrc`: the environment of a user, for a shell to read.

use clap::Args;

use super::Globals;
use crate::credentials::Credentials;
use crate::ui::{Printer, Problem};

#[derive(Debug, Args)]
pub struct OpenrcArgs {
    #[arg(default_value = "demo")]
    user: String,
    /// The user's own name when left out
    project: Option<String>,
    /// The shell that will read it
    #[arg(long, default_value = "sh", value_parser = ["sh", "bash", "zsh", "fish", "pwsh"])]
    shell: String,
}

pub fn run(globals: &Globals, printer: Printer, args: &OpenrcArgs) -> Result<(), Problem> {
    let credentials = Credentials::read(&globals.state_dir)?;
    let project = args.project.as_deref().unwrap_or(&args.user);
    let variables = variables(&credentials, &args.user, project);
    let lines = variables.iter().map(|(name, value)| export(&args.shell, name, value));
    let text = lines.collect::<Vec<_>>().join("\n");
    let data = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    printer.answer(&text, &serde_json::Value::Object(data.collect()));
    Ok(())
}

/// DevStack's variables of today and those that older textbooks expect.
fn variables<'a>(credentials: &Credentials, user: &str, project: &str) -> Vec<(&'a str, String)> {
    let text = str::to_owned;
    vec![
        ("OS_AUTH_TYPE", text("password")),
        ("OS_AUTH_URL", credentials.auth_url.clone()),
        ("OS_USERNAME", text(user)),
        ("OS_PASSWORD", credentials.password.clone()),
        ("OS_PROJECT_NAME", text(project)),
        ("OS_TENANT_NAME", text(project)),
        ("OS_USER_DOMAIN_ID", text("default")),
        ("OS_PROJECT_DOMAIN_ID", text("default")),
        ("OS_REGION_NAME", credentials.region.clone()),
        ("OS_IDENTITY_API_VERSION", text("3")),
        ("OS_VOLUME_API_VERSION", text("3")),
    ]
}

fn export(shell: &str, name: &str, value: &str) -> String {
    match shell {
        "fish" => format!("set -gx {name} {}", quote(value, "\\'")),
        "pwsh" => format!("$env:{name} = {}", quote(value, "''")),
        _ => format!("export {name}={}", quote(value, r"'\''")),
    }
}

/// In single quotes; a quote inside becomes what the shell wants for one.
fn quote(value: &str, escaped: &str) -> String {
    format!("'{}'", value.replace('\'', escaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_password_is_harmless() {
        assert_eq!(export("sh", "X", "a'b$c"), r"export X='a'\''b$c'");
        assert_eq!(export("pwsh", "X", "a'b"), "$env:X = 'a''b'");
    }
}
