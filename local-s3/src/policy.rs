//! What IAM is asked for a request, and what a policy answers.
//!
//! Which permission an operation needs: AWS, S3 user guide, "Required permissions for Amazon S3 API operations".
//! SSE-KMS: the same guide, "Protecting data with server-side encryption with AWS KMS".

use hyper::HeaderMap;

use crate::server::Request;
use crate::store::Store;

/// A question to IAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub action: String,
    pub resource: String,
    /// `s3:prefix`, where the question has one.
    pub prefix: Option<String>,
}

/// One action of one statement that allows something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub action: String,
    pub resources: Vec<String>,
    /// What `s3:prefix` has to be like, if that is a condition.
    pub prefix: Option<Prefix>,
}

/// `StringLike`, or `StringLikeIfExists`, which lets a question without the key pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub pattern: String,
    pub if_exists: bool,
}

impl Call {
    pub fn new(action: &str, resource: impl Into<String>) -> Call {
        Call { action: action.to_owned(), resource: resource.into(), prefix: None }
    }

    /// On an object, given by `bucket/key`, or on a bucket.
    pub fn on(action: &str, path: &str) -> Call {
        Call::new(action, format!("arn:aws:s3:::{path}"))
    }

    /// Who may learn which keys of a bucket there are. S3 asks so for a list, with its prefix; and where a
    /// key is missing, with the key itself in place of the prefix, to say 404 or 403 (`ceph/ceph#68577`, "to match
    /// aws behavior"; `ceph/s3-tests`, test_head_object_404_with_policy_prefix).
    pub fn to_list(bucket: &str, prefix: &str) -> Call {
        Call { prefix: Some(prefix.to_owned()), ..Call::on("s3:ListBucket", bucket) }
    }
}

impl Grant {
    pub fn allows(&self, call: &Call) -> bool {
        let prefix = match (&self.prefix, &call.prefix) {
            (None, _) => true,
            (Some(wanted), None) => wanted.if_exists,
            (Some(wanted), Some(prefix)) => like(&wanted.pattern, prefix),
        };
        prefix && like(&self.action, &call.action) && self.resources.iter().any(|it| like(it, &call.resource))
    }
}

