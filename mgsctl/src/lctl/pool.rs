//! `pool_new`, `pool_add`, `pool_remove`, `pool_destroy`, `pool_list`.

use mgs_api::{NewPool, PoolMembers};

use super::errno::Errno;
use super::front::{Done, End, Front};

/// `lustre_user.h: LUSTRE_MAXFSNAME`, `LOV_MAXPOOLNAME`.
const FS_MAX: usize = 8;
const POOL_MAX: usize = 15;
/// What the name of an OST has room for (`UUID_MAX`, with its NUL).
const NAME_MAX: usize = 39;

/// What was typed.
struct Asked<'a> {
    fs: &'a str,
    pool: &'a str,
    full: &'a str,
    osts: &'a [String],
}

pub(super) async fn run(front: &Front<'_>, args: &[String]) -> Done {
    let asked = parse(front, args)?;
    let full = asked.full.to_owned();
    match front.name {
        "pool_list" => return list(front, &asked).await,
        "pool_new" => {
            if let Err(error) = front.api.pool_new(&NewPool { pool: full }, false).await {
                return Err(refused(front, &asked, None, front.errno(&error)));
            }
        }
        "pool_destroy" => {
            if let Err(error) = front.api.pool_destroy(&full, false).await {
                return Err(refused(front, &asked, None, front.errno(&error)));
            }
        }
        _ => return members(front, &asked).await,
    }
    Ok(())
}

fn fail<T>(front: &Front<'_>, errno: Errno) -> Done<T> {
    front.complain(format!("{}: {}", front.name, errno.text));
    Err(End::Errno(errno))
}

fn parse<'a>(front: &Front<'_>, args: &'a [String]) -> Done<Asked<'a>> {
    let mut args = args;
    let mut wait = true;
    match args.first().map(String::as_str) {
        None | Some("--help" | "-h") => return Err(End::Usage),
        Some("--nowait" | "-n") => {
            wait = false;
            args = args.get(1..).unwrap_or_default();
        }
        Some(_) => {}
    }
    let Some((full, osts)) = args.split_first() else { return Err(End::Usage) };
    if matches!(front.name, "pool_add" | "pool_remove") && osts.is_empty() {
        return Err(End::Usage);
    }
    let listing = front.name == "pool_list";
    let (fs, pool) = match full.split_once('.') {
        Some((fs, pool)) => (fs, Some(pool)),
        None if listing => (full.as_str(), None),
        None => return fail(front, Errno::EINVAL),
    };
    if fs.is_empty() || pool == Some("") {
        return fail(front, Errno::EINVAL);
    }
    let named = |what: &str| front.complain(format!("{}: {what}", front.name));
    if fs.len() > FS_MAX {
        named("fsname is too long");
        return fail(front, Errno::ENAMETOOLONG);
    }
    let pool = pool.unwrap_or_default();
    if pool.len() > POOL_MAX {
        named("poolname is too long");
        return fail(front, Errno::ENAMETOOLONG);
    }
    if ["ignore", "inherit"].contains(&pool) {
        named(&format!("poolname cannot be '{pool}'"));
        return fail(front, Errno::EINVAL);
    }
    if wait && !listing && !pool.is_empty() {
        front.complain(format!(
            "Warning, standalone MGS for \"{fs}\", unable to check pool updates on clients."
        ));
        front.complain("Verify if pools are updated on a client (client sync delay: 5-10s).\n");
    }
    Ok(Asked { fs, pool, full, osts })
}

/// One after the other, as lctl does: what is wrong with one does not keep the others out.
async fn members(front: &Front<'_>, asked: &Asked<'_>) -> Done {
    let mut names = Vec::new();
    for word in asked.osts {
        let Some(list) = expand(word) else { return bad_list(front) };
        for name in list {
            match uuid(asked.fs, &name) {
                Ok(name) => names.push(name),
                Err(why) => {
                    front.complain(why);
                    return bad_list(front);
                }
            }
        }
    }
    let mut end = Ok(());
    for name in names {
        let osts = PoolMembers { osts: vec![name.clone()] };
        let done = match front.name {
            "pool_add" => front.api.pool_add(asked.full, &osts, false).await,
            _ => front.api.pool_remove(asked.full, &osts, false).await,
        };
        if let Err(error) = done {
            end = Err(refused(front, asked, Some(&name), front.errno(&error)));
        }
    }
    end
}

fn bad_list(front: &Front<'_>) -> Done {
    front.complain("Wrong format for OST list");
    fail(front, Errno::EINVAL)
}

