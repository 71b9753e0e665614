//! A state of two daemons on one store and two clients, what can happen in it, and what must hold.
//!
//! There is one log and one resource. A commit appends one record; a record is the number of the attempt that wrote
//! it, so that two histories can be told apart. A peer gets what it is sent in order, or not at all.

use crate::rules::{Rule, Rules};

pub const COMMITS: u8 = 3;
const N: usize = COMMITS as usize;

/// Records of the log, 0 where there is none.
type History = [u8; N];

fn len(history: &History) -> u8 {
    history.iter().rposition(|r| *r != 0).map_or(0, |at| at as u8 + 1)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Flight {
    None,
    /// Planned on a view of so many records.
    Sent {
        base: u8,
        record: u8,
    },
    /// Durable; its reply is parked.
    Durable(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Barrier {
    None,
    Started,
    /// The store has answered; the answer is on its way.
    Answered(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Daemon {
    reaches_store: bool,
    ready: bool,
    view: History,
    applied: u8,
    /// Without [`Rule::OneStep`]: locks are marked for the next commit, the view is still the old one.
    marked_ahead: bool,
    flight: Flight,
    barrier: Barrier,
}

/// An enqueue at its daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Waits {
    No,
    Next,
    Current,
    Behind(u8),
}

/// What the daemon knows of its callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Callback {
    OnItsWay,
    /// No answer: it will be repeated.
    Lost,
    /// The client said that it heard.
    Accepted,
}

/// A lock in the table of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lock {
    None,
    Granted { stale: bool, outlived: bool },
    Marked(Callback),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Has nothing; will ask.
    Idle,
    Asked,
    /// Granted, not yet read.
    Holds,
    /// Holds the lock and trusts what it has read.
    Trusts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Client {
    home: u8,
    phase: Phase,
    seen: History,
    /// Acknowledged when it asked.
    must: u8,
    reply: bool,
    cancel: bool,
    evicted: bool,
    stale: bool,
    waits: Waits,
    lock: Lock,
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    store: History,
    attempts: u8,
    /// Acknowledged records.
    acked: History,
    daemons: [Daemon; 2],
    clients: [Client; 2],
    /// Nothing (more) goes wrong: at most one thing does in a history.
    fault: bool,
    /// Most commits that are tried.
    commits: u8,
}

/// Something that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Plan(usize),
    Commit(usize),
    Apply(usize),
    View(usize),
    StoreAnswers(usize),
    BarrierDone(usize),
    Patience(usize),
    Fence(usize),
    Heal(usize),
    /// And the enqueue arrives: on its way it could only miss what it need not have seen.
    Ask(usize),
    ReplyArrives(usize),
    Read(usize),
    ReadOld(usize),
    CallbackArrives(usize),
    CancelArrives(usize),
    Repeat(usize),
    Deadline(usize),
    Ping(usize),
    /// Faults.
    Partition(usize),
    LoseReply(usize),
    LoseCallback(usize),
}

impl Step {
    /// Need not happen. Commits need not either: what is wrong behind none of them is wrong.
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            Self::Partition(_) | Self::LoseReply(_) | Self::LoseCallback(_) | Self::Plan(_) | Self::Heal(_)
        ) || matches!(self, Self::ReadOld(_))
    }
}

type Checked = Result<(), &'static str>;

impl State {
    pub fn start(commits: u8, faults: bool) -> Self {
        let daemon = Daemon {
            reaches_store: true,
            ready: true,
            view: [0; N],
            applied: 0,
            marked_ahead: false,
            flight: Flight::None,
            barrier: Barrier::None,
        };
        let client = |home| Client {
            home,
            phase: Phase::Idle,
            seen: [0; N],
            must: 0,
            reply: false,
            cancel: false,
            evicted: false,
            stale: false,
            waits: Waits::No,
            lock: Lock::None,
        };
        Self {
            store: [0; N],
            attempts: 0,
            acked: [0; N],
            daemons: [daemon; 2],
            clients: [client(0), client(1)],
            fault: !faults,
            commits,
        }
    }

