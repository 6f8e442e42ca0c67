//! Messages of multicast DNS: the few kinds of records that name a service, read from bytes that anybody may have sent
//! and written without compression.
//!
//! Pure. Whatever is not whole is `None`; records of other kinds are passed over.
use crate::parts::within;
use std::net::Ipv4Addr;

/// Longest message that is read or written, bytes: what one Ethernet frame takes after its headers.
pub const MAX: usize = 1472;
/// Longest name and label, bytes, and the most entries of a message that are looked at.
const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;
const MAX_TEXT: usize = 255;
const MAX_ENTRIES: usize = 64;

pub const A: u16 = 1;
pub const PTR: u16 = 12;
pub const TXT: u16 = 16;
pub const SRV: u16 = 33;
pub const ANY: u16 = 255;
const INTERNET: u16 = 1;
/// In a question: answer me alone. In a record: forget what you knew.
const TOP: u16 = 0x8000;
const IS_ANSWER: u16 = 0x8400;

/// Labels, the most special first: those of an instance may hold dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(pub Vec<String>);

impl Name {
    /// Of a text whose labels hold no dots.
    pub fn of(text: &str) -> Name {
        Name(text.split('.').map(str::to_string).collect())
    }

    /// `label` below this.
    pub fn under(&self, label: &str) -> Name {
        let label = label.to_string();
        Name(std::iter::once(label).chain(self.0.iter().cloned()).collect())
    }

    pub fn is(&self, other: &Name) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// Whether this is one label below `other`.
    pub fn is_under(&self, other: &Name) -> bool {
        self.0.get(1..).is_some_and(|rest| Name(rest.to_vec()).is(other))
    }

    pub fn text(&self) -> String {
        self.0.join(".")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub name: Name,
    pub kind: u16,
    /// The asker wants the answer for itself alone.
    pub is_alone: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Ptr(Name),
    Srv {
        port: u16,
        host: Name,
    },
    /// `key=value` each.
    Txt(Vec<String>),
    A(Ipv4Addr),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub name: Name,
    /// Seconds; 0 for what is no more.
    pub ttl: u32,
    pub data: Data,
}

impl Record {
    pub fn kind(&self) -> u16 {
        match self.data {
            Data::Ptr(_) => PTR,
            Data::Srv { .. } => SRV,
            Data::Txt(_) => TXT,
            Data::A(_) => A,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    pub is_answer: bool,
    pub questions: Vec<Question>,
    /// Answers first, then what stands beside them.
    pub records: Vec<Record>,
}

impl Message {
    pub fn read(bytes: &[u8]) -> Option<Message> {
        let mut from = Reader { bytes, at: 0 };
        let (id, flags) = (from.u16()?, from.u16()?);
        let counts = [from.u16()?, from.u16()?, from.u16()?, from.u16()?];
        let [questions, records @ ..] = counts.map(usize::from);
        let mut message = Message { id, is_answer: flags & 0x8000 != 0, ..Message::default() };
        for _ in 0..questions.min(MAX_ENTRIES) {
            let (name, kind, class) = (from.name()?, from.u16()?, from.u16()?);
            message.questions.push(Question { name, kind, is_alone: class & TOP != 0 });
        }
        for _ in 0..records.iter().sum::<usize>().min(MAX_ENTRIES) {
            message.records.extend(from.record()?);
        }
        Some(message)
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let flags = if self.is_answer { IS_ANSWER } else { 0 };
        // The asker's other questions are not repeated, records stand in one section.
        let (questions, records) = (self.questions.len() as u16, self.records.len() as u16);
        // What a question brings along is what is known already, so answers in either case.
        for number in [self.id, flags, questions, records, 0, 0] {
            out.extend(number.to_be_bytes());
        }
        for Question { name, kind, is_alone } in &self.questions {
            put_name(&mut out, name);
            let class = if *is_alone { INTERNET | TOP } else { INTERNET };
            out.extend([kind.to_be_bytes(), class.to_be_bytes()].concat());
        }
        self.records.iter().for_each(|record| put_record(&mut out, record));
        out
    }
}

fn put_name(out: &mut Vec<u8>, name: &Name) {
    for label in &name.0 {
        let label = within(label, MAX_LABEL).as_bytes();
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    put_name(out, &record.name);
    // Several have one name for the service; whatever else we say is ours alone, so it replaces what was known.
    let class = if record.kind() == PTR { INTERNET } else { INTERNET | TOP };
    out.extend([record.kind().to_be_bytes(), class.to_be_bytes()].concat());
    out.extend(record.ttl.to_be_bytes());
    let mut data = Vec::new();
    match &record.data {
        Data::Ptr(name) => put_name(&mut data, name),
        Data::Srv { port, host } => {
            data.extend([[0; 2], [0; 2], port.to_be_bytes()].concat());
            put_name(&mut data, host);
        }
        Data::Txt(texts) => texts.iter().for_each(|text| {
            let text = within(text, MAX_TEXT).as_bytes();
            data.push(text.len() as u8);
            data.extend(text);
        }),
        Data::A(address) => data.extend(address.octets()),
    }
    out.extend((data.len() as u16).to_be_bytes());
    out.extend(data);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let piece = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(piece)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn name(&mut self) -> Option<Name> {
        let (mut labels, mut length, mut goes_on_at) = (Vec::new(), 0, None);
        loop {
            let start = self.at;
            let size = usize::from(*self.take(1)?.first()?);
            match size >> 6 {
                0 if size == 0 => break,
                0 => {
                    length += size + 1;
                    let label = self.take(size)?;
                    if length > MAX_NAME {
                        return None;
                    }
                    labels.push(String::from_utf8_lossy(label).into_owned());
                }
                // The rest of the name stands further up. Only backwards, so that it ends.
                3 => {
                    let low = usize::from(*self.take(1)?.first()?);
                    goes_on_at.get_or_insert(self.at);
                    self.at = (size & 0x3f) << 8 | low;
                    length += 1;
                    if self.at >= start || length > MAX_NAME {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        self.at = goes_on_at.unwrap_or(self.at);
        Some(Name(labels))
    }

    /// `Some(None)` for one of a kind that is not read.
    fn record(&mut self) -> Option<Option<Record>> {
        let (name, kind, _class, ttl) = (self.name()?, self.u16()?, self.u16()?, self.u32()?);
        let size = usize::from(self.u16()?);
        let end = self.at.checked_add(size).filter(|end| *end <= self.bytes.len())?;
        let data = match kind {
            PTR => Some(Data::Ptr(self.name()?)),
            SRV => {
                self.take(4)?;
                Some(Data::Srv { port: self.u16()?, host: self.name()? })
            }
            TXT => Some(Data::Txt(self.texts(end)?)),
            A => <[u8; 4]>::try_from(self.take(4)?).ok().map(|octets| Data::A(octets.into())),
            _ => None,
        };
        self.at = end;
        Some(data.map(|data| Record { name, ttl, data }))
    }

    fn texts(&mut self, end: usize) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        while self.at < end {
            let size = usize::from(*self.take(1)?.first()?);
            let text = String::from_utf8_lossy(self.take(size)?).into_owned();
            if !text.is_empty() {
                texts.push(text);
            }
        }
        Some(texts)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
