//! Typed client: one connection per call, so that a restart of the daemon between two calls goes unnoticed.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::{
    Address, BadAddress, Chain, Change, ClientExport, Commit, Decision, FileSystem, List, Log, LogRecord,
    NewPool, PROBLEM_CONTENT_TYPE, ParamAssignment, ParamInForce, Pool, PoolMembers, Problem, RecoverySwitch,
    Status, Target,
};

/// Longest answer that is read, bytes. The largest config log that sites have is a hundred times smaller.
const ANSWER_MAX: usize = 512 << 20;

/// How long an answer may take. The daemon gives up after 30 s, so its own word comes first.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Why a call did not succeed. What differs for a script: [`Error::Refused`] is a certain no, [`Error::Unreachable`] a
/// certain "nothing happened", [`Error::Unknown`] neither.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error(transparent)]
    BadAddress(#[from] BadAddress),
    /// Nobody answers at the address; the request was not sent.
    #[error("daemon at {address}: {}; is mgsd running there? (another address: --api or MGSD_API)", reason(.source))]
    Unreachable {
        /// The address.
        address: Address,
        /// What connecting said.
        source: io::Error,
    },
    /// The request was sent and no whole answer came back: whether it was carried out is not known.
    #[error("daemon at {address}: {what}; the outcome is unknown")]
    Unknown {
        /// The address.
        address: Address,
        /// What happened.
        what: String,
    },
    /// The daemon said no, or that it failed.
    #[error(transparent)]
    Refused(Box<Problem>),
    /// The answer is whole and not what this API says: another version, or not mgsd.
    #[error("answer of {address} to {path}: {what}; is it an mgsd of this version?")]
    Foreign {
        /// The address.
        address: Address,
        /// What was asked for.
        path: String,
        /// What is wrong with the answer.
        what: String,
    },
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens on this socket".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied (the socket is for root and its group)".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Client of one daemon.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
}

impl Client {
    /// A client for `unix:PATH`, after making sure that somebody listens there.
    ///
    /// # Errors
    /// [`Error::BadAddress`], [`Error::Unreachable`].
    pub async fn connect(address: &str) -> Result<Self, Error> {
        let client = Client::new(address.parse()?);
        client.dial().await?;
        Ok(client)
    }

    /// A client for an address. Nothing is tried before the first call.
    pub fn new(address: Address) -> Self {
        Client { address }
    }

