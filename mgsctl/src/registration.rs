//! `mgsctl registration`.

use clap::Subcommand;
use mgs_api::{
    Approval, BindingChange, BindingMode, Client, List, PolicySwitch, Registration, RegistrationPolicy,
    RegistrationRules,
};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the targets that wait, were refused, or may come
    List,
    /// Lets a target in, once: the one that waits, or the next one that comes within 7 days
    Approve {
        /// The target, such as testfs-OST0004
        target: String,
        /// Only from a node with one of these NIDs
        #[arg(long, value_name = "NID", value_delimiter = ',')]
        from: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Refuses a target, now and later, until it is approved or forgotten
    Refuse {
        /// The target, such as testfs-OST0004
        target: String,
        #[command(flatten)]
        how: How,
    },
    /// Takes back what was said of a target
    Forget {
        /// The target, such as testfs-OST0004
        target: String,
        #[command(flatten)]
        how: How,
    },
    /// Shows the policy of file systems to come, and what is bound to addresses
    Rules,
    /// Sets the policy of file systems to come
    ///
    /// That of a file system that exists: mgsctl fs policy.
    Default {
        /// What happens to targets that nobody knows
        policy: Policy,
        #[command(flatten)]
        how: How,
    },
    /// Holds the NIDs that registering nodes claim against the addresses that they come from
    Bind {
        /// The network that they come over, such as tcp
        network: String,
        /// How strictly
        mode: Mode,
        /// NIDs of one node, which stand for each other, such as 10.0.0.2@tcp=10.0.1.2@tcp
        #[arg(long, value_name = "NID=NID")]
        allow: Vec<String>,
        /// A router to believe; without any, all that the proxy takes messages from
        #[arg(long, value_name = "NID", value_delimiter = ',')]
        router: Vec<String>,
        /// Forget the nodes and routers that were declared before
        #[arg(long)]
        reset: bool,
        #[command(flatten)]
        how: How,
    },
}

/// What happens to targets that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Policy {
    /// They register
    Open,
    /// They wait 50 s for 'mgsctl registration approve'
    Approve,
    /// They are refused, unless they were approved before
    Closed,
}

/// How strictly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Not at all
    Off,
    /// A line in the log and in 'mgsctl why'
    Log,
    /// They are refused
    Enforce,
}

impl From<Policy> for PolicySwitch {
    fn from(policy: Policy) -> Self {
        let policy = match policy {
            Policy::Open => RegistrationPolicy::Open,
            Policy::Approve => RegistrationPolicy::Approve,
            Policy::Closed => RegistrationPolicy::Closed,
        };
        Self { policy }
    }
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let change = match self {
            Command::List => return out.document(&api.registrations().await?, list),
            Command::Rules => return out.document(&api.registration_rules().await?, rules),
            Command::Approve { target, from, how } => {
                api.registration_approve(&target, &Approval { from }, how.dry_run).await?
            }
            Command::Refuse { target, how } => api.registration_refuse(&target, how.dry_run).await?,
            Command::Forget { target, how } => api.registration_forget(&target, how.dry_run).await?,
            Command::Default { policy, how } => api.registration_default(policy.into(), how.dry_run).await?,
            Command::Bind { network, mode, allow, router, reset, how } => {
                let mode = match mode {
                    Mode::Off => BindingMode::Off,
                    Mode::Log => BindingMode::Log,
                    Mode::Enforce => BindingMode::Enforce,
                };
                let nodes = allow.iter().map(|set| set.split('=').map(str::to_owned).collect()).collect();
                let to = BindingChange { mode, nodes, routers: router, reset };
                api.registration_bind(&network, &to, how.dry_run).await?
            }
        };
        out.document(&change, change::show)
    }
}

fn list(list: &List<Registration>) -> String {
    let mut table = Table::new(&["TARGET", "STATE", "NID", "SINCE", "FLAGS", "WHY"]);
    for r in &list.items {
        table.row([
            r.target.clone(),
            r.state.to_string(),
            r.nid.clone().unwrap_or_default(),
            r.since.to_string(),
            r.flags.clone().unwrap_or_default(),
            r.why.clone(),
        ]);
    }
    table.render()
}

fn rules(rules: &RegistrationRules) -> String {
    let mut table = Table::new(&["NETWORK", "BINDING", "NODES", "ROUTERS"]);
    for net in &rules.networks {
        let nodes: Vec<String> = net.nodes.iter().map(|node| node.join("=")).collect();
        table.row([net.network.clone(), net.mode.to_string(), nodes.join(","), net.routers.join(",")]);
    }
    table.row(["others".to_owned(), BindingMode::Log.to_string(), String::new(), String::new()]);
    format!("policy of file systems to come: {}\n{}", rules.default, table.render())
}
