//! Microversions.

use std::fmt;
use std::str::FromStr;

/// A microversion, `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mv(pub u16, pub u16);

/// The microversions a service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MvRange {
    pub min: Mv,
    pub max: Mv,
}

impl Mv {
    /// Below every real version: services without microversions.
    pub const ZERO: Mv = Mv(0, 0);
}

impl fmt::Display for Mv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for Mv {
    type Err = ();

    /// Takes exactly `digits.digits`, without leading zeros, as upstream does.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |part: &str| -> Result<u16, ()> {
            let plain = part.bytes().all(|b| b.is_ascii_digit());
            let padded = part.len() > 1 && part.starts_with('0');
            if !plain || padded { Err(()) } else { part.parse().map_err(|_| ()) }
        };
        let (major, minor) = text.split_once('.').ok_or(())?;
        Ok(Mv(number(major)?, number(minor)?))
    }
}

impl MvRange {
    pub fn contains(self, version: Mv) -> bool {
        self.min <= version && version <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_plain_pairs_only() {
        assert_eq!("2.104".parse(), Ok(Mv(2, 104)));
        for wrong in ["2", "2.", "2.01", "a.b", "2.1.3", "-2.1", "2.+1", ""] {
            assert!(wrong.parse::<Mv>().is_err(), "{wrong}");
        }
        assert!(Mv(2, 9) < Mv(2, 10));
    }
}
