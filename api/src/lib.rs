//! Types and typed client of mgsd's HTTP API (`/v1`).
//!
//! One file per noun; each type is one JSON document that the daemon serves and `mgsctl` prints.
//! `api/openapi.json` describes the same for other languages; a test of mgsd keeps it fresh.
//!
//! ```no_run
//! # async fn demo() -> Result<(), mgs_api::Error> {
//! let api = mgs_api::Client::connect("unix:/run/mgsd/api.sock").await?;
//! for fs in api.fs_list().await?.items {
//!     println!("{} {}", fs.name, fs.nidtbl_version);
//! }
//! # Ok(()) }
//! ```

mod address;
mod barrier;
mod change;
mod client;
mod client_export;
mod commit;
mod decision;
mod fs;
mod import;
mod list;
mod log;
mod nodemap;
mod param;
mod pool;
mod problem;
mod registration;
mod sptlrpc;
mod status;
mod target;
mod time;

pub use address::{Address, BadAddress, BadMgs, DEFAULT_ADDRESS};
pub use barrier::{Barrier, FreezeBarrier};
pub use change::{Change, LogChange};
pub use client::{Client, Error};
pub use client_export::{
    ClientExport, ClientKind, CloseConnections, Connections, LocksHeld, LogFetched, Nids,
};
pub use commit::{Chain, Commit};
pub use decision::Decision;
pub use fs::{FileSystem, IrState, NewName, RecoverySwitch, StartupTime};
pub use import::{IMPORT_MAX, Mgt};
pub use list::List;
pub use log::{Forecast, LOG_INDEX_BUDGET, Log, LogReader, LogRecord, LogRetire, Marker};
pub use nodemap::{
    Nodemap, NodemapCaps, NodemapEdit, NodemapEdits, NodemapEntry, NodemapExport, NodemapFileset,
    NodemapIdKind, NodemapIds, NodemapOffset, NodemapRange, NodemapTest, Nodemaps,
};
pub use param::{
    ChangeReach, EffectiveParam, LogReach, NodeReach, ParamAssigned, ParamAssignment, ParamEvent,
    ParamInForce, ParamPolicy, ParamReader, ParamSyntax, ParamTold, ProgramSwitch, Programs, RecordAt,
    Validation, Writeconf, WriteconfSwitch,
};
pub use pool::{NewPool, Pool, PoolMembers};
pub use problem::{PROBLEM_CONTENT_TYPE, Problem, ProblemKind};
pub use registration::{
    Approval, Binding, BindingChange, BindingMode, PolicySwitch, Registration, RegistrationPolicy,
    RegistrationRules, RegistrationState, Reservation, Reserve,
};
pub use sptlrpc::{SecurityRule, SecurityRuleChange};
pub use status::{FullestLog, MustRemount, Status, StoreInfo};
pub use target::{MoveTarget, Param, Registered, Target, TargetKind, TargetState};
pub use time::Time;
