//! The address of an object, and the one form of it that S3 wants encoded.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the characters that no decoder changes, and the `/` between folders.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// An object's address; `Display` gives `s3://bucket/key`, with the key as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri {
    pub bucket: String,
    pub key: String,
}

impl Uri {
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Uri {
        Uri { bucket: bucket.into(), key: key.into() }
    }

    /// Reads `s3://bucket/key`; `None` where it is no such address.
    pub fn parse(text: &str) -> Option<Uri> {
        let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Uri::new(bucket, key))
    }

    /// The same bucket, another key.
    pub fn sibling(&self, key: impl Into<String>) -> Uri {
        Uri::new(self.bucket.clone(), key)
    }

    /// The value of `x-amz-copy-source`. S3 decodes it and the SDK does not encode it, so that a bare
    /// `+` or space would name another object.
    pub fn copy_source(&self) -> String {
        utf8_percent_encode(&format!("{}/{}", self.bucket, self.key), COPY_SOURCE).to_string()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_source_encodes_what_a_decoder_would_change() {
        let uri = Uri::new("b", "a b/c+d%20é=1?x#y");
        assert_eq!(uri.copy_source(), "b/a%20b/c%2Bd%2520%C3%A9%3D1%3Fx%23y");
    }

    #[test]
    fn parse_takes_only_an_address_of_an_object() {
        assert_eq!(Uri::parse("s3://b/k/l"), Some(Uri::new("b", "k/l")));
        for text in ["s3://b", "s3://b/", "s3:///k", "b/k", ""] {
            assert_eq!(Uri::parse(text), None, "{text}");
        }
    }
}
