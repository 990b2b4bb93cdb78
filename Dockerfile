# Ottla in the layout of the apache/kafka image: what is written for that one (compose files, test containers, scripts
# that call kafka-topics.sh inside) finds what it looks for.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package ottla

FROM debian:bookworm-slim
COPY --from=build /src/target/release/ottla /usr/bin/ottla
COPY docker/image-root.sh /tmp/image-root.sh
RUN sh /tmp/image-root.sh && rm /tmp/image-root.sh
COPY docker/run docker/configure docker/launch docker/bash-config /etc/kafka/docker/
ENV PATH=/opt/kafka/bin:$PATH
USER appuser
WORKDIR /
VOLUME ["/var/lib/kafka/data", "/etc/kafka/secrets", "/mnt/shared/config"]
EXPOSE 9092
HEALTHCHECK --interval=2s --timeout=2s --retries=15 \
    CMD ["ottla", "cluster", "cluster-id", "--bootstrap-server", "localhost:9092"]
CMD ["/etc/kafka/docker/run"]
