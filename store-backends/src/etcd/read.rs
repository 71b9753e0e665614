//! Reads: where the store is, and ranges of any size as one state.

use etcd_client::{Error, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};

use super::Cluster;
use super::members::{Failure, kv};
use super::shape::{At, Shape};
use crate::key::SEQ_KEY;
use crate::{Entry, StoreError};

/// Entries in a page; fewer where they are large.
const PAGE: usize = 1000;
/// A range is begun anew so often when others compact the cluster faster than we read.
const ROUNDS: usize = 8;
/// Keys asked for in one request; a cluster takes 128 operations.
const KEYS: usize = 100;

/// A page, and what it needs to go on.
struct Page {
    kvs: Vec<KeyValue>,
    more: bool,
}

impl Cluster {
    /// Where the store is: linearizable.
    pub(super) async fn seq(&self) -> Result<At, StoreError> {
        Ok(self.seq_and_revision().await?.0)
    }

    /// The same, and the revision of the whole cluster that it was read at.
    pub(super) async fn seq_and_revision(&self) -> Result<(At, i64), StoreError> {
        let key = self.shape.full(SEQ_KEY);
        let read = self.members.retried(|client| {
            let key = key.clone();
            async move { kv(&client).get(key, None).await }
        });
        let response = read.await.map_err(|failure| self.members.error(failure))?;
        let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
        let at = self.shape.at(response.kvs().first())?;
        self.saw(at);
        Ok((at, revision))
    }

    /// Up to `limit` entries of `[from, to)` and where `seq` stood, all at one revision.
    pub(super) async fn scan(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
        limit: usize,
    ) -> Result<(At, Vec<Entry>), StoreError> {
        let mut page = PAGE;
        let mut rounds = 0;
        loop {
            match self.scan_once(&from, &to, limit, page).await? {
                Ok(found) => return Ok(found),
                Err(Failure::LargeAnswer) if page > 1 => page /= 4,
                // the first page is never too late: in the end it holds everything
                Err(Failure::Compacted) if rounds < ROUNDS => {
                    rounds += 1;
                    page = page.saturating_mul(4);
                }
                Err(failure) => return Err(self.members.error(failure)),
            }
        }
    }

    async fn scan_once(
        &self,
        from: &[u8],
        to: &[u8],
        limit: usize,
        page: usize,
    ) -> Result<Result<(At, Vec<Entry>), Failure>, StoreError> {
        let (at, revision, mut found) = match self.first_page(from, to, limit.min(page)).await? {
            Ok(first) => first,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut entries = Vec::new();
        loop {
            for kv in &found.kvs {
                let entry = self.shape.entry(kv)?;
                if !Shape::is_placeholder(&entry) {
                    entries.push(entry);
                }
            }
            let left = limit.saturating_sub(entries.len());
            let Some(last) = found.kvs.last().filter(|_| found.more && left > 0) else {
                return Ok(Ok((at, entries)));
            };
            let next = [last.key(), b"\0"].concat();
            found = match self.next_page(&next, to, left.min(page), revision).await {
                Ok(found) => found,
                Err(failure) => return Ok(Err(failure)),
            };
        }
    }

    /// The first page together with `seq`, in one transaction.
    async fn first_page(
        &self,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Result<(At, i64, Page), Failure>, StoreError> {
        let read = self.members.retried(|client| {
            // a limit of 0 would be none
            let options = Shape::page(to, limit.max(1), 0);
            let txn = Txn::new().and_then([self.shape.get_seq(), TxnOp::get(from, Some(options))]);
            async move { kv(&client).txn(txn).await }
        });
        let response = match read.await {
            Ok(response) => response,
            Err(failure) => return Ok(Err(failure)),
        };
        let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
        let at = self.shape.at_in(&response, 0)?;
        let page = match response.op_responses().into_iter().nth(1) {
            Some(TxnOpResponse::Get(mut get)) if limit > 0 => Page { more: get.more(), kvs: get.take_kvs() },
            _ => Page { kvs: Vec::new(), more: false },
        };
        Ok(Ok((at, revision, page)))
    }

    async fn next_page(&self, from: &[u8], to: &[u8], limit: usize, revision: i64) -> Result<Page, Failure> {
        let mut response = self
            .members
            .retried(|client| {
                let options = Shape::page(to, limit, revision);
                async move { kv(&client).get(from, Some(options)).await }
            })
            .await?;
        Ok(Page { more: response.more(), kvs: response.take_kvs() })
    }

    /// The entries of these keys, which are sorted, and where `seq` stood, all at one revision.
    pub(super) async fn pick(&self, keys: &[&str]) -> Result<(At, Vec<Entry>), StoreError> {
        let mut batch = KEYS;
        let mut rounds = 0;
        loop {
            match self.pick_once(keys, batch).await? {
                Ok(found) => return Ok(found),
                Err(Failure::LargeAnswer) if batch > 1 => batch = (batch / 4).max(1),
                Err(Failure::Compacted) if rounds < ROUNDS => rounds += 1,
                Err(failure) => return Err(self.members.error(failure)),
            }
        }
    }

    async fn pick_once(
        &self,
        keys: &[&str],
        batch: usize,
    ) -> Result<Result<(At, Vec<Entry>), Failure>, StoreError> {
        let mut first: Option<(At, i64)> = None;
        let mut entries = Vec::new();
        let mut left = keys;
        loop {
            let (now, later) = left.split_at(batch.min(left.len()));
            let revision = first.map_or(0, |(_, revision)| revision);
            let read = self.members.retried(|client| {
                let options = || Some(GetOptions::new().with_revision(revision));
                let gets = now.iter().map(|key| TxnOp::get(self.shape.full(key), options()));
                let gets: Vec<TxnOp> = std::iter::once(self.shape.get_seq()).chain(gets).collect();
                async move { kv(&client).txn(Txn::new().and_then(gets)).await }
            });
            let response = match read.await {
                Ok(response) => response,
                Err(failure) => return Ok(Err(failure)),
            };
            let (at, revision) = match first {
                Some(first) => first,
                None => {
                    let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
                    (self.shape.at_in(&response, 0)?, revision)
                }
            };
            first = Some((at, revision));
            for answer in response.op_responses().into_iter().skip(1) {
                let TxnOpResponse::Get(get) = answer else { continue };
                for kv in get.kvs() {
                    let entry = self.shape.entry(kv)?;
                    if !Shape::is_placeholder(&entry) {
                        entries.push(entry);
                    }
                }
            }
            if later.is_empty() {
                return Ok(Ok((at, entries)));
            }
            left = later;
        }
    }

    /// One read of some keys, for finding out which of them is damaged.
    pub(super) async fn read_keys(&self, keys: &[&str]) -> Result<Vec<Entry>, StoreError> {
        let read = self.members.retried(|client| {
            let gets: Vec<TxnOp> = keys.iter().map(|key| TxnOp::get(self.shape.full(key), None)).collect();
            async move { Ok::<_, Error>(kv(&client).txn(Txn::new().and_then(gets)).await?.op_responses()) }
        });
        let answers = read.await.map_err(|failure| self.members.error(failure))?;
        let mut entries = Vec::new();
        for answer in answers {
            if let TxnOpResponse::Get(get) = answer {
                entries
                    .extend(get.kvs().iter().map(|kv| self.shape.entry(kv)).collect::<Result<Vec<_>, _>>()?);
            }
        }
        Ok(entries)
    }
}
