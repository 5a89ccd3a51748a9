//! The template of final keys, FINAL_KEY.

use std::fmt;

use super::Output;
use crate::unload::Compression;

/// The template of a final key: text and placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalKey(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    /// The key below UNLOAD_PREFIX.
    Path,
    /// The unload prefix below UNLOAD_PREFIX.
    Unload,
    /// `.gz` and the like, by the content.
    Compression,
}

impl FinalKey {
    pub(super) fn parse(template: &str, output: Output) -> Result<FinalKey, String> {
        let mut segments = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a { is opened and not closed")?;
            segments.extend((!text.is_empty()).then(|| Segment::Text(text.to_owned())));
            segments.push(match name {
                "path" => Segment::Path,
                "unload" => Segment::Unload,
                "compression" => Segment::Compression,
                other => {
                    return Err(format!(
                        "{{{other}}} is no placeholder; there are {{path}}, {{unload}} and {{compression}}"
                    ));
                }
            });
            rest = after;
        }
        segments.extend((!rest.is_empty()).then(|| Segment::Text(rest.to_owned())));
        match output {
            Output::Each if !segments.contains(&Segment::Path) => {
                Err("without {path}, the objects of one unload would all get the same key".to_owned())
            }
            Output::Single if !segments.contains(&Segment::Unload) => {
                Err("with OUTPUT=single and without {unload}, all unloads would get the same key".to_owned())
            }
            Output::Single if segments.contains(&Segment::Path) => {
                Err("with OUTPUT=single, a final object has no one {path}; use {unload}".to_owned())
            }
            _ => Ok(FinalKey(segments)),
        }
    }

    /// Whether the key of an object depends on what it is compressed with.
    pub fn tells_compression(&self) -> bool {
        self.0.contains(&Segment::Compression)
    }

    /// The text before the first placeholder.
    pub fn literal(&self) -> &str {
        match self.0.first() {
            Some(Segment::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether some path could make it a key below `prefix`.
    pub(super) fn reaches(&self, prefix: &str) -> bool {
        self.literal().starts_with(prefix) || prefix.starts_with(self.literal())
    }

    pub(super) fn render(&self, path: &str, unload: &str, compression: Option<Compression>) -> String {
        let segment = |(index, segment): (usize, &Segment)| match segment {
            Segment::Text(text) => text.clone(),
            Segment::Path => path.to_owned(),
            Segment::Unload => without_extensions(unload, &self.0[index + 1..]).to_owned(),
            Segment::Compression => compression.map_or("", Compression::extension).to_owned(),
        };
        self.0.iter().enumerate().map(segment).collect()
    }
}

/// An unload's name without the extensions that the template puts behind it: `accounts` of `accounts.csv.gz`.
fn without_extensions<'u>(unload: &'u str, behind: &[Segment]) -> &'u str {
    let (extension, compression) = match behind {
        [Segment::Text(text), Segment::Compression] if text.starts_with('.') => (text.as_str(), true),
        [Segment::Text(text)] if text.starts_with('.') => (text.as_str(), false),
        [Segment::Compression] => ("", true),
        _ => return unload,
    };
    let compressed = Compression::of_name(unload).filter(|_| compression);
    let bare = unload.strip_suffix(compressed.map_or("", Compression::extension)).unwrap_or(unload);
    let bare = bare.strip_suffix(extension).unwrap_or(bare);
    if bare.is_empty() || bare.ends_with('/') { unload } else { bare }
}

impl fmt::Display for FinalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| match segment {
            Segment::Text(text) => f.write_str(text),
            Segment::Path => f.write_str("{path}"),
            Segment::Unload => f.write_str("{unload}"),
            Segment::Compression => f.write_str("{compression}"),
        })
    }
}
