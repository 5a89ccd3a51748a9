//! All that is needed to write the final object: the sources are looked at, the header is made to fit them, and the
//! sources are joined.

use std::ops::ControlFlow;

use bytes::Bytes;
use futures_util::future::try_join;

use super::context::Context;
use super::existing::Existing;
use super::join::{RequiredBeginning, join};
use super::prepared::Prepared;
use super::sources::Sources;
use super::specification::{SourceStart, Specification, look_at_start};
use super::try_end::{Assumptions, BeginAnew, TryEnd};
use crate::copy::Assembly;
use crate::copy::plan::Limits;
use crate::error::Error;
use crate::header::beginning::{Beginning, FirstRecord};
use crate::header::{FoundColumns, HeaderError, HeaderLine};
use crate::s3::ObjectVersion;
use crate::seal::Seal;
use crate::unload::Options;
use crate::uri::Uri;

/// The assembly of a final object, and its header. It breaks off if the sources turn out to be Parquet, or compressed in
/// another way than was assumed.
pub async fn assemble(
    context: &Context<'_>,
    specification: Specification,
    existing: Existing,
    assumptions: &Assumptions,
) -> Result<ControlFlow<TryEnd<Prepared>, (HeaderLine, Assembly)>, Error> {
    let Context { settings, s3, deadline, .. } = context;
    let precondition = existing.precondition();
    let Specification { sources, columns, options, line, mut attributes, fingerprint, start } = specification;
    let Sources { first, objects, manifest_hash, crcs_come_with_rows } = sources;
    let start = match start {
        Some(start) => start,
        None => match look_at_start(context, &objects, &options).await? {
            ControlFlow::Break(receipt) => return Ok(ControlFlow::Break(TryEnd::Finished(Prepared::Idle(receipt)))),
            ControlFlow::Continue(start) => start,
        },
    };
    let SourceStart { first_bytes, compression, beginning } = start;
    objects[first_bytes.source].held_against_crc(first_bytes.bytes())?;
    if context.target(compression)? != existing.target {
        let other = BeginAnew::OtherCompression(compression);
        return Ok(ControlFlow::Break(TryEnd::BeginAnew(other)));
    } else if let Some(error) = existing.taken {
        return Err(error);
    }
    let uri = first_bytes.uri();
    let line = fitted(context, line, columns.as_ref(), uri, &beginning, &options)?;
    if compression.is_some() {
        attributes.content_type.clone_from(&first.attributes.content_type);
    }
    let replaced = line.replaces(uri, &beginning, (&options, settings), compression, objects.len() == 1)?;
    let header = if replaced.is_some() { line.bytes(&existing.target, compression)? } else { Bytes::new() };
    let cut = &first_bytes.bytes()[..replaced.unwrap_or_default()];
    let is_checked = settings.check_columns && !options.header && cut.len() <= beginning.length(false);
    let forbidden_header = is_checked.then(|| Bytes::copy_from_slice(line.without_ending()));
    let forbidden = forbidden_header.as_deref();
    let length = |object: &ObjectVersion| object.size + line.ending().len() as u64;
    let most = header.len() as u64 + objects.iter().map(length).sum::<u64>();
    let required = RequiredBeginning {
        compression,
        cut,
        is_promised: options.header,
        forbidden_header: forbidden,
        all_are_read: most < Limits::AWS.min_part,
    };
    let joined = join(s3, &objects, &first_bytes, &required, assumptions.slices_may_differ);
    let tags = async {
        let uri = &first.object.uri;
        if first.tagged { Ok(Some(s3.tagging(uri).await?)) } else { Ok(None) }
    };
    let sources;
    (sources, attributes.tagging) = try_join(joined, tags).await?;
    let (job, columns) = (Some(context.job_id()), Some(line.columns()));
    let seal = Seal { fingerprint, job, columns, size: 0, crc: None, manifest_hash };
    let assembly = Assembly {
        header,
        ending: line.ending(),
        sources,
        crcs_come_with_rows,
        first_bytes,
        compression,
        forbidden_header,
        target: existing.target,
        precondition,
        attributes,
        seal,
        deadline: (*deadline).clone(),
    };
    Ok(ControlFlow::Continue((line, assembly)))
}

/// The header, fitted to the first record of the sources and in their style.
fn fitted(
    context: &Context<'_>,
    line: HeaderLine,
    columns: Option<&FoundColumns>,
    uri: &Uri,
    beginning: &Beginning,
    options: &Options,
) -> Result<HeaderLine, HeaderError> {
    let (settings, dialect) = (context.settings, &options.dialect);
    let line = match columns {
        // Without rows to count the fields of, the options decide.
        Some(found) if beginning.first == FirstRecord::Absent => {
            HeaderLine::of_columns(settings, uri, &found.clone().without_partitions(options), dialect)?
        }
        Some(found) if settings.check_columns => line.fitted(settings, uri, found, &beginning.first, dialect)?,
        _ => line,
    };
    Ok(line.in_style_of(beginning))
}
