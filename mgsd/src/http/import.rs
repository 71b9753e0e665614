//! Noun `mgt`: the disk of a kernel MGS, in and out.

use axum::Json;
use axum::extract::State;
use mgs_api::{Change, Mgt, Problem, ProblemKind};
use mgs_core::model::command::import::Command;
use wire::nodemap::Entry;

use super::answer::{Answer, Document, Ordered, Refusal, Shared};

/// What a kernel MGS needs on its disk to go on.
#[utoipa::path(get, path = "/v1/mgt", tag = "mgt", operation_id = "mgt_export",
    responses(
        (status = 200, description = "the answer", body = Mgt),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn export(State(mgs): State<Shared>) -> Answer<Mgt> {
    Ok(Json(mgs.export().await?))
}

/// Takes over what a kernel MGS has on its disk, in one commit.
#[utoipa::path(post, path = "/v1/mgt", tag = "mgt", operation_id = "mgt_import",
    request_body = Mgt,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn import(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(mgt): Document<Mgt>,
) -> Answer<Change> {
    by.change(&mgs, command(mgt)?).await
}

fn command(mgt: Mgt) -> Result<Command, Refusal> {
    let bad = |object: String| {
        Problem::new(ProblemKind::Malformed, object, "is not made of pairs of hexadecimal digits")
    };
    let mut command = Command { from: mgt.from, tables: mgt.tables, ..Command::default() };
    for (name, digits) in mgt.logs {
        let file = bytes(&digits).ok_or_else(|| bad(format!("log {name:?}")))?;
        command.logs.insert(name, file);
    }
    let entry = |digits: &String| {
        let bytes = bytes(digits)?;
        let (key, rec) = bytes.split_first_chunk::<8>()?;
        Some(Entry { key: *key, rec: rec.try_into().ok()? })
    };
    if let Some(entries) = mgt.nodemaps {
        let read: Option<Vec<Entry>> = entries.iter().map(entry).collect();
        let what = "an entry has 80 hexadecimal digits: key and record";
        command.nodemaps = Some(read.ok_or_else(|| Problem::new(ProblemKind::Malformed, "nodemaps", what))?);
    }
    Ok(command)
}

/// Bytes of a text of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// The text of bytes.
pub(crate) fn digits(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| DIGITS.get(usize::from(n)).map_or('0', |b| char::from(*b));
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes(&digits(&all)), Some(all));
        for bad in ["0", "0g", "é", "00 "] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
