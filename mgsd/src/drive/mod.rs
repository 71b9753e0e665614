//! The driver of the engine: one task owns it. Frames of proxies, answers of the store and the clock go in; frames,
//! commits and log lines come out. Everybody else asks by [`Handle`].

mod api;
mod audit;
mod authors;
mod farewell;
mod follow;
mod ledger;
mod link;
mod links;
mod logs;
mod mgt;
mod nodemap;
mod observe;
mod params;
pub mod retention;
mod rules;
mod store;
mod trace;

pub use api::Identity;

use lnet_proxy::link::FrameLink;
use mgs_core::Now;
use mgs_core::engine::{CommitResult, Config, Engine, Input, LinkId, Output, Ticket};
use mgs_core::model::View;
use mgs_core::model::command::sptlrpc;
use mgs_core::model::command::{Done, Order};
use mgs_core::model::tx::Changes;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use store_backends::{Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use wire::relay::Frame;

/// Inputs that wait for the engine.
const QUEUE: usize = 1024;

/// A question to the engine.
type Question = Box<dyn FnOnce(&Engine, Now, &observe::Observer) + Send>;

enum Message {
    LinkUp(LinkId, link::Outbox),
    Frame(LinkId, Frame),
    LinkDown(LinkId),
    /// No more requests; tell when all are answered.
    Farewell(oneshot::Sender<()>),
    Committed(CommitResult),
    /// The store does not say what became of the commit in flight.
    Stuck {
        errno: mgs_core::Errno,
        why: String,
    },
    /// The store is not where the view is: another writer. Nothing may be served any longer.
    Lost(String),
    Barrier(Result<u64, StoreError>),
    /// The store may be above the view.
    Bell,
    /// What other daemons committed; `None` when it could not be read.
    Followed(Option<Changes>),
    Ask(Question),
    Order(Box<Order>, oneshot::Sender<Result<Box<Done>, mgs_core::Error>>),
}

/// Why the driver ended.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The store could not be read at the start.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds cannot be used.
    #[error("{0}")]
    View(String),
    /// The store was written by somebody else.
    #[error("store: {0}; mgsd stops, so that a restart reads it afresh")]
    Lost(String),
}

/// Talks to the engine.
#[derive(Clone)]
pub struct Handle {
    tx: mpsc::Sender<Message>,
    links: Arc<std::sync::atomic::AtomicU32>,
    identity: Arc<Identity>,
    created: watch::Receiver<Option<String>>,
    /// Not ours: the store is closed when the driver ends.
    store: Weak<dyn Store>,
}

/// The engine with its driver, ready to run.
pub struct Driver {
    engine: Engine,
    store: Arc<dyn Store>,
    start: Instant,
    inbox: mpsc::Receiver<Message>,
    tx: mpsc::Sender<Message>,
    links: links::Links,
    daemon: String,
    created: watch::Sender<Option<String>>,
    observer: observe::Observer,
    repeats: trace::Repeats,
    orders: HashMap<Ticket, oneshot::Sender<Result<Box<Done>, mgs_core::Error>>>,
    tickets: u64,
    follower: follow::Follower,
    /// The store is above the view, and a commit of ours is in flight.
    bell: bool,
    /// What the store said instead of answering the last barrier: one line of the log for the same words.
    said: Option<String>,
    /// Why the view can no longer be trusted.
    lost: Option<String>,
}