    /// What can happen here.
    pub fn steps(&self, rules: Rules) -> Vec<Step> {
        let mut out = Vec::with_capacity(16);
        let mut when = |on: bool, step: Step| {
            if on {
                out.push(step)
            }
        };
        for (n, d) in self.daemons.iter().enumerate() {
            let up = d.reaches_store;
            when(
                d.flight == Flight::None && up && d.applied < COMMITS && self.attempts < self.commits,
                Step::Plan(n),
            );
            when(up && matches!(d.flight, Flight::Sent { .. }), Step::Commit(n));
            when(up && !d.marked_ahead && d.applied < len(&self.store), Step::Apply(n));
            when(d.marked_ahead, Step::View(n));
            when(up && d.barrier == Barrier::Started, Step::StoreAnswers(n));
            when(matches!(d.barrier, Barrier::Answered(_)), Step::BarrierDone(n));
            let waits = self.clients.iter().any(|c| c.home as usize == n && c.waits != Waits::No);
            when(!up && waits, Step::Patience(n));
            when(!up && d.ready, Step::Fence(n));
            when(!up, Step::Heal(n));
            // Which of the two is cut off does not matter.
            when(up && n == 1 && !self.fault, Step::Partition(n));
        }
        for (n, c) in self.clients.iter().enumerate() {
            let called = c.lock == Lock::Marked(Callback::OnItsWay);
            let silent = !c.reply && c.waits == Waits::No;
            when(c.phase == Phase::Idle && !c.cancel && !c.evicted, Step::Ask(n));
            // Nothing is on its way: the reply is lost, and the peer sends again.
            when(c.phase == Phase::Asked && silent && !c.evicted, Step::Ask(n));
            when(c.reply, Step::ReplyArrives(n));
            when(c.phase == Phase::Holds && !c.evicted, Step::Read(n));
            when(!rules.has(Rule::CurrentRead) && c.phase == Phase::Holds && !c.evicted, Step::ReadOld(n));
            when(called && !c.reply, Step::CallbackArrives(n));
            when(c.cancel, Step::CancelArrives(n));
            when(c.lock == Lock::Marked(Callback::Lost), Step::Repeat(n));
            let due = matches!(c.lock, Lock::Marked(Callback::Lost | Callback::Accepted));
            when(due && !c.cancel, Step::Deadline(n));
            when(c.evicted, Step::Ping(n));
            when(c.reply && !self.fault, Step::LoseReply(n));
            when(called && !self.fault, Step::LoseCallback(n));
        }
        out
    }

    /// Does a step.
    pub fn take(&mut self, step: Step, rules: Rules) -> Checked {
        match step {
            Step::Plan(n) => self.plan(n, rules),
            Step::Commit(n) => self.commit(n, rules),
            Step::Apply(n) => self.apply(n, rules)?,
            Step::View(n) => self.view_follows(n),
            Step::StoreAnswers(n) => self.daemons[n].barrier = Barrier::Answered(len(&self.store)),
            Step::BarrierDone(n) => self.barrier_done(n, rules)?,
            Step::Patience(n) => self.patience(n, rules)?,
            Step::Fence(n) => self.fence(n, rules),
            Step::Heal(n) => self.daemons[n].reaches_store = true,
            Step::Ask(n) => self.ask(n, rules),
            Step::ReplyArrives(n) => self.reply_arrives(n),
            Step::Read(n) => self.read(n, 0)?,
            Step::ReadOld(n) => self.read(n, 1)?,
            Step::CallbackArrives(n) => self.callback_arrives(n),
            Step::CancelArrives(n) => {
                self.clients[n].cancel = false;
                self.clients[n].lock = Lock::None;
            }
            Step::Repeat(n) => self.clients[n].lock = Lock::Marked(Callback::OnItsWay),
            Step::Deadline(n) => {
                self.clients[n].lock = Lock::None;
                self.clients[n].waits = Waits::No;
                self.clients[n].evicted = rules.has(Rule::Evict);
            }
            Step::Ping(n) => self.connect_anew(n),
            Step::Partition(n) => {
                self.fault = true;
                self.daemons[n].reaches_store = false;
            }
            Step::LoseReply(n) => {
                self.fault = true;
                self.clients[n].reply = false;
            }
            Step::LoseCallback(n) => {
                self.fault = true;
                self.clients[n].lock = Lock::Marked(Callback::Lost);
            }
        }
        Ok(())
    }

    fn plan(&mut self, n: usize, rules: Rules) {
        self.attempts += 1;
        let (base, record) = (self.daemons[n].applied, self.attempts);
        self.daemons[n].flight = Flight::Sent { base, record };
        if !rules.has(Rule::Parked) {
            self.acked[base as usize] = record;
        }
    }

