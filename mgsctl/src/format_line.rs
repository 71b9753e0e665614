//! `mgsctl target format-line`: what to type on the server.

use mgs_api::Client;
use serde::Serialize;

use crate::exit::Failure;
use crate::output::Output;
use crate::target::Kind;

/// What the target is to be.
#[derive(Debug, clap::Args)]
pub(crate) struct FormatLine {
    /// File system
    #[arg(long, value_name = "NAME")]
    fs: String,
    /// Kind of target
    #[arg(long = "type", value_name = "TYPE")]
    kind: Kind,
    /// Its index, such as one that 'target reserve' named; decimal
    #[arg(long, value_parser = clap::value_parser!(u16).range(..=65534))]
    index: u16,
    /// NIDs of a node that may serve it, A,B; once for each such node
    #[arg(long, value_name = "NID[,NID]")]
    servicenode: Vec<String>,
    /// Its block device
    #[arg(long, default_value = "DEVICE")]
    device: String,
}

/// The command.
#[derive(Debug, Serialize)]
struct Line {
    command: String,
}

impl FormatLine {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let nids = api.status().await?.nids;
        let command = self.command(&nids)?;
        out.document(&Line { command }, |line| format!("{}\n", line.command))
    }

    /// Everything on the line goes to a shell: only what needs no quoting is let through.
    fn command(&self, mgs: &[String]) -> Result<String, Failure> {
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@,".contains(&b))
        };
        let refuse = |what: &str, text: &str, why: &str| {
            Err(Failure::Input { what: format!("{what} {text:?}"), why: why.to_owned() })
        };
        let name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !(1..=8).contains(&self.fs.len()) || !self.fs.bytes().all(name) || self.fs.starts_with('-') {
            return refuse("file system", &self.fs, "a name has 1 to 8 letters, digits, '_' or '-'");
        }
        if let Some(bad) = self.servicenode.iter().find(|node| !plain(node) || !node.contains('@')) {
            return refuse("service node", bad, "its NIDs are numeric, such as 10.0.0.2@tcp,10.1.0.2@tcp1");
        }
        if !plain(&self.device) {
            return refuse("device", &self.device, "a path without blanks and quotes, such as /dev/sdb");
        }
        let kind = match self.kind {
            Kind::Mdt => "mdt",
            Kind::Ost => "ost",
        };
        // A:B names separate nodes: Lustre then tries the next when one is down; A,B would not (protocol/README).
        let mut line = format!(
            "mkfs.lustre --{kind} --index={} --fsname={} --mgsnode={}",
            self.index,
            self.fs,
            mgs.join(":")
        );
        for node in &self.servicenode {
            line += &format!(" --servicenode={node}");
        }
        Ok(format!("{line} {}", self.device))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line() -> FormatLine {
        FormatLine {
            fs: "testfs".to_owned(),
            kind: Kind::Ost,
            index: 10,
            servicenode: vec!["10.0.0.2@tcp,10.1.0.2@tcp1".to_owned(), "10.0.0.3@tcp".to_owned()],
            device: "/dev/sdb".to_owned(),
        }
    }

    #[test]
    fn the_line_is_complete() {
        let mgs = ["10.0.0.1@tcp".to_owned(), "10.1.0.1@tcp1".to_owned()];
        assert_eq!(
            line().command(&mgs).unwrap(),
            "mkfs.lustre --ost --index=10 --fsname=testfs --mgsnode=10.0.0.1@tcp:10.1.0.1@tcp1 \
             --servicenode=10.0.0.2@tcp,10.1.0.2@tcp1 --servicenode=10.0.0.3@tcp /dev/sdb"
        );
    }

    #[test]
    fn nothing_that_a_shell_would_read_gets_through() {
        for change in [
            |l: &mut FormatLine| l.fs = "a;reboot".to_owned(),
            |l: &mut FormatLine| l.fs = "-x".to_owned(),
            |l: &mut FormatLine| l.device = "$(x)".to_owned(),
            |l: &mut FormatLine| l.servicenode = vec!["10.0.0.2@tcp x".to_owned()],
            |l: &mut FormatLine| l.servicenode = vec!["host".to_owned()],
        ] {
            let mut bad = line();
            change(&mut bad);
            assert!(bad.command(&[]).is_err(), "{bad:?}");
        }
    }
}
