//! Requests that are sent before their answers are needed, so that they go side by side.
//!
//! `begin_…` sends a request. The function of the same operation then takes that answer and sends nothing. An answer is
//! taken once. What nobody asks for counts for nothing, nor does an error of it, and a request that is still under way ends
//! with the client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::RemoteHandle;
use tokio::sync::oneshot;

use super::memory::HeldBytes;
use super::{Head, OpenUpload, S3, S3Error, SmallObject};
use crate::uri::Uri;

/// What one client and its clones have begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead(Arc<Mutex<Begun>>);

/// Answers that are on their way.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub heads: Answers<Result<Option<Head>, S3Error>>,
    pub starts: Answers<Option<Start>>,
    pub early_starts: Answers<Option<Start>>,
    pub small: Answers<Result<Option<SmallObject>, S3Error>>,
    pub uploads: Answers<Result<Vec<OpenUpload>, S3Error>>,
}

type Answers<T> = HashMap<Uri, RemoteHandle<T>>;

/// The first bytes of an object, in the version that was there when they were read.
#[derive(Debug)]
pub(super) struct Start {
    pub etag: String,
    pub bytes: HeldBytes,
}

impl Ahead {
    /// What was begun of an object; its answer is still to be waited for.
    pub fn take<T>(&self, of: impl Fn(&mut Begun) -> &mut Answers<T>, uri: &Uri) -> Option<RemoteHandle<T>> {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)).remove(uri)
    }
}

impl S3 {
    /// The same client with the same counters, for which nothing is begun.
    pub fn anew(&self) -> S3 {
        S3 { ahead: Ahead::default(), ..self.clone() }
    }

    pub fn begin_head(&self, uri: &Uri) {
        let (s3, of) = (self.anew(), uri.clone());
        self.begin(|begun| &mut begun.heads, uri, async move { s3.head(&of).await });
    }

    /// GetObject of an object that is taken to have `size` bytes, which tells all that HeadObject tells. If it has another
    /// size, HeadObject is asked as well, and the bytes are left.
    pub fn begin_whole(&self, uri: &Uri, size: u64) {
        let (s3, of) = (self.anew(), uri.clone());
        let (sender, start) = oneshot::channel();
        self.begin(|begun| &mut begun.heads, uri, async move {
            let Some((head, bytes)) = s3.whole(&of, size).await? else { return Ok(None) };
            if let Some(bytes) = bytes {
                // If nobody wants it, it is dropped.
                let _ = sender.send(Start { etag: head.object.etag.clone(), bytes });
            }
            Ok(Some(head))
        });
        self.begin(|begun| &mut begun.starts, uri, async move { start.await.ok() });
    }

    /// GetObject of the first bytes of whatever version is there. The very first of them can be had before the others.
    pub fn begin_start(&self, uri: &Uri, length: u64) {
        let (s3, of) = (self.anew(), uri.clone());
        let (sender, early) = oneshot::channel();
        self.begin(|begun| &mut begun.starts, uri, async move { s3.any_start(&of, length, sender).await.ok() });
        self.begin(|begun| &mut begun.early_starts, uri, async move { early.await.ok() });
    }

    pub fn begin_small(&self, uri: &Uri, limit: u64) {
        let (s3, of) = (self.anew(), uri.clone());
        self.begin(|begun| &mut begun.small, uri, async move { s3.get_small(&of, limit).await });
    }

    pub fn begin_uploads(&self, target: &Uri) {
        let (s3, of) = (self.anew(), target.clone());
        self.begin(|begun| &mut begun.uploads, target, async move { s3.uploads(&of).await });
    }

    fn begin<T: Send + 'static>(
        &self,
        of: impl Fn(&mut Begun) -> &mut Answers<T>,
        uri: &Uri,
        request: impl Future<Output = T> + Send + 'static,
    ) {
        let (request, answer) = request.remote_handle();
        tokio::spawn(request);
        of(&mut self.ahead.0.lock().unwrap_or_else(PoisonError::into_inner)).insert(uri.clone(), answer);
    }
}
