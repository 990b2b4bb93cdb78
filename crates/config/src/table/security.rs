//! TLS, principals and what all authentication shares.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST, one_of};

keys! { pub(super) KEYS {
    "connections.max.reauth.ms": LONG = "0", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "sasl.server.max.receive.size": INT = "524288", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "security.providers": STRING = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "principal.builder.class": CLASS = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.client.auth": STRING = "none",
        one_of(&["required", "requested", "none"]), MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.principal.mapping.rules": STRING = "DEFAULT", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "ssl.allow.dn.changes": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "ssl.allow.san.changes": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "ssl.protocol": STRING = "TLSv1.3", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.provider": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.enabled.protocols": LIST = "TLSv1.2,TLSv1.3", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.keystore.type": STRING = "JKS", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.keystore.location": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.keystore.password": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.key.password": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.keystore.key": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.keystore.certificate.chain": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.truststore.type": STRING = "JKS", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.truststore.location": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.truststore.password": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.truststore.certificates": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.keymanager.algorithm": STRING = "SunX509", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.trustmanager.algorithm": STRING = "PKIX", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.endpoint.identification.algorithm": STRING = "https", ANY, LOW, PER_BROKER, ACCEPTED,
        "";
    "ssl.secure.random.implementation": STRING = null, ANY, LOW, PER_BROKER, ACCEPTED,
        "";
    "ssl.cipher.suites": LIST = "", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "ssl.engine.factory.class": CLASS = null, ANY, LOW, PER_BROKER, ACCEPTED,
        "";
} }
