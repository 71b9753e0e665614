//! Connection request and HELLO, both sides: pure functions from the bytes so far to a verdict.
//!
//! ```text
//!  connecting side            accepting side
//!  ConnReq ──────────────────►  for one of our NIDs? else close (old or unknown protocol: say v1, close)
//!  HELLO, its type ──────────►
//!            ◄────────────────  HELLO, the inverted type (unknown version: ours, type NONE, close)
//!  messages ◄────────────────►  messages
//! ```
use crate::Error;
use crate::peer::PeerKey;
use wire::nid::{NidAddr, lnd};
use wire::socklnd::{ConnReq, ConnType, Hello, LNET_PID, Step};
use wire::{Nid, Order};

const ACCEPTOR_MAGIC: u32 = 0xacce_7100;
const UNIFIED_MAGIC: u32 = 0x4572_6963;
/// Spoken to peers with 4-byte addresses.
pub(crate) const VERSION_SMALL: u32 = 3;
/// Needed for large NIDs.
pub(crate) const VERSION_LARGE: u32 = 4;

/// What the bytes so far amount to.
pub(crate) enum Verdict<T> {
    /// More are needed.
    Wait,
    /// Understood, and how many bytes it took.
    Go(T, usize),
    /// Close, after this answer.
    Refuse(Option<Vec<u8>>, Error),
}

/// A HELLO that suits us.
pub(crate) struct Greeting {
    pub(crate) key: PeerKey,
    pub(crate) incarnation: u64,
    pub(crate) version: u32,
    /// Byte order of the peer.
    pub(crate) order: Order,
    /// As we see it.
    pub(crate) ctype: ConnType,
}

/// What a dialled peer says.
pub(crate) enum Answer {
    Welcome(Greeting),
    /// Type NONE: later, or at once with the other version.
    TryAgain {
        version: u32,
    },
}

/// HELLO version for a NID.
pub(crate) fn preferred_version(nid: Nid) -> u32 {
    match nid.addr {
        NidAddr::Small(_) => VERSION_SMALL,
        NidAddr::Large(_) => VERSION_LARGE,
    }
}

/// The connection request of an accepted connection.
pub(crate) fn request(bytes: &[u8], own: &[Nid]) -> Verdict<Nid> {
    match ConnReq::parse(bytes) {
        Ok(Step::Need(_)) => Verdict::Wait,
        Ok(Step::Done((request, _), taken)) => {
            if own.contains(&request.nid) {
                Verdict::Go(request.nid, taken)
            } else {
                Verdict::Refuse(None, Error::NotOurNid { nid: request.nid })
            }
        }
        Err(error) => {
            // A probe of another protocol generation is told our version; anything else gets no answer.
            let generation = first_word(bytes)
                .is_some_and(|word| [ACCEPTOR_MAGIC, UNIFIED_MAGIC].iter().any(|m| is_magic(word, *m)));
            let ours = ConnReq { version: 1, nid: Nid::from_u64(0) }.to_bytes(Order::Little);
            Verdict::Refuse(
                generation.then_some(ours),
                Error::Malformed { part: "connection request", error },
            )
        }
    }
}

/// The HELLO of an accepted connection.
pub(crate) fn accept(bytes: &[u8], local: Nid, incarnation: u64) -> Verdict<Greeting> {
    let (hello, order, taken) = match Hello::parse(bytes) {
        Ok(Step::Need(_)) => return Verdict::Wait,
        Ok(Step::Done((hello, order), taken)) => (hello, order, taken),
        Err(error) => {
            let unified = first_word(bytes).is_some_and(|word| is_magic(word, UNIFIED_MAGIC));
            let no = hello_bytes(
                PeerKey { peer: Nid::ANY, local },
                preferred_version(local),
                incarnation,
                ConnType::None,
            );
            return Verdict::Refuse(unified.then_some(no), Error::Malformed { part: "HELLO", error });
        }
    };
    let key = PeerKey { peer: hello.src_nid, local };
    if hello.version < preferred_version(local) && matches!(local.addr, NidAddr::Large(_)) {
        let no = hello_bytes(key, VERSION_LARGE, incarnation, ConnType::None);
        return Verdict::Refuse(Some(no), Error::Version { version: hello.version, nid: local });
    }
    if let Some(error) = wrong_source(&hello, local) {
        return Verdict::Refuse(None, error);
    }
    if hello.ctype == ConnType::None {
        let expected = "CONTROL, BULK_IN, BULK_OUT or ANY";
        return Verdict::Refuse(None, Error::Type { got: hello.ctype, expected });
    }
    let ctype = hello.ctype.inverted();
    let greeting = Greeting { key, incarnation: hello.src_incarnation, version: hello.version, order, ctype };
    Verdict::Go(greeting, taken)
}

/// The HELLO of a dialled peer.
pub(crate) fn answer(bytes: &[u8], key: PeerKey, ctype: ConnType) -> Verdict<Answer> {
    let (hello, order, taken) = match Hello::parse(bytes) {
        Ok(Step::Need(_)) => return Verdict::Wait,
        Ok(Step::Done((hello, order), taken)) => (hello, order, taken),
        Err(error) => return Verdict::Refuse(None, Error::Malformed { part: "HELLO", error }),
    };
    if hello.ctype == ConnType::None {
        return Verdict::Go(Answer::TryAgain { version: hello.version }, taken);
    }
    if let Some(error) = wrong_source(&hello, key.local) {
        return Verdict::Refuse(None, error);
    }
    if hello.src_nid != key.peer {
        return Verdict::Refuse(None, Error::WrongNode { dialled: key.peer, answered: hello.src_nid });
    }
    if hello.ctype.inverted() != ctype {
        let error = Error::Type { got: hello.ctype, expected: "the inverse of the type asked for" };
        return Verdict::Refuse(None, error);
    }
    let greeting = Greeting { key, incarnation: hello.src_incarnation, version: hello.version, order, ctype };
    Verdict::Go(Answer::Welcome(greeting), taken)
}

/// First bytes of a dialled connection.
pub(crate) fn introduction(key: PeerKey, version: u32, incarnation: u64, ctype: ConnType) -> Vec<u8> {
    let request = match key.peer.addr {
        NidAddr::Small(_) => ConnReq { version: 1, nid: key.peer },
        NidAddr::Large(_) => ConnReq { version: 2, nid: key.peer },
    };
    let mut bytes = request.to_bytes(Order::Little);
    bytes.extend(hello_bytes(key, version, incarnation, ctype));
    bytes
}

/// Our HELLO.
pub(crate) fn hello_bytes(key: PeerKey, version: u32, incarnation: u64, ctype: ConnType) -> Vec<u8> {
    let hello = Hello {
        version,
        src_nid: key.local,
        dst_nid: key.peer,
        src_pid: LNET_PID,
        dst_pid: 0,
        src_incarnation: incarnation,
        dst_incarnation: 0,
        ctype,
        ips: Vec::new(),
    };
    hello.to_bytes(Order::Little)
}

fn wrong_source(hello: &Hello, local: Nid) -> Option<Error> {
    let nid = hello.src_nid;
    if hello.src_pid != LNET_PID {
        return Some(Error::SourcePid { pid: hello.src_pid });
    }
    let related = nid.lnd == lnd::TCP && nid.lnd == local.lnd && nid.net == local.net;
    (!related).then_some(Error::SourceNid { nid, local })
}

fn first_word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|word| u32::from_le_bytes(*word))
}

fn is_magic(word: u32, magic: u32) -> bool {
    word == magic || word.swap_bytes() == magic
}
