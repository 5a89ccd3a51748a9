//! The header line of a final object, and where its names come from.

use bytes::Bytes;

use super::encode::{BOM, encode};
use super::first::{self, First};
use super::lookup::Found;
use crate::copy::{Lead, plan};
use crate::error::Error;
use crate::receipt::{ColumnsFrom, Proof, Written};
use crate::s3::Head;
use crate::settings::Settings;
use crate::unload::options::Compression;
use crate::unload::{Dialect, name};
use crate::uri::Uri;

/// The most that a header may have, in bytes: the least that the part which carries it must have.
const LONGEST: u64 = plan::S3.min_part;

#[derive(Debug)]
pub struct Line {
    /// As it stands in a file that is not compressed.
    pub text: Vec<u8>,
    pub from: ColumnsFrom,
    /// How many.
    pub columns: usize,
}

impl Line {
    /// Of columns that were found.
    pub fn given(settings: &Settings, uri: &Uri, found: &Found, dialect: &Dialect) -> Result<Line, Error> {
        for name in found.columns.duplicates() {
            tracing::warn!(object = %uri, "{} names the column {name:?} more than once", found.place);
        }
        let text = encode(&found.columns.names, dialect).map_err(|source| {
            let (uri, place) = (uri.clone(), found.place.clone());
            Error::Encode { uri, place, source }
        })?;
        let bom = found.columns.bom.unwrap_or(settings.bom);
        Ok(Line { text: begun(text, bom), from: found.from, columns: found.columns.names.len() })
    }

    /// The line, if the first record has as many fields as it names columns. A manifest may name those of
    /// PARTITION BY as well, which the rows lack; they are left out then.
    pub fn fitted(
        self,
        settings: &Settings,
        uri: &Uri,
        found: &Found,
        first: &First,
        dialect: &Dialect,
    ) -> Result<Line, Error> {
        let fields = match first {
            First::Empty => return Ok(self),
            First::Record { fields, .. } => *fields,
            First::Unended => return Err(Error::RecordUnended { uri: uri.clone() }),
        };
        let expected = first::expected(self.columns, dialect);
        if fields == expected {
            return Ok(self);
        }
        let partitions = name::partitions(&uri.key);
        let mut rest = found.clone();
        rest.columns.names.retain(|name| !partitions.iter().any(|partition| partition.eq_ignore_ascii_case(name)));
        if found.from == ColumnsFrom::Manifest && first::expected(rest.columns.names.len(), dialect) == fields {
            return Line::given(settings, uri, &rest, dialect);
        }
        let (uri, place, by_width) = (uri.clone(), found.place.clone(), matches!(dialect, Dialect::FixedWidth(_)));
        Err(Error::ColumnsDiffer { uri, place, columns: self.columns, expected, found: fields, by_width })
    }

    /// The header that the sources bring; `first` is the one that a missing header is told of.
    pub fn own(settings: &Settings, first: &Head, lead: &Lead, dialect: &Dialect) -> Result<Line, Error> {
        let Some((record, fields)) = lead.own_header(dialect)? else {
            let looked = "the header that HEADER in the options promises, but all its sources are empty".to_owned();
            return Err(Error::NoColumns { uri: first.object.uri.clone(), looked });
        };
        let mut text = record.to_vec();
        text.extend((!text.ends_with(b"\n")).then_some(b'\n'));
        Ok(Line { text: begun(text, settings.bom), from: ColumnsFrom::Source, columns: fields })
    }

    /// Whether the first record of the sources is this very header.
    pub fn is(&self, first: &First) -> bool {
        matches!(first, First::Record { bytes, .. } if bytes == self.text.strip_prefix(BOM).unwrap_or(&self.text))
    }

    pub fn has_bom(&self) -> bool {
        self.text.starts_with(BOM)
    }

    /// What a receipt says of an object with this header.
    pub fn written(&self, bytes: u64, etag: &str, parts: usize, proof: Proof) -> Written {
        let etag = etag.trim_matches('"').to_owned();
        Written { columns_from: self.from, columns: self.columns, bytes, bytes_through: 0, parts, proof, etag }
    }

    /// As it stands in the file.
    pub fn compressed(&self, uri: &Uri, compression: Option<Compression>) -> Result<Bytes, Error> {
        let header = match compression {
            None => self.text.clone(),
            Some(compression) => {
                compression.member(&self.text).map_err(|source| Error::Compress { uri: uri.clone(), source })?
            }
        };
        if header.len() as u64 > LONGEST {
            return Err(Error::LongHeader { uri: uri.clone(), size: header.len(), limit: LONGEST });
        }
        Ok(header.into())
    }
}

fn begun(text: Vec<u8>, bom: bool) -> Vec<u8> {
    if bom { [BOM, &text].concat() } else { text }
}
