//! The header line of a final object, and where its names come from.

use bytes::Bytes;

use super::encode::{BOM, encode};
use super::first::{self, First, Opening, without_ending};
use super::lookup::Found;
use crate::error::Error;
use crate::receipt::{ColumnsFrom, Proof, Written};
use crate::settings::Settings;
use crate::unload::Dialect;
use crate::unload::options::Compression;
use crate::uri::Uri;

/// How many characters of a record an error shows, where SHOW_RECORD allows it.
const SHOWN: usize = 200;

#[derive(Debug)]
pub struct Line {
    /// Without a byte order mark.
    text: Vec<u8>,
    /// Whether one comes before it; where nobody has said so, the sources decide.
    bom: Option<bool>,
    from: ColumnsFrom,
    /// How many.
    columns: usize,
}

impl Line {
    /// Of columns that were found for a source.
    pub fn given(settings: &Settings, uri: &Uri, found: &Found, dialect: &Dialect) -> Result<Line, Error> {
        let fitting = match dialect {
            Dialect::FixedWidth(fields) => found.of_rows(fields.len()),
            _ => None,
        };
        let found = fitting.as_ref().unwrap_or(found);
        for name in found.columns.duplicates() {
            tracing::warn!(object = %uri, "{} names the column {name:?} more than once", found.place);
        }
        let text = encode(&found.columns.names, dialect).map_err(|source| {
            let (uri, place) = (uri.clone(), found.place.clone());
            Error::Encode { uri, place, source }
        })?;
        let bom = found.columns.bom.or(settings.bom.then_some(true));
        Ok(Line { text, bom, from: found.from, columns: found.columns.names.len() })
    }

    /// The header that the sources bring, the first of which has this URI.
    pub fn own(settings: &Settings, uri: &Uri, opening: &Opening) -> Result<Line, Error> {
        match &opening.first {
            First::Record { bytes, fields, .. } => {
                let mut text = bytes.clone();
                text.extend((!text.ends_with(b"\n")).then_some(b'\n'));
                let (bom, from) = (settings.bom.then_some(true), ColumnsFrom::Source);
                Ok(Line { text, bom, from, columns: *fields })
            }
            First::Unended => Err(Error::HeaderUnended { uri: uri.clone() }),
            First::Empty => {
                let looked = "the header that HEADER in the options promises, but all its sources are empty".to_owned();
                Err(Error::NoColumns { uri: uri.clone(), looked })
            }
        }
    }

    /// The line, if the first record has as many fields as it names columns.
    pub fn fitted(
        self,
        settings: &Settings,
        uri: &Uri,
        found: &Found,
        first: &First,
        dialect: &Dialect,
    ) -> Result<Line, Error> {
        let (record, fields) = match first {
            First::Empty => return Ok(self),
            First::Record { bytes, fields, .. } => (bytes, *fields),
            First::Unended => return Err(Error::RecordUnended { uri: uri.clone() }),
        };
        let expected = first::expected(self.columns, dialect);
        if fields == expected {
            return Ok(self);
        }
        let by_width = matches!(dialect, Dialect::FixedWidth(_));
        if let Some(found) = found.of_rows(fields).filter(|_| !by_width) {
            return Line::given(settings, uri, &found, dialect);
        }
        let (uri, place) = (uri.clone(), found.place.clone());
        let record = settings.show_record.then(|| String::from_utf8_lossy(record).chars().take(SHOWN).collect());
        Err(Error::ColumnsDiffer { uri, place, columns: self.columns, expected, found: fields, by_width, record })
    }

    /// The line as the sources have theirs: ending as their first record does, and with a byte order mark
    /// if they have one, unless somebody has said otherwise.
    pub fn like(mut self, opening: &Opening) -> Line {
        self.bom.get_or_insert(opening.bom);
        if matches!(opening.first, First::Record { crlf: true, .. }) {
            self.text = [without_ending(&self.text), b"\r\n"].concat();
        }
        self
    }

    /// How much of each source is cut off, since this line comes in place of it: a byte order mark, and a
    /// header of its own if HEADER promises one or it is this very line. `None` where the only source begins
    /// with this line already.
    pub fn replaces(
        &self,
        uri: &Uri,
        opening: &Opening,
        is_promised: bool,
        compression: Option<Compression>,
        is_only: bool,
    ) -> Result<Option<usize>, Error> {
        let own = match &opening.first {
            First::Record { bytes, .. } => Some(without_ending(bytes)),
            First::Unended if is_promised => return Err(Error::HeaderUnended { uri: uri.clone() }),
            _ => None,
        };
        let is_there = own == Some(without_ending(&self.text));
        let has_header = is_there || is_promised && own.is_some();
        match compression {
            _ if is_there && is_only && self.has_bom() == opening.bom => Ok(None),
            Some(compression) if has_header => Err(Error::HeaderInside { uri: uri.clone(), compression }),
            Some(compression) if opening.bom => Err(Error::BomInside { uri: uri.clone(), compression }),
            Some(_) => Ok(Some(0)),
            None => Ok(Some(opening.length(has_header))),
        }
    }

    /// How many it names.
    pub fn columns(&self) -> usize {
        self.columns
    }

    fn has_bom(&self) -> bool {
        self.bom == Some(true)
    }

    /// What tells it from other lines before the sources have been looked at.
    pub fn asked(&self) -> Vec<u8> {
        [format!("{:?} ", self.bom).as_bytes(), &self.text].concat()
    }

    /// As it stands in a file that is not compressed.
    fn bytes(&self) -> Vec<u8> {
        [if self.has_bom() { BOM } else { b"" }, &self.text].concat()
    }

    /// As it stands in the file.
    pub fn compressed(&self, uri: &Uri, compression: Option<Compression>) -> Result<Bytes, Error> {
        let header = match compression {
            None => Ok(self.bytes()),
            Some(compression) => compression.member(&self.bytes()),
        };
        header.map(Bytes::from).map_err(|source| Error::Compress { uri: uri.clone(), source })
    }

    /// What ends its records.
    pub fn ending(&self) -> &'static [u8] {
        if self.text.ends_with(b"\r\n") { b"\r\n" } else { b"\n" }
    }

    /// What a receipt says of an object with this header.
    pub fn written(&self, bytes: u64, etag: &str, parts: usize, proof: Proof) -> Written {
        let etag = etag.trim_matches('"').to_owned();
        Written { columns_from: self.from, columns: self.columns, bytes, bytes_through: 0, parts, proof, etag }
    }
}
