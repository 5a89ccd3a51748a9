//! Which permissions a request needs.
//!
//! Source: AWS, S3 user guide, "Required permissions for Amazon S3 API operations". SSE-KMS: the same guide, "Protecting
//! data with server-side encryption with AWS KMS".

use hyper::HeaderMap;

use crate::policy::{ACCOUNT, Call};
use crate::request::Request;
use crate::store::Store;

/// What has to be allowed for a request, with what is in the store now.
pub fn needs(request: &Request, headers: &HeaderMap, query: &str, store: &Store) -> Vec<Call> {
    let Request { operation, bucket, key, .. } = request;
    let path = format!("{bucket}/{key}");
    let has = |name: &str| headers.contains_key(name);
    let kms = |action: &str, key: Option<&str>| key.map(|key| Call::new(action, key));
    let found = store.object(bucket, key);
    let key_of_object = || found.and_then(|object| object.headers.kms_key_id.as_deref());
    let key_of_write = || key_of_write(request, headers, query, store);
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
    calls.extend(request.copy_source.iter().flat_map(|source| needs_of_source(source, store)));
    // S3 user guide, "Add preconditions to S3 operations": a write or deletion by ETag reads it.
    calls.extend((has("if-match") && *operation != "GetObject").then(|| Call::on("s3:GetObject", &path)));
    calls.extend(request.sends_tags.then(|| Call::on("s3:PutObjectTagging", &path)));
    for call in &mut calls {
        let path = call.resource.strip_prefix("arn:aws:s3:::").unwrap_or_default();
        let bucket = path.split('/').next().unwrap_or_default();
        call.account = store.rules_of(bucket).owner.unwrap_or(ACCOUNT).to_owned();
    }
    calls
}

/// The KMS key under which a request writes: the upload's, its own, or the bucket's default.
fn key_of_write<'a>(request: &Request, headers: &'a HeaderMap, query: &str, store: &'a Store) -> Option<&'a str> {
    let upload = query.split('&').find_map(|pair| pair.strip_prefix("uploadId="));
    let said = headers.get("x-amz-server-side-encryption-aws-kms-key-id").and_then(|key| key.to_str().ok());
    match upload.and_then(|id| store.uploads.get(id)) {
        Some(upload) => upload.headers.kms_key_id.as_deref(),
        None => said.or_else(|| store.rules_of(&request.bucket).kms_key_id.as_deref()),
    }
}

/// What a copy needs of its source, `bucket/key`.
fn needs_of_source(source: &str, store: &Store) -> Vec<Call> {
    let mut calls = vec![Call::on("s3:GetObject", source)];
    if let Some((bucket, key)) = source.split_once('/') {
        match store.object(bucket, key) {
            None => calls.push(Call::to_list(bucket, key)),
            Some(object) => {
                calls.extend(object.headers.kms_key_id.as_deref().map(|key| Call::new("kms:Decrypt", key)));
            }
        }
    }
    calls
}
