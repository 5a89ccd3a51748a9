//! What the final object is to be: a header, sources, and attributes.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::columns::HeaderInput;
use super::context::Context;
use super::existing::Existing;
use super::sources::Sources;
use crate::byte_range::ByteRange;
use crate::copy::{FirstBytes, first_bytes};
use crate::error::Error;
use crate::header::beginning::{self, Beginning, FirstRecord};
use crate::header::{FoundColumns, HeaderLine, attributes};
use crate::receipt::{Outcome, Receipt, Written};
use crate::s3::{Attributes, ObjectVersion, S3};
use crate::seal::Fingerprint;
use crate::unload::{Compression, Options};

pub struct Specification {
    pub sources: Sources,
    /// `None` if the header is the one that the sources have.
    pub columns: Option<FoundColumns>,
    pub options: Options,
    /// The header as far as it is known without a look at the sources.
    pub line: HeaderLine,
    pub attributes: Attributes,
    pub fingerprint: Fingerprint,
    /// If the header could not be known without a look at the sources.
    pub start: Option<SourceStart>,
}

/// What the sources begin with.
pub struct SourceStart {
    pub first_bytes: FirstBytes,
    pub compression: Option<Compression>,
    pub beginning: Beginning,
}

/// Makes the header line. It breaks off with a receipt if the sources have to be looked at and turn out to need none.
pub async fn specify(
    context: &Context<'_>,
    sources: Sources,
    header: HeaderInput,
) -> Result<ControlFlow<Receipt, Specification>, Error> {
    let settings = context.settings;
    let HeaderInput { columns, options } = header;
    let Sources { first, objects, .. } = &sources;
    let uri = &first.object.uri;
    let (line, start) = match &columns {
        Some(found) => (HeaderLine::of_columns(settings, uri, found, &options.dialect)?, None),
        None => match look_at_start(context, objects, &options).await? {
            ControlFlow::Break(receipt) => return Ok(ControlFlow::Break(receipt)),
            ControlFlow::Continue(start) => (HeaderLine::of_sources(settings, uri, &start.beginning)?, Some(start)),
        },
    };
    let filename = columns.as_ref().and_then(|found| found.columns.filename.as_deref());
    let attributes = attributes::of_final(settings, first, filename, &options.dialect);
    let header = line.to_fingerprint(&options, settings);
    let fingerprint = Fingerprint::of(objects, &header, options.header, &attributes);
    Ok(ControlFlow::Continue(Specification { sources, columns, options, line, attributes, fingerprint, start }))
}

impl Specification {
    /// The receipt, if what is at the final key is just this.
    pub fn already_there(&self, context: &Context<'_>, existing: &Existing) -> Option<Receipt> {
        let (seal, object) = (existing.seal.as_ref()?, &existing.head.as_ref()?.object);
        // Where sources are to be deleted, the seal must name the very manifest that lists them, so that the final object
        // can be recognized by it when they are gone.
        let deletes = context.settings.delete_source && context.job.is_listed();
        let is_this = seal.manifest_hash == self.sources.manifest_hash || !deletes;
        if seal.fingerprint != self.fingerprint || !is_this {
            return None;
        }
        let proof = seal.proof(object)?;
        let columns = seal.columns.unwrap_or(self.line.columns());
        let written = Written::new(self.line.from(), columns, object.size, 0, &object.etag, proof);
        Some(Receipt::of_final(&existing.target, self.sources.uris(), Outcome::Unchanged, Some(written)))
    }
}

/// Looks at what the sources begin with, and whether that is what the options say. It breaks off with a receipt if it is
/// Parquet.
pub async fn look_at_start(
    context: &Context<'_>,
    objects: &[ObjectVersion],
    options: &Options,
) -> Result<ControlFlow<Receipt, SourceStart>, Error> {
    let mut first_bytes = FirstBytes::read(context.s3, objects).await?;
    if !first_bytes.have_all_come() && !Beginning::is_told_by(first_bytes.bytes(), &options.dialect) {
        first_bytes = first_bytes.read_on(context.s3).await?;
    }
    let bytes = first_bytes.bytes();
    if let Some(reason) = beginning::names_itself(bytes, false) {
        return Ok(ControlFlow::Break(Receipt::idle(context.job.uri(), Outcome::Skipped, reason)));
    }
    let found = Compression::of(bytes);
    let named = || options.compression.or(Compression::of_name(&first_bytes.uri().key));
    let compression = if bytes.is_empty() { named() } else { found };
    if options.stated && options.compression != compression && !bytes.is_empty() {
        let uri = first_bytes.uri().clone();
        return Err(Error::CompressionDiffers { uri, said: options.compression, found });
    }
    let beginning = first_beginning(context.s3, objects, &first_bytes, compression, options).await?;
    Ok(ControlFlow::Continue(SourceStart { first_bytes, compression, beginning }))
}

/// The beginning of the first source that has rows. A compressed source has bytes even if it has no rows.
async fn first_beginning(
    s3: &S3,
    objects: &[ObjectVersion],
    first_bytes: &FirstBytes,
    compression: Option<Compression>,
    options: &Options,
) -> Result<Beginning, Error> {
    let of = |bytes: &[u8], is_whole| Beginning::of(bytes, is_whole, compression, &options.dialect);
    let mut beginning = of(first_bytes.bytes(), first_bytes.is_whole());
    let mut empty = HashSet::from([&objects[first_bytes.source].etag]);
    for object in &objects[first_bytes.source + 1..] {
        if compression.is_none() || beginning.first != FirstRecord::Absent {
            break;
        }
        let Some(range) = ByteRange::new(0, first_bytes::LENGTH.min(object.size)) else { continue };
        if empty.insert(&object.etag) {
            // Of the other half, since this job holds first bytes already.
            let _memory = s3.memory.bodies.reserve(range.length()).await;
            beginning = of(&s3.get_range(object, range).await?, range.end == object.size);
        }
    }
    Ok(beginning)
}
