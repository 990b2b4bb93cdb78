# Ottla in the layout of the apache/kafka image: what is written for that one (compose files, test containers, scripts
# that call kafka-topics.sh inside) finds what it looks for.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package ottla

FROM debian:bookworm-slim
COPY --from=build /src/target/release/ottla /usr/bin/ottla
COPY docker /tmp/docker
RUN sh /tmp/docker/image-root.sh && rm -r /tmp/docker
ENV PATH=/opt/kafka/bin:$PATH
USER appuser
WORKDIR /
VOLUME ["/var/lib/kafka/data", "/etc/kafka/secrets", "/mnt/shared/config"]
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]
