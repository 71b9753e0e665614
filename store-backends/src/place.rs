//! Where a store is, as people write it.
//!
//! ```text
//!   sqlite:/var/lib/mgsd                          directory of the embedded store
//!   etcd:https://a:2379,b:2379/mgsd/site1?ca=…    a cluster: see `etcd`
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "etcd")]
use crate::etcd::{EtcdConfig, EtcdStore};
#[cfg(feature = "etcd")]
use crate::large::Large;
use crate::sqlite::SqliteStore;
use crate::{Store, StoreError};

/// What the address of an embedded store begins with.
const SQLITE: &str = "sqlite:";

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a directory of this host.
    Sqlite(PathBuf),
    /// In a cluster.
    #[cfg(feature = "etcd")]
    Etcd(Box<EtcdConfig>),
}

impl Place {
    /// Reads an address.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        match text.strip_prefix(SQLITE) {
            Some(dir) if !dir.is_empty() => return Ok(Self::Sqlite(dir.into())),
            _ => {}
        }
        #[cfg(feature = "etcd")]
        if text.starts_with(crate::etcd::SCHEME) {
            return Ok(Self::Etcd(Box::new(EtcdConfig::parse(text)?)));
        }
        let detail = "expected sqlite:DIR or etcd:https://host:2379,host:2379/mgsd/name".to_owned();
        // whatever it is, it may hold a password in front of an @
        let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
        Err(StoreError::BadUrl { url: shown.chars().take(64).collect(), detail })
    }

    /// Opens it. The directory of an embedded store has to exist.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Sqlite(dir) => Ok(Arc::new(SqliteStore::open(dir)?)),
            #[cfg(feature = "etcd")]
            Self::Etcd(config) => Ok(Arc::new(Large::new(EtcdStore::open(config).await?))),
        }
    }

    /// `sqlite` or `etcd`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => "etcd",
        }
    }
}

/// The address again, without secrets.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(dir) => write!(f, "{SQLITE}{}", dir.display()),
            #[cfg(feature = "etcd")]
            Self::Etcd(config) => config.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["sqlite:/var/lib/mgsd", "etcd:http://a:2379/mgsd/x"] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "sqlite:", "/var/lib/mgsd", "postgres://u:secret@h/x"] {
            let error = Place::parse(text).unwrap_err().to_string();
            assert!(error.contains("sqlite:DIR") && !error.contains("secret"), "{error}");
        }
    }
}
