//! Lines of standard input, read beside the runtime so that records leave while the next line is awaited.

use std::io::Read;
use tokio::sync::mpsc;

/// How many batches of lines may wait.
const QUEUE: usize = 16;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// `\n`, `\r` or both, as Java's readers have it.
    Any,
    /// `\n` alone; every other byte belongs to the line.
    Newline,
}

/// Starts reading; whatever came in at once comes out together. The channel ends with the input.
pub(crate) fn read_lines(
    mut input: impl Read + Send + 'static,
    line_end: LineEnd,
) -> mpsc::Receiver<std::io::Result<Vec<Vec<u8>>>> {
    let (tell, told) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut splitter = Splitter::new(line_end);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match input.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read,
            };
            let (lines, ended) = match read {
                Ok(0) => (Ok(splitter.finish()), true),
                Ok(count) => (Ok(splitter.split(&buffer[..count])), false),
                Err(error) => (Err(error), true),
            };
            // Nobody listens any more: the tool is about to end.
            if tell.blocking_send(lines).is_err() || ended {
                return;
            }
        }
    });
    told
}

/// Cuts a stream of bytes into lines.
struct Splitter {
    line_end: LineEnd,
    line: Vec<u8>,
    /// The last byte was `\r`: a `\n` that follows belongs to it.
    after_return: bool,
}

impl Splitter {
    fn new(line_end: LineEnd) -> Splitter {
        Splitter { line_end, line: Vec::new(), after_return: false }
    }

    fn split(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let ends = |byte: &u8| *byte == b'\n' || *byte == b'\r' && self.line_end == LineEnd::Any;
            match bytes.iter().position(ends) {
                Some(end) => {
                    self.line.extend_from_slice(&bytes[..end]);
                    lines.push(std::mem::take(&mut self.line));
                    self.after_return = bytes[end] == b'\r';
                    bytes = &bytes[end + 1..];
                }
                None => {
                    self.line.extend_from_slice(bytes);
                    bytes = &[];
                }
            }
        }
        lines
    }

    /// What stands behind the last line end, if anything.
    fn finish(&mut self) -> Vec<Vec<u8>> {
        if self.line.is_empty() { Vec::new() } else { vec![std::mem::take(&mut self.line)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line_end: LineEnd, pieces: &[&str], expected: &[&str]) {
        let mut splitter = Splitter::new(line_end);
        let mut lines: Vec<Vec<u8>> =
            pieces.iter().flat_map(|piece| splitter.split(piece.as_bytes())).collect();
        lines.extend(splitter.finish());
        assert_eq!(lines, expected.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn lines_end_as_in_java_or_at_newlines_only() {
        check(LineEnd::Any, &["a\nb\r\nc\rd"], &["a", "b", "c", "d"]);
        check(LineEnd::Any, &["a\r", "\nb\n", "\n"], &["a", "b", ""]);
        check(LineEnd::Any, &["a\r\r\n"], &["a", ""]);
        check(LineEnd::Newline, &["a\r\nb", "c\n"], &["a\r", "bc"]);
        check(LineEnd::Any, &[], &[]);
    }
}