/// `OST[0-3,8-a/2]`: hexadecimal numbers with a step.
fn expand(word: &str) -> Option<Vec<String>> {
    let Some((head, rest)) = word.split_once('[') else { return Some(vec![word.to_owned()]) };
    let (list, tail) = rest.split_once(']')?;
    let mut out = Vec::new();
    for part in list.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (u16::from_str_radix(first, 16).ok()?, u16::from_str_radix(last, 16).ok()?);
        let step: usize = step.parse().ok()?;
        if last < first || step == 0 {
            return None;
        }
        out.extend((first..=last).step_by(step).map(|n| format!("{head}{n:04x}{tail}")));
    }
    Some(out)
}

/// `testfs-OST0000_UUID` of whichever form was typed.
fn uuid(fs: &str, name: &str) -> Result<String, String> {
    let full = if name.contains('-') { name.to_owned() } else { format!("{fs}-{name}") };
    let rest = full.strip_prefix(fs).ok_or_else(|| format!("{name} does not start with fsname {fs}"))?;
    let rest = rest.strip_prefix("-OST");
    let rest = rest.ok_or_else(|| format!("{name} does not start by {fs}-OST nor OST"))?;
    let hex = rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let hex = hex.ok_or_else(|| format!("ost's index in {name} is not an hexa number"))?;
    match rest.get(4..) {
        Some("" | "_UUID") if full.len() < NAME_MAX => Ok(format!("{fs}-OST{hex}_UUID")),
        _ => Err(format!("ostname {name} does not end with _UUID")),
    }
}

/// The words that lctl has for a refusal.
fn refused(front: &Front<'_>, asked: &Asked<'_>, ost: Option<&str>, errno: Errno) -> End {
    let Asked { fs, full, .. } = asked;
    let name = front.name;
    let line = match (errno, ost) {
        (Errno::ENAMETOOLONG, _) => format!(
            "{name}: either the pool or file system name is too long (max pool name len is {POOL_MAX} and file system name is {FS_MAX})"
        ),
        (Errno::EINVAL, _) => format!(
            "{name}: can contain only alphanumeric characters, underscores, and dashes besides the required '.'"
        ),
        (Errno::EEXIST, None) => format!("{name}: pool {full} already exists"),
        (Errno::ENOENT, None) | (Errno::ENOMEDIUM, Some(_)) => format!("{name}: pool {full} not found"),
        (Errno::ENOTEMPTY, None) => format!("{name}: pool {full} not empty, please remove all members"),
        (Errno::EEXIST, Some(ost)) => format!("{name}: {ost} is already in pool {full}"),
        (Errno::ENODEV, Some(ost)) => format!("{name}: {ost} is not part of the '{fs}' fs."),
        (Errno::ENOENT, Some(ost)) => format!("{name}: {ost} not found in pool {full}"),
        (_, None) => format!("{name} {full}: {}", errno.text),
        (_, Some(ost)) => format!("{name} {full} {ost}: {}", errno.text),
    };
    front.complain(line);
    End::Errno(errno)
}

async fn list(front: &Front<'_>, asked: &Asked<'_>) -> Done {
    let Asked { fs, pool, full, .. } = asked;
    let found = front.api.pools(Some(fs)).await;
    if let Err(error) = &found {
        let errno = front.errno(error);
        front.complain(format!("{fs}-client: OBD_IOC_LLOG_PRINT failed: {}", errno.text));
        let head = if pool.is_empty() { format!("Pools from {fs}:\n") } else { format!("Pool: {full}\n") };
        front.say(head)?;
        return Err(End::Errno(errno));
    }
    let pools = found.map(|list| list.items).unwrap_or_default();
    if pool.is_empty() {
        let names: String = pools.iter().map(|p| format!("{fs}.{}\n", p.name)).collect();
        return front.say(format!("Pools from {fs}:\n{names}"));
    }
    let members = pools.into_iter().find(|p| p.name == *pool).map(|p| p.members);
    front.say(format!("Pool: {full}\n"))?;
    let members = members.ok_or(End::Errno(Errno::ENOENT))?;
    front.say(members.iter().map(|ost| format!("{ost}_UUID\n")).collect::<String>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_osts() {
        assert_eq!(expand("OST[0-4/2,a]").unwrap(), ["OST0000", "OST0002", "OST0004", "OST000a"]);
        assert_eq!(expand("testfs-OST[1]_UUID").unwrap(), ["testfs-OST0001_UUID"]);
        for bad in ["OST[", "OST[]", "OST[2-1]", "OST[0-4/0]", "OST[x]", "OST[0-fffff]", "OST[0-4/-1]"] {
            assert_eq!(expand(bad), None, "{bad}");
        }
        for form in ["OST0001", "testfs-OST0001", "testfs-OST0001_UUID", "OST0001_UUID"] {
            assert_eq!(uuid("testfs", form).unwrap(), "testfs-OST0001_UUID");
        }
        for bad in ["other-OST0001", "testfs-MDT0001", "OST1", "OST00zz", "OST00001", "OST0001_X", "testfs"] {
            assert!(uuid("testfs", bad).is_err(), "{bad}");
        }
    }
}
