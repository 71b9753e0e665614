//! `barrier_freeze`, `barrier_thaw`, `barrier_stat`, `barrier_rescan`.

use mgs_api::FreezeBarrier;

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::getopt::{flag, parse};

/// Longest name of a file system.
const FS_MAX: usize = 8;

pub(super) async fn run(front: &Front<'_>, args: &[String]) -> Done {
    if front.name == "barrier_stat" {
        return stat(front, args).await;
    }
    let (fs, timeout) = match args {
        [fs] => (fs, 0),
        // As atoi reads it.
        [fs, timeout] if front.name != "barrier_thaw" => (fs, timeout.parse().unwrap_or(0)),
        _ => return Err(End::Usage),
    };
    check(front, fs)?;
    let done = match front.name {
        "barrier_freeze" => front.api.barrier_freeze(fs, FreezeBarrier { timeout }, false).await,
        "barrier_thaw" => front.api.barrier_thaw(fs, false).await,
        _ => front.api.barrier_rescan(fs, false).await,
    };
    let what = match front.name {
        "barrier_freeze" => "freeze barrier",
        "barrier_thaw" => "thaw barrier",
        _ => "rescan barrier bitmap",
    };
    match done {
        Ok(change) if front.name == "barrier_rescan" => {
            let of =
                |name: &str| change.events.iter().find_map(|event| event.get(name)?.as_u64()).unwrap_or(0);
            let (absent, total) = (of("absent"), of("total"));
            front.say(format!("{absent} of {total} MDT(s) in the filesystem {fs} are inactive\n"))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            let errno = front.errno(&error);
            front.complain(format!("Fail to {what} for {fs}: {}", errno.text));
            Err(End::Errno(errno))
        }
    }
}

fn check(front: &Front<'_>, fs: &str) -> Done {
    if fs.len() <= FS_MAX {
        return Ok(());
    }
    let line = format!("name {fs} is too long. It should not exceed 8.");
    front.complain(match front.name {
        "barrier_freeze" => format!("{}: fsname {line}", front.name),
        _ => format!("fsname {line}"),
    });
    Err(End::Errno(Errno::EINVAL))
}

async fn stat(front: &Front<'_>, args: &[String]) -> Done {
    let given = parse(args, &[flag('s', "state"), flag('t', "timeout")]).map_err(|why| {
        front.complain(format!("{}: {why}", front.name));
        End::Usage
    })?;
    let fs = given.words.first().ok_or(End::Usage)?;
    check(front, fs)?;
    match front.api.barrier(fs).await {
        Ok(barrier) => front.say(match (given.has('s'), given.has('t')) {
            (true, false) => format!("{}\n", barrier.state),
            (false, true) => format!("{}\n", barrier.left),
            _ => format!("state: {}\ntimeout: {} seconds\n", barrier.state, barrier.left),
        }),
        Err(error) => {
            let errno = front.errno(&error);
            front.complain(format!("Fail to query barrier for {fs}: {}", errno.text));
            Err(End::Errno(errno))
        }
    }
}
