//! The columns of a job's sources and the options that they were unloaded with; or why no header is needed, or none can
//! be made yet.

use std::ops::ControlFlow;

use super::context::Context;
use super::demands::Subject;
use super::sources::Sources;
use crate::error::Error;
use crate::header::beginning::{self, Beginning, FirstRecord};
use crate::header::{FoundColumns, HeaderError, lookup, membership};
use crate::receipt::{ColumnsFrom, Outcome, Receipt};
use crate::s3::{Head, ObjectVersion, S3, S3Error};
use crate::settings::Output;
use crate::unload::{Compression, Dialect, Incompleteness, Options, Unload};
use crate::uri::Uri;

/// How many bytes of a source are read to find out whether its rows name their columns themselves.
const LOOK: u64 = 64 << 10;

/// What the header is to be made of. Without columns, it is the one that the sources have.
pub struct HeaderInput {
    pub columns: Option<FoundColumns>,
    pub options: Options,
}

/// Looks for the columns and decides what the header is to be made of. It breaks off with a receipt if there is to be no
/// header, or none yet.
pub async fn decide(context: &Context<'_>, sources: &Sources) -> Result<ControlFlow<Receipt, HeaderInput>, Error> {
    let Context { settings, s3, job, .. } = context;
    let idle = |outcome, reason: &str| Ok(ControlFlow::Break(Receipt::idle(job.uri(), outcome, reason)));
    let columns = match look_up(context, &sources.first).await {
        Err(Error::Header(HeaderError::ColumnsNotFound { uri, looked })) => Err((uri, looked)),
        columns => Ok(columns?),
    };
    let options = match &columns {
        Ok(found) => found.options(settings)?,
        Err(_) => settings.options.clone(),
    };
    if let Some(reason) = needs_no_header(&options, settings.output, columns.as_ref().ok()) {
        return idle(Outcome::Skipped, reason);
    }
    let (uri, looked) = match columns {
        Ok(found) if settings.check_columns => return header_input(Some(found), options),
        Ok(found) => return header_input(Some(found.without_partitions(&options)), options),
        Err(_) if settings.output == Output::Single && options.header => return header_input(None, options),
        Err(nowhere) => nowhere,
    };
    if let Subject::Object { unload, .. } = &job.subject {
        if job.sidecar.is_some() {
            return idle(Outcome::Waiting, &format!("the sidecar is not that of its unload: looked at {looked}"));
        } else if options.verbose_manifest && unload.is_none() {
            return idle(Outcome::Waiting, "UNLOAD_OPTIONS promises a verbose manifest, which will start it");
        }
    }
    if let Some(found) = lookup::of_fixed_width(&options)? {
        return header_input(Some(found), options);
    }
    match names_itself(s3, &sources.objects, !options.stated).await? {
        Some(reason) => idle(Outcome::Skipped, reason),
        None => Err(HeaderError::ColumnsNotFound { uri, looked }.into()),
    }
}

async fn look_up(context: &Context<'_>, first: &Head) -> Result<FoundColumns, Error> {
    let Context { settings, s3, job, .. } = context;
    match &job.subject {
        Subject::Object { unload: None, .. } => Ok(lookup::of_object(settings, s3, first).await?),
        Subject::Folder { unload, .. } => Ok(lookup::of_unload(settings, s3, first, unload).await?),
        Subject::Object { uri, unload: Some(unload), .. } => match lookup::of_unload(settings, s3, first, unload).await
        {
            Err(HeaderError::ColumnsNotFound { .. }) if membership::misfit(unload, first).is_some() => {
                Err(Error::UnloadIncomplete(Box::new(incompleteness(unload, uri, first))))
            }
            columns => Ok(columns?),
        },
    }
}

/// How one object differs from its entry in a manifest: it is of a later UNLOAD.
fn incompleteness(unload: &Unload, uri: &Uri, found: &Head) -> Incompleteness {
    let mut incompleteness = Incompleteness::of(unload);
    let entry = unload.entry(&uri.key);
    entry.iter().for_each(|entry| incompleteness.compare(unload, entry, found.object.size, found.modified));
    incompleteness
}

fn header_input(columns: Option<FoundColumns>, options: Options) -> Result<ControlFlow<Receipt, HeaderInput>, Error> {
    Ok(ControlFlow::Continue(HeaderInput { columns, options }))
}

/// Why objects that were unloaded with these options need no header, if they need none. If UNLOAD has put one on each of
/// them (HEADER), they need another only if somebody has named other columns. A manifest names the same.
pub fn needs_no_header(options: &Options, output: Output, columns: Option<&FoundColumns>) -> Option<&'static str> {
    let are_its_own = columns.is_none_or(|found| found.from == ColumnsFrom::Manifest);
    match options.dialect {
        Dialect::Parquet => Some("FORMAT PARQUET names its columns itself"),
        Dialect::Json => Some("FORMAT JSON names its columns itself"),
        _ if options.header && output == Output::Each && are_its_own => {
            Some("HEADER: UNLOAD has put a header on it itself")
        }
        _ => None,
    }
}

/// Why sources need no names, if the first bytes of the first one that has rows tell.
async fn names_itself(s3: &S3, objects: &[ObjectVersion], may_be_json: bool) -> Result<Option<&'static str>, S3Error> {
    for object in objects {
        let start = s3.start(object, LOOK).await?;
        let (is_whole, compression) = (start.len() as u64 == object.size, Compression::of(&start));
        if Beginning::of(&start, is_whole, compression, &Dialect::Json).first != FirstRecord::Absent {
            return Ok(beginning::names_itself(&start, may_be_json));
        }
    }
    Ok(None)
}