    fn commit(&mut self, n: usize, rules: Rules) {
        let Flight::Sent { base, record } = self.daemons[n].flight else { return };
        let conflict = rules.has(Rule::Guard) && len(&self.store) != base;
        self.daemons[n].flight = if conflict { Flight::None } else { Flight::Durable(base + 1) };
        if !conflict {
            self.store[base as usize] = record;
        }
    }

    /// The next commit; without [`Rule::Dense`] the newest one.
    fn apply(&mut self, n: usize, rules: Rules) -> Checked {
        let store = self.store;
        let d = &mut self.daemons[n];
        if !rules.has(Rule::OneStep) {
            d.marked_ahead = true;
            return self.mark(n, rules);
        }
        d.applied = if rules.has(Rule::Dense) { d.applied + 1 } else { len(&store) };
        let at = d.applied as usize - 1;
        d.view[at] = store[at];
        self.mark(n, rules)?;
        self.settle(n, rules)
    }

    fn view_follows(&mut self, n: usize) {
        let d = &mut self.daemons[n];
        d.marked_ahead = false;
        d.view[d.applied as usize] = self.store[d.applied as usize];
        d.applied += 1;
        let _ = self.settle(n, Rules { without: Some(Rule::OneStep) });
    }

    /// Parked replies and grants of what is applied.
    fn settle(&mut self, n: usize, rules: Rules) -> Checked {
        let applied = self.daemons[n].applied;
        if let Flight::Durable(seq) = self.daemons[n].flight
            && seq <= applied
        {
            self.acked[seq as usize - 1] = self.daemons[n].view[seq as usize - 1];
            self.daemons[n].flight = Flight::None;
        }
        for c in self.of(n) {
            if matches!(self.clients[c].waits, Waits::Behind(seq) if seq <= applied) {
                self.grant(c, false, rules)?;
            }
        }
        Ok(())
    }

    fn of(&self, daemon: usize) -> Vec<usize> {
        (0..2).filter(|c| self.clients[*c].home as usize == daemon).collect()
    }

