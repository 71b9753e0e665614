//! What an operator has to know early: room in the cluster, and rights in it.

use std::sync::Arc;

use etcd_client::{AlarmAction, AlarmType, Client, Compare, CompareOp, DeleteOptions, Txn, TxnOp};

use super::members::kv;
use super::{Cluster, EtcdConfig, EtcdStore};
use crate::StoreError;
use crate::key::SEQ_KEY;

/// etcd's quota where nobody set one; members before 3.6 do not tell theirs.
pub const DEFAULT_QUOTA_BYTES: u64 = 2 << 30;
/// From this share of the quota on there is a warning.
const WARN_PERCENT: u64 = 75;

/// How full the member that answered is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Size of its database file, which is what the quota is about.
    pub used_bytes: u64,
    /// The quota: as the member says, else as the address says (`quota=`), else etcd's default.
    pub quota_bytes: u64,
    /// The alarm NOSPACE is raised: no writes until the operator has disarmed it.
    pub alarm: bool,
}

impl Space {
    /// A line for the log and the health page, when there is something to say.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let percent = self.used_bytes.saturating_mul(100).checked_div(self.quota_bytes).unwrap_or(100);
        let cure = "the operator of the cluster compacts and defragments it, or raises --quota-backend-bytes";
        if self.alarm {
            return Some(format!("etcd takes no writes: alarm NOSPACE; {cure}, then `etcdctl alarm disarm`"));
        }
        (percent >= WARN_PERCENT).then(|| {
            let Self { used_bytes, quota_bytes, .. } = self;
            format!("etcd has used {percent} % of its quota ({used_bytes} of {quota_bytes} bytes): {cure}")
        })
    }
}

impl EtcdConfig {
    /// The commands that give a user of this name what mgsd needs, and nothing else.
    #[must_use]
    pub fn needed_role(&self) -> String {
        let user = self.user.as_ref().map_or("mgsd", |(user, _)| user);
        let prefix = &self.prefix;
        format!(
            "etcdctl role add {user}\n\
             etcdctl role grant-permission {user} --prefix=true readwrite {prefix}\n\
             etcdctl user grant-role {user} {user}"
        )
    }
}

impl EtcdStore {
    /// How full the cluster is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no member answers.
    pub async fn space(&self) -> Result<Space, StoreError> {
        let members = &self.cluster.members;
        let status =
            members.retried(|client| async move { client.maintenance_client().status().await }).await;
        let status = status.map_err(|failure| members.error(failure))?;
        let list = |client: Arc<Client>| async move {
            client.maintenance_client().alarm(AlarmAction::Get, AlarmType::Nospace, None).await
        };
        let alarms = members.retried(list).await.map_err(|failure| members.error(failure))?;
        let bytes = |n: i64| u64::try_from(n).unwrap_or(0);
        let told = bytes(status.db_size_quota());
        Ok(Space {
            used_bytes: bytes(status.db_size()),
            quota_bytes: if told > 0 { told } else { self.quota_bytes },
            alarm: alarms.alarms().iter().any(|alarm| alarm.alarm() == AlarmType::Nospace),
        })
    }
}

impl Cluster {
    /// Whether we may read and write all keys of our prefix. Changes nothing.
    pub(super) async fn check_access(&self, config: &EtcdConfig) -> Result<(), StoreError> {
        let (from, to) = self.shape.prefix_range("");
        let seq = self.shape.full(SEQ_KEY);
        let ask = |client: Arc<Client>| {
            // etcd checks the rights of both branches; this one is never taken
            let never = Compare::version(seq.clone(), CompareOp::Less, 0);
            let write = TxnOp::delete(from.clone(), Some(DeleteOptions::new().with_range(to.clone())));
            let read = super::shape::Shape::page(&to, 1, 0).with_count_only();
            let read = TxnOp::get(from.clone(), Some(read));
            let txn = Txn::new().when([never]).and_then([write]).or_else([read]);
            async move { kv(&client).txn(txn).await }
        };
        match self.members.retried(ask).await.map_err(|failure| self.members.error(failure)) {
            Err(StoreError::Denied { store, detail }) => {
                let needed = config.needed_role().replace('\n', "; ");
                Err(StoreError::Denied {
                    store,
                    detail: format!("{detail}; the role that mgsd needs: {needed}"),
                })
            }
            other => other.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_comes_at_75_percent() {
        let space = |used_bytes, alarm| Space { used_bytes, quota_bytes: 1000, alarm };
        assert_eq!(space(749, false).warning(), None);
        assert!(space(750, false).warning().unwrap().contains("75 %"));
        assert!(space(1200, false).warning().unwrap().contains("120 %"));
        assert!(space(10, true).warning().unwrap().contains("alarm disarm"));
        assert!(Space { quota_bytes: 0, ..space(1, false) }.warning().is_some());
    }

    #[test]
    fn the_role_names_user_and_prefix() {
        let config = EtcdConfig::parse("etcd:https://a/mgsd/site1?user=mgs&password-file=/p").unwrap();
        let role = config.needed_role();
        assert!(role.contains("role grant-permission mgs --prefix=true readwrite /mgsd/site1/"), "{role}");
        assert!(EtcdConfig::parse("etcd:http://a/m/x").unwrap().needed_role().contains("role add mgsd"));
    }
}
