//! The errno values that an MGS puts on the wire: Linux x86 numbers, whatever the CPU.

use std::fmt;

/// A positive errno; `status()` is what goes into `pb_status`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(u16);

macro_rules! errnos {
    ($($name:ident = $num:literal),* $(,)?) => {
        impl Errno {
            $(#[doc = concat!("`", stringify!($name), "`, ", stringify!($num), ".")] pub const $name: Self = Self($num);)*

            /// The symbolic name, if it is one we use.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($num => Some(stringify!($name)),)* _ => None }
            }
        }
    };
}

errnos! {
    EPERM = 1, ENOENT = 2, EIO = 5, ENXIO = 6, E2BIG = 7, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16,
    EEXIST = 17, ENODEV = 19, EINVAL = 22, ENOSPC = 28, EROFS = 30, ERANGE = 34, EBADR = 53, ETIME = 62, EREMOTE = 66, EPROTO = 71, ENOTUNIQ = 76,
    ENAMETOOLONG = 36, ENOTEMPTY = 39, ENOMEDIUM = 123, EOVERFLOW = 75, EOPNOTSUPP = 95, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENOTCONN = 107, ESHUTDOWN = 108,
    ETIMEDOUT = 110, EALREADY = 114, EINPROGRESS = 115, ESTALE = 116,
}

impl Errno {
    /// From a `pb_status`; `None` when it is not negative or out of range.
    pub fn from_status(status: i32) -> Option<Self> {
        u16::try_from(status.checked_neg()?).ok().filter(|n| *n != 0).map(Self)
    }
    /// The negative number of `pb_status`.
    pub const fn status(self) -> i32 {
        -(self.0 as i32)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "-{} ({name})", self.0),
            None => write!(f, "-{}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
