//! Levels of features: those of a release, those that a new cluster begins with, and what they need of each other.

use std::collections::BTreeMap;

use ottla_metadata::{KRAFT_VERSION, METADATA_VERSION, MetadataVersion, feature_by_name};

use crate::context::Context;
use crate::failure::{Exception, Failure};

/// A feature besides metadata.version: the level of metadata.version from which on a new cluster has its highest
/// level, and the level of metadata.version that this needs in any case.
struct Feature {
    name: &'static str,
    introduced: i16,
    needs: Option<i16>,
}

/// In the order in which they are listed.
const FEATURES: [Feature; 6] = [
    Feature { name: KRAFT_VERSION, introduced: 21, needs: None },
    Feature { name: "transaction.version", introduced: 24, needs: None },
    Feature { name: "group.version", introduced: 22, needs: None },
    Feature { name: "eligible.leader.replicas.version", introduced: 26, needs: Some(23) },
    Feature { name: "share.version", introduced: 28, needs: None },
    Feature { name: "streams.version", introduced: 29, needs: None },
];

/// Known, but not to be used yet.
const UNSTABLE: (i16, &str) = (31, "4.4-IV0");

impl Feature {
    fn by_name(name: &str) -> Option<&'static Feature> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    fn highest(&self) -> i16 {
        feature_by_name(self.name).map_or(0, |feature| feature.supported.max)
    }

    fn default_level(&self, metadata_version: i16) -> i16 {
        if metadata_version >= self.introduced { self.highest() } else { 0 }
    }

    fn has_level(&self, level: i16) -> bool {
        (0..=self.highest()).contains(&level)
    }
}

/// Prints the levels that belong to a release.
pub(super) fn version_mapping(release: Option<&str>, cx: &mut Context<'_>) -> Result<(), Failure> {
    let release = release.unwrap_or(MetadataVersion::LATEST.name());
    let level = release_level(release, true)?;
    writeln!(cx.out, "{METADATA_VERSION}={level} ({release})")?;
    for feature in FEATURES {
        writeln!(cx.out, "{}={}", feature.name, feature.default_level(level))?;
    }
    Ok(())
}

/// The level of metadata.version of a release, such as `4.3-IV0`, or `4.3` for its last.
pub(super) fn release_level(release: &str, with_unstable: bool) -> Result<i16, Exception> {
    let stable = || (MetadataVersion::MINIMUM.level()..=MetadataVersion::LATEST.level()).rev();
    let named = |level: &i16| {
        let name = MetadataVersion::from_level(*level).map_or("", MetadataVersion::name);
        name == release || name.split_once('-').is_some_and(|(short, _)| short == release)
    };
    if let Some(level) = stable().find(named) {
        return Ok(level);
    }
    if with_unstable && release == UNSTABLE.1 {
        return Ok(UNSTABLE.0);
    }
    let mut known: Vec<&str> =
        stable().rev().filter_map(MetadataVersion::from_level).map(MetadataVersion::name).collect();
    if with_unstable {
        known.push(UNSTABLE.1);
    }
    let text =
        format!("Unknown metadata.version '{release}'. Supported metadata.version are: {}", known.join(", "));
    Err(Exception::terse(text))
}

/// Prints what levels of features need.
pub(super) fn dependencies(features: &[&str], cx: &mut Context<'_>) -> Result<(), Failure> {
    for text in features {
        let Some((name, level)) = text.split_once('=') else {
            return Err(Exception::terse(format!(
                "Invalid feature format: {text}. Expected format: 'feature=version' (e.g. 'group.version=1')"
            ))
            .into());
        };
        let (name, level) = (name.trim(), level.trim());
        let Ok(level) = level.parse::<i16>() else {
            return Err(
                Exception::terse(format!("Invalid version format: {level} for feature {name}")).into()
            );
        };
        if name == METADATA_VERSION {
            let Some(release) = release_name(level) else {
                return Err(Exception::terse(format!("Unknown metadata.version {level}")).into());
            };
            writeln!(cx.out, "{name}={level} ({release}) has no dependencies.")?;
            continue;
        }
        let Some(feature) = Feature::by_name(name) else {
            return Err(Exception::terse(format!("Unknown feature: {name}")).into());
        };
        if !feature.has_level(level) {
            let text = format!("Feature level {level} is not supported for feature {name}");
            return Err(Exception::terse(text).into());
        }
        match feature.needs.filter(|_| level > 0) {
            None => writeln!(cx.out, "{name}={level} has no dependencies.")?,
            Some(needed) => {
                let release = release_name(needed).unwrap_or_default();
                writeln!(cx.out, "{name}={level} requires:\n    {METADATA_VERSION}={needed} ({release})")?;
            }
        }
    }
    Ok(())
}

