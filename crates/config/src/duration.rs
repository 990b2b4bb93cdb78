//! ISO-8601 durations as `java.time.Duration` reads them: `PnDTnHnMn.nS`, any case, each number signed.

/// The duration in milliseconds, or nothing where the text is none or too long to count.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let (negative, rest) = match upper.as_bytes().first()? {
        b'-' => (true, &upper[1..]),
        b'+' => (false, &upper[1..]),
        _ => (false, upper.as_str()),
    };
    let rest = rest.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None if rest.is_empty() => return None,
        None => (rest, ""),
    };
    let mut total_ms: i64 = 0;
    for (part, units) in
        [(date, &[('D', 86_400_000)][..]), (time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)][..])]
    {
        total_ms = total_ms.checked_add(parse_part(part, units)?)?;
    }
    Some(if negative { total_ms.checked_neg()? } else { total_ms })
}

/// Reads numbers followed by the letters of `units`, each at most once and in their order.
fn parse_part(mut part: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total_ms: i64 = 0;
    for (letter, unit_ms) in units {
        let Some((number, rest)) = part.split_once(*letter) else { continue };
        let (whole, fraction_ms) = match number.split_once(['.', ',']) {
            Some((whole, fraction)) if *letter == 'S' => (whole, parse_fraction(fraction)?),
            Some(_) => return None,
            None => (number, 0),
        };
        let signed_fraction = if whole.starts_with('-') { -fraction_ms } else { fraction_ms };
        let whole_ms = whole.parse::<i64>().ok()?.checked_mul(*unit_ms)?;
        total_ms = total_ms.checked_add(whole_ms)?.checked_add(signed_fraction)?;
        part = rest;
    }
    part.is_empty().then_some(total_ms)
}

/// Milliseconds of up to nine digits after the point.
fn parse_fraction(digits: &str) -> Option<i64> {
    if digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<3}")[..3].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_read_as_java_reads_them() {
        for (text, expect) in [
            ("PT1H", Some(3_600_000)),
            ("P1DT2H3M4.5S", Some(93_784_500)),
            ("pt0.001s", Some(1)),
            ("-PT5S", Some(-5_000)),
            ("PT-5S", Some(-5_000)),
            ("P3D", Some(259_200_000)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("PT1S2M", None),
            ("1h", None),
            ("PT1.5H", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expect, "{text}");
        }
    }
}
