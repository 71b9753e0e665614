//! Options as `getopt_long` takes them: anywhere among the words, bundled, abbreviated, `--` ends them. Its complaints
//! go to stderr in its words.

/// One option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt {
    /// `d` of `-d`.
    pub(super) short: char,
    /// `delete` of `--delete`; empty: there is none.
    pub(super) long: &'static str,
    /// What follows it.
    pub(super) value: Value,
}

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing.
    No,
    /// A word: `-s 1`, `-s1`, `--start 1`, `--start=1`.
    Word,
    /// Perhaps one, joined to it: `-Ctestfs`, `--client=testfs`.
    Joined,
}

/// An option without a value.
pub(super) const fn flag(short: char, long: &'static str) -> Opt {
    Opt { short, long, value: Value::No }
}

/// An option with one.
pub(super) const fn word(short: char, long: &'static str) -> Opt {
    Opt { short, long, value: Value::Word }
}

/// What was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Options in their order.
    pub(super) options: Vec<(char, Option<String>)>,
    /// The other words.
    pub(super) words: Vec<String>,
}

impl Given {
    /// Whether an option was given.
    pub(super) fn has(&self, short: char) -> bool {
        self.options.iter().any(|(option, _)| *option == short)
    }

    /// The value of an option, the last one given.
    pub(super) fn value(&self, short: char) -> Option<&str> {
        let of = self.options.iter().rev().find(|(option, _)| *option == short)?;
        of.1.as_deref()
    }
}

/// Takes the words behind the name of a command apart.
///
/// # Errors
/// What `getopt_long` would print, without the name in front.
pub(super) fn parse(args: &[String], known: &[Opt]) -> Result<Given, String> {
    let mut given = Given::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            given.words.extend(args.cloned());
            break;
        }
        if let Some(name) = arg.strip_prefix("--") {
            let (name, joined) = name.split_once('=').map_or((name, None), |(n, v)| (n, Some(v.to_owned())));
            let option = long(name, known)?;
            let value = match (option.value, joined) {
                (Value::No, Some(_)) => {
                    return Err(format!("option '--{}' doesn't allow an argument", option.long));
                }
                (Value::Word, None) => match args.next() {
                    Some(value) => Some(value.clone()),
                    None => return Err(format!("option '--{}' requires an argument", option.long)),
                },
                (_, joined) => joined,
            };
            given.options.push((option.short, value));
            continue;
        }
        let Some(bundle) = arg.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            given.words.push(arg.clone());
            continue;
        };
        let mut rest = bundle.chars();
        while let Some(short) = rest.next() {
            let option = known.iter().find(|o| o.short == short);
            let option = option.ok_or_else(|| format!("invalid option -- '{short}'"))?;
            let joined = rest.as_str();
            let value = match option.value {
                Value::No => None,
                Value::Joined => Some(joined.to_owned()).filter(|v| !v.is_empty()),
                Value::Word if joined.is_empty() => match args.next() {
                    Some(value) => Some(value.clone()),
                    None => return Err(format!("option requires an argument -- '{short}'")),
                },
                Value::Word => Some(joined.to_owned()),
            };
            given.options.push((short, value));
            if option.value != Value::No {
                break;
            }
        }
    }
    Ok(given)
}

/// By its long name, or the beginning of one.
fn long(name: &str, known: &[Opt]) -> Result<Opt, String> {
    let named = known.iter().filter(|o| !o.long.is_empty() && o.long.starts_with(name));
    let found: Vec<&Opt> = named.collect();
    let exact = found.iter().find(|o| o.long == name);
    // Two names of one option are no ambiguity.
    let same = found.iter().all(|o| found.first().is_some_and(|first| first.short == o.short));
    match (exact, found.first()) {
        (Some(option), _) => Ok(**option),
        (None, None) => Err(format!("unrecognized option '--{name}'")),
        (None, Some(option)) if same => Ok(**option),
        (None, Some(_)) => {
            let names: String = found.iter().map(|o| format!(" '--{}'", o.long)).collect();
            Err(format!("option '--{name}' is ambiguous; possibilities:{names}"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KNOWN: &[Opt] = &[
        word('c', "catalog"),
        word('i', "log_idx"),
        word('l', "log_id"),
        flag('r', "raw"),
        Opt { short: 'C', long: "client", value: Value::Joined },
        flag('P', "perm"),
        flag('P', "permanent"),
    ];

    fn of(line: &str) -> Result<Given, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), KNOWN)
    }

    #[test]
    fn options_stand_anywhere() {
        let given = of("testfs-client --log_idx=44 -r 3").unwrap();
        assert_eq!(given.words, ["testfs-client", "3"]);
        assert!(given.has('r') && given.value('i') == Some("44"));
        assert_eq!(of("-i44 x").unwrap(), of("x -i 44").unwrap());
        assert_eq!(of("-rP a").unwrap().options, [('r', None), ('P', None)]);
        assert_eq!(of("-Ctestfs").unwrap().value('C'), Some("testfs"));
        assert_eq!(of("-- -r").unwrap().words, ["-r"]);
        assert_eq!(of("-").unwrap().words, ["-"]);
        assert!(of("--per x").unwrap().has('P'));
        assert_eq!(of("--cat=x").unwrap().value('c'), Some("x"));
    }

    #[test]
    fn complaints() {
        for (line, says) in [
            ("-x", "invalid option -- 'x'"),
            ("--nosuch", "unrecognized option '--nosuch'"),
            ("--raw=1", "option '--raw' doesn't allow an argument"),
            ("--log_idx", "option '--log_idx' requires an argument"),
            ("-i", "option requires an argument -- 'i'"),
            ("--log 4", "option '--log' is ambiguous; possibilities: '--log_idx' '--log_id'"),
        ] {
            assert_eq!(of(line).unwrap_err(), says);
        }
    }
}