/// The name of a level of metadata.version.
pub(super) fn release_name(level: i16) -> Option<&'static str> {
    let unstable = (level == UNSTABLE.0).then_some(UNSTABLE.1);
    MetadataVersion::from_level(level).map(MetadataVersion::name).or(unstable)
}

/// Reads `feature=level`.
pub(super) fn parse_level(text: &str) -> Result<(String, i16), Exception> {
    let refuse = |why: &str| {
        Exception::new(
            "java.lang.RuntimeException",
            format!("Can't parse feature=level string {text}: {why}"),
        )
    };
    let (name, level) = text.split_once('=').ok_or_else(|| refuse("equals sign not found."))?;
    let level = level.trim();
    let number = level.parse().map_err(|_| refuse(&format!("unable to parse {level} as a short.")))?;
    Ok((name.trim().to_string(), number))
}

/// The levels that a cluster begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) metadata_version: i16,
    /// All other features, by name; also those at level 0.
    pub(super) others: BTreeMap<&'static str, i16>,
}

impl Levels {
    /// Works them out from `--release-version` and `--feature`.
    pub(super) fn new(
        release: Option<i16>,
        wanted: &[(String, i16)],
        has_dynamic_quorum: bool,
    ) -> Result<Levels, Exception> {
        let metadata_version = metadata_version(release, wanted)?;
        let mut names: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        names.sort_unstable();
        let mut others = BTreeMap::new();
        let mut by_name: Vec<&(String, i16)> =
            wanted.iter().filter(|(name, _)| name != METADATA_VERSION).collect();
        by_name.sort();
        for (name, level) in by_name {
            let Some(feature) = Feature::by_name(name) else {
                let names = names.join(", ");
                let text = format!("Unsupported feature: {name}. Supported features are: {names}");
                return Err(Exception::terse(text));
            };
            others.insert(feature.name, *level);
        }
        let kraft_version = kraft_version(others.get(KRAFT_VERSION).copied(), has_dynamic_quorum)?;
        others.insert(KRAFT_VERSION, kraft_version);
        for feature in &FEATURES {
            others.entry(feature.name).or_insert_with(|| feature.default_level(metadata_version));
        }
        let levels = Levels { metadata_version, others };
        levels.check()?;
        Ok(levels)
    }

    fn check(&self) -> Result<(), Exception> {
        for (name, level) in &self.others {
            let feature = Feature::by_name(name).expect("all names are of the table");
            if !feature.has_level(*level) {
                return Err(Exception::illegal_argument(format!(
                    "No feature:{name} with feature level {level}"
                )));
            }
            if let Some(needed) = feature.needs.filter(|needed| *level > 0 && self.metadata_version < *needed)
            {
                return Err(Exception::illegal_argument(format!(
                    "{name} could not be set to {level} because it depends on metadata.version level {needed}"
                )));
            }
        }
        Ok(())
    }

    /// Name and level of each feature for which there is a record, in the order of the records.
    pub(super) fn recorded(&self) -> Vec<(&'static str, i16)> {
        let others = self.others.iter().filter(|(name, level)| **name != KRAFT_VERSION && **level > 0);
        let others = others.map(|(name, level)| (*name, *level));
        std::iter::once((METADATA_VERSION, self.metadata_version)).chain(others).collect()
    }
}

