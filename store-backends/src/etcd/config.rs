//! Where the cluster is, and who we are there.
//!
//! ```text
//!   etcd:https://a:2379,b:2379,c:2379/mgsd/site1?ca=/etc/mgsd/ca.pem&cert=…&key=…&user=mgsd&password-file=…&timeout=5s
//!        └ scheme: http or https
//!                └ endpoints; the port is 2379 where none is given
//!                                    └ prefix of all our keys: /mgsd/site1/
//!        options: ca, cert, key (PEM files), user with password-file, timeout (6s), quota (bytes, as the cluster has)
//! ```
//!
//! A password stands in a file only, never in an address: addresses end in logs and in `ps`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};

use super::health::DEFAULT_QUOTA_BYTES;
use crate::{StoreError, key};

/// What an address of a cluster begins with.
pub const SCHEME: &str = "etcd:";
/// Longest prefix: with it, the largest commit still fits a request of etcd's default size.
const MAX_PREFIX_BYTES: usize = 256;
/// Longer than the election of a new leader with etcd's default settings.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(6);

/// Where the cluster is, and who we are there. Its text form: [`EtcdConfig::parse`].
#[derive(Clone, PartialEq, Eq)]
pub struct EtcdConfig {
    /// URLs `http://host:port` or `https://host:port`, all of one scheme; at least one.
    pub endpoints: Vec<String>,
    /// In front of each key: begins and ends with `/`.
    pub prefix: String,
    /// Authority that signed the members' certificates (PEM).
    pub ca: Option<PathBuf>,
    /// Our certificate and its key (PEM), for a cluster that asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// User and file with the password, for a cluster with authentication.
    pub user: Option<(String, PathBuf)>,
    /// How long a call keeps trying. One attempt at one member gets a third of it.
    pub timeout: Duration,
    /// Quota of the cluster in bytes, for a cluster that does not tell.
    pub quota_bytes: u64,
}

impl EtcdConfig {
    /// Reads an address, with or without `etcd:` in front.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] names the part and what is allowed there.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        // somebody may have put a password in front of an @
        let shown = url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}"));
        let bad = |detail: String| StoreError::BadUrl { url: shown.clone(), detail };
        let text = url.strip_prefix(SCHEME).unwrap_or(url);
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = place.split_once("://").ok_or_else(|| {
            bad("expected etcd:https://host:2379,host:2379/mgsd/name, or http:// without TLS".to_owned())
        })?;
        if !matches!(scheme, "http" | "https") {
            return Err(bad(format!("scheme {scheme:?}: https and http are allowed")));
        }
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let endpoints: Vec<String> =
            hosts.split(',').map(|host| endpoint(scheme, host).map_err(&bad)).collect::<Result<_, _>>()?;
        let mut config = Self {
            endpoints,
            prefix: prefix(path).map_err(&bad)?,
            ca: None,
            identity: None,
            user: None,
            timeout: DEFAULT_TIMEOUT,
            quota_bytes: DEFAULT_QUOTA_BYTES,
        };
        config.options(query).map_err(&bad)?;
        if scheme == "http" && (config.ca.is_some() || config.identity.is_some()) {
            return Err(bad("ca, cert and key need https://".to_owned()));
        }
        Ok(config)
    }

    fn options(&mut self, query: &str) -> Result<(), String> {
        let (mut cert, mut key, mut user, mut password) = (None, None, None, None);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if value.is_empty() {
                return Err(format!("option {name} has no value"));
            }
            match name {
                "ca" => self.ca = Some(PathBuf::from(value)),
                "cert" => cert = Some(PathBuf::from(value)),
                "key" => key = Some(PathBuf::from(value)),
                "user" => user = Some(value.to_owned()),
                "password-file" => password = Some(PathBuf::from(value)),
                "timeout" => self.timeout = seconds(value)?,
                "quota" => self.quota_bytes = value.parse().map_err(|_| "quota: bytes, as a number")?,
                other => {
                    let allowed = "ca, cert, key, user, password-file, timeout, quota are allowed";
                    return Err(format!("option {other:?}: {allowed}"));
                }
            }
        }
        self.identity = both(cert, key).ok_or("cert and key go together")?;
        self.user = both(user, password).ok_or("user and password-file go together")?;
        Ok(())
    }

    /// Time for one request to one member.
    pub(super) fn attempt(&self) -> Duration {
        self.timeout / 3
    }

    /// Reads the files that the address names.
    pub(super) fn connect_options(&self) -> Result<ConnectOptions, StoreError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(self.attempt())
            .with_require_leader(true)
            // etcd drops who asks more often than every 5 s, or without an open stream
            .with_keep_alive(Duration::from_secs(10), Duration::from_secs(5))
            .with_keep_alive_while_idle(false)
            .with_auto_token_refresh(true);
        if self.endpoints.iter().any(|url| url.starts_with("https:")) {
            let mut tls = TlsOptions::new();
            if let Some(ca) = &self.ca {
                tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
            }
            if let Some((cert, key)) = &self.identity {
                tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
            }
            options = options.with_tls(tls);
        }
        if let Some((user, file)) = &self.user {
            let password = String::from_utf8_lossy(&read(file)?).into_owned();
            options = options.with_user(user, password.trim_end_matches(['\r', '\n']));
        }
        Ok(options)
    }
}

