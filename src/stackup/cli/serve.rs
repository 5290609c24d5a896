//! `stackup serve`: the cloud in the foreground.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use stackup_profile::Profile;
use stackup_web::trace::{Ring, RingLayer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::{Globals, ProfileArgs};
use crate::client::Client;
use crate::compose::{Cloud, ComposeError};
use crate::credentials::Credentials;
use crate::ui::{Exit, Format, Printer, Problem};
use crate::{profiles, shutdown};

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    /// A cloud for one test run: pretended guests, any free port, no root. Prints one line of JSON
    /// when every API answers, and ends with its parent
    #[arg(long)]
    ephemeral: bool,
}

pub fn run(globals: &Globals, printer: Printer, args: &ServeArgs) -> Result<(), Problem> {
    let ring = Ring::default();
    start_logging(globals, ring.clone());
    let profile = if args.ephemeral {
        let mut choice = args.profile.clone();
        choice.profile.get_or_insert_with(|| "ci".to_owned());
        profiles::resolve(&choice)?.profile
    } else {
        profiles::installed(globals, &args.profile)?
    };
    let temporary = (args.ephemeral || profile.ephemeral).then(Temporary::make).transpose()?;
    let state_dir = match &temporary {
        Some(temporary) => temporary.0.clone(),
        None => globals.state_dir.clone(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("stackup")
        .build()
        .map_err(|error| Problem::internal(&error))?;
    let result = runtime.block_on(serve(&profile, &state_dir, temporary.is_some(), printer, ring));
    // Blocking work that still runs (a conversion, a copy) does not hold the process up.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}

async fn serve(
    profile: &Profile,
    state_dir: &Path,
    ephemeral: bool,
    printer: Printer,
    ring: Ring,
) -> Result<(), Problem> {
    let known = Credentials::read(state_dir).ok();
    let mut credentials = known
        .clone()
        .unwrap_or_else(|| Credentials::make("", &profile.region, profile.password.as_deref()));
    if ephemeral {
        shutdown::end_with_parent().map_err(|error| Problem::internal(&error))?;
    } else {
        super::service::rewire(state_dir).await?;
    }
    let cloud = Cloud::start(profile, state_dir, &credentials, ring).await.map_err(explain)?;
    shutdown::watch(&cloud.supervisor).map_err(|error| Problem::internal(&error))?;
    credentials.auth_url.clone_from(&cloud.about.auth_url);
    // An installed cloud's are the ledger's to change.
    if known.is_none() {
        credentials.write(state_dir)?;
    }
    if ephemeral {
        announce(&credentials, state_dir).await?;
    } else {
        printer.say(&format!("Keystone is serving at {}/", credentials.auth_url));
    }
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "no service manager to tell");
    }
    cloud.run_to_end().await;
    Ok(())
}

/// The one line by which a test run learns where its cloud is.
async fn announce(credentials: &Credentials, state_dir: &Path) -> Result<(), Problem> {
    let client = Client::login(credentials, "admin", "admin")
        .await
        .map_err(|error| Problem::internal(&error))?;
    let endpoints: Map<String, Value> =
        client.endpoints().into_iter().map(|(kind, url)| (kind, json!(url))).collect();
    let clouds = state_dir.join("clouds.yaml");
    let text = profiles::clouds(credentials);
    stackup_system::files::write_atomic(&clouds, text.as_bytes(), 0o600)
        .map_err(|error| Problem::internal(&error))?;
    let line = json!({
        "auth_url": credentials.auth_url,
        "endpoints": endpoints,
        "username": "admin",
        "password": credentials.password,
        "project": "admin",
        "region": credentials.region,
        "clouds_yaml": clouds,
        "state_dir": state_dir,
        "pid": std::process::id(),
    });
    Printer::new(Format::Json, false, true).line(&line.to_string());
    std::io::stdout().flush().map_err(|error| Problem::internal(&error))
}

/// A directory that goes with the process.
struct Temporary(PathBuf);

impl Temporary {
    fn make() -> Result<Self, Problem> {
        let name = format!("stackup-{}", stackup_core::ids::hex());
        let path = std::env::temp_dir().join(name);
        stackup_system::files::make_dir(&path, 0o700).map_err(|error| Problem::internal(&error))?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "temporary state stays");
        }
    }
}

/// Logs go to stderr; spans also into the ring.
fn start_logging(globals: &Globals, ring: Ring) {
    let level = match (globals.quiet, globals.verbose) {
        (true, _) => "warn",
        (false, 0) => "info",
        (false, 1) => {
            "info,stackup=debug,stackup_nova=debug,stackup_neutron=debug,stackup_web=debug"
        }
        (false, _) => "debug,hyper=info,sqlx=info",
    };
    let filter = EnvFilter::try_from_env("STACKUP_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let ring_filter = EnvFilter::new("info,hyper=off,stackup_system=debug,stackup_web::api=debug");
    let text = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_filter(filter);
    let started = tracing_subscriber::registry()
        .with(text)
        .with(RingLayer(ring).with_filter(ring_filter))
        .try_init();
    // A second initialisation in one process (a test) keeps the first.
    drop(started);
}

/// What a person can do about a cloud that did not come up.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn explain(error: ComposeError) -> Problem {
    match &error {
        ComposeError::Catalog(_) => {
            Problem::new(Exit::Usage, error.to_string()).id("STK-PROFILE-004")
        }
        ComposeError::Bind(bind) => match bind.source.kind() {
            std::io::ErrorKind::AddrInUse => Problem::new(
                Exit::Conflict,
                format!("{} is taken by another program", bind.address),
            )
            .id("STK-PORT-001")
            .hint("ss -ltnp names the program; --set listen.port=8080 takes another port"),
            std::io::ErrorKind::PermissionDenied => {
                Problem::new(Exit::Permission, format!("{} needs root", bind.address))
                    .id("STK-PERM-001")
                    .hint("run it as root, or --set listen.port=8080")
            }
            _ => Problem::internal(&error),
        },
        ComposeError::Settings { .. } => {
            Problem::new(Exit::Usage, error.to_string()).id("STK-PROFILE-005")
        }
        ComposeError::State { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Problem::new(Exit::Permission, stackup_web::fault::chain(&error))
                .id("STK-PERM-001")
                .hint("run it as root, or with --state-dir, or --ephemeral")
        }
        ComposeError::Service { .. } | ComposeError::State { .. } => Problem::internal(&error),
    }
}
