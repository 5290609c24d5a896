//! The program under test, as a process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use serde_json::Value;

use crate::Cloud;

/// A running `stackup serve`; killed when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts an ephemeral cloud that lives as long as this process.
    pub(crate) fn ephemeral() -> Cloud {
        let (ready, line) = mpsc::channel();
        // The kernel ends an ephemeral cloud with the thread that started it, and a test's thread
        // ends with the test.
        std::thread::spawn(move || {
            let mut child = command(&["serve", "--ephemeral"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("stackup starts");
            let mut text = String::new();
            let out = child.stdout.take().expect("a pipe");
            BufReader::new(out).read_line(&mut text).expect("a line");
            drop(ready.send(text));
            child.wait().expect("the cloud ends");
        });
        let text = line.recv_timeout(Duration::from_secs(60)).expect("a ready line in time");
        let line: Value = serde_json::from_str(&text).expect("the ready line is JSON");
        let text = |key: &str| line[key].as_str().expect("a text").to_owned();
        let endpoints = line["endpoints"].as_object().expect("endpoints");
        let endpoints = endpoints
            .iter()
            .map(|(kind, url)| (kind.clone(), url.as_str().unwrap_or_default().to_owned()));
        Cloud {
            auth_url: text("auth_url"),
            password: text("password"),
            endpoints: endpoints.collect(),
        }
    }

    /// Starts a cloud of the same kind whose state stays.
    pub(crate) fn serve(state_dir: &Path, port: u16, password: &str) -> Self {
        let state_dir = state_dir.to_str().expect("a plain path");
        let child = command(&["--state-dir", state_dir, "serve", "--profile", "ci"])
            .args(["--set", "ephemeral=false"])
            .args(["--set", &format!("listen.port={port}")])
            .args(["--set", &format!("password={password}")])
            .stdout(Stdio::null())
            .spawn()
            .expect("stackup starts");
        Self(child)
    }

    /// `kill -9`
    pub fn kill(mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "the program under test is not run through itself")]
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    // What the cloud logs is of use when a story fails: `STACKUP_TEST_LOG=1 cargo test`.
    if std::env::var_os("STACKUP_TEST_LOG").is_none() {
        command.stderr(Stdio::null());
    }
    command
}

/// The program: `STACKUP_BIN`, or the one beside this test, as the sources are now.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("STACKUP_BIN") {
            return path.into();
        }
        let test = std::env::current_exe().expect("a path");
        let built = test.parent().and_then(Path::parent).expect("a target directory");
        let built = built.join("stackup");
        // Cargo builds no program of another package for a test, and would leave an old one.
        if let Some(cargo) = std::env::var_os("CARGO") {
            build(&cargo);
        }
        assert!(built.exists(), "{} is not built", built.display());
        built
    })
}

#[expect(clippy::disallowed_methods, reason = "cargo is not a program of the product")]
fn build(cargo: &OsStr) {
    let done = Command::new(cargo).args(["build", "-q", "-p", "stackup"]).status();
    assert!(done.expect("cargo runs").success(), "stackup does not build");
}
