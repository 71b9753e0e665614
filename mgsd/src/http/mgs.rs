//! What the API asks the daemon.

pub use mgs_core::model::command::{Command, Order};

use async_trait::async_trait;
use bytes::Bytes;
use mgs_api::{
    Barrier, Chain, Change, ChangeReach, ClientExport, Commit, Connections, Decision, EffectiveParam,
    FileSystem, List, Log, LogReader, Mgt, Nodemap, NodemapIdKind, NodemapTest, Nodemaps, ParamEvent,
    ParamInForce, ParamPolicy, Pool, Problem, Programs, Registration, RegistrationRules, Reservation, Status,
    Target,
};

/// The daemon, as the HTTP handlers see it.
///
/// Every answer is a snapshot: all of it reflects one `seq`. A name that does not exist is refused with
/// [`Problem::unknown_name`], which lists the names that do; so is the `fs` of a filter. A daemon that cannot answer yet
/// refuses with [`mgs_api::ProblemKind::NotNow`]. Lists are in the order of their names, clients in that of their NIDs.
#[async_trait]
pub trait Mgs: Send + Sync + 'static {
    /// The daemon itself. Answered also while it is not ready.
    async fn status(&self) -> Result<Status, Problem>;

    /// All file systems.
    async fn fs_list(&self) -> Result<List<FileSystem>, Problem>;

    /// One file system; noun of its problem: `fs`.
    async fn fs(&self, name: &str) -> Result<FileSystem, Problem>;

    /// All targets, or those of `fs`.
    async fn targets(&self, fs: Option<&str>) -> Result<List<Target>, Problem>;

    /// One target; noun of its problem: `target`.
    async fn target(&self, name: &str) -> Result<Target, Problem>;

    /// The write barrier of a file system; noun of its problem: `fs`.
    async fn barrier(&self, fs: &str) -> Result<Barrier, Problem>;

    /// Who may connect.
    async fn connections(&self) -> Result<Connections, Problem>;

    /// All connected nodes.
    async fn clients(&self) -> Result<List<ClientExport>, Problem>;

    /// All logs, or those of `fs`.
    async fn logs(&self, fs: Option<&str>) -> Result<List<Log>, Problem>;

    /// Connected nodes that have fetched a log; noun of its problem: `log`.
    async fn log_readers(&self, name: &str) -> Result<List<LogReader>, Problem>;

    /// The file of a log; noun of its problem: `log`. Never creates a log.
    async fn log_file(&self, name: &str) -> Result<LogFile, Problem>;

    /// The last conversations of a node, as a capture file; noun of its problem: `client`.
    async fn client_record(&self, nid: &str) -> Result<Bytes, Problem>;

    /// What was decided on a node, a target or a log; oldest first, empty when nothing is known.
    async fn why(&self, subject: &str) -> Result<List<Decision>, Problem>;

    /// Commits above `after`, in order, at most `limit`.
    async fn commits(&self, after: u64, limit: u32) -> Result<List<Commit>, Problem>;

    /// Whether each commit carries the hash of the one before it.
    async fn commit_chain(&self) -> Result<Chain, Problem>;

    /// Parameters in force, or those of `fs`.
    async fn params(&self, fs: Option<&str>) -> Result<List<ParamInForce>, Problem>;

    /// What nodes are told of a parameter; the target need not have registered.
    async fn param_effective(&self, target: &str, name: &str) -> Result<EffectiveParam, Problem>;

    /// Changes of a parameter that the chain of commits still has, oldest first.
    async fn param_history(&self, name: &str) -> Result<List<ParamEvent>, Problem>;

    /// Which nodes have fetched past a commit; by default the last one that wrote to a log.
    async fn param_status(&self, seq: Option<u64>) -> Result<ChangeReach, Problem>;

    /// Programs that nodes may be told to run.
    async fn param_programs(&self) -> Result<Programs, Problem>;

    /// Whether wrong assignments are refused.
    async fn param_policy(&self) -> Result<ParamPolicy, Problem>;

    /// All pools, or those of `fs`.
    async fn pools(&self, fs: Option<&str>) -> Result<List<Pool>, Problem>;

    /// Security rules in force, or those of `fs`, in the order in which nodes look for them.
    async fn security_rules(&self, fs: Option<&str>) -> Result<List<mgs_api::SecurityRule>, Problem>;

    /// What a kernel MGS needs on its disk to go on.
    async fn export(&self) -> Result<Mgt, Problem>;

    /// All nodemaps in short.
    async fn nodemaps(&self) -> Result<Nodemaps, Problem>;

    /// One nodemap; noun of its problem: `nodemap`.
    async fn nodemap(&self, name: &str) -> Result<Nodemap, Problem>;

    /// Whose a NID is, and what becomes of an id there.
    async fn nodemap_test(&self, nid: &str, id: Option<(NodemapIdKind, u32)>)
    -> Result<NodemapTest, Problem>;

    /// Targets that are not registered: who waits, who was refused, who may come.
    async fn registrations(&self) -> Result<List<Registration>, Problem>;

    /// Who may register, beyond what each file system says.
    async fn registration_rules(&self) -> Result<RegistrationRules, Problem>;

    /// Reserved indices, or those of `fs`, which need not exist.
    async fn reservations(&self, fs: Option<&str>) -> Result<List<Reservation>, Problem>;

    /// Makes a change, or says what it would do. Answered when it is durable and its notifications are on their way.
    async fn change(&self, order: Order) -> Result<Change, Problem>;
}

/// A log as Lustre nodes read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The commit that it reflects.
    pub seq: u64,
    /// Header, records and padding, byte for byte; empty for a log that was never written.
    pub bytes: Bytes,
}
