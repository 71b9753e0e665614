//! The logs of the small site.

use mgs_api::{Forecast, Log};

use super::at;

pub(super) fn logs() -> Vec<Log> {
    let empty = Log {
        name: "params".to_owned(),
        fs: None,
        id: "[0xa:0x1:0x0]".to_owned(),
        records_live: 0,
        records_total: 0,
        records_pad: 0,
        last_index: 0,
        size: 0,
        budget_used: Log::budget_used(0),
        commits_left: None,
        forecast: Forecast::TooEarly,
        full_at: None,
        readers: 0,
        next: None,
        pinned: Vec::new(),
        pinned_count: 0,
        created: None,
    };
    let (total, live) = (55, 48);
    let used = Log {
        name: "testfs-client".to_owned(),
        fs: Some("testfs".to_owned()),
        id: "[0xa:0x3:0x0]".to_owned(),
        records_live: live,
        records_total: total,
        records_pad: 1,
        last_index: total,
        size: 17_184,
        budget_used: Log::budget_used(total),
        commits_left: Some(5_800),
        forecast: Forecast::Full,
        full_at: Some(at(100_000_000)),
        readers: 1,
        next: Some("testfs-client@next".to_owned()),
        pinned: vec!["10.77.0.5@tcp".to_owned()],
        pinned_count: 1,
        created: Some(at(100)),
    };
    vec![empty, used]
}
