//! Errno values with the words that a C library has for them: exit codes and texts of lctl are made of these.

use mgs_api::{Error, ProblemKind};

/// One of them. The numbers are those of Linux on x86, which Lustre uses everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errno {
    /// `ENOENT`.
    name: &'static str,
    /// Exit code.
    pub(super) number: u8,
    /// What `strerror` says.
    pub(super) text: &'static str,
}

macro_rules! errnos {
    ($($name:ident = $number:literal $text:literal),* $(,)?) => {
        impl Errno {
            $(pub(super) const $name: Self = Self { name: stringify!($name), number: $number, text: $text };)*
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

errnos! {
    EPERM = 1 "Operation not permitted",
    ENOENT = 2 "No such file or directory",
    EIO = 5 "Input/output error",
    ENXIO = 6 "No such device or address",
    E2BIG = 7 "Argument list too long",
    EAGAIN = 11 "Resource temporarily unavailable",
    ENOMEM = 12 "Cannot allocate memory",
    EACCES = 13 "Permission denied",
    EFAULT = 14 "Bad address",
    EBUSY = 16 "Device or resource busy",
    EEXIST = 17 "File exists",
    ENODEV = 19 "No such device",
    EINVAL = 22 "Invalid argument",
    ENOSPC = 28 "No space left on device",
    EROFS = 30 "Read-only file system",
    ERANGE = 34 "Numerical result out of range",
    ENAMETOOLONG = 36 "File name too long",
    ENOTEMPTY = 39 "Directory not empty",
    EBADR = 53 "Invalid request descriptor",
    ETIME = 62 "Timer expired",
    EREMOTE = 66 "Object is remote",
    EPROTO = 71 "Protocol error",
    EBADMSG = 74 "Bad message",
    EOVERFLOW = 75 "Value too large for defined data type",
    ENOTUNIQ = 76 "Name not unique on network",
    EOPNOTSUPP = 95 "Operation not supported",
    EADDRINUSE = 98 "Address already in use",
    EADDRNOTAVAIL = 99 "Cannot assign requested address",
    ENOTCONN = 107 "Transport endpoint is not connected",
    ESHUTDOWN = 108 "Cannot send after transport endpoint shutdown",
    ETIMEDOUT = 110 "Connection timed out",
    EALREADY = 114 "Operation already in progress",
    EINPROGRESS = 115 "Operation now in progress",
    ESTALE = 116 "Stale file handle",
    ENOMEDIUM = 123 "No medium found",
}

impl Errno {
    /// By its name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|errno| errno.name == name).copied()
    }

    /// What a kernel MGS would have said where mgsd, or the way to it, says no.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Refused(problem) => {
                problem.errno.as_deref().and_then(Self::named).unwrap_or(match problem.kind {
                    ProblemKind::UnknownName => Self::ENOENT,
                    ProblemKind::Malformed | ProblemKind::Refused => Self::EINVAL,
                    ProblemKind::TooLarge => Self::E2BIG,
                    ProblemKind::SeveralMgs => Self::ENODEV,
                    ProblemKind::NotNow => Self::EAGAIN,
                    ProblemKind::Timeout => Self::ETIMEDOUT,
                    ProblemKind::UnknownRoute | ProblemKind::Method => Self::EOPNOTSUPP,
                    ProblemKind::Storage | ProblemKind::Bug | ProblemKind::Other => Self::EIO,
                })
            }
            Error::Unreachable { .. } => Self::ENODEV,
            Error::Unknown { .. } => Self::ETIMEDOUT,
            Error::Foreign { .. } => Self::EPROTO,
            Error::BadAddress(_) => Self::EINVAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every errno that the core can name has its number and a text here.
    #[test]
    fn those_of_the_core_are_known() {
        let named =
            (1..=200).filter_map(|n| mgs_core::Errno::from_status(-n)).filter_map(mgs_core::Errno::name);
        let mut count = 0;
        for name in named {
            count += 1;
            assert_eq!(Errno::named(name).map(|e| e.name), Some(name));
        }
        assert!(count > 20);
        for errno in Errno::ALL {
            let core = mgs_core::Errno::from_status(-i32::from(errno.number)).unwrap();
            assert!(core.name().is_none_or(|name| name == errno.name), "{errno:?}");
        }
    }
}
