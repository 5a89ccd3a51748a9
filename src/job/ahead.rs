//! What the next steps of a try will most likely ask, begun before they do, so that it goes side by side.
//!
//! All of it is begun after what is at the final key was answered, as everything that a try asks. Sidecars are read when
//! the source is known, and not before: an app writes the sidecar first and unloads then, so that names that are read
//! after a source was there are as new as its rows. They are read beside the source if the version that is found there
//! is the one that was seen before the try began.

use super::columns::needs_no_header;
use super::context::Context;
use super::demands::Subject;
use super::existing::Existing;
use super::sources::Sources;
use crate::copy::first_bytes;
use crate::header::{columns, lookup};
use crate::unload::Unload;
use crate::uri::Uri;

/// Begins what can be asked by what was seen of the source.
pub fn beside_the_source(context: &Context<'_>, existing: &Existing) {
    let Context { s3, job, .. } = context;
    let Subject::Object { uri, seen: Some(seen), unload } = &job.subject else { return };
    let (will_be_read, is_small) = (will_be_read(context, existing), seen.size <= first_bytes::LENGTH);
    if will_be_read && is_small {
        s3.begin_whole(uri, seen.size);
    } else {
        s3.begin_head(uri);
    }
    if seen.etag.is_some() {
        begin_sidecars(context, uri, unload.as_deref());
    }
    if will_be_read && !is_small {
        s3.begin_start(uri, first_bytes::LENGTH);
        s3.begin_uploads(&existing.target);
    }
}

/// Begins what was not begun beside the source, or has to be asked again since the source is another version by now.
pub fn behind_the_sources(context: &Context<'_>, existing: &Existing, sources: &Sources) {
    let Context { s3, job, .. } = context;
    let Sources { first, objects, .. } = sources;
    let (seen, unload) = match &job.subject {
        Subject::Object { seen, unload, .. } => (seen.as_ref(), unload.as_deref()),
        Subject::Folder { unload, .. } => (None, Some(&**unload)),
    };
    if !seen.is_some_and(|seen| seen.is_of(&first.object)) && !lookup::is_in_metadata(first) {
        begin_sidecars(context, &first.object.uri, unload);
    }
    if seen.is_some() || !will_be_read(context, existing) {
        return;
    }
    if let Some(object) = objects.iter().find(|object| object.size > 0) {
        s3.begin_start(&object.uri, object.size.min(first_bytes::LENGTH));
    }
    if objects.iter().map(|object| object.size).sum::<u64>() > first_bytes::LENGTH {
        s3.begin_uploads(&existing.target);
    }
}

fn begin_sidecars(context: &Context<'_>, source: &Uri, unload: Option<&Unload>) {
    for sidecar in lookup::likely_sidecars(context.settings, source, unload) {
        context.s3.begin_small(&sidecar, columns::MAX_BYTES);
    }
}

/// Whether the rows of the sources will most likely be read. If this job has written what is at the final key, the event
/// has most likely come once more. UNLOAD_OPTIONS may say that the rows need no header, or wait for their manifest.
fn will_be_read(context: &Context<'_>, existing: &Existing) -> bool {
    let Context { settings, job, .. } = context;
    let options = &settings.options;
    let is_promised = matches!(job.subject, Subject::Object { unload: None, .. }) && options.verbose_manifest;
    let waits = is_promised && job.sidecar.is_none();
    existing.seal.is_none() && !waits && needs_no_header(options, settings.output, None).is_none()
}