/// What has to be allowed for a request, with what is in the store now.
pub fn needs(request: &Request, headers: &HeaderMap, query: &str, store: &Store) -> Vec<Call> {
    let Request { operation, bucket, key, .. } = request;
    let path = format!("{bucket}/{key}");
    let has = |name: &str| headers.contains_key(name);
    let kms = |action: &str, key: Option<&str>| key.map(|key| Call::new(action, key));
    let found = store.object(bucket, key);
    let key_of_object = || found.and_then(|object| object.headers.kms_key_id.as_deref());
    let key_of_write = || {
        let upload = query.split('&').find_map(|pair| pair.strip_prefix("uploadId="));
        let upload = upload.and_then(|id| store.uploads.get(id));
        let said = headers.get("x-amz-server-side-encryption-aws-kms-key-id").and_then(|key| key.to_str().ok());
        match upload {
            Some(upload) => upload.headers.kms_key_id.as_deref(),
            None => said.or_else(|| store.rules_of(bucket).kms_key_id.as_deref()),
        }
    };
    let mut calls = match *operation {
        "HeadObject" | "GetObject" | "GetObjectTagging" | "GetObjectAttributes" => {
            let action = match *operation {
                "GetObjectTagging" => "s3:GetObjectTagging",
                _ => "s3:GetObject",
            };
            let mut calls = vec![Call::on(action, &path)];
            calls.extend((*operation == "GetObjectAttributes").then(|| Call::on("s3:GetObjectAttributes", &path)));
            calls.extend(found.is_none().then(|| Call::to_list(bucket, key)));
            // A HEAD shows a checksum only to those who may decrypt (S3 API reference, HeadObject).
            if *operation != "GetObjectTagging" && (*operation != "HeadObject" || has("x-amz-checksum-mode")) {
                calls.extend(kms("kms:Decrypt", key_of_object()));
            }
            calls
        }
        "ListObjectsV2" => vec![Call::to_list(bucket, &request.prefix)],
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" => {
            let mut calls = vec![Call::on("s3:PutObject", &path)];
            calls.extend(kms("kms:GenerateDataKey", key_of_write()));
            if *operation != "PutObject" {
                calls.extend(kms("kms:Decrypt", key_of_write()));
            }
            calls
        }
        "CompleteMultipartUpload" => {
            let mut calls = vec![Call::on("s3:PutObject", &path)];
            calls.extend(kms("kms:Decrypt", key_of_write()));
            calls
        }
        "AbortMultipartUpload" => vec![Call::on("s3:AbortMultipartUpload", &path)],
        "ListParts" => {
            let mut calls = vec![Call::on("s3:ListMultipartUploadParts", &path)];
            calls.extend(kms("kms:Decrypt", key_of_write()));
            calls
        }
        "ListMultipartUploads" => vec![Call::on("s3:ListBucketMultipartUploads", bucket)],
        "DeleteObject" => vec![Call::on("s3:DeleteObject", &path)],
        other => vec![Call::on(&format!("s3:{other}"), &path)],
    };
    if let Some(source) = &request.copy_source {
        calls.push(Call::on("s3:GetObject", source));
        let source = source.split_once('/').map(|(bucket, key)| (bucket, key, store.object(bucket, key)));
        match source {
            Some((bucket, key, None)) => calls.push(Call::to_list(bucket, key)),
            Some((.., Some(object))) => calls.extend(kms("kms:Decrypt", object.headers.kms_key_id.as_deref())),
            None => (),
        }
    }
    // S3 user guide, "Add preconditions to S3 operations": a write or deletion by ETag reads it.
    calls.extend((has("if-match") && *operation != "GetObject").then(|| Call::on("s3:GetObject", &path)));
    calls.extend(request.sends_tags.then(|| Call::on("s3:PutObjectTagging", &path)));
    calls
}

/// IAM's wildcards: `*` for any characters, `?` for one (IAM user guide, "IAM JSON policy elements: Resource").
fn like(pattern: &str, text: &str) -> bool {
    match pattern.find(['*', '?']) {
        None => pattern == text,
        Some(at) => {
            let (start, rest) = pattern.split_at(at);
            let Some(text) = text.strip_prefix(start) else { return false };
            let after = &rest[1..];
            match rest.starts_with('*') {
                true => (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| like(after, &text[at..])),
                false => text.chars().next().is_some_and(|one| like(after, &text[one.len_utf8()..])),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text) in [("a/*", "a/"), ("a/*", "a/b/c"), ("*", ""), ("a*c", "abbc"), ("a?c", "aéc")] {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a/*", "b/"), ("a", "ab"), ("a?c", "ac"), ("a*c", "ab")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_grant_is_for_a_prefix_or_for_all() {
        let prefix = |if_exists| Some(Prefix { pattern: "unload/*".to_owned(), if_exists });
        let grant =
            |prefix| Grant { action: "s3:ListBucket".to_owned(), resources: vec!["arn:aws:s3:::b".to_owned()], prefix };
        let (below, beside) = (Call::to_list("b", "unload/x"), Call::to_list("b", "final/x"));
        let whole = Call::on("s3:ListBucket", "b");
        assert!(grant(prefix(false)).allows(&below) && grant(prefix(true)).allows(&below));
        assert!(!grant(prefix(false)).allows(&beside) && !grant(prefix(true)).allows(&beside));
        assert!(!grant(prefix(false)).allows(&whole) && grant(prefix(true)).allows(&whole));
        assert!(grant(None).allows(&beside) && !grant(None).allows(&Call::to_list("c", "unload/x")));
    }
}
