//! Power state: what the hypervisor says about a guest, in nova's numbers.
//!
//! The third of a server's axes beside vm_state and task_state; only the driver knows it.

use serde::{Deserialize, Serialize};

/// Nova's power states with their numbers on the wire. 2, 5, 8 and 9 were given up upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerState {
    #[default]
    NoState,
    Running,
    Paused,
    Shutdown,
    Crashed,
    Suspended,
}

impl PowerState {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::NoState,
        Self::Running,
        Self::Paused,
        Self::Shutdown,
        Self::Crashed,
        Self::Suspended,
    ];

    /// The number in `OS-EXT-STS:power_state`.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::NoState => 0,
            Self::Running => 1,
            Self::Paused => 3,
            Self::Shutdown => 4,
            Self::Crashed => 6,
            Self::Suspended => 7,
        }
    }

    /// The state with that number; none for a number nova does not use.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| i64::from(state.code()) == code)
    }

    /// The name that diagnostics and notifications use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoState => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Shutdown => "shutdown",
            Self::Crashed => "crashed",
            Self::Suspended => "suspended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_novas_and_go_both_ways() {
        let codes: Vec<u8> = PowerState::ALL.iter().map(|state| state.code()).collect();
        assert_eq!(codes, [0, 1, 3, 4, 6, 7]);
        for state in PowerState::ALL {
            assert_eq!(PowerState::from_code(state.code().into()), Some(state));
        }
        assert_eq!(PowerState::from_code(2), None);
    }
}
