//! The four compressions of a batch's records, with limits.
//!
//! Nothing here holds more of the decompressed bytes than a codec's own window, unless the caller asks for them.

mod snappy;
mod stream;
mod zstd;

use std::io::{Read, Write};

use super::RecordError;

pub(super) use stream::{Stream, StreamError};

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Snappy in xerial's framing, as Kafka's clients write it; without framing it is read too.
    Snappy,
    /// LZ4 frames with independent blocks.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

impl Compression {
    /// All of them, in the order of their ids.
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// The compression of an id in a batch's attributes.
    pub fn from_id(id: u8) -> Option<Compression> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The compression of a name, as `compression.type` has it.
    pub fn from_name(name: &str) -> Option<Compression> {
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }

    /// The id in a batch's attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// First bytes of a gzip member.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// First bytes of an LZ4 frame. Skippable and legacy frames are not what Kafka reads.
const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// `compression.zstd.level`'s default.
const ZSTD_LEVEL_DEFAULT: i32 = 3;

/// Reads the decompressed form of bytes, a piece at a time.
enum Decoder<'a> {
    None(&'a [u8]),
    Gzip(Box<flate2::bufread::GzDecoder<&'a [u8]>>),
    Snappy(snappy::Reader<'a>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<&'a [u8]>>),
    Zstd(zstd::Reader<'a>),
}

impl<'a> Decoder<'a> {
    fn new(compression: Compression, bytes: &'a [u8]) -> std::io::Result<Decoder<'a>> {
        Ok(match compression {
            Compression::None => Decoder::None(bytes),
            Compression::Gzip => Decoder::Gzip(Box::new(flate2::bufread::GzDecoder::new(bytes))),
            Compression::Snappy => Decoder::Snappy(snappy::Reader::new(bytes)?),
            Compression::Lz4 => {
                if !bytes.starts_with(&LZ4_MAGIC) {
                    return Err(std::io::Error::other("no LZ4 frame"));
                }
                Decoder::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(bytes)))
            }
            Compression::Zstd => Decoder::Zstd(zstd::Reader::new(bytes)?),
        })
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Decoder::None(decoder) => decoder.read(buffer),
            Decoder::Gzip(decoder) => read_gzip(decoder, buffer),
            Decoder::Snappy(decoder) => decoder.read(buffer),
            Decoder::Lz4(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// Reads member after member. Bytes after the last one are ignored, as the JVM does.
fn read_gzip(decoder: &mut flate2::bufread::GzDecoder<&[u8]>, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        let count = decoder.read(buffer)?;
        let rest = *decoder.get_ref();
        if count > 0 || buffer.is_empty() || !rest.starts_with(&GZIP_MAGIC) {
            return Ok(count);
        }
        *decoder = flate2::bufread::GzDecoder::new(rest);
    }
}

/// Decompresses `bytes` into memory, at most `limit` of them.
///
/// # Errors
/// [`RecordError::TooLarge`] past the limit, [`RecordError::Decompress`] for damaged bytes.
pub fn decompress(compression: Compression, bytes: &[u8], limit: u64) -> Result<Vec<u8>, RecordError> {
    let failed = |error: std::io::Error| RecordError::Decompress(compression.name(), error.to_string());
    let mut out = Vec::new();
    let decoder = Decoder::new(compression, bytes).map_err(failed)?;
    // One byte more than allowed tells "exactly the limit" from "more".
    decoder.take(limit.saturating_add(1)).read_to_end(&mut out).map_err(failed)?;
    if out.len() as u64 > limit { Err(RecordError::TooLarge { limit }) } else { Ok(out) }
}

/// Appends the compressed form of `bytes` to `out`. `level` `None` is Kafka's default; snappy and lz4 have no levels
/// here, and levels out of a codec's range are taken as the nearest in it.
pub fn compress(compression: Compression, level: Option<i32>, bytes: &[u8], out: &mut Vec<u8>) {
    let mut source = bytes;
    encode(compression, level, &mut source, out).expect("compressing from memory into memory cannot fail");
}

/// The same records in another codec, a piece at a time; `None` if that makes more than `bytes_max`. `size` is that of the
/// records when decompressed: what comes behind them, another LZ4 frame for instance, is nobody's.
///
/// # Errors
/// The bytes cannot be decompressed.
pub(super) fn transcode(
    bytes: &[u8],
    from: Compression,
    to: Compression,
    level: Option<i32>,
    size: u64,
    bytes_max: usize,
) -> std::io::Result<Option<Vec<u8>>> {
    let mut sink = Bounded { bytes: Vec::new(), bytes_max, is_full: false };
    match encode(to, level, &mut Decoder::new(from, bytes)?.take(size), &mut sink) {
        Err(_) if sink.is_full => Ok(None),
        other => other.map(|()| Some(sink.bytes)),
    }
}

/// Takes bytes up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.bytes_max - self.bytes.len() {
            self.is_full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn encode(
    compression: Compression,
    level: Option<i32>,
    source: &mut impl Read,
    sink: &mut impl Write,
) -> std::io::Result<()> {
    match compression {
        Compression::None => std::io::copy(source, sink).map(drop),
        Compression::Gzip => {
            let level = match level {
                Some(level @ 1..) => flate2::Compression::new(level.min(9) as u32),
                _ => flate2::Compression::default(),
            };
            let mut encoder = flate2::write::GzEncoder::new(sink, level);
            std::io::copy(source, &mut encoder)?;
            encoder.finish().map(drop)
        }
        Compression::Snappy => snappy::write(source, sink),
        Compression::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new()
                .block_mode(lz4_flex::frame::BlockMode::Independent)
                .block_size(lz4_flex::frame::BlockSize::Max64KB);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, sink);
            std::io::copy(source, &mut encoder)?;
            encoder.finish().map(drop).map_err(Into::into)
        }
        Compression::Zstd => {
            let levels = ::zstd::compression_level_range();
            let level = level.unwrap_or(ZSTD_LEVEL_DEFAULT).clamp(*levels.start(), *levels.end());
            ::zstd::stream::copy_encode(source, sink, level)
        }
    }
}
