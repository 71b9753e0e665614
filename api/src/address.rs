//! Address of an API, as it is written on a command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where mgsd listens unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "unix:/run/mgsd/api.sock";

/// Longest path of a Unix socket, bytes: `sun_path` of `struct sockaddr_un` less its NUL.
const PATH_MAX: usize = 107;

/// Address of an API: `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Path of the socket.
    pub fn path(&self) -> &Path {
        let Address::Unix(path) = self;
        path
    }

    /// That of one of several MGS in the daemon at this address: the socket of the same name in a directory `name` beside it.
    ///
    /// # Errors
    /// Nothing can be called so, or the path becomes too long.
    pub fn of_mgs(&self, name: &str) -> Result<Self, BadMgs> {
        let bad = |wrong| BadMgs { name: name.to_owned(), wrong };
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(bad("not a name; allowed: letters, digits, - and _"));
        }
        let file = self.path().file_name().ok_or(bad("the address names no socket"))?;
        let path = self.path().with_file_name(name).join(file);
        if path.as_os_str().len() > PATH_MAX {
            return Err(bad("the path of its socket is longer than 107 bytes"));
        }
        Ok(Self::Unix(path))
    }
}

/// A text is not an address of an API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("API address {text:?}: {wrong}; allowed: unix:PATH, for example {DEFAULT_ADDRESS}")]
pub struct BadAddress {
    text: String,
    wrong: &'static str,
}

/// Nothing can be called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MGS {name:?}: {wrong}")]
pub struct BadMgs {
    name: String,
    wrong: &'static str,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |wrong| Err(BadAddress { text: text.to_owned(), wrong });
        match text.strip_prefix("unix:") {
            None => bad("does not begin with unix:"),
            Some("") => bad("the path is empty"),
            Some(path) if path.len() > PATH_MAX => bad("the path is longer than 107 bytes"),
            Some(path) if path.contains('\0') => bad("the path contains a zero byte"),
            Some(path) => Ok(Address::Unix(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", self.path().display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let address: Address = DEFAULT_ADDRESS.parse().unwrap();
        assert_eq!(address, Address::Unix("/run/mgsd/api.sock".into()));
        assert_eq!(address.to_string(), DEFAULT_ADDRESS);
    }

    #[test]
    fn each_mgs_has_a_directory_beside_the_socket() {
        let all: Address = DEFAULT_ADDRESS.parse().unwrap();
        assert_eq!(all.of_mgs("home").unwrap().to_string(), "unix:/run/mgsd/home/api.sock");
        let here: Address = "unix:a.sock".parse().unwrap();
        assert_eq!(here.of_mgs("home").unwrap().to_string(), "unix:home/a.sock");
        for name in ["", "..", "a/b", &"x".repeat(100)] {
            all.of_mgs(name).unwrap_err();
        }
    }

    #[test]
    fn what_is_no_address_says_what_is() {
        for text in
            ["", "/run/x", "http://localhost", "unix:", "unix:a\0b", &format!("unix:{}", "x".repeat(108))]
        {
            let message = text.parse::<Address>().unwrap_err().to_string();
            assert!(message.contains("allowed: unix:PATH"), "{message}");
            assert_eq!(message.lines().count(), 1);
        }
    }
}