fn metadata_version(release: Option<i16>, wanted: &[(String, i16)]) -> Result<i16, Exception> {
    let Some((_, level)) = wanted.iter().find(|(name, _)| name == METADATA_VERSION) else {
        return Ok(release.unwrap_or(MetadataVersion::LATEST.level()));
    };
    if release.is_some() {
        return Err(Exception::terse(
            "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.",
        ));
    }
    match release_name(*level) {
        None => Err(Exception::illegal_argument(format!(
            "No MetadataVersion with feature level {level}. Valid feature levels are from {} to {}.",
            MetadataVersion::MINIMUM.level(),
            UNSTABLE.0
        ))),
        Some(name) if *level == UNSTABLE.0 => {
            Err(Exception::terse(format!("metadata.version {name} is not yet stable.")))
        }
        Some(_) => Ok(*level),
    }
}

fn kraft_version(wanted: Option<i16>, has_dynamic_quorum: bool) -> Result<i16, Exception> {
    match wanted {
        Some(0) if has_dynamic_quorum => Err(Exception::terse(
            "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, \
             --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try \
             removing the --feature flag for kraft.version.",
        )),
        Some(level) if level != 0 && !has_dynamic_quorum => Err(Exception::terse(format!(
            "Cannot set kraft.version to {level} unless controller.quorum.voters is empty and one of the flags \
             --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers \
             support, try using one of --standalone, --initial-controllers, or --no-initial-controllers and removing \
             controller.quorum.voters."
        ))),
        Some(level) => Ok(level),
        None => Ok(i16::from(has_dynamic_quorum)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_levels() {
        let check = |release: &str, expected: Option<i16>| {
            assert_eq!(release_level(release, true).ok(), expected, "{release}");
        };
        check("3.3", Some(7));
        check("3.3-IV3", Some(7));
        check("3.6", Some(14));
        check("4.0-IV1", Some(23));
        check("4.3", Some(30));
        check("4.4-IV0", Some(31));
        check("4.4", None);
        check("9.9", None);
        assert!(release_level("4.4-IV0", false).is_err());
    }

    #[track_caller]
    fn check(
        release: Option<i16>,
        wanted: &[(&str, i16)],
        dynamic: bool,
        expected: Result<&[(&str, i16)], &str>,
    ) {
        let wanted: Vec<(String, i16)> =
            wanted.iter().map(|(name, level)| (name.to_string(), *level)).collect();
        let found = Levels::new(release, &wanted, dynamic).map(|levels| levels.recorded());
        assert_eq!(
            found.map_err(|error| error.text().to_string()),
            expected.map(<[_]>::to_vec).map_err(str::to_string)
        );
    }

    #[test]
    fn a_cluster_begins_with_the_levels_of_its_release() {
        check(
            None,
            &[],
            true,
            Ok(&[
                ("metadata.version", 30),
                ("eligible.leader.replicas.version", 1),
                ("group.version", 1),
                ("share.version", 1),
                ("streams.version", 1),
                ("transaction.version", 2),
            ]),
        );
        check(Some(21), &[], false, Ok(&[("metadata.version", 21)]));
        check(
            None,
            &[("metadata.version", 25)],
            false,
            Ok(&[("metadata.version", 25), ("group.version", 1), ("transaction.version", 2)]),
        );
    }

    #[test]
    fn levels_that_make_no_sense_are_refused() {
        check(
            Some(25),
            &[("metadata.version", 25)],
            false,
            Err("Use --release-version instead of --feature metadata.version=X to avoid ambiguity."),
        );
        check(
            Some(21),
            &[("eligible.leader.replicas.version", 1)],
            false,
            Err(
                "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23",
            ),
        );
        check(None, &[("share.version", 2)], false, Err("No feature:share.version with feature level 2"));
        check(
            None,
            &[("metadata.version", 2)],
            false,
            Err("No MetadataVersion with feature level 2. Valid feature levels are from 7 to 31."),
        );
    }
}
