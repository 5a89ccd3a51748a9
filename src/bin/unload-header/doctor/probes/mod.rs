//! What the promises of docs/semantics.md rely on, each tried once.

mod attributes;
mod checksums;
mod conditions;
mod copies;
mod parts;

use futures_util::future::LocalBoxFuture;
use unload_header::s3::S3Error;

use super::Verdict;
use super::scratch::Scratch;

type Probe = for<'s> fn(&'s Scratch) -> LocalBoxFuture<'s, Result<Verdict, S3Error>>;

/// A probe as an entry of a table.
macro_rules! probe {
    ($probe:path) => {
        |scratch| Box::pin($probe(scratch))
    };
}

/// docs/stores.md has a line for each of them.
pub const PROBES: [(&str, Probe); 24] = [
    ("PutObject with If-None-Match is refused where an object is", probe!(conditions::put_absent)),
    ("PutObject with If-Match is refused where another version is", probe!(conditions::put_matching)),
    ("of many conditional PutObjects at once, one succeeds", probe!(conditions::puts_at_once)),
    ("CompleteMultipartUpload with If-None-Match is refused where an object is", probe!(conditions::complete_absent)),
    (
        "CompleteMultipartUpload with If-Match is refused where another version is",
        probe!(conditions::complete_matching),
    ),
    ("of many conditional CompleteMultipartUploads at once, one succeeds", probe!(conditions::completes_at_once)),
    ("DeleteObject with If-Match is refused for another version", probe!(conditions::delete_matching)),
    ("GetObject with If-Match is refused for another version", probe!(conditions::read_pinned)),
    ("a missing key answers 404", probe!(conditions::missing)),
    ("UploadPartCopy with x-amz-copy-source-if-match is refused for another version", probe!(copies::pinned)),
    ("UploadPartCopy copies just the range that it names", probe!(copies::ranged)),
    ("keys with spaces, +, % and umlauts are copied and listed as they are", probe!(copies::odd_key)),
    ("64 parts are copied at a time, each as it should", probe!(copies::at_once)),
    ("PutObject is refused if the body has another CRC", probe!(checksums::put_wrong)),
    ("HeadObject tells the CRC64NVME of an object that was put", probe!(checksums::put)),
    ("CompleteMultipartUpload is refused if the whole has another CRC", probe!(checksums::complete_wrong)),
    ("HeadObject tells the CRC64NVME of the whole of a multipart object", probe!(checksums::complete)),
    ("CompleteMultipartUpload is refused if the whole has another size", probe!(parts::wrong_size)),
    ("parts that are not completed are left out", probe!(parts::unlisted)),
    ("open uploads are listed, and gone after their abort", probe!(parts::uploads)),
    ("the parts of an open upload are listed with their sizes and CRCs", probe!(parts::listed)),
    ("tags are kept by PutObject and by a multipart upload, and counted by HeadObject", probe!(attributes::tags)),
    ("user metadata is kept by PutObject and by a multipart upload", probe!(attributes::metadata)),
    ("a KMS key is taken by PutObject and by a multipart upload, and named by HeadObject", probe!(attributes::kms)),
];
