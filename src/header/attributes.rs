//! What a final object carries besides its bytes.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::s3::{Attributes, Head};
use crate::settings::Settings;
use crate::unload::Dialect;

/// The attributes of the source, or of the first of several, without its tags and its column names; and with a type and
/// a name that browsers and Excel understand.
pub fn of_final(settings: &Settings, source: &Head, filename: Option<&str>, dialect: &Dialect) -> Attributes {
    let mut attributes = Attributes { kms_key_id: settings.final_kms_key_id.clone(), ..source.attributes.clone() };
    attributes.metadata.remove("headers");
    let default = matches!(
        attributes.content_type.as_deref(),
        None | Some("" | "binary/octet-stream" | "application/octet-stream")
    );
    if default {
        let kind = if matches!(dialect, Dialect::Csv { .. }) { "text/csv" } else { "text/plain" };
        attributes.content_type = Some(format!("{kind}; charset=utf-8"));
    }
    if let Some(filename) = filename {
        // RFC 6266: the first form is for clients that can't read the second.
        let plain = filename.replace(|c: char| !c.is_ascii() || c.is_ascii_control() || "\"\\".contains(c), "_");
        let encoded = utf8_percent_encode(filename, NON_ALPHANUMERIC);
        attributes.content_disposition = Some(format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"));
    }
    attributes
}
