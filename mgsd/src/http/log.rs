//! Noun `log`.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use mgs_api::{Change, List, Log, LogReader, LogRecord, LogRetire, Problem, ProblemKind};
use mgs_core::model::command::log::Command;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::{Answer, Document, Filter, Name, Ordered, Refusal, Shared};
use super::records;

/// Header of a raw log: the `seq` that the bytes reflect.
const SEQ: &str = "mgsd-seq";

/// Which logs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those of this file system.
    fs: Option<String>,
}

/// All logs, or those of one file system.
#[utoipa::path(get, path = "/v1/logs", tag = "log", operation_id = "log_list",
    params(("fs" = Option<String>, Query, description = "only those of this file system")),
    responses(
        (status = 200, description = "the logs", body = List<Log>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>, Filter(which): Filter<Which>) -> Answer<List<Log>> {
    Ok(Json(mgs.logs(which.fs.as_deref()).await?))
}

/// Which records.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    /// First index; 1 unless given.
    start: Option<u32>,
    /// Last index; that of the log unless given.
    end: Option<u32>,
}

/// Records of a log, cancelled ones and padding included.
#[utoipa::path(get, path = "/v1/logs/{name}/records", tag = "log", operation_id = "log_records",
    params(
        ("name" = String, Path, description = "name of the log, such as testfs-client"),
        ("start" = Option<u32>, Query, description = "first index; 1 unless given"),
        ("end" = Option<u32>, Query, description = "last index; that of the log unless given"),
    ),
    responses(
        (status = 200, description = "the records in the order of their indices", body = List<LogRecord>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn records(
    State(mgs): State<Shared>,
    Name(name): Name,
    Filter(range): Filter<Range>,
) -> Answer<List<LogRecord>> {
    let (start, end) = (range.start.unwrap_or(1), range.end.unwrap_or(u32::MAX));
    if start > end {
        let object = format!("records {start} to {end} of log {name:?}");
        return Err(Problem::new(ProblemKind::Malformed, object, "the range is empty")
            .allowed("start not greater than end")
            .into());
    }
    let file = mgs.log_file(&name).await?;
    Ok(Json(List { seq: file.seq, items: records::of(&name, &file.bytes, start, end)? }))
}

/// Connected nodes that have fetched a log.
#[utoipa::path(get, path = "/v1/logs/{name}/readers", tag = "log", operation_id = "log_readers",
    params(("name" = String, Path, description = "name of the log, such as testfs-client")),
    responses(
        (status = 200, description = "the nodes", body = List<LogReader>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn readers(State(mgs): State<Shared>, Name(name): Name) -> Answer<List<LogReader>> {
    Ok(Json(mgs.log_readers(&name).await?))
}

/// The bytes of a log; here only for the description.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Raw(#[expect(dead_code, reason = "a schema needs a field")] Vec<u8>);

/// The file of a log, as Lustre nodes read it; empty for a log that was never written.
#[utoipa::path(get, path = "/v1/logs/{name}/file", tag = "log", operation_id = "log_file",
    params(("name" = String, Path, description = "name of the log, such as testfs-client")),
    responses(
        (status = 200, description = "the bytes", body = Raw, content_type = "application/octet-stream",
            headers(("mgsd-seq" = u64, description = "the commit that the bytes reflect"))),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn file(State(mgs): State<Shared>, Name(name): Name) -> Result<Response, Refusal> {
    let file = mgs.log_file(&name).await?;
    let headers =
        [(CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()), (SEQ, file.seq.to_string())];
    Ok((headers, file.bytes).into_response())
}

/// Cancels one record: mounts to come do not execute it.
#[utoipa::path(delete, path = "/v1/logs/{name}/records/{index}", tag = "log", operation_id = "log_cancel",
    params(
        ("name" = String, Path, description = "name of the log, such as testfs-client"),
        ("index" = u32, Path, description = "index of the record"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(mgs): State<Shared>,
    Name((log, index)): Name<(String, u32)>,
    by: Ordered,
) -> Answer<Change> {
    by.change(&mgs, Command::Cancel { log, index }).await
}

/// Removes a log; of `params`, its records.
#[utoipa::path(delete, path = "/v1/logs/{name}", tag = "log", operation_id = "log_remove",
    params(
        ("name" = String, Path, description = "name of the log, such as testfs-client"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn remove(State(mgs): State<Shared>, Name(log): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Remove { log }).await
}

/// Clears the bits of records that no reader executes, under mounted nodes.
#[utoipa::path(post, path = "/v1/logs/{name}/compact", tag = "log", operation_id = "log_compact",
    params(
        ("name" = String, Path, description = "a file system, or a log"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn compact(State(mgs): State<Shared>, Name(name): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Compact { name }).await
}

/// Begins a newer generation of a log beside it, for nodes that never read it.
#[utoipa::path(post, path = "/v1/logs/{name}/renew", tag = "log", operation_id = "log_renew",
    params(
        ("name" = String, Path, description = "name of the log, such as testfs-client"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn renew(State(mgs): State<Shared>, Name(log): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Renew { log }).await
}

/// Gives up the older generation of a log.
#[utoipa::path(post, path = "/v1/logs/{name}/retire", tag = "log", operation_id = "log_retire",
    params(
        ("name" = String, Path, description = "name of the log, such as testfs-client"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    request_body = LogRetire,
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn retire(
    State(mgs): State<Shared>,
    Name(log): Name,
    by: Ordered,
    Document(how): Document<LogRetire>,
) -> Answer<Change> {
    by.change(&mgs, Command::Retire { log, force: how.force }).await
}

/// Writes logs anew without what no reader executes; nobody may be connected.
#[utoipa::path(post, path = "/v1/logs/{name}/clear", tag = "log", operation_id = "log_clear",
    params(
        ("name" = String, Path, description = "a file system, or a target"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn clear(State(mgs): State<Shared>, Name(name): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Clear { name }).await
}
