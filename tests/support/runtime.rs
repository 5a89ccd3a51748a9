//! Lambda's side of the Runtime API, with the real `bootstrap` on the other.
//!
//! AWS, Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::process::Stdio;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::World;

pub struct Function {
    process: Child,
    log: JoinHandle<String>,
    events: Sender<Value>,
    answers: Receiver<(String, Value)>,
    /// Becomes true at the first `/next`.
    pub ready: Receiver<()>,
}

impl Function {
    /// Starts the binary with UNLOAD_PREFIX=unload/ and what else is set, on the world's server; in the process, under the
    /// template's role.
    pub async fn of(world: &World, binary: &str, variables: &[(&str, &str)]) -> Function {
        world.handler(variables);
        let (endpoint, secret) = (world.endpoint(), crate::secret());
        let always = [
            ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", world.access_key()),
            ("AWS_SECRET_ACCESS_KEY", &secret),
            ("UNLOAD_PREFIX", "unload/"),
        ];
        Function::start(binary, &[&always, variables].concat()).await
    }

    /// Starts the binary with these variables and no others.
    pub async fn start(binary: &str, variables: &[(&str, &str)]) -> Function {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap().to_string();
        let (events, waiting) = channel::<Value>(1);
        let (answered, answers) = channel(1);
        let (called, ready) = channel(1);
        let waiting = Arc::new(Mutex::new(waiting));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (waiting, answered, called) = (waiting.clone(), answered.clone(), called.clone());
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (waiting, answered, called) = (waiting.clone(), answered.clone(), called.clone());
                    async move {
                        let path = request.uri().path().to_owned();
                        if *request.method() == Method::GET {
                            called.try_send(()).ok();
                            let event = waiting.lock().await.recv().await;
                            return event.map(|event| invocation(&event)).ok_or("the test is over");
                        }
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let how = path.rsplit('/').next().unwrap_or_default().to_owned();
                        let body = serde_json::from_slice(&body).unwrap();
                        answered.send((how, body)).await.ok();
                        Ok(Response::builder().status(202).body(Full::default()).unwrap())
                    }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(async move { connection.await.ok() });
            }
        });
        let mut process = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "unload-header")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Read all the time, since the function waits where a pipe is full.
        let mut stdout = process.stdout.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stdout.read_to_string(&mut log).await.unwrap();
            log
        });
        Function { process, log, events, answers, ready }
    }

    /// Sends an event; `response` or `error`, and its body.
    pub async fn invoke(&mut self, event: Value) -> (String, Value) {
        self.events.send(event).await.unwrap();
        self.answers.recv().await.unwrap()
    }

    /// VmHWM of the process, in MiB.
    pub fn peak_memory(&self) -> f64 {
        usage(self.id()).unwrap().peak
    }

    pub fn id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Ends it, and returns what it has logged: JSON lines.
    pub async fn log(mut self) -> Vec<Value> {
        self.process.start_kill().unwrap();
        self.process.wait().await.unwrap();
        let log = self.log.await.unwrap();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for it to end by itself: whether it succeeded, and its last words.
    pub async fn end(self) -> (bool, String) {
        let output = self.process.wait_with_output().await.unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// In seconds.
    pub cpu: f64,
    /// VmHWM, in MiB.
    pub peak: f64,
    /// File descriptors that are open now.
    pub files: usize,
}

/// `None` once the process has ended.
pub fn usage(process: u32) -> Option<Usage> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).ok();
    let (status, stat) = (read("status")?, read("stat")?);
    let peak = status.lines().find(|line| line.starts_with("VmHWM"))?.split_whitespace().nth(1)?.parse::<f64>().ok()?;
    // Times are fields 14 and 15, in hundredths of a second; the name in field 2 may have spaces (proc(5)).
    let times = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2);
    let ticks: f64 = times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
    Some(Usage { cpu: ticks / 100.0, peak: peak / 1_024.0, files })
}

fn invocation(event: &Value) -> Response<Full<Bytes>> {
    let deadline = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 900_000;
    Response::builder()
        .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:unload-header")
        .body(Full::from(event.to_string()))
        .unwrap()
}
