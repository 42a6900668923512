//! How Helm prints a value that is written without quotes.
//!
//! Helm reads values with sigs.k8s.io/yaml: YAML 1.1 as Go's yaml.v2 resolves it, carried as JSON, so that
//! every number is a 64-bit float, which templates print with `%v`. A tag such as `20230101` therefore
//! becomes `2.0230101e+07`. Checked against that library (the table in this module's tests).

/// What Helm prints for a scalar without quotes that reads `text`, if that is another text: numbers, octal
/// numbers and truth values.
pub(crate) fn printed(text: &str) -> Option<String> {
    let printed = match text.bytes().next()? {
        b'0'..=b'9' | b'+' | b'-' => number(text)?,
        // Go's float reader alone decides here.
        b'.' if is_decimal(text) => float(text.parse().ok()?),
        _ => boolean(text)?.to_owned(),
    };
    (printed != text).then_some(printed)
}

fn boolean(text: &str) -> Option<&'static str> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some("true")
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some("false")
        }
        _ => None,
    }
}

/// A number, if the text is one: an integer of any base, else a decimal fraction.
fn number(text: &str) -> Option<String> {
    let plain = text.replace('_', "");
    if let Some(integer) = integer(&plain) {
        return Some(float(integer));
    }
    is_decimal(&plain)
        .then(|| plain.parse::<f64>().ok())?
        .filter(|value| value.is_finite())
        .map(float)
}

/// An integer as Go's `ParseInt` with base 0 reads it: `0x`, `0o`, `0b`, and a leading zero for octal.
fn integer(plain: &str) -> Option<f64> {
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    // Go goes on to its float reader outside of the ranges of 64 bits.
    if negative && magnitude > 1 << 63 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "JSON carries it as a float, with the same loss"
    )]
    let value = magnitude as f64;
    // An integer has no negative zero.
    Some(if negative && magnitude != 0 {
        -value
    } else {
        value
    })
}

/// Whether a text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let any = !whole.is_empty() || (!fraction.is_empty() && mantissa.starts_with('.'));
    exponent && any && digits(whole) && digits(fraction)
}

/// A float as Go's `%v` prints it: the fewest digits that read back, with an exponent below 1e-4 and from
/// 1e6 on.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..LARGE).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// The power of ten from which Go prints an exponent.
const LARGE: i32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go 1.26 with sigs.k8s.io/yaml 1.5 prints.
    const PRINTED: &[(&str, &str)] = &[
        ("1.10", "1.1"),
        ("1.20", "1.2"),
        ("2024.10", "2024.1"),
        ("1.0", "1"),
        ("1.", "1"),
        ("1.e3", "1000"),
        (".5", "0.5"),
        (".5e3", "500"),
        ("+.5", "0.5"),
        ("20230101", "2.0230101e+07"),
        ("1234567", "1.234567e+06"),
        ("1000000", "1e+06"),
        ("999999", "999999"),
        ("123456", "123456"),
        ("12345678901234567890", "1.2345678901234567e+19"),
        ("9007199254740993", "9.007199254740992e+15"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("-9223372036854775809", "-9.223372036854776e+18"),
        ("123456789.123", "1.23456789123e+08"),
        ("3.14159265358979", "3.14159265358979"),
        ("12e03", "12000"),
        ("1E5", "100000"),
        ("1e10", "1e+10"),
        ("12e305", "1.2e+306"),
        ("1e400", "1e400"),
        ("12e4567", "12e4567"),
        ("1e-5", "1e-05"),
        ("0.0001", "0.0001"),
        ("0123", "83"),
        ("07_7", "63"),
        ("089", "89"),
        ("00", "0"),
        ("0", "0"),
        ("-0", "0"),
        ("0o17", "15"),
        ("0O17", "15"),
        ("0x1F", "31"),
        ("+0x10", "16"),
        ("0b11", "3"),
        ("0b2", "0b2"),
        ("1_000", "1000"),
        ("1_0.5", "10.5"),
        ("_1", "_1"),
        ("1e", "1e"),
        ("+", "+"),
        (".", "."),
        (".e3", ".e3"),
        ("1.2.3", "1.2.3"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("v1.10", "v1.10"),
        ("y", "true"),
        ("No", "false"),
        ("on", "true"),
        ("true", "true"),
        ("latest", "latest"),
    ];

    #[test]
    fn numbers_and_truth_values_are_printed_as_helm_prints_them() {
        for &(written, expected) in PRINTED {
            let printed = printed(written);
            assert_eq!(printed.as_deref().unwrap_or(written), expected, "{written}");
            assert_ne!(printed.as_deref(), Some(written), "only another text");
        }
    }
}
