//! SASL mechanisms, OAuth and delegation tokens.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST, at_least, between, one_of_any_case};

keys! { pub(super) KEYS {
    "sasl.mechanism.inter.broker.protocol": STRING = "GSSAPI", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "SASL mechanism between brokers.";
    "sasl.enabled.mechanisms": LIST = "GSSAPI", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "SASL mechanisms that clients may use.";
    "sasl.server.callback.handler.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that checks what SASL clients send.";
    "sasl.kerberos.principal.to.local.rules": LIST = "DEFAULT", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "Rules that shorten Kerberos names to principals.";
    "sasl.jaas.config": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Login of a listener and mechanism in JAAS form.";
    "sasl.client.callback.handler.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that answers SASL servers.";
    "sasl.login.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that logs in.";
    "sasl.login.callback.handler.class": CLASS = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that gives the login what it asks for.";
    "sasl.kerberos.service.name": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Name of Kafka's service in Kerberos.";
    "sasl.kerberos.kinit.cmd": STRING = "/usr/bin/kinit", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Path of kinit.";
    "sasl.kerberos.ticket.renew.window.factor": DOUBLE = "0.8", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Share of a ticket's life after which it is renewed.";
    "sasl.kerberos.ticket.renew.jitter": DOUBLE = "0.05", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Random share by which that moment varies.";
    "sasl.kerberos.min.time.before.relogin": LONG = "60000", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Shortest time between two Kerberos logins.";
    "sasl.login.refresh.window.factor": DOUBLE = "0.8", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Share of a token's life after which a new one is fetched.";
    "sasl.login.refresh.window.jitter": DOUBLE = "0.05", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Random share by which that moment varies.";
    "sasl.login.refresh.min.period.seconds": SHORT = "60", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Shortest time between two fetches of a token.";
    "sasl.login.refresh.buffer.seconds": SHORT = "300", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "How long before a token ends the next one should be there.";
    "sasl.login.connect.timeout.ms": INT = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "How long connecting to the identity provider may take.";
    "sasl.login.read.timeout.ms": INT = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "How long reading from the identity provider may take.";
    "sasl.login.retry.backoff.max.ms": LONG = "10000", ANY, LOW, READ_ONLY, ACCEPTED,
        "Longest pause between attempts to reach the identity provider.";
    "sasl.login.retry.backoff.ms": LONG = "100", ANY, LOW, READ_ONLY, ACCEPTED,
        "First pause between attempts to reach the identity provider.";
    "sasl.oauthbearer.jwt.retriever.class": CLASS = "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that fetches tokens.";
    "sasl.oauthbearer.jwt.validator.class": CLASS = "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that checks tokens.";
    "sasl.oauthbearer.scope": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Scope that is asked for with a token.";
    "sasl.oauthbearer.client.credentials.client.id": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Client id for the identity provider.";
    "sasl.oauthbearer.client.credentials.client.secret": PASSWORD = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Client secret for the identity provider.";
    "sasl.oauthbearer.assertion.algorithm": STRING = "RS256",
        one_of_any_case(&["ES256", "RS256"]), MEDIUM, READ_ONLY, ACCEPTED,
        "Algorithm that signs assertions.";
    "sasl.oauthbearer.assertion.claim.aud": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Audience that an assertion names.";
    "sasl.oauthbearer.assertion.claim.exp.seconds": INT = "300",
        between(0.0, 86400.0), LOW, READ_ONLY, ACCEPTED,
        "How long an assertion is good for.";
    "sasl.oauthbearer.assertion.claim.iss": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Issuer that an assertion names.";
    "sasl.oauthbearer.assertion.claim.jti.include": BOOLEAN = "false", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Whether an assertion gets an id of its own.";
    "sasl.oauthbearer.assertion.claim.nbf.seconds": INT = "60",
        between(0.0, 3600.0), LOW, READ_ONLY, ACCEPTED,
        "How long before its making an assertion is already good.";
    "sasl.oauthbearer.assertion.claim.sub": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Subject that an assertion names.";
    "sasl.oauthbearer.assertion.file": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "File of a ready assertion.";
    "sasl.oauthbearer.assertion.private.key.file": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "File of the key that signs assertions.";
    "sasl.oauthbearer.assertion.private.key.passphrase": PASSWORD = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Passphrase of that key.";
    "sasl.oauthbearer.assertion.template.file": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "File of headers and claims that assertions start from.";
    "sasl.oauthbearer.scope.claim.name": STRING = "scope", ANY, LOW, READ_ONLY, ACCEPTED,
        "Claim that holds a token's scope.";
    "sasl.oauthbearer.sub.claim.name": STRING = "sub", ANY, LOW, READ_ONLY, ACCEPTED,
        "Claim that holds a token's subject.";
    "sasl.oauthbearer.token.endpoint.url": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Where tokens are fetched.";
    "sasl.oauthbearer.jwks.endpoint.url": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Where the keys that check tokens are fetched.";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": LONG = "3600000", ANY, LOW, READ_ONLY, ACCEPTED,
        "How often those keys are fetched again.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": LONG = "100", ANY, LOW, READ_ONLY, ACCEPTED,
        "First pause between attempts to fetch them.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": LONG = "10000", ANY, LOW, READ_ONLY, ACCEPTED,
        "Longest pause between attempts to fetch them.";
    "sasl.oauthbearer.clock.skew.seconds": INT = "30", ANY, LOW, READ_ONLY, ACCEPTED,
        "How far the clocks of broker and identity provider may differ.";
    "sasl.oauthbearer.expected.audience": LIST = "", LIST, HIGH, READ_ONLY, ACCEPTED,
        "Audiences of which a token must name one.";
    "sasl.oauthbearer.expected.issuer": STRING = null, ANY, HIGH, READ_ONLY, ACCEPTED,
        "Issuer that a token must name.";
    "delegation.token.secret.key": PASSWORD = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Secret that delegation tokens are made with, the same on all nodes.";
    "delegation.token.max.lifetime.ms": LONG = "604800000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Longest life of a delegation token, renewals included.";
    "delegation.token.expiry.time.ms": LONG = "86400000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "How long a delegation token lives without renewal.";
    "delegation.token.expiry.check.interval.ms": LONG = "3600000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "How often expired delegation tokens are looked for.";
} }
