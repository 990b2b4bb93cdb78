//! Regular expressions over topic names, as tools take them.

use regex::Regex;

use crate::failure::Exception;

/// Topics of Kafka's own.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Which topics are meant: a regular expression that has to match the whole name. A comma means "or", quotes around it
/// and spaces are dropped.
#[derive(Debug)]
pub(crate) struct TopicFilter {
    regex: Regex,
}

impl TopicFilter {
    /// Reads an expression. What only Java's expressions have, such as look-ahead, is refused as invalid.
    pub(crate) fn new(text: &str) -> Result<TopicFilter, Exception> {
        let text = text.trim_matches(|c| c <= ' ').replace(',', "|").replace(' ', "");
        let text = text.trim_matches(['"', '\'']);
        let regex = Regex::new(&format!("^(?:{text})$"));
        let regex = regex.map_err(|_| {
            Exception::new("java.lang.RuntimeException", format!("{text} is an invalid regex."))
        })?;
        Ok(TopicFilter { regex })
    }

    /// Whether a topic is meant.
    pub(crate) fn allows(&self, topic: &str, exclude_internal: bool) -> bool {
        self.regex.is_match(topic) && !(exclude_internal && is_internal(topic))
    }
}

/// Whether a topic is one of Kafka's own.
pub(crate) fn is_internal(topic: &str) -> bool {
    INTERNAL.contains(&topic)
}

/// The topic that an expression can only mean, if it is a plain name. Names with dots are expressions: a dot is any
/// character.
pub(crate) fn plain_name(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (!text.is_empty() && text.len() <= 249 && text.bytes().all(plain)).then_some(text)
}

/// The rules for a topic's name, and what to say when it breaks one.
pub(crate) fn check_topic_name(name: &str) -> Result<(), Exception> {
    let class = "org.apache.kafka.common.errors.InvalidTopicException";
    ottla_controller::check_topic_name(name).map_err(|text| Exception::new(class, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &str, topic: &str, expected: bool) {
        assert_eq!(
            TopicFilter::new(filter).expect(filter).allows(topic, false),
            expected,
            "{filter} {topic}"
        );
    }

    #[test]
    fn the_whole_name_has_to_match() {
        check("orders", "orders", true);
        check("orders", "orders2", false);
        check("ord.*", "orders", true);
        check("a.b", "axb", true);
        check("a, b", "b", true);
        check("'a,b'", "b", true);
        check("a|b", "ab", false);
    }

    #[test]
    fn internal_topics_can_be_left_out() {
        let filter = TopicFilter::new("__.*").expect("valid");
        assert!(filter.allows("__consumer_offsets", false));
        assert!(!filter.allows("__consumer_offsets", true));
        assert!(filter.allows("__mine", true));
    }

    #[test]
    fn an_invalid_expression_is_named() {
        let error = TopicFilter::new("a[").expect_err("invalid");
        assert_eq!(error.to_string(), "java.lang.RuntimeException: a[ is an invalid regex.");
    }
}
