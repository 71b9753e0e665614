//! 64-bit NIDs as text (`nidstr.h`). The codec of all NIDs lives in the crate `wire`; a log only prints them.

/// `10.77.0.3@tcp`, `5@gni1`. An unknown network type gives `<hex>@<type:number>`, as `libcfs_nid2str`.
pub fn text(nid: u64) -> String {
    if nid == u64::MAX {
        return String::from("<?>");
    }
    let [l0, l1, n0, n1, a, b, c, d] = nid.to_be_bytes();
    let (lnd, net) = (u16::from_be_bytes([l0, l1]), u16::from_be_bytes([n0, n1]));
    let ip = format!("{a}.{b}.{c}.{d}");
    let number = u32::from_be_bytes([a, b, c, d]);
    let (addr, name) = match lnd {
        2 => (ip, "tcp"),
        5 => (ip, "o2ib"),
        9 => (number.to_string(), "lo"),
        13 => (number.to_string(), "gni"),
        14 => (ip, "gip"),
        15 => (number.to_string(), "ptlf"),
        16 => (number.to_string(), "kfi"),
        18 => (ip, "efa"),
        19 => (number.to_string(), "bxi3f"),
        _ => return format!("{number:x}@<{lnd}:{net}>"),
    };
    if net == 0 { format!("{addr}@{name}") } else { format!("{addr}@{name}{net}") }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn names_and_numbers() {
        for (nid, want) in [
            (0x0002_0000_0a4d_0003, "10.77.0.3@tcp"),
            (0x0005_0003_0a00_0002, "10.0.0.2@o2ib3"),
            (0x000d_0001_0000_0005, "5@gni1"),
            (0x0009_0000_0000_0000, "0@lo"),
            (0x0007_0002_0000_00ff, "ff@<7:2>"),
            (u64::MAX, "<?>"),
        ] {
            assert_eq!(text(nid), want);
        }
    }
}
