//! Times as Java's `SimpleDateFormat` prints them, in the language of Kafka's messages and the zone of the system.

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use crate::failure::Exception;

/// A pattern such as `yyyy-MM-dd HH:mm:ss:SSS`.
#[derive(Debug)]
pub(super) struct DateFormat {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A letter and how often it stands there.
    Field(char, usize),
}

/// The letters that mean something, but for those of weeks.
const LETTERS: &str = "GyMLdDEuaHkKhmsSzZX";

impl DateFormat {
    /// Reads a pattern: letters are fields, what is quoted and everything else stands for itself.
    pub(super) fn parse(pattern: &str) -> Result<DateFormat, Exception> {
        let mut parts: Vec<Part> = Vec::new();
        let text = |parts: &mut Vec<Part>, c: char| match parts.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => parts.push(Part::Text(c.to_string())),
        };
        let mut quoted = false;
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, parts.last_mut()) {
                ('\'', _) if chars.next_if_eq(&'\'').is_some() => text(&mut parts, '\''),
                ('\'', _) => quoted = !quoted,
                _ if quoted || !c.is_ascii_alphabetic() => text(&mut parts, c),
                (_, Some(Part::Field(letter, count))) if *letter == c => *count += 1,
                _ if LETTERS.contains(c) => parts.push(Part::Field(c, 1)),
                _ => return Err(Exception::illegal_argument(format!("Illegal pattern character '{c}'"))),
            }
        }
        if quoted {
            return Err(Exception::illegal_argument("Unterminated quote"));
        }
        Ok(DateFormat { parts })
    }

    /// Milliseconds since 1970 in words.
    pub(super) fn format(&self, time_ms: i64) -> String {
        self.format_in(time_ms, TimeZone::system())
    }

    fn format_in(&self, time_ms: i64, zone: TimeZone) -> String {
        let time = jiff::Timestamp::from_millisecond(time_ms).unwrap_or_default().to_zoned_datetime(zone);
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(letter, count) => field(&time, *letter, *count),
        });
        parts.collect()
    }
}

fn field(time: &ZonedDateTime, letter: char, count: usize) -> String {
    let words = |short: &str, long: &str| time.strftime(if count < 4 { short } else { long }).to_string();
    let number = match letter {
        'G' => return String::from("AD"),
        'E' => return words("%a", "%A"),
        'a' => return words("%p", "%p"),
        'z' => return words("%Z", "%Z"),
        'Z' => return words("%z", "%z"),
        'M' | 'L' if count >= 3 => return words("%b", "%B"),
        'X' => return iso_offset(time, count),
        'y' if count == 2 => return format!("{:02}", time.year().rem_euclid(100)),
        'y' => i32::from(time.year()),
        'M' | 'L' => i32::from(time.month()),
        'd' => i32::from(time.day()),
        'D' => i32::from(time.day_of_year()),
        'u' => i32::from(time.weekday().to_monday_one_offset()),
        'H' => i32::from(time.hour()),
        'k' => (i32::from(time.hour()) + 23) % 24 + 1,
        'K' => i32::from(time.hour()) % 12,
        'h' => (i32::from(time.hour()) + 11) % 12 + 1,
        'm' => i32::from(time.minute()),
        's' => i32::from(time.second()),
        _ => i32::from(time.millisecond()),
    };
    format!("{number:0count$}")
}

fn iso_offset(time: &ZonedDateTime, count: usize) -> String {
    let seconds = time.offset().seconds();
    if seconds == 0 {
        return String::from("Z");
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    match count {
        1 => format!("{sign}{hours:02}"),
        2 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java prints.
    #[test]
    fn patterns_mean_what_they_mean_in_java() {
        let check = |pattern: &str, expected: &str| {
            let format = DateFormat::parse(pattern).unwrap();
            assert_eq!(format.format_in(1_700_000_000_123, TimeZone::UTC), expected, "{pattern}");
        };
        check("yyyy-MM-dd HH:mm:ss:SSS", "2023-11-14 22:13:20:123");
        check("yy/M/d h:mm a", "23/11/14 10:13 PM");
        check("EEE, d MMM yyyy HH:mm:ss Z", "Tue, 14 Nov 2023 22:13:20 +0000");
        check("yyyy.MM.dd 'at' HH 'o''clock' XXX", "2023.11.14 at 22 o'clock Z");
        check("SSSSS k K D u", "00123 22 10 318 2");
    }

    #[test]
    fn letters_without_a_meaning_are_refused() {
        let text = |pattern: &str| DateFormat::parse(pattern).unwrap_err().text().to_owned();
        assert_eq!(text("yyyy b"), "Illegal pattern character 'b'");
        assert_eq!(text("yyyy 'at"), "Unterminated quote");
    }
}
