//! Where things are, all told from the state directory.

use std::path::{Path, PathBuf};

/// The places of one installation. Another state directory has another runtime directory and lock,
/// so that a test does not meet the real one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub state_dir: PathBuf,
}

impl Paths {
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    pub fn ledger(&self) -> PathBuf {
        self.state_dir.join(stackup_ledger::FILE)
    }

    /// Outside the state directory: it is taken before that is made, and given up after it is gone.
    pub fn lock(&self) -> PathBuf {
        PathBuf::from("/run").join(format!("{}.lock", self.name()))
    }

    /// Pid files and sockets; gone after a reboot.
    pub fn runtime(&self) -> PathBuf {
        PathBuf::from("/run").join(self.name())
    }

    pub fn profile(&self) -> PathBuf {
        self.state_dir.join("profile.yaml")
    }

    pub fn credentials(&self) -> PathBuf {
        self.state_dir.join("credentials.json")
    }

    /// What the service says where no journal keeps it.
    pub fn log(&self) -> PathBuf {
        self.state_dir.join("stackup.log")
    }

    pub fn pid_file(&self) -> PathBuf {
        self.runtime().join("stackup.pid")
    }

    pub fn volumes_file(&self, group: &str) -> PathBuf {
        self.state_dir.join(format!("{group}-backing-file"))
    }

    fn name(&self) -> String {
        let name = self.state_dir.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}
