//! Sections: what lies between a START and its END marker.

use crate::{Log, Marker, RecordRef, cmd, marker::flag};

/// One section. The pair (`tgtname`, `comment`) is the key by which an MGS finds it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Index of the START marker.
    pub start_index: u32,
    /// Index of the END marker.
    pub end_index: u32,
    /// From the START marker, as all below.
    pub tgtname: String,
    /// Kind of section, or parameter name.
    pub comment: String,
    /// See [`flag`]; readers obey those of the START marker only.
    pub flags: u32,
    /// Generation of the file system when it was written.
    pub step: u32,
    /// Version of the writer.
    pub vers: u32,
    /// Seconds since 1970.
    pub createtime: u64,
    /// Seconds since 1970; 0 while valid.
    pub canceltime: u64,
}

impl Section {
    /// Readers ignore it.
    pub fn is_skipped(&self) -> bool {
        self.flags & flag::SKIP != 0
    }

    /// Readers add its OSTs inactive.
    pub fn is_excluded(&self) -> bool {
        self.flags & flag::EXCLUDE != 0
    }

    /// Has this key.
    pub fn is(&self, tgtname: &str, comment: &str) -> bool {
        self.tgtname == tgtname && self.comment == comment
    }

    /// The live records between the markers.
    pub fn records<'a>(&self, log: &'a Log) -> impl Iterator<Item = RecordRef<'a>> + use<'a> {
        let end = self.end_index;
        log.records_from(self.start_index + 1).take_while(move |r| r.index < end).filter(|r| r.live)
    }
}

/// The complete sections of a log, in order, skipped ones included. As readers see it: cancelled records do not
/// exist, START always begins anew, END closes. A START without END is no section; [`crate::check`] reports it.
pub fn sections(log: &Log) -> impl Iterator<Item = Section> {
    let mut open: Option<(u32, Marker)> = None;
    markers(log).filter_map(move |(index, m)| {
        if m.is_start() {
            open = Some((index, m));
            return None;
        }
        if !m.is_end() {
            return None;
        }
        open.take().map(|(start_index, start)| Section {
            start_index,
            end_index: index,
            tgtname: start.tgtname,
            comment: start.comment,
            flags: start.flags,
            step: start.step,
            vers: start.vers,
            createtime: start.createtime,
            canceltime: start.canceltime,
        })
    })
}

/// The sections with this key, in order, skipped ones included.
pub fn find(log: &Log, tgtname: &str, comment: &str) -> impl Iterator<Item = Section> {
    sections(log).filter(move |s| s.is(tgtname, comment))
}

/// The live markers of a log with their indices.
pub fn markers(log: &Log) -> impl Iterator<Item = (u32, Marker)> {
    log.records()
        .filter(|r| r.live && r.command() == Some(cmd::MARKER))
        .filter_map(|r| r.cfg().ok()?.marker().map(|m| (r.index, m)))
}
