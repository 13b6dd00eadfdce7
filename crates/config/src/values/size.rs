//! Sizes as people write them: a whole number and a unit.

use super::{Setting, quoted};
use crate::tree::Node;

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// So many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// Reads `512KiB`, `256MiB` or `1GiB`.
fn parse(text: &str) -> Option<Size> {
    let text = text.trim();
    UNITS.iter().find_map(|(unit, bytes)| {
        let number = text.strip_suffix(unit)?.trim_end();
        let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        let number = is_number.then(|| number.parse::<u64>().ok())??;
        Some(Size(number.checked_mul(*bytes)?))
    })
}

impl Setting for Size {
    fn parse(node: &Node) -> Result<Self, String> {
        let text = String::parse(node)?;
        parse(&text).ok_or_else(|| {
            format!(
                "{} is not a size: write a whole number and its unit, as in \"512KiB\", \"256MiB\" or \"1GiB\"",
                quoted(&text)
            )
        })
    }

    /// In the largest unit that is exact.
    fn show(&self) -> toml::Value {
        let exact = |(_, bytes): &&(&str, u64)| self.0.is_multiple_of(*bytes);
        match UNITS.iter().find(exact) {
            Some((unit, bytes)) => format!("{}{unit}", self.0 / bytes).into(),
            None => format!("{}KiB", self.0.div_ceil(1 << 10)).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for text in ["1KiB", "512KiB", "256MiB", "3GiB", "1025MiB"] {
            let size = parse(text).expect(text);
            assert_eq!(size.show(), toml::Value::from(text));
        }
        assert_eq!(parse("1024 MiB"), Some(Size(1 << 30)));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "256",
            "MiB",
            "-1MiB",
            "1.5GiB",
            "256MB",
            "256mib",
            "+1MiB",
            "1TiB",
            "99999999999999999999KiB",
            "20000000000GiB",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
