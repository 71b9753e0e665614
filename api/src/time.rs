//! Points in time as the API writes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A point in time with a resolution of one second: RFC 3339 in UTC (`2026-11-21T07:51:46Z`).
///
/// Seconds are what Lustre markers carry, and nothing that an admin reads here needs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-21T07:51:46Z"))]
pub struct Time(jiff::Timestamp);

impl Time {
    /// From seconds since 1970-01-01 UTC. Values past the year 9999 are shown as that year's end, so that a damaged
    /// stamp in a log can still be displayed.
    pub fn from_unix(seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Time(jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX))
    }

    /// Seconds since 1970-01-01 UTC; 0 for anything earlier.
    pub fn unix(self) -> u64 {
        u64::try_from(self.0.as_second()).unwrap_or(0)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `date -u -d @1795247506 +%FT%TZ`
    #[test]
    fn is_written_as_rfc_3339() {
        let time = Time::from_unix(1_795_247_506);
        assert_eq!(time.to_string(), "2026-11-21T07:51:46Z");
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-11-21T07:51:46Z\"");
        assert_eq!(serde_json::from_str::<Time>("\"2026-11-21T07:51:46Z\"").unwrap().unix(), 1_795_247_506);
    }

    #[test]
    fn far_future_is_clamped_not_refused() {
        assert!(Time::from_unix(u64::MAX).to_string().starts_with("9999-12-3"));
    }
}
