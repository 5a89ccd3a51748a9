//! A bucket to try things in, and the function in front of it.
//!
//! In the process, the function has a key pair of its own, and may do what template.yaml allows a function with its
//! settings; the test itself may do everything.
//!
//! The bucket is in the process, unless TEST_S3_ENDPOINT names another server: `make test-servers` runs
//! tests/any_server on those.

pub mod readers;
pub mod runtime;
pub mod template;
pub mod wire;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use local_s3::LocalS3;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use template::Template;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::error::Error;
use unload_header::job::{Answer, Handler};
use unload_header::receipt::Receipt;
use unload_header::s3::S3;
use unload_header::settings::Settings;
use wire::Wire;

pub const MIB: usize = 1 << 20;

pub struct World {
    pub client: Client,
    pub bucket: String,
    s3: S3,
    endpoint: String,
    local: Option<LocalS3>,
}

impl World {
    /// On the server that the environment names, or in process.
    pub async fn new() -> World {
        match std::env::var("TEST_S3_ENDPOINT") {
            Ok(endpoint) => World::at(&endpoint, None).await,
            Err(_) => World::in_process().await,
        }
    }

    /// For what only the server in the process can show.
    pub async fn in_process() -> World {
        let local = LocalS3::start(0).await.unwrap();
        World::at(local.endpoint(), Some(local.clone())).await
    }

    /// As `in_process`, but with no connection in between, so that the clock can be paused.
    pub async fn in_memory() -> World {
        World::of(LocalS3::default()).await
    }

    pub async fn of(local: LocalS3) -> World {
        let config = async |key| config(local.endpoint(), key).http_client(Wire(local.clone())).load().await;
        let (own, role) = (config(local_s3::ACCESS_KEY).await, config(local_s3::ROLE_KEY).await);
        World::with(&own, &role, "bucket".to_owned(), Some(local.clone()))
    }

    async fn at(endpoint: &str, local: Option<LocalS3>) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let role = if local.is_some() { local_s3::ROLE_KEY } else { local_s3::ACCESS_KEY };
        let (own, role) = (config(endpoint, local_s3::ACCESS_KEY).load().await, config(endpoint, role).load().await);
        let world = World::with(&own, &role, bucket, local);
        if world.local.is_none() {
            world.client.create_bucket().bucket(&world.bucket).send().await.unwrap();
        }
        world
    }

    fn with(own: &SdkConfig, role: &SdkConfig, bucket: String, local: Option<LocalS3>) -> World {
        let endpoint = own.endpoint_url().unwrap().to_owned();
        World { client: Client::new(own), bucket, s3: S3::new(role), endpoint, local }
    }

    /// The same, with an S3 whose uploads may have only so many parts.
    pub fn with_max_parts(mut self, max_parts: u16) -> World {
        self.s3.max_parts = max_parts;
        self
    }

    /// The same, whose function lists so many slices and more, and does not look at each.
    pub fn with_listed_from(mut self, listed_from: usize) -> World {
        self.s3.listed_from = listed_from;
        self
    }

    /// The function's.
    pub fn access_key(&self) -> &'static str {
        if self.local.is_some() { local_s3::ROLE_KEY } else { local_s3::ACCESS_KEY }
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Has a script read what is there, which ends well if all is right. TEST_READERS is a Python with what
    /// scripts/readers.txt lists; where none is named, nothing is read.
    pub async fn read_by(&self, script: &str, key: &str) {
        let Ok(python) = std::env::var("TEST_READERS") else { return };
        let read = tokio::process::Command::new(python)
            .args([script, &self.endpoint, &self.bucket, key])
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", &secret())])
            .envs([("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_MAX_ATTEMPTS", "2")])
            .status();
        assert!(read.await.unwrap().success(), "{script} {key}");
    }

    pub fn local(&self) -> &LocalS3 {
        self.local.as_ref().expect("this test runs in process")
    }

    pub async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.put_with(key, bytes, |put| put).await;
    }

    pub async fn put_with(
        &self,
        key: &str,
        bytes: impl Into<Vec<u8>>,
        with: impl FnOnce(PutObjectFluentBuilder) -> PutObjectFluentBuilder,
    ) {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into().into());
        with(put).send().await.unwrap();
    }

    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        Some(self.object(key).await?.body.collect().await.unwrap().to_vec())
    }

    /// As text; for small ones.
    pub async fn text(&self, key: &str) -> String {
        let bytes = self.get(key).await.unwrap_or_else(|| panic!("no object {key}"));
        String::from_utf8(bytes).unwrap()
    }

    pub async fn object(&self, key: &str) -> Option<GetObjectOutput> {
        match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => Some(object),
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => None,
            Err(error) => panic!("{key}: {error:?}"),
        }
    }

    pub async fn keys(&self) -> Vec<String> {
        let page = self.client.list_objects_v2().bucket(&self.bucket).send().await.unwrap();
        page.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// The function, with UNLOAD_PREFIX=unload/ and what else is set; in the process, as the template deploys it.
    pub fn handler(&self, variables: &[(&str, &str)]) -> Handler {
        let set = |name: &str| variables.iter().rev().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        let variable = |name: &str| set(name).or_else(|| (name == "UNLOAD_PREFIX").then(|| "unload/".to_owned()));
        if let Some(local) = &self.local {
            local.permit(Template::role(&self.bucket, variable));
        }
        Handler::new(Settings::read(variable).unwrap(), self.s3.clone())
    }

    /// An event that says that these keys were created.
    pub fn created(&self, keys: &[&str]) -> Value {
        json!({"Records": keys.iter().map(|key| self.record("ObjectCreated:Put", key)).collect::<Vec<_>>()})
    }

    /// As S3 writes it; on another server without the size and the ETag, which S3 tells of objects that were created.
    pub fn record(&self, event_name: &str, key: &str) -> Value {
        let encoded = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string().replace("%20", "+").replace("%2F", "/");
        let mut object = json!({"key": encoded});
        if let Some(found) = self.local.as_ref().and_then(|local| local.get(&self.bucket, key)) {
            object["size"] = found.content.length().into();
            object["eTag"] = found.etag.into();
        }
        json!({"eventName": event_name, "s3": {"bucket": {"name": self.bucket}, "object": object}})
    }

    pub async fn run(&self, variables: &[(&str, &str)], keys: &[&str]) -> Result<Answer, Error> {
        self.run_for(MAX_TIMEOUT, variables, keys).await
    }

    /// As `run`, with this time until Lambda's deadline.
    pub async fn run_for(&self, time: Duration, variables: &[(&str, &str)], keys: &[&str]) -> Result<Answer, Error> {
        self.handler(variables).handle(&self.created(keys), Deadline::after(time)).await
    }

    /// The one receipt of one object.
    pub async fn receipt(&self, variables: &[(&str, &str)], key: &str) -> Receipt {
        let mut answer = self.run(variables, &[key]).await.unwrap();
        assert_eq!(answer.receipts.len(), 1, "{:?}", answer.receipts);
        answer.receipts.remove(0)
    }

    /// The message of what failed.
    pub async fn error(&self, variables: &[(&str, &str)], keys: &[&str]) -> String {
        self.run(variables, keys).await.expect_err("it should have failed").to_string()
    }
}

