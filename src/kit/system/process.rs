//! Processes that outlive the one that started them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process that cannot be mistaken for a later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: i32,
    /// Clock ticks after boot at which it started.
    pub started: u64,
}

impl ProcessId {
    /// The process that has this number now.
    pub fn of(pid: i32) -> Option<Self> {
        let (state, started) = stat(pid)?;
        (state != 'Z').then_some(Self { pid, started })
    }

    /// The process whose number a file holds, as long as it runs. A file with both numbers is
    /// believed only when both are right.
    pub fn from_file(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut words = text.split_whitespace();
        let found = Self::of(words.next()?.parse().ok()?)?;
        match words.next().map(str::parse) {
            Some(Ok(started)) if found.started != started => None,
            _ => Some(found),
        }
    }

    /// The form [`from_file`](Self::from_file) reads.
    pub fn to_line(self) -> String {
        format!("{} {}\n", self.pid, self.started)
    }

    pub fn running(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// The program's arguments, empty once it is gone.
    pub fn command_line(self) -> Vec<String> {
        command_line(self.pid)
    }

    /// Sends a signal; a process that is gone is fine.
    pub fn signal(self, signal: Signal) -> io::Result<()> {
        if !self.running() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Asks the process to end, waits, and kills it when it has not.
    pub async fn stop(self, patience: Duration) -> io::Result<()> {
        self.signal(Signal::SIGTERM)?;
        if self.gone_within(patience).await {
            return Ok(());
        }
        tracing::warn!(pid = self.pid, "did not end when asked, killing it");
        self.signal(Signal::SIGKILL)?;
        if self.gone_within(Duration::from_secs(5)).await {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("process {} does not end", self.pid)))
    }

    async fn gone_within(self, patience: Duration) -> bool {
        let until = tokio::time::Instant::now() + patience;
        while self.running() {
            if tokio::time::Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

/// Starts a program in a session of its own, its output added to `log`, and lets it go.
pub fn start_detached(program: &Path, args: &[&str], log: &Path) -> io::Result<ProcessId> {
    let output: File = OpenOptions::new().create(true).append(true).mode(0o640).open(log)?;
    #[expect(clippy::disallowed_methods, reason = "the second of the two places")]
    let mut command = std::process::Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .current_dir("/");
    detach(&mut command);
    let mut child = command.spawn()?;
    let pid = i32::try_from(child.id()).unwrap_or(0);
    let process = ProcessId::of(pid);
    // Someone has to read its status as long as we are its parent; else it stays as a zombie.
    std::thread::spawn(move || drop(child.wait()));
    process.ok_or_else(|| io::Error::other("the process ended at once"))
}

/// A terminal's hang-up must not reach it.
#[expect(unsafe_code, reason = "setsid is async-signal-safe and touches no memory")]
fn detach(command: &mut std::process::Command) {
    // SAFETY: between fork and exec only setsid is called.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid().map(drop).or_else(|errno| match errno {
                Errno::EPERM => Ok(()),
                other => Err(io::Error::from(other)),
            })
        });
    }
}

/// Every process whose arguments satisfy `wanted`, oneself left out.
pub fn find(wanted: impl Fn(&[String]) -> bool) -> Vec<ProcessId> {
    let Ok(dir) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    dir.filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own && wanted(&command_line(*pid)))
        .filter_map(ProcessId::of)
        .collect()
}

fn command_line(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// State letter and start time from `/proc/<pid>/stat`; the name in the middle may hold anything.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = &text[text.rfind(')')? + 1..];
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some((fields.first()?.chars().next()?, fields.get(19)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn starts_lets_go_finds_and_stops() {
        let log = std::env::temp_dir().join(format!("stackup-process-{}", std::process::id()));
        let mark = format!("while :; do sleep 0.1; done; {}", std::process::id());
        let process = start_detached(Path::new("/bin/sh"), &["-c", &mark], &log).unwrap();
        assert!(process.running());
        // The shell's own children have its arguments until they become `sleep`.
        assert!(find(|args| args.get(2) == Some(&mark)).contains(&process));
        let file = log.with_extension("pid");
        crate::files::write_atomic(&file, process.to_line().as_bytes(), 0o644).unwrap();
        assert_eq!(ProcessId::from_file(&file), Some(process));
        let stale = ProcessId { started: process.started + 1, ..process };
        assert!(!stale.running());
        process.stop(Duration::from_secs(2)).await.unwrap();
        assert!(!process.running());
        assert_eq!(ProcessId::from_file(&file), None);
        fs::remove_file(file).unwrap();
        fs::remove_file(log).unwrap();
    }
}
