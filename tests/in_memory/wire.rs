//! What goes out by HTTP, as a server reads it that knows nothing else; and answers that no S3 should give.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::Credentials;
use bytes::Bytes;
use local_s3::{Content, Fault, Object};
use support::{MIB, World, rows};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use unload_header::byte_range::ByteRange;
use unload_header::crc::Algorithm;
use unload_header::s3::{Attributes, ObjectVersion, Precondition, S3};
use unload_header::uri::Uri;

/// Answers whatever the operation needs, and hands on the head of each request, in lower case.
async fn connection(stream: TcpStream, heads: UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head += &line;
        }
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        let body = match &head {
            head if head.starts_with("post") && head.contains("?uploads") => {
                "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"
            }
            head if head.starts_with("post") => {
                "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>"
            }
            head if head.contains("x-amz-copy-source") => "<CopyPartResult><ETag>\"1\"</ETag></CopyPartResult>",
            _ => "",
        };
        let answer = format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        heads.send(head).unwrap();
    }
}

/// Servers refuse a PUT or POST that does not say how long its body is, also where there is none.
#[tokio::test]
async fn each_put_and_post_says_its_length_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, mut heads) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, sender.clone()));
        }
    });
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    let s3 = S3::new(&config.load().await);
    let (uri, crc) = (Uri::new("bucket", "key"), Some(Algorithm::Crc64Nvme));
    let source = ObjectVersion { uri: uri.clone(), size: 9, etag: "\"1\"".to_owned(), crc: None, is_composite: false };

    let upload = s3.create(&uri, &Attributes::default(), crc).await.unwrap().upload;
    s3.copy_part(&upload, 1, &source, ByteRange { start: 0, end: 9 }).await.unwrap();
    let part = s3.upload_part(&upload, 2, Bytes::from("12345"), crc).await.unwrap();
    s3.complete(&upload, &[part], 5, &Precondition::None, None).await.unwrap();
    for body in ["", "123"] {
        s3.put(&uri, Bytes::from(body), &Attributes::default(), &Precondition::None, None).await.unwrap();
    }
    for (operation, expected) in [
        ("create", Some("0")),
        ("copy", Some("0")),
        ("part", Some("5")),
        ("complete", None),
        ("empty", Some("0")),
        ("put", Some("3")),
    ] {
        let head = heads.recv().await.unwrap();
        let lengths: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("content-length: ")).collect();
        assert!(lengths.len() == 1 && !head.contains("transfer-encoding"), "{operation}: {head}");
        assert!(expected.is_none_or(|expected| lengths == [expected]), "{operation}: {head}");
    }
}

/// A world with a source that is copied in parts.
async fn world() -> World {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world.local().put("bucket", "unload/q_0000_part_00", Object::new(Content::repeat(rows(MIB), 100 * MIB as u64)));
    world
}

/// Servers that know no UploadPartCopy take it for an UploadPart without bytes, and answer 200 (`rclone serve s3` does).
#[tokio::test(start_paused = true)]
async fn a_copy_without_its_result_is_no_copy() {
    for body in ["", "<CopyPartResult></CopyPartResult>", "<CopyPartResult/>"] {
        let world = world().await;
        world.local().judge(move |request| {
            (request.operation == "UploadPartCopy")
                .then(|| Fault::OtherAnswer(Box::new(move |answer| *answer.body_mut() = body.into())))
        });
        let error = world.run(&[], &["unload/q_0000_part_00"]).await.unwrap_err();
        assert_eq!(error.kind(), "S3.UnusableAnswer", "{body}: {error}");
        let said = error.to_string();
        assert!(said.contains("UploadPartCopy of part ") && said.contains("no CopyPartResult"), "{body}: {said}");
        assert!(world.local().get("bucket", "final/q_0000_part_00").is_none());
    }
}

/// The SDK's own words for it are a page long, with all of the answer, which may hold rows.
#[tokio::test(start_paused = true)]
async fn an_answer_that_can_t_be_read_is_not_shown() {
    let world = world().await;
    world.local().judge(|request| {
        (request.operation == "CreateMultipartUpload").then(|| {
            Fault::OtherAnswer(Box::new(|answer| {
                *answer.body_mut() = "<Initiated>00000001|Gotterdammerung</Initiated>".into()
            }))
        })
    });
    let error = world.run(&[], &["unload/q_0000_part_00"]).await.unwrap_err();
    let said = error.to_string();
    assert_eq!(error.kind(), "S3.200");
    assert!(said.contains("CreateMultipartUpload") && said.contains("answered with what can't be read"), "{said}");
    assert!(said.contains("InitiateMultipartUploadResult") && !said.contains("Gotterdammerung"), "{said}");
    assert!(said.len() < 500, "{said}");
}

/// Not that an upload has gone meanwhile, after which the job would begin anew.
#[tokio::test(start_paused = true)]
async fn a_list_without_uploads_may_be_a_404() {
    let world = world().await;
    world
        .local()
        .judge(|request| (request.operation == "ListMultipartUploads").then_some(Fault::Error(404, "NoSuchUpload")));
    world.receipt(&[], "unload/q_0000_part_00").await;
    assert!(world.local().get("bucket", "final/q_0000_part_00").is_some());
}