    /// The daemon itself.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn status(&self) -> Result<Status, Error> {
        self.json("/v1/status").await
    }

    /// All file systems.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_list(&self) -> Result<List<FileSystem>, Error> {
        self.json("/v1/fs").await
    }

    /// One file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs(&self, name: &str) -> Result<FileSystem, Error> {
        self.json(&format!("/v1/fs/{}", segment(name))).await
    }

    /// Imperative recovery of a file system on or off.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_recovery(&self, name: &str, to: RecoverySwitch, dry_run: bool) -> Result<Change, Error> {
        let path = format!("/v1/fs/{}/recovery", segment(name));
        self.change(Method::PUT, &path, &to, dry_run).await
    }

    /// All targets, or those of one file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn targets(&self, fs: Option<&str>) -> Result<List<Target>, Error> {
        self.json(&format!("/v1/targets{}", query(&[("fs", fs)]))).await
    }

    /// One target.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn target(&self, name: &str) -> Result<Target, Error> {
        self.json(&format!("/v1/targets/{}", segment(name))).await
    }

    /// All connected nodes.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn clients(&self) -> Result<List<ClientExport>, Error> {
        self.json("/v1/clients").await
    }

    /// All logs, or those of one file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn logs(&self, fs: Option<&str>) -> Result<List<Log>, Error> {
        self.json(&format!("/v1/logs{}", query(&[("fs", fs)]))).await
    }

    /// Records of a log with `start <= index <= end`, cancelled ones and padding included.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_records(
        &self,
        name: &str,
        start: Option<u32>,
        end: Option<u32>,
    ) -> Result<List<LogRecord>, Error> {
        let (start, end) = (start.map(|n| n.to_string()), end.map(|n| n.to_string()));
        let query = query(&[("start", start.as_deref()), ("end", end.as_deref())]);
        self.json(&format!("/v1/logs/{}/records{query}", segment(name))).await
    }

    /// The file of a log, byte for byte as Lustre nodes read it; empty for a log that was never written.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_file(&self, name: &str) -> Result<Bytes, Error> {
        self.get(&format!("/v1/logs/{}/file", segment(name)), "application/octet-stream").await
    }

    /// The last conversations of a node, as a capture file that Wireshark opens.
    ///
    /// # Errors
    /// [`Error`]; an unknown NID is refused.
    pub async fn client_record(&self, nid: &str) -> Result<Bytes, Error> {
        self.get(&format!("/v1/clients/{}/record", segment(nid)), "application/vnd.tcpdump.pcap").await
    }

    /// Parameters in force: all, or those of one file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn params(&self, fs: Option<&str>) -> Result<List<ParamInForce>, Error> {
        self.json(&format!("/v1/params{}", query(&[("fs", fs)]))).await
    }

    /// Sets a parameter.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_set(&self, to: &ParamAssignment, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, "/v1/params", to, dry_run).await
    }

    /// Takes a parameter away.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn param_unset(&self, what: &ParamAssignment, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::DELETE, "/v1/params", what, dry_run).await
    }

    /// Pools: all, or those of one file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn pools(&self, fs: Option<&str>) -> Result<List<Pool>, Error> {
        self.json(&format!("/v1/pools{}", query(&[("fs", fs)]))).await
    }

    /// Makes a pool.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn pool_new(&self, pool: &NewPool, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, "/v1/pools", pool, dry_run).await
    }

    /// Destroys an empty pool.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn pool_destroy(&self, pool: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::DELETE, &format!("/v1/pools/{}", segment(pool)), &(), dry_run).await
    }

    /// Adds members to a pool, all or none.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn pool_add(&self, pool: &str, osts: &PoolMembers, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/pools/{}/members", segment(pool)), osts, dry_run).await
    }

    /// Removes members of a pool, all or none.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn pool_remove(&self, pool: &str, osts: &PoolMembers, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::DELETE, &format!("/v1/pools/{}/members", segment(pool)), osts, dry_run).await
    }

    /// Commits above `after`, at most `limit`.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn commits(&self, after: u64, limit: u32) -> Result<List<Commit>, Error> {
        self.json(&format!("/v1/commits?after={after}&limit={limit}")).await
    }

    /// Whether each commit carries the hash of the one before it.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn commit_chain(&self) -> Result<Chain, Error> {
        self.json("/v1/commits/chain").await
    }

    /// What was decided on a node (by NID), a target or a log; oldest first.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn why(&self, subject: &str) -> Result<List<Decision>, Error> {
        self.json(&format!("/v1/why/{}", segment(subject))).await
    }

    /// Asks for a change; with `dry_run`, what it would do. The methods of the nouns call it.
    pub(crate) async fn change<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: &T,
        dry_run: bool,
    ) -> Result<Change, Error> {
        let body = serde_json::to_vec(body).map_err(|error| self.foreign(path, error.to_string()))?;
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = if dry_run { format!("{path}{mark}dry_run=true") } else { path.to_owned() };
        let answer = self.send(method, &path, "application/json", body.into()).await?;
        serde_json::from_slice(&answer).map_err(|error| self.foreign(&path, error.to_string()))
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let body = self.get(path, "application/json").await?;
        serde_json::from_slice(&body).map_err(|error| self.foreign(path, error.to_string()))
    }

    async fn get(&self, path: &str, accept: &'static str) -> Result<Bytes, Error> {
        self.send(Method::GET, path, accept, Bytes::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Bytes, Error> {
        let stream = self.dial().await?;
        match tokio::time::timeout(TIMEOUT, self.exchange(stream, method, path, accept, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.unknown(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }

    async fn dial(&self) -> Result<UnixStream, Error> {
        UnixStream::connect(self.address.path())
            .await
            .map_err(|source| Error::Unreachable { address: self.address.clone(), source })
    }

    async fn exchange(
        &self,
        stream: UnixStream,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Bytes, Error> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
                .await
                .map_err(|error| self.unknown(error.to_string()))?;
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, "mgsd").header(ACCEPT, accept);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body)).map_err(|error| self.foreign(path, error.to_string()))?;

        // The connection is driven beside the call and ends with it: a call that is dropped leaves nothing behind.
        let answer = async {
            let response =
                sender.send_request(request).await.map_err(|error| self.unknown(error.to_string()))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    self.foreign(path, format!("it is longer than {} MiB", ANSWER_MAX >> 20))
                } else {
                    self.unknown(error.to_string())
                }
            })?;
            Ok::<_, Error>((head, body.to_bytes()))
        };
        tokio::pin!(connection, answer);
        let (head, body) = tokio::select! {
            biased;
            answer = &mut answer => answer?,
            // The peer may close right after the last byte, which then still waits to be taken.
            _ = &mut connection => answer.await?,
        };
        if head.status == StatusCode::OK {
            return Ok(body);
        }
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) if content_type == Some(PROBLEM_CONTENT_TYPE) => {
                Err(Error::Refused(Box::new(problem)))
            }
            _ => {
                Err(self.foreign(path, format!("status {} without a problem document", head.status.as_u16())))
            }
        }
    }

    fn unknown(&self, what: String) -> Error {
        Error::Unknown { address: self.address.clone(), what }
    }

    fn foreign(&self, path: &str, what: String) -> Error {
        Error::Foreign { address: self.address.clone(), path: path.to_owned(), what }
    }
}

/// `?a=1&b=2` of what is there; nothing when nothing is.
pub(crate) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if let Some(value) = value {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(&segment(value));
        }
    }
    text
}

/// Percent-encodes everything but the unreserved characters of RFC 3986. The names `.` and `..` stay as they are: no
/// route of ours normalises paths, so they reach the daemon and are unknown names there.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_path_segment() {
        assert_eq!(segment("testfs-OST000a"), "testfs-OST000a");
        assert_eq!(segment("a/b?c d\n%"), "a%2Fb%3Fc%20d%0A%25");
        assert_eq!(segment("ü"), "%C3%BC");
    }

    #[test]
    fn query_leaves_out_what_is_not_asked() {
        assert_eq!(query(&[("fs", None)]), "");
        assert_eq!(query(&[("start", Some("1")), ("end", Some("2"))]), "?start=1&end=2");
        assert_eq!(query(&[("start", None), ("end", Some("2"))]), "?end=2");
    }
}
