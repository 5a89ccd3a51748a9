//! What a final object was made from, written into its own metadata: how a repeated job knows that its
//! work is done.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::crc::{Algorithm, Crc};
use crate::receipt::Proof;
use crate::s3::{Attributes, Head, Object};

/// The name of the metadata, without `x-amz-meta-`.
pub const KEY: &str = "unload-header";

/// Over the sources' ETags, the header, and all that comes along with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

/// What stands in the metadata: `<fingerprint> <bytes> crc64nvme=<base64> unload=<16 hexadecimal digits>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub fingerprint: Fingerprint,
    /// Of the final object, in bytes.
    pub size: u64,
    /// Of the final object, if the sources' were known.
    pub crc: Option<Crc>,
    /// Which version of a manifest listed the sources, if one did.
    pub unload: Option<String>,
}

impl Fingerprint {
    /// `header` is the plain one: what the sources are compressed with follows from their content. `cut`
    /// says that the sources' own headers are left out.
    pub fn of(sources: &[Object], header: &[u8], cut: bool, attributes: &Attributes) -> Fingerprint {
        let mut sum = Sha256::new();
        let mut add = |bytes: &[u8]| {
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        add(header);
        add(&[cut.into()]);
        sources.iter().for_each(|source| add(source.etag.as_bytes()));
        let mut metadata: Vec<_> = attributes.metadata.iter().collect();
        metadata.sort();
        for (name, value) in metadata {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        for attribute in [
            &attributes.content_type,
            &attributes.content_disposition,
            &attributes.content_encoding,
            &attributes.content_language,
            &attributes.cache_control,
            &attributes.expires,
            &attributes.kms_key_id,
        ] {
            add(attribute.as_deref().unwrap_or_default().as_bytes());
        }
        Fingerprint(hex(&sum.finalize()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Seal {
    /// The one that an object bears, if any.
    pub fn on(head: &Head) -> Option<Seal> {
        Seal::parse(head.attributes.metadata.get(KEY)?)
    }

    fn parse(text: &str) -> Option<Seal> {
        let mut words = text.split(' ');
        let fingerprint = Fingerprint(words.next()?.to_owned());
        let size = words.next()?.parse().ok()?;
        let (mut crc, mut unload) = (None, None);
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name) {
                Some(algorithm) => crc = Crc::parse(algorithm, value),
                None if name == "unload" => unload = Some(value.to_owned()),
                None => (),
            }
        }
        Some(Seal { fingerprint, size, crc, unload })
    }

    /// How it is known that an object that bears this seal is what was sent; `None` if it is not.
    pub fn proof(&self, object: &Object) -> Option<Proof> {
        match (self.crc, object.crc) {
            _ if self.size != object.size => None,
            (Some(sent), Some(found)) if sent == found => Some(Proof::Crc(sent.algorithm)),
            (Some(sent), Some(found)) if sent.algorithm == found.algorithm => None,
            _ => Some(Proof::Size),
        }
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fingerprint.0, self.size)?;
        self.crc.iter().try_for_each(|crc| write!(f, " {}={}", crc.algorithm.name(), crc.base64()))?;
        self.unload.iter().try_for_each(|unload| write!(f, " unload={unload}"))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::Uri;

    fn object(etag: &str) -> Object {
        Object { uri: Uri::new("b", "k"), size: 9, etag: etag.to_owned(), crc: None, is_composite: false }
    }

    #[test]
    fn a_fingerprint_is_of_all_that_the_object_is_made_of() {
        let none = Attributes::default();
        let one = Fingerprint::of(&[object("e")], b"id\n", false, &none);
        assert_eq!(one, Fingerprint::of(&[object("e")], b"id\n", false, &none));
        let csv = Attributes { content_type: Some("text/csv".to_owned()), ..none.clone() };
        for other in [
            Fingerprint::of(&[object("f")], b"id\n", false, &none),
            Fingerprint::of(&[object("e"), object("e")], b"id\n", false, &none),
            Fingerprint::of(&[object("e")], b"ID\n", false, &none),
            Fingerprint::of(&[object("e")], b"id\n", true, &none),
            Fingerprint::of(&[object("e")], b"id\n", false, &csv),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_seal_reads_as_it_was_written_and_holds_for_the_object_only() {
        let fingerprint = Fingerprint::of(&[object("e")], b"id\n", false, &Attributes::default());
        let crc = |bytes: &[u8]| Some(Crc::of(Algorithm::Crc32c, bytes));
        for (crc, unload) in [(None, None), (crc(b"123456789"), None), (crc(b"1"), Some("0123456789abcdef".to_owned()))]
        {
            let seal = Seal { fingerprint: fingerprint.clone(), size: 9, crc, unload };
            assert_eq!(Seal::parse(&seal.to_string()), Some(seal.clone()));
            assert_eq!(seal.proof(&object("e")), Some(Proof::Size));
            assert_eq!(seal.proof(&Object { size: 8, ..object("e") }), None);
        }
        let unload = Some("0123456789abcdef".to_owned());
        let seal = Seal { fingerprint, size: 9, crc: crc(b"123456789"), unload };
        assert_eq!(seal.proof(&Object { crc: crc(b"123456789"), ..object("e") }), Some(Proof::Crc(Algorithm::Crc32c)));
        assert_eq!(seal.proof(&Object { crc: crc(b"123456780"), ..object("e") }), None);
        assert_eq!(Seal::parse("anything"), None);
        let longest = Seal { size: 48 << 40, crc: Some(Crc::of(Algorithm::Crc64Nvme, b"")), ..seal }.to_string();
        assert!(KEY.len() + longest.len() <= 144, "what README says it takes of S3's 2 KB");
    }
}
