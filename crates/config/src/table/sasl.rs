//! SASL mechanisms, OAuth and delegation tokens.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST, at_least, between, one_of_any_case};

keys! { pub(super) KEYS {
    "sasl.mechanism.inter.broker.protocol": STRING = "GSSAPI", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.enabled.mechanisms": LIST = "GSSAPI", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.server.callback.handler.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.kerberos.principal.to.local.rules": LIST = "DEFAULT", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.jaas.config": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.client.callback.handler.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.login.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.login.callback.handler.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.kerberos.service.name": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.kerberos.kinit.cmd": STRING = "/usr/bin/kinit", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.kerberos.ticket.renew.window.factor": DOUBLE = "0.8", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.kerberos.ticket.renew.jitter": DOUBLE = "0.05", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.kerberos.min.time.before.relogin": LONG = "60000", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.login.refresh.window.factor": DOUBLE = "0.8", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.login.refresh.window.jitter": DOUBLE = "0.05", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.login.refresh.min.period.seconds": SHORT = "60", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.login.refresh.buffer.seconds": SHORT = "300", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "sasl.login.connect.timeout.ms": INT = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.login.read.timeout.ms": INT = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.login.retry.backoff.max.ms": LONG = "10000", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.login.retry.backoff.ms": LONG = "100", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.jwt.retriever.class": CLASS = "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.jwt.validator.class": CLASS = "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.scope": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.client.credentials.client.id": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.client.credentials.client.secret": PASSWORD = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.algorithm": STRING = "RS256",
        one_of_any_case(&["ES256", "RS256"]), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.claim.aud": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.claim.exp.seconds": INT = "300",
        between(0.0, 86400.0), LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.claim.iss": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.claim.jti.include": BOOLEAN = "false", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.claim.nbf.seconds": INT = "60",
        between(0.0, 3600.0), LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.claim.sub": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.file": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.private.key.file": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.private.key.passphrase": PASSWORD = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.assertion.template.file": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.scope.claim.name": STRING = "scope", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.sub.claim.name": STRING = "sub", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.token.endpoint.url": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.jwks.endpoint.url": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": LONG = "3600000", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": LONG = "100", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": LONG = "10000", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.clock.skew.seconds": INT = "30", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.expected.audience": LIST = "", LIST, HIGH, READ_ONLY, ACCEPTED,
        "";
    "sasl.oauthbearer.expected.issuer": STRING = null, ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "delegation.token.secret.key": PASSWORD = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "delegation.token.max.lifetime.ms": LONG = "604800000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "delegation.token.expiry.time.ms": LONG = "86400000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "delegation.token.expiry.check.interval.ms": LONG = "3600000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
} }