/// The address again; files are named, what is in them is not.
impl fmt::Display for EtcdConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.endpoints.first().and_then(|url| url.split_once("://")).map_or("http", |(s, _)| s);
        let hosts: Vec<&str> = self
            .endpoints
            .iter()
            .map(|url| url.split_once("://").map_or(url.as_str(), |(_, host)| host))
            .collect();
        write!(f, "{SCHEME}{scheme}://{}{}", hosts.join(","), self.prefix.trim_end_matches('/'))
    }
}

impl fmt::Debug for EtcdConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let doing = "read it for the connection to etcd";
    std::fs::read(path).map_err(|e| StoreError::Io { path: path.to_owned(), doing, detail: e.to_string() })
}

fn both<A, B>(a: Option<A>, b: Option<B>) -> Option<Option<(A, B)>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Some((a, b))),
        (None, None) => Some(None),
        _ => None,
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port` as a URL.
fn endpoint(scheme: &str, host: &str) -> Result<String, String> {
    let after_address = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    let (name, port) = match after_address.rsplit_once(':') {
        Some((_, port)) => (host.strip_suffix(port).and_then(|h| h.strip_suffix(':')).unwrap_or(host), port),
        None => (host, "2379"),
    };
    let good_name = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
        && (!name.contains(':') || (name.starts_with('[') && name.ends_with(']')));
    match port.parse::<u16>() {
        Ok(number) if good_name && number > 0 => Ok(format!("{scheme}://{name}:{number}")),
        _ if host.contains('@') => Err("no user in an endpoint: use ?user=…&password-file=…".to_owned()),
        _ => Err(format!("endpoint {host:?}: expected host, host:port or [address]:port")),
    }
}

fn prefix(path: &str) -> Result<String, String> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Err("a prefix is missing: end the address with /mgsd/<name of this MGS>".to_owned());
    }
    key::validate(path).map_err(|e| format!("prefix: {e}"))?;
    if path.len() > MAX_PREFIX_BYTES.saturating_sub(2) {
        return Err(format!("prefix of {} bytes: at most {} are allowed", path.len(), MAX_PREFIX_BYTES - 2));
    }
    Ok(format!("/{path}/"))
}

/// `5s`, `1500ms`.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| digits.parse::<u64>().ok();
    let millis = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => number(digits),
        (None, Some(digits)) => number(digits).and_then(|s| s.checked_mul(1000)),
        (None, None) => None,
    };
    match millis {
        Some(millis @ 100..=60_000) => Ok(Duration::from_millis(millis)),
        _ => Err(format!("timeout {text:?}: 100ms to 60s are allowed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        let url = "etcd:https://a:2379,b.example:2400,[fd00::1]:2379/mgsd/site1";
        let config = EtcdConfig::parse(url).unwrap();
        assert_eq!(config.endpoints, ["https://a:2379", "https://b.example:2400", "https://[fd00::1]:2379"]);
        assert_eq!(config.prefix, "/mgsd/site1/");
        assert_eq!(config.to_string(), url);
        assert_eq!(
            EtcdConfig::parse("http://10.0.0.1,[::1]/mgsd/x/").unwrap().endpoints,
            ["http://10.0.0.1:2379", "http://[::1]:2379"]
        );
        let full = EtcdConfig::parse(
            "etcd:https://a/m?ca=/ca&cert=/c&key=/k&user=u&password-file=/p&timeout=1500ms",
        )
        .unwrap();
        assert_eq!(full.ca, Some(PathBuf::from("/ca")));
        assert_eq!(full.identity, Some((PathBuf::from("/c"), PathBuf::from("/k"))));
        assert_eq!(full.user, Some(("u".to_owned(), PathBuf::from("/p"))));
        assert_eq!(full.timeout, Duration::from_millis(1500));
        assert!(!format!("{full:?}").contains("/p"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, part) in [
            ("etcd:a:2379/mgsd/x", "expected etcd:https"),
            ("etcd:ftp://a/mgsd/x", "ftp"),
            ("etcd:http://a", "prefix"),
            ("etcd:http://a/", "prefix"),
            ("etcd:http://a/mgsd//x", "prefix"),
            ("etcd:http:///mgsd/x", "endpoint"),
            ("etcd:http://a,,b/mgsd/x", "endpoint"),
            ("etcd:http://a:0/mgsd/x", "endpoint"),
            ("etcd:http://a:b:1/mgsd/x", "endpoint"),
            ("etcd:http://u:secret@a:1/mgsd/x", "no user in an endpoint"),
            ("etcd:http://a/mgsd/x?ca=/ca", "https"),
            ("etcd:https://a/mgsd/x?cert=/c", "cert and key"),
            ("etcd:https://a/mgsd/x?user=u", "password-file"),
            ("etcd:https://a/mgsd/x?password=p", "allowed"),
            ("etcd:https://a/mgsd/x?timeout=0s", "100ms"),
            ("etcd:https://a/mgsd/x?ca=", "no value"),
        ] {
            let error = EtcdConfig::parse(url).unwrap_err();
            assert!(
                matches!(&error, StoreError::BadUrl { detail, .. } if detail.contains(part)),
                "{url}: {error}"
            );
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