fn config(endpoint: &str, access_key: &str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(access_key, secret(), None, None, "test"))
}

/// Of the server that the environment names; the access key is `test` everywhere.
pub fn secret() -> String {
    std::env::var("TEST_S3_SECRET").unwrap_or_else(|_| local_s3::SECRET_KEY.to_owned())
}

/// Whether sets of cases are tried whole, as in `make test-all`: with EXHAUSTIVE=1.
pub fn is_exhaustive() -> bool {
    std::env::var("EXHAUSTIVE").is_ok_and(|value| value == "1")
}

/// A set of cases, or every `nth` of them.
pub fn sample<T>(cases: impl IntoIterator<Item = T>, nth: usize) -> impl Iterator<Item = T> {
    cases.into_iter().step_by(if is_exhaustive() { 1 } else { nth })
}

/// A manifest as a cluster writes it; VERBOSE, if it has columns.
pub fn manifest(bucket: &str, objects: &[(&str, u64)], columns: &[&str]) -> String {
    let entry =
        |(key, size): &(&str, u64)| json!({"url": format!("s3://{bucket}/{key}"), "meta": {"content_length": size}});
    let mut manifest = json!({"entries": objects.iter().map(entry).collect::<Vec<_>>()});
    if !columns.is_empty() {
        let element = |name: &&str| json!({"name": name, "type": {"base": "character varying", "max_length": 60}});
        manifest["schema"] = json!({"elements": columns.iter().map(element).collect::<Vec<_>>()});
        manifest["author"] = json!({"name": "Amazon Redshift", "version": "1.0.0"});
    }
    manifest.to_string()
}

/// Rows like those of an unload, `length` bytes of them; no two mebibytes are the same.
pub fn rows(length: usize) -> Vec<u8> {
    // Some tests ask thousands of times.
    static MEBIBYTE: OnceLock<String> = OnceLock::new();
    let row = |number| format!("{number:08}|Gotterdammerung|{number:06}\n");
    let mebibyte = MEBIBYTE.get_or_init(|| (0..MIB / 32).map(row).collect());
    let mut rows = Vec::with_capacity(length + MIB);
    while rows.len() < length {
        let at = rows.len();
        rows.extend_from_slice(mebibyte.as_bytes());
        rows[at..at + 8].copy_from_slice(format!("{:08}", at / MIB).as_bytes());
    }
    rows.truncate(length);
    rows
}
