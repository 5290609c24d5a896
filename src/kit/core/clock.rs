//! Time, from a clock that tests can stop.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::value::{FromValue, ToValue, Value, ValueError};

/// A moment in UTC, to the microsecond, and the spellings that the services use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

/// Text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time")]
pub struct TimeError(pub String);

impl Time {
    /// Seconds since 1970.
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// The moment `seconds` after 1970; years past 9999 are cut to the last one.
    pub fn from_unix(seconds: i64) -> Self {
        Self(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
    }

    /// Microseconds since 1970.
    pub fn unix_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Reads an ISO 8601 time: with or without fraction, `Z` or an offset; no zone means UTC.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.to_owned());
        if let Ok(stamp) = text.parse::<Timestamp>() {
            return Ok(Self(stamp));
        }
        let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| wrong())?;
        civil.to_zoned(TimeZone::UTC).map(|zoned| Self(zoned.timestamp())).map_err(|_| wrong())
    }

    /// `2026-11-21T04:08:50Z`: nova, glance, neutron.
    pub fn seconds_z(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-11-21T04:08:50.123456Z`: keystone, and the store, where text order is time order.
    pub fn micros_z(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S.%6fZ")
    }

    /// `2026-11-21T04:08:50.123456`: cinder, and nova's actions and services.
    pub fn micros(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S.%6f")
    }

    /// `2026-11-21T04:08:50`.
    pub fn seconds(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S")
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or(Duration::ZERO)
    }

    fn format(self, pattern: &str) -> String {
        self.0.to_zoned(TimeZone::UTC).strftime(pattern).to_string()
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    /// Stops at the last moment of the year 9999.
    fn add(self, rhs: Duration) -> Time {
        Time(self.0.checked_add(rhs).unwrap_or(Timestamp::MAX))
    }
}

impl std::ops::Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, rhs: Duration) -> Time {
        Time(self.0.checked_sub(rhs).unwrap_or(Timestamp::MIN))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.micros_z())
    }
}

impl ToValue for Time {
    fn to_value(&self) -> Value {
        Value::Text(self.micros_z())
    }
}

impl FromValue for Time {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Time::parse(&String::from_value(value)?).map_err(|_| value.unexpected("a time"))
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    fn now(&self) -> Time;
}

/// A clock in many hands.
pub type SharedClock = Arc<dyn Clock>;

/// The host's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let now = Timestamp::now();
        // Whole microseconds, so that a time read back from the store equals the one written.
        Time(Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now))
    }
}

/// A clock that moves when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<Time>);

impl ManualClock {
    pub fn at(time: Time) -> Self {
        Self(Mutex::new(time))
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = *now + by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let time = Time::parse("2026-11-21T04:08:50.123456Z").unwrap();
        assert_eq!(time.seconds_z(), "2026-11-21T04:08:50Z");
        assert_eq!(time.micros_z(), "2026-11-21T04:08:50.123456Z");
        assert_eq!(time.micros(), "2026-11-21T04:08:50.123456");
        assert_eq!(Time::parse("2026-11-21T04:08:50.123456"), Ok(time));
        assert_eq!(Time::parse("2026-11-21 06:08:50.123456+02:00"), Ok(time));
        assert!(Time::parse("yesterday").is_err());
    }

    #[test]
    fn a_stored_time_comes_back_equal() {
        let now = SystemClock.now();
        assert_eq!(Time::from_value(&now.to_value()), Ok(now));
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let time = Time::from_unix(0) + Duration::from_secs(90);
        assert_eq!(time.unix(), 90);
        assert_eq!(Time::from_unix(0).since(time), Duration::ZERO);
        assert_eq!(time + Duration::MAX, Time::from_unix(i64::MAX));
    }
}
