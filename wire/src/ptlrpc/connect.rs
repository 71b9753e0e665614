//! MGS_CONNECT: who the client is and what it asks for.
use super::Message;
use crate::{Codec, Order, Reader, Result, Writer};
use bytes::Bytes;

/// Bytes of a uuid buffer.
const UUID_BUFFER: usize = 39;

/// `obd_connect_data`, 192 bytes; shorter is filled with zeros, longer is cut.
///
/// ```text
/// lustre_idl.h: struct obd_connect_data
///    0 u64 flags          8 u32 version       12 u32 grant          16 u32 index          20 u32 brw_size
///   24 u64 ibits_known   32 u8 grant_blkbits  33 u8 grant_inobits   34 u16 grant_tax_kb   36 u32 grant_max_blks
///   40 u64 transno       48 u32 group         52 u32 cksum_types    56 u32 max_easize     60 u32 instance
///   64 u64 maxbytes      (72: end of the v1 form)
///   72 u16 maxmodrpcs    74 u8 conn_policy    75 u8 padding0        76 u32 padding1
///   80 u64 flags2        88 u64 compr_type    96 u64 padding[12]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct ConnectData {
    pub flags: u64,
    pub version: u32,
    pub grant: u32,
    pub index: u32,
    pub brw_size: u32,
    pub ibits_known: u64,
    pub grant_blkbits: u8,
    pub grant_inobits: u8,
    pub grant_tax_kb: u16,
    pub grant_max_blks: u32,
    pub transno: u64,
    pub group: u32,
    pub cksum_types: u32,
    pub max_easize: u32,
    pub instance: u32,
    pub maxbytes: u64,
    pub maxmodrpcs: u16,
    pub conn_policy: u8,
    pub padding0: u8,
    pub padding1: u32,
    pub flags2: u64,
    pub compr_type: u64,
    pub padding: [u64; 12],
}
impl ConnectData {
    /// Bytes written.
    pub const SIZE: usize = 192;
}
impl Codec for ConnectData {
    /// Takes everything up to the end of the cursor.
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut whole = [0; Self::SIZE];
        let order = r.order();
        whole.iter_mut().zip(r.rest()).for_each(|(to, from)| *to = *from);
        let mut r = Reader::new(&whole, order);
        let mut ocd = Self {
            flags: r.u64("ocd_connect_flags")?,
            version: r.u32("ocd_version")?,
            grant: r.u32("ocd_grant")?,
            index: r.u32("ocd_index")?,
            brw_size: r.u32("ocd_brw_size")?,
            ibits_known: r.u64("ocd_ibits_known")?,
            grant_blkbits: r.u8("ocd_grant_blkbits")?,
            grant_inobits: r.u8("ocd_grant_inobits")?,
            grant_tax_kb: r.u16("ocd_grant_tax_kb")?,
            grant_max_blks: r.u32("ocd_grant_max_blks")?,
            transno: r.u64("ocd_transno")?,
            group: r.u32("ocd_group")?,
            cksum_types: r.u32("ocd_cksum_types")?,
            max_easize: r.u32("ocd_max_easize")?,
            instance: r.u32("ocd_instance")?,
            maxbytes: r.u64("ocd_maxbytes")?,
            maxmodrpcs: r.u16("ocd_maxmodrpcs")?,
            conn_policy: r.u8("ocd_conn_policy")?,
            padding0: r.u8("padding0")?,
            padding1: r.u32("padding1")?,
            flags2: r.u64("ocd_connect_flags2")?,
            compr_type: r.u64("ocd_compr_type")?,
            padding: [0; 12],
        };
        for word in &mut ocd.padding {
            *word = r.u64("ocd padding")?;
        }
        Ok(ocd)
    }
    fn encode(&self, w: &mut Writer) {
        w.u64(self.flags);
        w.u32(self.version);
        w.u32(self.grant);
        w.u32(self.index);
        w.u32(self.brw_size);
        w.u64(self.ibits_known);
        w.u8(self.grant_blkbits);
        w.u8(self.grant_inobits);
        w.u16(self.grant_tax_kb);
        w.u32(self.grant_max_blks);
        w.u64(self.transno);
        w.u32(self.group);
        w.u32(self.cksum_types);
        w.u32(self.max_easize);
        w.u32(self.instance);
        w.u64(self.maxbytes);
        w.u16(self.maxmodrpcs);
        w.u8(self.conn_policy);
        w.u8(self.padding0);
        w.u32(self.padding1);
        w.u64(self.flags2);
        w.u64(self.compr_type);
        self.padding.iter().for_each(|v| w.u64(*v));
    }
}

