//! `ottla log verify`: reads everything, compares every checksum, changes nothing.

use std::path::Path;

use ottla_log::{DamagedRange, HelperTrouble, LogFindings, verify_log};
use ottla_protocol::Offset;
use serde_json::{Value, json};

use super::{Named, disk, find, offsets};
use crate::context::Context;
use crate::short::words::{Flag, Usage};

pub(super) const OUTPUT: Flag =
    Flag { short: 'o', long: "output", value: "FORMAT", help: "text, which is the default, or json" };

pub(super) const USAGE: Usage = Usage {
    synopsis: "log verify DIR... [FLAG]...",
    about: "Looks for damage in log directories, or directories of partitions.",
    flags: &[&OUTPUT],
    notes: "Reads all of it and changes nothing. Stop the broker first: what it is writing looks torn.\n\
            Ends with 0 if everything is sound, 1 if anything is damaged, 2 if it could not look.",
};

/// What was found in all that was named.
#[derive(Default)]
struct Found {
    logs: Vec<LogFindings>,
    troubles: Vec<HelperTrouble>,
}

pub(super) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    let words = match USAGE.read(words, cx) {
        Ok(words) => words,
        Err(code) => return code,
    };
    if words.operands.is_empty() {
        return USAGE.complain(cx, "name a directory");
    }
    let is_json = match words.last(&OUTPUT) {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return USAGE.complain(cx, &format!("there is no output {other}")),
    };
    let mut found = Found::default();
    for path in &words.operands {
        if let Err(error) = found.add(Path::new(path)) {
            cx.out.flush().ok();
            writeln!(cx.err, "error: {error}\n  → name a directory of log.dirs, or one in it").ok();
            return 2;
        }
    }
    let is_sound = found.logs.iter().all(LogFindings::is_sound) && found.troubles.is_empty();
    let text = if is_json { format!("{:#}\n", found.to_json(is_sound)) } else { found.to_text() };
    write!(cx.out, "{text}").ok();
    i32::from(!is_sound)
}

impl Found {
    fn add(&mut self, path: &Path) -> Result<(), String> {
        let disk = disk();
        let Named { places, troubles, .. } = find(&*disk, path).map_err(|error| error.to_string())?;
        self.troubles.extend(troubles);
        for place in places {
            let found = verify_log(&disk, &place.topic_partition, &place.dir, place.facts);
            self.logs.push(found.map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for HelperTrouble { path, what } in &self.troubles {
            text.push_str(&format!("{}: {what}\n", path.display()));
        }
        for log in &self.logs {
            text.push_str(&text_of(log));
        }
        let damaged = self.logs.iter().filter(|log| !log.damaged.is_empty()).count();
        let bytes: u64 = self.logs.iter().map(|log| log.bytes).sum();
        text.push_str(&format!("{} partitions, {bytes} bytes: ", self.logs.len()));
        match damaged {
            0 => text.push_str("no record is damaged\n"),
            count => text.push_str(&format!(
                "{count} damaged\n  → `ottla log export DIR --to DIR` copies what is sound\n"
            )),
        }
        text
    }

    fn to_json(&self, is_sound: bool) -> Value {
        let helper = |trouble: &HelperTrouble| json!({"file": trouble.path.display().to_string(), "what": trouble.what});
        let logs = self.logs.iter().map(|log| {
            json!({
                "partition": log.topic_partition.to_string(),
                "segments": log.segments,
                "bytes": log.bytes,
                "startOffset": log.offsets.start.0,
                "endOffset": log.offsets.end.0,
                "damaged": log.damaged.iter().map(json_of).collect::<Vec<_>>(),
                "tornEnd": log.torn_end.as_ref().map(json_of),
                "missing": log.missing.iter().map(|gap| json!([gap.start.0, gap.end.0])).collect::<Vec<_>>(),
                "helpers": log.helpers.iter().map(helper).collect::<Vec<_>>(),
            })
        });
        json!({
            "sound": is_sound,
            "partitions": logs.collect::<Vec<_>>(),
            "files": self.troubles.iter().map(helper).collect::<Vec<_>>(),
        })
    }
}

fn json_of(range: &DamagedRange) -> Value {
    let end = Some(range.offsets.end).filter(|end| *end < Offset(i64::MAX));
    json!({
        "file": range.path.display().to_string(),
        "position": range.position,
        "bytes": range.bytes,
        "startOffset": range.offsets.start.0,
        // Not known where nothing sound follows.
        "endOffset": end.map(|end| end.0),
        "what": range.what,
    })
}

fn text_of(log: &LogFindings) -> String {
    let LogFindings { topic_partition, segments, bytes, .. } = log;
    let verdict = match (log.damaged.is_empty(), log.helpers.is_empty()) {
        (true, true) => "sound",
        (true, false) => "records are sound",
        (false, _) => "DAMAGED",
    };
    let mut text = format!(
        "{topic_partition}: {verdict}, offsets {} to {}, {segments} segments, {bytes} bytes\n",
        log.offsets.start, log.offsets.end
    );
    for range in &log.damaged {
        text.push_str(&line_of("damaged", range));
    }
    if let Some(torn) = &log.torn_end {
        text.push_str(&line_of("torn end, cut off by the next start", torn));
    }
    for gap in &log.missing {
        text.push_str(&format!(
            "  {} are in no segment: damage, unless the log was compacted\n",
            offsets(gap)
        ));
    }
    for HelperTrouble { path, what } in &log.helpers {
        text.push_str(&format!("  {}: {what}; made anew by the next start\n", path.display()));
    }
    text
}

fn line_of(kind: &str, range: &DamagedRange) -> String {
    let DamagedRange { path, position, bytes, what, .. } = range;
    let offsets = offsets(&range.offsets);
    format!("  {kind}: {} at {position}, {bytes} bytes, {offsets}: {what}\n", path.display())
}
