//! Programs: every process the daemon starts is started here.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

/// How long a program may run when the caller says nothing.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A program to run, with its arguments. Nothing passes through a shell.
#[derive(Clone)]
pub struct Program {
    name: OsString,
    args: Vec<Arg>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
    timeout: Duration,
}

#[derive(Clone)]
struct Arg {
    value: OsString,
    secret: bool,
}

/// What a program left behind. Both streams are lossy UTF-8.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit status; a program ended by a signal counts as 128 + signal, as in a shell.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("{program} could not be started")]
    Start {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{program} did not end within {seconds} s")]
    Timeout { program: String, seconds: u64 },
    #[error("{program} failed with status {code}: {stderr}")]
    Failed { program: String, code: i32, stderr: String },
}

impl Program {
    /// A program by name (looked up in `PATH`, with the `sbin` directories added) or path.
    pub fn new(name: impl AsRef<OsStr>) -> Self {
        Self {
            name: name.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            stdin: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(Arg { value: arg.as_ref().to_owned(), secret: false });
        self
    }

    /// An argument that the log and the errors show as `***`.
    #[must_use]
    pub fn secret_arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(Arg { value: arg.as_ref().to_owned(), secret: true });
        self
    }

    #[must_use]
    pub fn args<I: IntoIterator<Item = A>, A: AsRef<OsStr>>(mut self, args: I) -> Self {
        for arg in args {
            self = self.arg(arg);
        }
        self
    }

    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs the program and fails when its status is not 0.
    pub async fn run(self) -> Result<Output, ExecError> {
        let shown = self.to_string();
        let output = self.status().await?;
        if output.code == 0 {
            return Ok(output);
        }
        Err(ExecError::Failed {
            program: shown,
            code: output.code,
            stderr: output.stderr.trim().to_owned(),
        })
    }

    /// Runs the program and answers whatever its status is. Past the timeout the whole process
    /// group is killed.
    pub async fn status(self) -> Result<Output, ExecError> {
        let shown = self.to_string();
        let begun = Instant::now();
        let result = self.wait(&shown).await;
        let code = result.as_ref().map_or(-1, |output| output.code);
        tracing::debug!(program = %shown, code, ms = begun.elapsed().as_millis() as u64, "ran");
        result
    }

    async fn wait(self, shown: &str) -> Result<Output, ExecError> {
        let fail = |source| ExecError::Start { program: shown.to_owned(), source };
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let mut command = tokio::process::Command::new(&self.name);
        command
            .args(self.args.iter().map(|arg| &arg.value))
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .env("PATH", search_path())
            .env("LC_ALL", "C.UTF-8")
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let mut child = command.spawn().map_err(fail)?;
        let group = child.id();
        let input = child.stdin.take();
        let feed = async {
            if let (Some(mut pipe), Some(bytes)) = (input, self.stdin) {
                // A program may end without reading its input; its status tells the story.
                drop(pipe.write_all(&bytes).await);
            }
        };
        let work = async { tokio::join!(feed, child.wait_with_output()).1 };
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => {
                let output = result.map_err(fail)?;
                Ok(Output {
                    code: code_of(output.status),
                    stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                    stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
                })
            }
            Err(_) => {
                kill_group(group);
                Err(ExecError::Timeout {
                    program: shown.to_owned(),
                    seconds: self.timeout.as_secs(),
                })
            }
        }
    }
}

/// The command line as a person would type it, secrets masked.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name.to_string_lossy())?;
        for arg in &self.args {
            if arg.secret {
                write!(f, " ***")?;
            } else {
                write!(f, " {}", arg.value.to_string_lossy())?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `PATH` with the administrators' directories, which a plain user's may lack.
fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin");
    path
}

fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn kill_group(group: Option<u32>) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    let Some(group) = group.and_then(|id| i32::try_from(id).ok()) else {
        return;
    };
    if let Err(error) = killpg(Pid::from_raw(group), Signal::SIGKILL) {
        tracing::warn!(group, %error, "process group could not be killed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn captures_both_streams_and_the_status() {
        let output = Program::new("sh")
            .args(["-c", "echo out; echo err >&2; exit 3"])
            .status()
            .await
            .unwrap();
        assert_eq!((output.code, output.stdout.trim(), output.stderr.trim()), (3, "out", "err"));
    }

    #[tokio::test]
    async fn a_failure_names_the_program_but_not_its_secrets() {
        let error = Program::new("sh").args(["-c", "exit 1"]).secret_arg("hunter2").run().await;
        let text = error.unwrap_err().to_string();
        assert!(text.contains("sh -c exit 1 ***"), "{text}");
        assert!(!text.contains("hunter2"));
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended_with_its_children() {
        let begun = Instant::now();
        let result = Program::new("sh")
            .args(["-c", "sleep 30 & wait"])
            .timeout(Duration::from_millis(200))
            .run()
            .await;
        assert!(matches!(result, Err(ExecError::Timeout { .. })));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn stdin_is_fed() {
        let output = Program::new("cat").stdin("hello").run().await.unwrap();
        assert_eq!(output.stdout, "hello");
    }
}