/// Loads the store and makes the engine.
///
/// # Errors
/// The store cannot be read, or holds what this release cannot use.
pub async fn start(
    config: Config,
    store: Arc<dyn Store>,
    identity: Identity,
) -> Result<(Driver, Handle), DriveError> {
    let all = store.range("").await?;
    let view = View::load(all.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice())))
        .map_err(|e| DriveError::View(e.to_string()))?;
    if let Some(entry) = view.logs.get(&sptlrpc::log_name(sptlrpc::MGS)) {
        sptlrpc::can_be_met(&entry.log).map_err(|e| DriveError::View(e.to_string()))?;
    }
    #[allow(clippy::disallowed_methods)] // the rim: here the clock is read
    let start = Instant::now();
    let mut seed = [0; 32];
    let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    seed.chunks_mut(16).zip(random).for_each(|(part, uuid)| part.copy_from_slice(uuid.as_bytes()));
    let engine = Engine::new(config, view, seed, now(start));
    let (tx, inbox) = mpsc::channel(QUEUE);
    let daemon = format!("mgsd pid {}", std::process::id());
    let (made, created) = watch::channel(None);
    let follower = follow::Follower::start(&store, &tx, engine.view().seq);
    let shared = Arc::downgrade(&store);
    let driver = Driver {
        engine,
        store,
        start,
        inbox,
        tx: tx.clone(),
        links: links::Links::new(identity.name.clone().map(|name| (name, identity.nids.clone()))),
        daemon,
        created: made,
        observer: observe::Observer::default(),
        repeats: trace::Repeats::default(),
        orders: HashMap::new(),
        tickets: 0,
        follower,
        bell: false,
        said: None,
        lost: None,
    };
    Ok((driver, Handle { tx, links: Arc::default(), identity: Arc::new(identity), created, store: shared }))
}

/// Unix seconds.
pub(crate) fn wall() -> u64 {
    #[allow(clippy::disallowed_methods)] // the rim: here the clock is read
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn now(start: Instant) -> Now {
    #[allow(clippy::disallowed_methods)] // the rim: here the clock is read
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: start.elapsed(), wall: i64::try_from(wall.as_secs()).unwrap_or(i64::MAX) }
}

