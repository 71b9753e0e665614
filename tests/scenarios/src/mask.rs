//! The closed list of what may differ from the recorded MGS: `vectors/MASK.toml`.
//!
//! The comparer lets a difference pass only by naming one of the rules below, and each rule is one entry of the file:
//! an entry that is not known here, or a rule that the file does not have, fails [`Mask::load`].
use crate::Error;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = ($place:literal, $field:literal)),* $(,)?) => {
        /// One entry of the file. Not every one is used: mgsd often equals the kernel where it need not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule { $($(#[$doc])* $rule),* }
        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule),*];
            /// `where` and the field, word for word.
            pub const fn entry(self) -> (&'static str, &'static str) {
                match self { $(Self::$rule => ($place, $field)),* }
            }
        }
    };
}

rules! {
    /// Export cookie.
    Handle = ("ptlrpc reply body", "pb_handle of a connect reply (export cookie)"),
    /// Service estimate.
    Timeout = ("ptlrpc reply body", "pb_timeout"),
    /// Time of service.
    ServiceTime = ("ptlrpc reply body", "pb_service_time"),
    /// Last xid.
    LastXid = ("ptlrpc reply body", "pb_last_xid"),
    /// LRU limit.
    Limit = ("ptlrpc reply body", "pb_limit"),
    /// Server lock volume.
    Slv = ("ptlrpc reply body", "pb_slv"),
    /// Version of the MGS.
    OcdVersion = ("connect data", "ocd_version"),
    /// Instance.
    OcdInstance = ("connect data", "ocd_instance"),
    /// What is not offered.
    OcdFlags = ("connect data", "connect flags that stand for something this MGS states it does not offer (each listed in docs/protocol.md with the reason); never a flag the peer did not ask for"),
    /// Mapped: one of ours for one of theirs.
    LockCookie = ("LDLM", "server lock cookie"),
    /// Each peer on its own.
    CallbackOrder = ("LDLM", "order of callbacks to different peers"),
    /// Granted at once.
    Completion = ("LDLM", "the CP callback of a waiting enqueue (here every enqueue is granted at once)"),
    /// Mapped likewise.
    LogId = ("llog RPCs", "log id (oid, generation)"),
    /// EOF.
    EndOfLog = ("llog RPCs", "status of the end-of-log answer: -EBADR or -EIO by the peer's release"),
    /// Header.
    LogTimestamp = ("log files", "llh_timestamp"),
    /// Marker.
    MarkerTimes = ("log files", "marker createtime and canceltime"),
    /// Marker.
    MarkerVersion = ("log files", "marker version word"),
    /// Marker.
    MarkerStep = ("log files", "marker step where the recorded MGS had counted other file systems or restarts, or wrote one setting to several logs in directory-hash order (sys.*, quota.*)"),
    /// Marker.
    MarkerTail = ("log files", "bytes behind the NUL in marker tgtname and comment (the kernel leaves remains of earlier names; write zeros)"),
    /// HELLO.
    Incarnation = ("LNet and socklnd", "incarnation"),
    /// Of ACK and GET.
    WireHandles = ("LNet and socklnd", "wire handles"),
    /// TCP.
    Connections = ("LNet and socklnd", "number, order and timing of TCP segments and connections"),
    /// Ping, push and what belongs to them.
    Discovery = ("LNet and socklnd", "ping and discovery content (features, NID list, sequence number)"),
    /// Mapped.
    CallbackXid = ("LNet and socklnd", "server-side xids of callbacks"),
    /// Zero copy.
    ZcCookies = ("LNet and socklnd", "zero-copy cookies"),
    /// Nothing.
    Registration = ("registration reply", "none: flags, index, names, uuid and sizes are equal"),
    /// The same distance throughout.
    TableVersion = ("NID table", "absolute version numbers (their order and growth are equal)"),
    /// Instances.
    Instance = ("NID table", "instance numbers sent by the target"),
    /// Earlier replies; states that end after some time.
    Timing = ("timing", "everything measured in time; and a reply that the kernel delays until all lock holders cancelled may come earlier"),
}

/// The file, as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    field: Vec<Entry>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "where")]
    place: String,
    fields: Vec<String>,
    #[serde(rename = "why")]
    _why: String,
}

/// The mask, and how often each rule was needed.
#[derive(Debug, Default)]
pub struct Mask {
    uses: BTreeMap<Rule, usize>,
}

impl Mask {
    /// Reads the file and makes sure that it says what the comparer does.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Mask`] when the two differ.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Error::Io { path: path.to_owned(), error })?;
        Self::parse(&text).map_err(|what| Error::Mask { path: path.to_owned(), what })
    }

    /// The same for a text.
    ///
    /// # Errors
    /// What differs.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        let known: BTreeSet<_> = Rule::ALL.iter().map(|r| r.entry()).collect();
        let mut named = BTreeSet::new();
        for entry in &file.field {
            for field in &entry.fields {
                let name = (entry.place.as_str(), field.as_str());
                if !known.contains(&name) {
                    return Err(format!("the comparer does not know {name:?}"));
                }
                if !named.insert(name) {
                    return Err(format!("{name:?} is there twice"));
                }
            }
        }
        match known.difference(&named).next() {
            Some(missing) => Err(format!("the comparer masks {missing:?}, which the file does not name")),
            None => Ok(Self::default()),
        }
    }

    /// Lets `kernel` be what mgsd says.
    pub fn allow<T: PartialEq + Clone>(&mut self, rule: Rule, kernel: &mut T, ours: &T) {
        if kernel != ours {
            self.used(rule);
            kernel.clone_from(ours);
        }
    }

    /// Notes that something passed by a rule.
    pub fn used(&mut self, rule: Rule) {
        *self.uses.entry(rule).or_default() += 1;
    }

    /// Rules that were needed, and how often.
    pub fn uses(&self) -> impl Iterator<Item = (Rule, usize)> + '_ {
        self.uses.iter().map(|(rule, n)| (*rule, *n))
    }
}
