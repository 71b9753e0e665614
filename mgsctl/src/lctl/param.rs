//! `conf_param`, `set_param -P`, `set_param -F` and `apply_yaml`.

use mgs_api::{ParamAssignment, ParamSyntax};

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::get;
use super::getopt::{Given, Opt, Value, flag, parse};

/// A file that is larger holds no parameters.
const FILE_MAX: u64 = 64 << 20;

/// Longest text between two marks of a file that lctl takes.
const WORD_MAX: usize = 256;

/// `conf_param [-d] DEVICE.PARAM[=VALUE]`.
pub(super) async fn conf_param(front: &Front<'_>, args: &[String]) -> Done {
    if args.is_empty() || args.len() > 2 {
        return Err(End::Usage);
    }
    let given = parse(args, &[flag('d', "")]).map_err(|why| {
        front.complain(format!("{}: {why}", front.name));
        End::Usage
    })?;
    let text = given.words.first().ok_or(End::Usage)?;
    assign(front, text, ParamSyntax::ConfParam, given.has('d')).await.map_err(|errno| {
        front.complain(format!("error: {}: {}", front.name, errno.text));
        End::Errno(errno)
    })
}

/// Options of `set_param`.
const SET: &[Opt] = &[
    Opt { short: 'C', long: "client", value: Value::Joined },
    flag('d', "delete"),
    flag('F', "file"),
    flag('n', "noname"),
    flag('o', "module"),
    flag('P', "perm"),
    flag('P', "permanent"),
    Opt { short: 't', long: "threads", value: Value::Joined },
];

/// `set_param …`: for good with `-P`, from a file with `-F`; else the few settings of the MGS itself.
pub(super) async fn set_param(front: &Front<'_>, args: &[String]) -> Done {
    // getopt is told to be silent here.
    let given = parse(args, SET).map_err(|_| End::Usage)?;
    if given.words.is_empty() {
        return Err(End::Usage);
    }
    let mut for_good = given.has('P');
    if given.has('C') {
        if for_good {
            front.complain(format!("error: {}: -C cannot be used with -P", front.name));
            return Err(End::Usage);
        }
        front.complain("error: set_param: -C is for clients; use the lctl of that node");
        return Err(End::Errno(Errno::EOPNOTSUPP));
    }
    if given.has('d') && !for_good {
        front.complain("warning: setting '-P' option with '-d'");
        for_good = true;
    }
    if given.has('F') {
        let file = given.words.first().ok_or(End::Usage)?;
        return apply(front, file).await;
    }
    if for_good { permanent(front, &given).await } else { get::set(front, &given).await }
}

/// Each on its own; the end is that of the last.
async fn permanent(front: &Front<'_>, given: &Given) -> Done {
    let mut end = Ok(());
    for text in &given.words {
        end = set_one(front, text, given.has('d')).await;
    }
    end
}

async fn set_one(front: &Front<'_>, text: &str, delete: bool) -> Done {
    assign(front, text, ParamSyntax::SetParam, delete).await.map_err(|errno| {
        front.complain(format!("error: executing {}: {}", front.name, errno.text));
        End::Errno(errno)
    })
}

/// Judged like any other assignment: `mgsctl param policy warn` lets scripts for a kernel MGS go on, with warnings.
async fn assign(front: &Front<'_>, text: &str, syntax: ParamSyntax, delete: bool) -> Result<(), Errno> {
    let (assignment, syntax) = (text.to_owned(), Some(syntax));
    let assignment = ParamAssignment { assignment, syntax, force: false, wait: false };
    let done = match delete {
        true => front.api.param_unset(&assignment, false).await,
        false => front.api.param_set(&assignment, false).await,
    };
    match done {
        Ok(change) => {
            front.warn(&change.warnings);
            Ok(())
        }
        Err(error) => Err(front.errno(&error)),
    }
}

/// `apply_yaml FILE`.
pub(super) async fn apply_yaml(front: &Front<'_>, args: &[String]) -> Done {
    let file = args.last().ok_or(End::Usage)?;
    apply(front, file).await
}

/// The parameters in the output of `llog_print`.
async fn apply(front: &Front<'_>, file: &str) -> Done {
    let text = read(file).map_err(|error| {
        front.complain(format!("{file}: {error}"));
        End::Errno(match error.kind() {
            std::io::ErrorKind::NotFound => Errno::ENOENT,
            std::io::ErrorKind::PermissionDenied => Errno::EACCES,
            std::io::ErrorKind::InvalidData => Errno::EINVAL,
            _ => Errno::EIO,
        })
    })?;
    let mut end = Ok(());
    for item in items(&text, front.name == "set_param") {
        let Item { text, syntax } = match item {
            Ok(item) => item,
            Err(why) => {
                front.say(format!("error: {why}\n"))?;
                end = Err(End::Errno(Errno::EINVAL));
                continue;
            }
        };
        let command = if syntax == ParamSyntax::SetParam { "set_param" } else { "conf_param" };
        front.say(format!("{command}: {text}\n"))?;
        let done = match syntax {
            ParamSyntax::SetParam => set_one(front, &text, false).await,
            ParamSyntax::ConfParam => assign(front, &text, syntax, false).await.map_err(End::Errno),
        };
        if let Err(End::Errno(errno)) = done {
            front.say(format!(
                "error: failed to apply parameter rc = -{}, tyring next one\n", // as lctl spells it
                errno.number
            ))?;
            end = done;
        }
    }
    end
}

