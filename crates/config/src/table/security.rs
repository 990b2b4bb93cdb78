//! TLS, principals and what all authentication shares.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST, one_of, refused};

keys! { pub(super) KEYS {
    "connections.max.reauth.ms": LONG = "0", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "After how long a SASL client must authenticate again; 0 means never.";
    "sasl.server.max.receive.size": INT = "524288", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Largest message that is read before a client has authenticated by SASL.";
    "security.providers": STRING = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "Java classes that provide security algorithms.";
    "principal.builder.class": CLASS = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        ANY, MEDIUM, PER_BROKER,
        refused("Java classes cannot be loaded",
            "leave it out; ssl.principal.mapping.rules covers the usual mappings."),
        "Class that makes a principal of what a client authenticated with.";
    "ssl.client.auth": STRING = "none",
        one_of(&["required", "requested", "none"]), MEDIUM, PER_BROKER, ACCEPTED,
        "Whether TLS clients must show a certificate: required, requested or none.";
    "ssl.principal.mapping.rules": STRING = "DEFAULT", ANY, LOW, READ_ONLY, ACCEPTED,
        "Rules that shorten the names in certificates to principals.";
    "ssl.allow.dn.changes": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "Whether a new certificate may have another name than the old one.";
    "ssl.allow.san.changes": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "Whether a new certificate may have other alternative names than the old one.";
    "ssl.protocol": STRING = "TLSv1.3", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Newest TLS version to use.";
    "ssl.provider": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Java provider of TLS.";
    "ssl.enabled.protocols": LIST = "TLSv1.2,TLSv1.3", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "TLS versions to use.";
    "ssl.keystore.type": STRING = "JKS", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Format of the key store: JKS, PKCS12 or PEM.";
    "ssl.keystore.location": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "File of the key store.";
    "ssl.keystore.password": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Password of the key store.";
    "ssl.key.password": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Password of the private key.";
    "ssl.keystore.key": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Private key as PEM text.";
    "ssl.keystore.certificate.chain": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Certificate and its chain as PEM text.";
    "ssl.truststore.type": STRING = "JKS", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Format of the trust store: JKS, PKCS12 or PEM.";
    "ssl.truststore.location": STRING = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "File of the trust store.";
    "ssl.truststore.password": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Password of the trust store.";
    "ssl.truststore.certificates": PASSWORD = null, ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Trusted certificates as PEM text.";
    "ssl.keymanager.algorithm": STRING = "SunX509", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Algorithm of the Java key manager.";
    "ssl.trustmanager.algorithm": STRING = "PKIX", ANY, MEDIUM, PER_BROKER, ACCEPTED,
        "Algorithm of the Java trust manager.";
    "ssl.endpoint.identification.algorithm": STRING = "https", ANY, LOW, PER_BROKER, ACCEPTED,
        "How a server's name is checked against its certificate; empty means not at all.";
    "ssl.secure.random.implementation": STRING = null, ANY, LOW, PER_BROKER, ACCEPTED,
        "Java's source of random numbers for TLS.";
    "ssl.cipher.suites": LIST = "", LIST, MEDIUM, PER_BROKER, ACCEPTED,
        "Cipher suites to use; empty means the usual ones.";
    "ssl.engine.factory.class": CLASS = null, ANY, LOW, PER_BROKER,
        refused("Java classes cannot be loaded",
            "leave it out."),
        "Class that makes TLS engines.";
} }
