//! Connections to the members of the cluster, one at a time in use.
//!
//! All requests go to the current member. The first one that gets no answer moves everybody on to the next,
//! so a member that is gone, cut off or behind costs one attempt, not one in three for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error};
use tokio::sync::Mutex;

use super::config::EtcdConfig;
use crate::StoreError;

/// Between two attempts that both fail at once, e.g. because nobody listens.
const PAUSE: Duration = Duration::from_millis(50);
/// Largest answer; etcd's own requests end at 1.5 MiB, pages hold several.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Why a request failed, as far as it matters for what comes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// No answer, or one that leaves open what happened.
    Unsure(String),
    /// Answered: the quota of the cluster is used up. The request may have been the one that used it up, and be done.
    NoSpace,
    /// The revision asked for is compacted away.
    Compacted,
    /// The answer is too large for one message.
    LargeAnswer,
    /// Nothing was done, and trying again does not help.
    Refused(String),
}

/// See the [module](self).
pub(super) struct Members {
    name: String,
    options: ConnectOptions,
    urls: Vec<String>,
    clients: Vec<Mutex<Option<Arc<Client>>>>,
    current: AtomicUsize,
    attempt: Duration,
    patience: Duration,
}

impl Members {
    /// Reads certificates and password; does not connect yet.
    pub(super) fn new(config: &EtcdConfig) -> Result<Self, StoreError> {
        Ok(Self {
            name: config.to_string(),
            options: config.connect_options()?,
            urls: config.endpoints.clone(),
            clients: config.endpoints.iter().map(|_| Mutex::default()).collect(),
            current: AtomicUsize::new(0),
            attempt: config.attempt(),
            patience: config.timeout,
        })
    }

    /// As [`crate::Store::describe`].
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How long a call keeps trying.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// One attempt at the current member. After [`Failure::Unsure`] another member is the current one.
    pub(super) async fn once<R, F, Fut>(&self, call: &F) -> Result<R, Failure>
    where
        F: Fn(Arc<Client>) -> Fut + Sync,
        Fut: Future<Output = Result<R, Error>> + Send,
    {
        let at = self.current.load(Ordering::Relaxed) % self.urls.len().max(1);
        let url = self.urls.get(at).map_or("", String::as_str);
        let attempt = async {
            let client = self.client(at, url).await?;
            match call(Arc::clone(&client)).await {
                // granted or revoked something meanwhile: our token is of the time before
                Err(Error::GRpcStatus(status))
                    if status.message().contains("revision of auth store is old") =>
                {
                    client.refresh_token().await?;
                    call(client).await
                }
                other => other,
            }
        };
        let outcome = match tokio::time::timeout(self.attempt, attempt).await {
            Ok(outcome) => outcome.map_err(|e| classify(url, &e)),
            Err(_) => {
                Err(Failure::Unsure(format!("{url} gives no answer for {} ms", self.attempt.as_millis())))
            }
        };
        if let Err(Failure::Unsure(_)) = &outcome {
            let next = at.saturating_add(1) % self.urls.len().max(1);
            // only the first of several callers moves on
            let _moved = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        outcome
    }

    /// Attempts at one member after the other, until one answers or patience ends. For requests that may be made twice.
    pub(super) async fn retried<R, F, Fut>(&self, call: F) -> Result<R, Failure>
    where
        F: Fn(Arc<Client>) -> Fut + Sync,
        Fut: Future<Output = Result<R, Error>> + Send,
    {
        let mut last = Failure::Unsure("no member answers".to_owned());
        let attempts = async {
            loop {
                match self.once(&call).await {
                    Err(failure @ Failure::Unsure(_)) => last = failure,
                    other => return other,
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let outcome = tokio::time::timeout(self.patience, attempts).await;
        outcome.unwrap_or(Err(last))
    }

    /// In the words of the contract.
    pub(super) fn error(&self, failure: Failure) -> StoreError {
        let store = self.name.clone();
        match failure {
            Failure::Unsure(detail) => StoreError::Unavailable { store, detail },
            Failure::NoSpace => StoreError::OverQuota {
                store,
                detail: "the cluster has used up its quota (alarm NOSPACE): its operator compacts and defragments it \
                         or raises --quota-backend-bytes, then runs `etcdctl alarm disarm`"
                    .to_owned(),
            },
            Failure::Compacted => {
                StoreError::Unavailable { store, detail: "it was compacted while we read it".to_owned() }
            }
            Failure::LargeAnswer => {
                StoreError::Unavailable { store, detail: "one value is larger than a message".to_owned() }
            }
            Failure::Refused(detail) => StoreError::Denied { store, detail },
        }
    }

    /// The connection to one member; made when first needed, then kept: it connects again by itself.
    async fn client(&self, at: usize, url: &str) -> Result<Arc<Client>, Error> {
        let Some(slot) = self.clients.get(at) else {
            return Err(Error::InvalidArgs("no endpoint".to_owned()));
        };
        let mut slot = slot.lock().await;
        if let Some(client) = &*slot {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(Client::connect([url], Some(self.options.clone())).await?);
        *slot = Some(Arc::clone(&client));
        Ok(client)
    }
}

/// A client for keys and values that takes pages of any size that we ask for.
pub(super) fn kv(client: &Client) -> etcd_client::KvClient {
    client.kv_client().max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// Sorts etcd's answers (`api/v3rpc/rpctypes/error.go`) by what they mean for us.
fn classify(url: &str, error: &Error) -> Failure {
    let unsure = |what: String| Failure::Unsure(format!("{url}: {what}"));
    let status = match error {
        Error::GRpcStatus(status) => status,
        Error::InvalidArgs(_) | Error::InvalidUri(_) => return Failure::Refused(format!("{url}: {error}")),
        other => return unsure(with_sources(other)),
    };
    let message = status.message();
    match i32::from(status.code()) {
        8 if message.contains("database space exceeded") => Failure::NoSpace, // ResourceExhausted
        11 if message.contains("compacted") => Failure::Compacted,            // OutOfRange
        11 if message.contains("message length too large") => Failure::LargeAnswer,
        // InvalidArgument, PermissionDenied, FailedPrecondition, Unauthenticated, Unimplemented, DataLoss
        3 | 7 | 9 | 12 | 15 | 16 => Failure::Refused(format!("{url}: {message}")),
        _ => unsure(with_sources(status)),
    }
}

/// tonic says "transport error" and keeps the reason one or two levels below.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(below) = source {
        let below_text = below.to_string();
        if !text.contains(&below_text) {
            text = format!("{text}: {below_text}");
        }
        source = below.source();
    }
    text
}
