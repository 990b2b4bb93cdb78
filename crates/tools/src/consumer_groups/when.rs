//! The times of `--to-datetime` and `--by-duration`.

use crate::failure::Exception;
use crate::java;

/// Milliseconds since 1970 of `yyyy-MM-ddTHH:mm:ss.SSS`, with `Z`, `+hh:mm` or `+hh` behind; UTC if nothing is.
pub(super) fn datetime_ms(text: &str) -> Result<i64, Exception> {
    let unparsable =
        |text: String| Exception::new("java.text.ParseException", text).wrapped("java.lang.RuntimeException");
    let parts = java::split(text, 'T');
    let [_, time, ..] = parts.as_slice() else {
        let text = "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        return Err(unparsable(text.to_string()));
    };
    let zoned = if time.contains(['+', '-', 'Z']) { text.to_string() } else { format!("{text}Z") };
    parse(&zoned).ok_or_else(|| unparsable(format!("Unparseable date: \"{zoned}\"")))
}

fn parse(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut number = |before: &str, least: i64, most: i64| {
        rest = rest.strip_prefix(before)?.trim_start_matches([' ', '\t']);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        (least..=most).contains(&value).then_some(value)
    };
    let (year, month) = (number("", 1, 9_999_999)?, number("-", 1, 12)?);
    let day = number("-", 1, days_of_month(year, month))?;
    let (hour, minute, second) = (number("T", 0, 23)?, number(":", 0, 59)?, number(":", 0, 59)?);
    let millis = number(".", 0, 999)?;
    let offset_minutes = zone_minutes(rest)?;
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1000 + millis)
}

/// `Z`, `+hh:mm`, `+hh`; what is behind does not matter.
fn zone_minutes(text: &str) -> Option<i64> {
    if text.starts_with('Z') {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let two_digits =
        |text: &str| text.get(..2)?.bytes().all(|b| b.is_ascii_digit()).then(|| text[..2].parse().ok())?;
    let rest = &text[1..];
    let hours: i64 = two_digits(rest).filter(|hours| *hours <= 23)?;
    let minutes = rest[2..].strip_prefix(':').and_then(two_digits).filter(|minutes: &i64| *minutes <= 59);
    Some(sign * (hours * 60 + minutes.unwrap_or(0)))
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar, counted in years that begin in March, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

/// Milliseconds of `PnDTnHnMn.nS`; every part may be left out or negative, but one must be there.
pub(super) fn duration_ms(text: &str) -> Result<i64, Exception> {
    let unparsable =
        || Exception::new("java.time.format.DateTimeParseException", "Text cannot be parsed to a Duration");
    parse_duration(text).ok_or_else(unparsable)
}

fn parse_duration(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let (sign, rest) = match upper.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    if !days.is_empty() {
        nanos += parse_amount(days.strip_suffix('D')?)? * 86_400_000_000_000;
    }
    let mut rest = time;
    for (unit, unit_nanos) in [('H', 3_600_000_000_000), ('M', 60_000_000_000)] {
        if let Some((amount, after)) = rest.split_once(unit) {
            nanos += parse_amount(amount)? * unit_nanos;
            rest = after;
        }
    }
    if !rest.is_empty() {
        let seconds = rest.strip_suffix('S')?;
        let (whole, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, ""));
        if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let below: i128 = format!("{fraction:0<9}").parse().ok()?;
        let below = if whole.starts_with('-') { -below } else { below };
        nanos += parse_amount(whole)? * 1_000_000_000 + below;
    }
    i64::try_from((sign * nanos).div_euclid(1_000_000)).ok()
}

/// Digits with or without a sign.
fn parse_amount(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let amount: i64 = is_number.then(|| text.parse().ok())??;
    Some(i128::from(amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_are_read_as_java_reads_them() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let found = datetime_ms(text).map_err(|error| error.text().to_string());
            assert_eq!(found, expected.map_err(str::to_string), "{text}");
        };
        check("1970-01-01T00:00:00.000", Ok(0));
        check("2024-02-29T12:34:56.789", Ok(1_709_210_096_789));
        check("2024-02-29T12:34:56.789Z", Ok(1_709_210_096_789));
        check("2024-02-29T12:34:56.789+02:30", Ok(1_709_201_096_789));
        check("2024-02-29T12:34:56.789-01", Ok(1_709_213_696_789));
        check("1969-12-31T23:59:59.999", Ok(-1));
        check("2024-1-1T0:0:0.5", Ok(1_704_067_200_005));
        check(
            "2024-01-01",
            Err(
                "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to ISO8601 \
                 format",
            ),
        );
        check("2024-01-01T00:00", Err("java.text.ParseException: Unparseable date: \"2024-01-01T00:00Z\""));
        check(
            "2023-02-29T00:00:00.000",
            Err("java.text.ParseException: Unparseable date: \"2023-02-29T00:00:00.000Z\""),
        );
    }

    #[test]
    fn durations_are_read_as_java_reads_them() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(duration_ms(text).ok(), expected, "{text}");
        check("PT15M", Some(900_000));
        check("P2DT3H4M5.678S", Some(183_845_678));
        check("-PT1H", Some(-3_600_000));
        check("PT-0.5S", Some(-500));
        check("pt1s", Some(1000));
        check("P1D", Some(86_400_000));
        for text in ["P", "PT", "1D", "P1H", "PT1D", "PT1", "PTS", "P1DT", ""] {
            check(text, None);
        }
    }
}