impl Handle {
    /// Serves the proxy at the other end of a link, until the link is lost.
    pub async fn serve_link(&self, link: FrameLink) {
        let id = LinkId(self.links.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let FrameLink { tx, mut rx } = link;
        let (outbox, mut outgoing, given_up) = link::outbox();
        if self.tx.send(Message::LinkUp(id, outbox)).await.is_err() {
            return;
        }
        // Neither direction waits for the other, and the engine waits for none: no circle can close.
        let inward = async {
            while let Some(frame) = rx.recv().await {
                if self.tx.send(Message::Frame(id, frame)).await.is_err() {
                    return;
                }
            }
        };
        let outward = async {
            while let Some(frame) = outgoing.next().await {
                if tx.send(frame).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = inward => {}
            () = outward => {}
            _ = given_up => {}
        }
        let _ = self.tx.send(Message::LinkDown(id)).await; // the driver may be gone
    }

    /// Takes no more requests, and waits until those in service are answered and every proxy has the answers.
    pub async fn farewell(&self) {
        let (tx, rx) = oneshot::channel();
        if self.tx.send(Message::Farewell(tx)).await.is_ok() {
            let _ = rx.await; // the driver may end before
        }
    }

    /// The UUID of the MGS, as soon as its store holds it; empty when the daemon stops before.
    pub async fn created(&self) -> String {
        let mut created = self.created.clone();
        match created.wait_for(Option::is_some).await {
            Ok(uuid) => uuid.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Has an order carried out. `None` when the daemon is stopping: the outcome is in the commits.
    async fn order(&self, order: Order) -> Option<Result<Box<Done>, mgs_core::Error>> {
        let (tx, rx) = oneshot::channel();
        self.tx.send(Message::Order(Box::new(order), tx)).await.ok()?;
        rx.await.ok()
    }

    /// Asks the engine, between two of its inputs. `None` when the daemon is stopping.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Now, &observe::Observer) -> T + Send + 'static,
    ) -> Option<T> {
        let (tx, rx) = oneshot::channel();
        let question: Question =
            Box::new(move |engine, now, observer| drop(tx.send(question(engine, now, observer))));
        self.tx.send(Message::Ask(question)).await.ok()?;
        rx.await.ok()
    }
}

impl Driver {
    /// Runs until every handle is gone, or the store is lost.
    ///
    /// # Errors
    /// [`DriveError::Lost`].
    pub async fn run(mut self) -> Result<(), DriveError> {
        self.drain();
        loop {
            let due = self.engine.poll_timeout().map(|at| tokio::time::Instant::from_std(self.start + at));
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(Message::Lost(why)) => return Err(DriveError::Lost(why)),
                    Some(message) => self.message(message),
                    None => return Ok(()),
                },
                () = timer => self.engine.handle_timeout(now(self.start)),
            }
            self.drain();
            if let Some(why) = self.lost.take() {
                return Err(DriveError::Lost(why));
            }
        }
    }

    fn message(&mut self, message: Message) {
        let now = now(self.start);
        match message {
            Message::LinkUp(id, tx) => self.links.up(id, tx),
            Message::Frame(id, Frame::Hello { identity, min_version, features, nids, .. }) => {
                let mgs_uuid = self.engine.view().meta.as_ref().map(|m| m.uuid.clone()).unwrap_or_default();
                let greeting = links::Greeting { proxy: &identity, min_version, features, nids: &nids };
                self.links.hello(id, &greeting, mgs_uuid, self.daemon.clone());
            }
            Message::Frame(id, frame) => {
                self.observer.incoming(id, &frame);
                self.engine.handle(Input::Relay(id, frame.clone()), now);
                self.links.taken(id, &frame);
            }
            Message::Farewell(done) => self.links.say_farewell(done),
            Message::LinkDown(id) => {
                self.links.down(id);
                self.observer.link_down(id);
                self.engine.handle(Input::LinkDown(id), now);
            }
            Message::Committed(result) => {
                let conflict = matches!(result, CommitResult::Conflict { .. });
                self.engine.handle(Input::Committed(result), now);
                if conflict || self.bell {
                    self.follow();
                }
            }
            Message::Bell => self.follow(),
            Message::Followed(changes) => {
                let failed = changes.is_none();
                if let Some(changes) = changes {
                    self.engine.handle(Input::Followed(changes), now);
                }
                if self.follower.ended(failed) {
                    self.follow();
                }
            }
            Message::Stuck { errno, why } => self.engine.handle(Input::Stuck { errno, why }, now),
            Message::Barrier(answer) => {
                let seq = answer.as_ref().ok().copied();
                let said = answer.err().map(|error| error.to_string());
                if let Some(error) = said.as_ref().filter(|said| self.said.as_ref() != Some(said)) {
                    tracing::warn!(error, "the store does not answer; locks are granted and will be revoked");
                }
                self.said = said;
                self.engine.handle(Input::Barrier(seq), now);
                if seq.is_some_and(|seq| seq > self.engine.view().seq) {
                    self.follow();
                }
            }
            Message::Ask(question) => question(&self.engine, now, &self.observer),
            Message::Order(order, answer) => {
                self.tickets += 1;
                self.orders.insert(Ticket(self.tickets), answer);
                self.engine.handle(Input::Order(Ticket(self.tickets), order), now);
            }
            Message::Lost(_) => {}
        }
    }

    /// Reads what others have committed: at once, or when our own commit in flight has ended.
    fn follow(&mut self) {
        self.bell = self.engine.is_committing();
        if self.store.is_shared() && !self.bell {
            self.follower.read(&self.store, &self.tx, self.engine.view().seq);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_transmit() {
            match output {
                Output::Relay(link, frame) => {
                    self.observer.outgoing(&frame);
                    self.links.send(link, frame);
                }
                Output::Commit { base, txn, changes, record } => {
                    store::commit(Arc::clone(&self.store), self.tx.clone(), base, txn, changes, record);
                }
                Output::Done(ticket, done) => {
                    // Who asked may have gone; the change stays.
                    let _ = self.orders.remove(&ticket).map(|answer| answer.send(done));
                }
                Output::Lost(why) => self.lost = Some(why),
                Output::Barrier => store::barrier(Arc::clone(&self.store), self.tx.clone()),
            }
        }
        self.follower.applied(self.engine.view().seq);
        self.links.step(self.engine.is_idle());
        while let Some(event) = self.engine.poll_event() {
            if self.repeats.is_news(&event, self.start.elapsed()) {
                trace::event(&event);
            }
            self.observer.event(event);
        }
        if self.created.borrow().is_none()
            && let Some(meta) = &self.engine.view().meta
        {
            self.created.send_replace(Some(meta.uuid.clone()));
        }
    }
}
