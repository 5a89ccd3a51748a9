//! The header line of a final object.

use bytes::Bytes;

use super::beginning::{self, Beginning, FirstRecord, without_ending};
use super::encode::encode;
use super::{FoundColumns, HeaderError};
use crate::receipt::ColumnsFrom;
use crate::settings::Settings;
use crate::unload::{BOM, Compression, Dialect, Options, name};
use crate::uri::Uri;

/// How many characters of a record an error shows, if SHOW_RECORD allows it.
const SHOWN: usize = 200;

#[derive(Debug)]
pub struct HeaderLine {
    /// With its line ending, without a byte order mark.
    text: Vec<u8>,
    /// Whether a byte order mark comes first. `None` if neither the sidecar nor BOM says so: then the sources decide.
    bom: Option<bool>,
    from: ColumnsFrom,
    /// How many columns it names.
    columns: usize,
    /// The line ending of all records.
    ending: &'static [u8],
}

impl HeaderLine {
    /// The header of columns that were found for a source.
    pub fn of_columns(
        settings: &Settings,
        uri: &Uri,
        found: &FoundColumns,
        dialect: &Dialect,
    ) -> Result<HeaderLine, HeaderError> {
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
            HeaderError::HeaderUnwritable { uri, place, source }
        })?;
        let bom = found.columns.bom.or(settings.bom.then_some(true));
        Ok(HeaderLine { text, bom, from: found.from, columns: found.columns.names.len(), ending: b"\n" })
    }

    /// The header that UNLOAD wrote at the top of the sources. `uri` is the first of them, and `beginning` what it
    /// begins with.
    pub fn of_sources(settings: &Settings, uri: &Uri, beginning: &Beginning) -> Result<HeaderLine, HeaderError> {
        match &beginning.first {
            FirstRecord::Complete { bytes, fields, .. } => {
                let mut text = bytes.clone();
                text.extend((!text.ends_with(b"\n")).then_some(b'\n'));
                let (bom, from) = (settings.bom.then_some(true), ColumnsFrom::Source);
                Ok(HeaderLine { text, bom, from, columns: *fields, ending: b"\n" })
            }
            FirstRecord::Unended => Err(HeaderError::HeaderTooLong { uri: uri.clone() }),
            FirstRecord::Absent => {
                let looked = "the header that HEADER in the options promises, but all its sources are empty".to_owned();
                Err(HeaderError::ColumnsNotFound { uri: uri.clone(), looked })
            }
        }
    }

    /// The line, if the first record has as many fields as the line names columns.
    pub fn fitted(
        self,
        settings: &Settings,
        uri: &Uri,
        found: &FoundColumns,
        first: &FirstRecord,
        dialect: &Dialect,
    ) -> Result<HeaderLine, HeaderError> {
        let (bytes, fields) = match first {
            FirstRecord::Absent => return Ok(self),
            FirstRecord::Complete { bytes, fields, .. } => (bytes, *fields),
            FirstRecord::Unended => return Err(HeaderError::RecordUnended { uri: uri.clone() }),
        };
        let expected = beginning::expected(self.columns, dialect);
        let by_width = matches!(dialect, Dialect::FixedWidth(_));
        // The commas of a JSON object may make as many fields as there are names.
        let is_json = !by_width && fields > 1 && beginning::is_json(bytes);
        if fields == expected && !is_json {
            return Ok(self);
        }
        if let Some(found) = found.of_rows(fields).filter(|_| !by_width && !is_json) {
            return HeaderLine::of_columns(settings, uri, &found, dialect);
        }
        let columns = self.columns;
        let cause = if by_width { String::new() } else { likely_cause(uri, bytes, columns, fields) };
        let (uri, place) = (uri.clone(), found.place.clone());
        let record = settings.show_record.then(|| String::from_utf8_lossy(bytes).chars().take(SHOWN).collect());
        Err(HeaderError::ColumnsDiffer { uri, place, columns, expected, found: fields, by_width, cause, record })
    }

    /// The line in the style of the sources: with the line ending of their first record, and with a byte order mark if
    /// they have one, unless the sidecar or BOM says otherwise.
    pub fn in_style_of(mut self, beginning: &Beginning) -> HeaderLine {
        self.bom.get_or_insert(beginning.bom);
        if matches!(beginning.first, FirstRecord::Complete { crlf: true, .. }) {
            // The sources' own header has that ending already.
            if self.from != ColumnsFrom::Source {
                self.text = [self.text.strip_suffix(b"\n").unwrap_or(&self.text), b"\r\n"].concat();
            }
            self.ending = b"\r\n";
        }
        self
    }

    /// How many bytes of the first source this line replaces: a byte order mark, and a header of its own if HEADER
    /// promises one or the first record equals this line. `None` if this is the only source and it begins with this
    /// line already, so that nothing is to be put in front.
    pub fn replaces(
        &self,
        uri: &Uri,
        beginning: &Beginning,
        (options, settings): (&Options, &Settings),
        compression: Option<Compression>,
        is_only: bool,
    ) -> Result<Option<usize>, HeaderError> {
        let own = match &beginning.first {
            FirstRecord::Complete { bytes, .. } => Some(without_ending(bytes)),
            FirstRecord::Unended if options.header => return Err(HeaderError::HeaderTooLong { uri: uri.clone() }),
            _ => None,
        };
        let is_this = own == Some(self.without_ending());
        if is_this && settings.check_columns && options.stated && !options.header {
            return Err(HeaderError::HeaderOrRow { uri: uri.clone() });
        }
        let is_there = is_this && !is_row(options, settings);
        let has_header = is_there || options.header && own.is_some();
        match compression {
            _ if is_there && is_only && self.has_bom() == beginning.bom => Ok(None),
            Some(compression) if has_header => Err(HeaderError::HeaderInside { uri: uri.clone(), compression }),
            Some(compression) if beginning.bom => {
                Err(HeaderError::ByteOrderMarkInside { uri: uri.clone(), compression })
            }
            Some(_) => Ok(Some(0)),
            None => Ok(Some(beginning.length(has_header))),
        }
    }

    /// Where its names were found.
    pub fn from(&self) -> ColumnsFrom {
        self.from
    }

    /// How many columns it names.
    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn without_ending(&self) -> &[u8] {
        without_ending(&self.text)
    }

    fn has_bom(&self) -> bool {
        self.bom == Some(true)
    }

    /// What of the line goes into the seal's fingerprint. It is known before the sources are read.
    pub fn to_fingerprint(&self, options: &Options, settings: &Settings) -> Vec<u8> {
        let row = if is_row(options, settings) { "row " } else { "" };
        [format!("{:?} {row}", self.bom).as_bytes(), &self.text].concat()
    }

    /// The first bytes of the final object.
    pub fn bytes(&self, uri: &Uri, compression: Option<Compression>) -> Result<Bytes, HeaderError> {
        let plain = [if self.has_bom() { BOM } else { b"" }, &self.text].concat();
        let header = match compression {
            None => Ok(plain),
            Some(compression) => compression.member(&plain),
        };
        header.map(Bytes::from).map_err(|source| HeaderError::HeaderUncompressible { uri: uri.clone(), source })
    }

    /// The line ending of all records.
    pub fn ending(&self) -> &'static [u8] {
        self.ending
    }
}

/// Whether a first record that equals the header is a row all the same: the options are stated and do not say HEADER,
/// and CHECK_COLUMNS is off.
fn is_row(options: &Options, settings: &Settings) -> bool {
    options.stated && !options.header && !settings.check_columns
}

/// Why a record has another number of fields than there are columns, if that can be guessed.
fn likely_cause(uri: &Uri, record: &[u8], columns: usize, fields: usize) -> String {
    let partitions = name::partitions(&uri.key);
    let folders = partitions.join(", ");
    if beginning::is_json(record) {
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
