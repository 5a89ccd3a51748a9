//! The header line of a final object, and where its names come from.

use bytes::Bytes;

use super::encode::{BOM, encode};
use super::first::{self, First, Opening, without_ending};
use super::lookup::Found;
use crate::error::Error;
use crate::receipt::{ColumnsFrom, Proof, Written};
use crate::settings::Settings;
use crate::unload::options::Compression;
use crate::unload::{Dialect, Options, name};
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
    /// What ends records.
    ending: &'static [u8],
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
        Ok(Line { text, bom, from: found.from, columns: found.columns.names.len(), ending: b"\n" })
    }

    /// The header that the sources bring, the first of which has this URI.
    pub fn own(settings: &Settings, uri: &Uri, opening: &Opening) -> Result<Line, Error> {
        match &opening.first {
            First::Record { bytes, fields, .. } => {
                let mut text = bytes.clone();
                text.extend((!text.ends_with(b"\n")).then_some(b'\n'));
                let (bom, from) = (settings.bom.then_some(true), ColumnsFrom::Source);
                Ok(Line { text, bom, from, columns: *fields, ending: b"\n" })
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
        let (bytes, fields) = match first {
            First::Empty => return Ok(self),
            First::Record { bytes, fields, .. } => (bytes, *fields),
            First::Unended => return Err(Error::RecordUnended { uri: uri.clone() }),
        };
        let expected = first::expected(self.columns, dialect);
        let by_width = matches!(dialect, Dialect::FixedWidth(_));
        // Of a JSON object, the commas may make as many fields as there are names.
        let is_json = !by_width && fields > 1 && first::is_json(bytes);
        if fields == expected && !is_json {
            return Ok(self);
        }
        let by_width = matches!(dialect, Dialect::FixedWidth(_));
        if let Some(found) = found.of_rows(fields).filter(|_| !by_width && !is_json) {
            return Line::given(settings, uri, &found, dialect);
        }
        let columns = self.columns;
        let cause = if by_width { String::new() } else { likely_cause(uri, bytes, columns, fields) };
        let (uri, place) = (uri.clone(), found.place.clone());
        let record = settings.show_record.then(|| String::from_utf8_lossy(bytes).chars().take(SHOWN).collect());
        Err(Error::ColumnsDiffer { uri, place, columns, expected, found: fields, by_width, cause, record })
    }

    /// The line as the sources have theirs: ending as their first record does, and with a byte order mark
    /// if they have one, unless somebody has said otherwise.
    pub fn like(mut self, opening: &Opening) -> Line {
        self.bom.get_or_insert(opening.bom);
        if matches!(opening.first, First::Record { crlf: true, .. }) {
            // A header that the sources brought ends so already.
            if self.from != ColumnsFrom::Source {
                self.text = [self.text.strip_suffix(b"\n").unwrap_or(&self.text), b"\r\n"].concat();
            }
            self.ending = b"\r\n";
        }
        self
    }

    /// How much of the first source is cut off, since this line comes in place of it: a byte order mark, and a
    /// header of its own if HEADER promises one or it is this very line. `None` where the only source begins
    /// with this line already.
    pub fn replaces(
        &self,
        uri: &Uri,
        opening: &Opening,
        (options, settings): (&Options, &Settings),
        compression: Option<Compression>,
        is_only: bool,
    ) -> Result<Option<usize>, Error> {
        let own = match &opening.first {
            First::Record { bytes, .. } => Some(without_ending(bytes)),
            First::Unended if options.header => return Err(Error::HeaderUnended { uri: uri.clone() }),
            _ => None,
        };
        let is_this = own == Some(self.bare());
        if is_this && settings.check_columns && options.stated && !options.header {
            return Err(Error::HeaderOrRow { uri: uri.clone() });
        }
        let is_there = is_this && !is_row(options, settings);
        let has_header = is_there || options.header && own.is_some();
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

    /// Without its ending.
    pub fn bare(&self) -> &[u8] {
        without_ending(&self.text)
    }

    fn has_bom(&self) -> bool {
        self.bom == Some(true)
    }

    /// What tells it from other lines before the sources have been looked at.
    pub fn asked(&self, options: &Options, settings: &Settings) -> Vec<u8> {
        let row = if is_row(options, settings) { "row " } else { "" };
        [format!("{:?} {row}", self.bom).as_bytes(), &self.text].concat()
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
        self.ending
    }

    /// What a receipt says of an object with this header.
    pub fn written(&self, bytes: u64, etag: &str, parts: usize, proof: Proof) -> Written {
        let etag = etag.trim_matches('"').to_owned();
        Written { columns_from: self.from, columns: self.columns, bytes, bytes_through: 0, parts, proof, etag }
    }
}

/// Whether a first record that is the header itself is a row all the same: the options are known, without HEADER, and
/// nothing is to be checked.
fn is_row(options: &Options, settings: &Settings) -> bool {
    options.stated && !options.header && !settings.check_columns
}

/// Why a record has another number of fields than there are columns, if that can be guessed.
fn likely_cause(uri: &Uri, record: &[u8], columns: usize, fields: usize) -> String {
    let partitions = name::partitions(&uri.key);
    let folders = partitions.join(", ");
    if first::is_json(record) {
        "it is a JSON object, so that the options most likely lack FORMAT JSON; ".to_owned()
    } else if partitions.is_empty() || columns.abs_diff(fields) != partitions.len() {
        String::new()
    } else if fields > columns {
        format!(
            "there are as many more as the key has partition folders ({folders}), which INCLUDE leaves in the rows; "
        )
    } else {
        format!("there are as many fewer as the key has partition folders ({folders}), which the rows lack; ")
    }
}