    fn mark(&mut self, n: usize, rules: Rules) -> Checked {
        for c in self.of(n) {
            let lock = &mut self.clients[c].lock;
            match lock {
                Lock::Granted { .. } if rules.has(Rule::CallBack) => *lock = Lock::Marked(Callback::OnItsWay),
                Lock::Marked(Callback::OnItsWay) if !rules.has(Rule::NoSecond) => {
                    return Err("a second callback for one lock");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn barrier_done(&mut self, n: usize, rules: Rules) -> Checked {
        let Barrier::Answered(seq) = self.daemons[n].barrier else { return Ok(()) };
        self.daemons[n].barrier = Barrier::None;
        self.daemons[n].ready = true;
        for c in self.of(n) {
            let lock = &mut self.clients[c].lock;
            if let Lock::Granted { stale: true, outlived } = lock {
                if rules.has(Rule::RevokeStale) {
                    *lock = Lock::Marked(Callback::OnItsWay);
                } else {
                    *outlived = true;
                }
            }
            if self.clients[c].waits == Waits::Current {
                if seq <= self.daemons[n].applied || !rules.has(Rule::Applied) {
                    self.grant(c, false, rules)?;
                } else {
                    self.clients[c].waits = Waits::Behind(seq);
                }
            }
        }
        self.start_barrier(n);
        Ok(())
    }

    fn start_barrier(&mut self, n: usize) {
        let next = self.of(n).into_iter().filter(|c| self.clients[*c].waits == Waits::Next);
        let next: Vec<usize> = next.collect();
        if self.daemons[n].barrier == Barrier::None && !next.is_empty() {
            self.daemons[n].barrier = Barrier::Started;
            next.into_iter().for_each(|c| self.clients[c].waits = Waits::Current);
        }
    }

    /// The store does not answer: stale beats none.
    fn patience(&mut self, n: usize, rules: Rules) -> Checked {
        for c in self.of(n) {
            if self.clients[c].waits != Waits::No {
                self.grant(c, true, rules)?;
            }
        }
        Ok(())
    }

    /// Clients go to a daemon that is ready.
    fn fence(&mut self, n: usize, rules: Rules) {
        self.daemons[n].ready = false;
        if rules.has(Rule::Fence) && self.daemons[1 - n].ready {
            for c in self.of(n) {
                self.clients[c].home = 1 - n as u8;
                self.connect_anew(c);
            }
        }
    }

    fn connect_anew(&mut self, c: usize) {
        let Client { home, seen, .. } = self.clients[c];
        self.clients[c] = Client { home, seen, ..Self::start(0, false).clients[0] };
    }

    fn ask(&mut self, c: usize, rules: Rules) {
        let acked = len(&self.acked);
        let client = &mut self.clients[c];
        if client.phase == Phase::Idle {
            client.must = acked;
        }
        client.phase = Phase::Asked;
        let home = client.home as usize;
        let join = !rules.has(Rule::StartedAfter) && self.daemons[home].barrier != Barrier::None;
        self.clients[c].waits = if join { Waits::Current } else { Waits::Next };
        self.start_barrier(home);
    }

    fn grant(&mut self, c: usize, stale: bool, rules: Rules) -> Checked {
        let client = &mut self.clients[c];
        client.waits = Waits::No;
        client.reply = true;
        client.stale = stale;
        match client.lock {
            Lock::None => client.lock = Lock::Granted { stale, outlived: false },
            Lock::Granted { .. } => {}
            Lock::Marked(_) if rules.has(Rule::Again) => client.lock = Lock::Marked(Callback::OnItsWay),
            Lock::Marked(_) => {}
        }
        Ok(())
    }

    fn reply_arrives(&mut self, c: usize) {
        let client = &mut self.clients[c];
        client.reply = false;
        if client.phase == Phase::Asked {
            client.phase = Phase::Holds;
        }
    }

    /// Reads the view of its daemon, or one that is `old` commits behind.
    fn read(&mut self, c: usize, old: u8) -> Checked {
        let client = &mut self.clients[c];
        let d = &self.daemons[client.home as usize];
        let mut view = d.view;
        view[d.applied.saturating_sub(old) as usize..].fill(0);
        if !client.stale && len(&view) < client.must {
            return Err("a grant hides what was acknowledged before");
        }
        client.phase = Phase::Trusts;
        client.seen = view;
        if !client.stale {
            client.must = 0;
        }
        client.stale = false;
        Ok(())
    }

    fn callback_arrives(&mut self, c: usize) {
        let client = &mut self.clients[c];
        match client.phase {
            // It does not know this lock yet: it says that it heard, and forgets.
            Phase::Asked => client.lock = Lock::Marked(Callback::Accepted),
            Phase::Idle => client.lock = Lock::None,
            Phase::Holds | Phase::Trusts => {
                client.lock = Lock::Marked(Callback::Accepted);
                client.phase = Phase::Idle;
                client.cancel = true;
            }
        }
    }

    /// What holds in every state.
    pub fn check(&self) -> Checked {
        let views = self.daemons.iter().map(|d| (d.view, d.applied));
        let seen = self.clients.iter().map(|c| (c.seen, len(&c.seen)));
        for (history, length) in views.chain(seen) {
            let (known, rest) = history.split_at(length as usize);
            if known.contains(&0) || rest.iter().any(|r| *r != 0) {
                return Err("a hole in the history");
            }
            if known != &self.store[..length as usize] {
                return Err("two histories");
            }
        }
        let acked = self.acked.iter().zip(&self.store);
        if acked.into_iter().any(|(acked, stored)| *acked != 0 && acked != stored) {
            return Err("acknowledged and not durable");
        }
        self.clients.iter().filter(|c| !c.evicted).try_for_each(|c| self.check_lock(c))
    }

    /// A client that trusts a lock has seen everything that its daemon has applied, or is about to hear of it.
    fn check_lock(&self, c: &Client) -> Checked {
        if !matches!(c.phase, Phase::Holds | Phase::Trusts) {
            return Ok(());
        }
        let behind = c.phase == Phase::Trusts && len(&c.seen) < self.daemons[c.home as usize].applied;
        match c.lock {
            Lock::None => Err("a lock of a live client was forgotten"),
            Lock::Granted { .. } if behind => Err("a change is not seen and nothing says so"),
            Lock::Granted { outlived: true, .. } if len(&c.seen) < c.must => {
                Err("a stale lock outlives the silence of the store")
            }
            Lock::Marked(Callback::Accepted) => Err("a client trusts a lock that was called back"),
            _ => Ok(()),
        }
    }

    /// What holds when nothing more happens by itself.
    pub fn check_end(&self) -> Checked {
        for c in &self.clients {
            if c.phase != Phase::Trusts || c.evicted || c.seen != self.store {
                return Err("a client was left behind");
            }
        }
        Ok(())
    }
}