fn read(file: &str) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(file)?.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// An assignment of a file.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    text: String,
    syntax: ParamSyntax,
}

/// The assignments of a file, in its order. With `convert` those of `conf_param` are spelled for `set_param -P`.
fn items(text: &str, convert: bool) -> Vec<Result<Item, &'static str>> {
    let mut out = Vec::new();
    for fields in records(text) {
        let field = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let (Some(event), Some(parameter)) = (field("event"), field("parameter")) else { continue };
        if fields.iter().any(|(_, value)| value.len() > WORD_MAX) {
            out.push(Err("parameter is longer than 256 characters"));
            continue;
        }
        let (name, inside) = parameter.split_once('=').map_or((parameter, None), |(n, v)| (n, Some(v)));
        let Some(value) = inside.or_else(|| field("value")) else { continue };
        let set = |name: &str| Item { text: format!("{name}={value}"), syntax: ParamSyntax::SetParam };
        out.push(match (event, field("device"), name.strip_prefix("sys.")) {
            ("set_param", ..) => Ok(set(name)),
            // What is set for a whole node has no device to stand in.
            ("conf_param", _, Some(global)) => Ok(set(global)),
            ("conf_param", None, _) => Err("conf_param without device"),
            ("conf_param", Some(device), _) if convert => {
                let (class, rest) = name.split_once('.').unwrap_or((name, ""));
                Ok(set(&format!("{class}.{device}.{rest}")))
            }
            ("conf_param", Some(device), _) => {
                Ok(Item { text: format!("{device}.{name}={value}"), syntax: ParamSyntax::ConfParam })
            }
            _ => continue,
        });
    }
    out
}

/// Lines `- { key: value, key: value }` of `llog_print`, or the same with one key a line.
fn records(text: &str) -> Vec<Vec<(&str, &str)>> {
    let mut out: Vec<Vec<(&str, &str)>> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (starts, rest) = match line.strip_prefix('-') {
            Some(rest) => (true, rest.trim_start()),
            None => (out.is_empty(), line),
        };
        if starts {
            out.push(Vec::new());
        }
        let rest = rest.strip_prefix('{').and_then(|r| r.strip_suffix('}')).unwrap_or(rest).trim();
        let Some(fields) = out.last_mut() else { continue };
        // A comma inside a value is followed by no key.
        let mut from = 0;
        let ends = rest.match_indices(", ").filter(|(at, _)| is_key(rest.get(at + 2..).unwrap_or_default()));
        for end in ends.map(|(at, _)| at).chain([rest.len()]).collect::<Vec<_>>() {
            if let Some((key, value)) = rest.get(from..end).and_then(|field| field.split_once(':')) {
                fields.push((key.trim(), value.trim().trim_matches(['"', '\''])));
            }
            from = end + 2;
        }
    }
    out
}

fn is_key(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(file: &str, convert: bool) -> Vec<String> {
        let shown = |item: Result<Item, &str>| match item {
            Ok(Item { text, syntax: ParamSyntax::SetParam }) => format!("P {text}"),
            Ok(Item { text, .. }) => format!("C {text}"),
            Err(why) => why.to_owned(),
        };
        items(file, convert).into_iter().map(shown).collect()
    }

    #[test]
    fn the_output_of_llog_print_goes_in_again() {
        let file = "- { index: 1, event: conf_param, device: testfs-OST0000-osc, parameter: osc.max_dirty_mb=24 }\n\
            - { index: 2, event: set_param, device: general, parameter: osc.*.max_pages_per_rpc, value: 256 }\n\
            - { index: 3, event: attach, device: testfs-clilov, type: lov, UUID: x }\n\
            - { index: 4, event: conf_param, parameter: sys.jobid_var=nodelocal }\n\
            - { index: 5, event: set_param, device: general, parameter: a.b, value: x, y }\n";
        let set = [
            "P osc.testfs-OST0000-osc.max_dirty_mb=24",
            "P osc.*.max_pages_per_rpc=256",
            "P jobid_var=nodelocal",
            "P a.b=x, y",
        ];
        assert_eq!(texts(file, true), set);
        let conf = [
            "C testfs-OST0000-osc.osc.max_dirty_mb=24",
            "P osc.*.max_pages_per_rpc=256",
            "P jobid_var=nodelocal",
            "P a.b=x, y",
        ];
        assert_eq!(texts(file, false), conf);
        let block = "- index: 2\n  event: set_param\n  parameter: a.b\n  value: '4'\n";
        assert_eq!(texts(block, true), ["P a.b=4"]);
        assert_eq!(texts("- { event: conf_param, parameter: x.y=1 }", false), ["conf_param without device"]);
        assert_eq!(texts("rubbish\n:::\n- {", true), Vec::<String>::new());
    }
}