/// Buffers 1..5 of MGS_CONNECT.
///
/// ```text
///  1 target uuid (39)   2 client uuid (39)   3 u64 callback cookie   4 obd_connect_data   5 SELinux policy
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// `MGS`.
    pub target: String,
    /// UUID of the MGC.
    pub client_uuid: String,
    /// To be used as `pb_handle` in callbacks to it.
    pub callback_cookie: u64,
    /// Flags asked.
    pub data: ConnectData,
    /// SELinux policy; `None`: buffer absent (2.12.0).
    pub sepol: Option<Bytes>,
}
impl ConnectRequest {
    /// From the message of an MGS_CONNECT.
    ///
    /// # Errors
    /// A buffer 1 to 4 is missing; a uuid without NUL in its buffer, or not UTF-8.
    pub fn from_message(m: &Message) -> Result<Self> {
        let uuid = |i, what| {
            let mut r = m.buffer(i)?;
            r.cstr(what, r.remaining())
        };
        Ok(Self {
            target: uuid(1, "target uuid")?,
            client_uuid: uuid(2, "client uuid")?,
            callback_cookie: m.buffer(3)?.u64("callback cookie")?,
            data: ConnectData::decode(&mut m.buffer(4)?)?,
            sepol: m.buffers.get(5).cloned(),
        })
    }
    /// Buffers behind the body (uuid buffers of 39 bytes).
    pub fn to_buffers(&self, order: Order) -> Vec<Bytes> {
        let uuid = |text: &str| {
            let mut w = Writer::new(order);
            w.cstr(text, UUID_BUFFER);
            Bytes::from(w.into_vec())
        };
        let mut cookie = Writer::new(order);
        cookie.u64(self.callback_cookie);
        let mut buffers = vec![
            uuid(&self.target),
            uuid(&self.client_uuid),
            Bytes::from(cookie.into_vec()),
            Bytes::from(self.data.to_vec(order)),
        ];
        buffers.extend(self.sepol.clone());
        buffers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;
    use crate::ptlrpc::{Body, connect_flags as f, connect_op, msg_type, opc, version};

    /// MGS_CONNECT of a 2.17 client.
    #[test]
    fn worked_example() {
        let body = Body {
            msg_type: msg_type::REQUEST,
            version: version::OBD | version::PTLRPC,
            opc: opc::MGS_CONNECT,
            op_flags: connect_op::INITIAL,
            conn_cnt: 1,
            ..Body::default()
        };
        let connect = ConnectRequest {
            target: "MGS".into(),
            client_uuid: "7c0b1a3e-0000-4000-8000-0123456789ab".into(),
            callback_cookie: 0x1122_3344_5566_7788,
            data: ConnectData {
                flags: f::VERSION
                    | f::MGS_NIDLIST
                    | f::BARRIER
                    | f::AT
                    | f::FULL20
                    | f::IMP_RECOV
                    | f::LVB_TYPE
                    | f::BULK_MBITS
                    | f::FLAGS2,
                flags2: f::REP_MBITS | f::LARGE_NID,
                version: 0x0211_3900,
                ..ConnectData::default()
            },
            sepol: Some(Bytes::new()),
        };
        let mut message = Message::new(&body, connect.to_buffers(Order::Little));
        message.secflvr = 0x0300_0000;
        message.repsize = 544;
        let bytes = message.to_bytes();
        assert_eq!(bytes.len(), 520);
        assert_eq!(bytes[..16], hex("06 00 00 00   00 00 00 03   d3 0b d0 0b   20 02 00 00"));
        assert_eq!(
            bytes[32..56],
            hex("b8 00 00 00   27 00 00 00   27 00 00 00   08 00 00 00   c0 00 00 00   00 00 00 00")
        );
        assert_eq!(bytes[64..76], hex("67 12 00 00 | 03 00 01 00 | fa 00 00 00"));
        assert!(bytes[240..].starts_with(b"MGS\0") && bytes[280..].starts_with(b"7c0b1a3e-"));
        assert_eq!(bytes[320..328], hex("88 77 66 55 44 33 22 11"));
        // As the captures have it.
        assert_eq!(bytes[328..336], 0xA000_4110_0100_2060_u64.to_le_bytes());
        assert_eq!(bytes[408..416], 0x1_0010_0000_u64.to_le_bytes());
        let read = Message::decode(&bytes).unwrap();
        assert_eq!(read.body(), Ok(body));
        assert_eq!(ConnectRequest::from_message(&read), Ok(connect));
    }

    #[test]
    fn uuid_needs_its_end_but_no_particular_length() {
        let connect = |uuid: &'static [u8]| {
            let part = |b| Bytes::from_static(b);
            let rest = vec![part(b"MGS\0"), part(uuid), part(&[1; 8]), Bytes::from(vec![0; 72])];
            ConnectRequest::from_message(&Message::new(&Body::default(), rest))
        };
        let short = connect(b"uuid\0").unwrap();
        assert_eq!((short.client_uuid.as_str(), short.sepol), ("uuid", None));
        for uuid in [&b"no end"[..], b"", b"\xff\0"] {
            assert!(connect(uuid).is_err(), "{uuid:?}");
        }
    }
}
