# The image of every role: one binary in an otherwise nearly empty system, under an account without rights.
#   docker build -t bitnexus .
ARG RUST=1.95
ARG DEBIAN=bookworm

FROM rust:${RUST}-slim-${DEBIAN} AS build
WORKDIR /build
# Queries were checked against a database when they were written down in .sqlx.
ENV SQLX_OFFLINE=true CARGO_TERM_COLOR=never

# What we take from others, first: this layer is made again only when a manifest changes.
COPY Cargo.toml Cargo.lock ./
COPY ledger/Cargo.toml ledger/
COPY queue/Cargo.toml queue/
COPY domain/Cargo.toml domain/
COPY jobs/Cargo.toml jobs/
COPY api/Cargo.toml api/
COPY workers/Cargo.toml workers/
COPY cli/Cargo.toml cli/
COPY tests/Cargo.toml tests/
COPY benches/Cargo.toml benches/
RUN set -eu; \
    for crate in ledger queue domain jobs api workers cli tests benches; do mkdir -p "$crate/src"; touch "$crate/src/lib.rs"; done; \
    mkdir -p tests/it; \
    for main in cli/src benches/src tests/it; do echo 'fn main() {}' > "$main/main.rs"; done; \
    cargo build --release --locked -p cli; \
    find . -path ./target -prune -o -name '*.rs' -exec rm {} +

# Ours. The files may be older than the empty ones that were just compiled, so they are touched.
COPY . .
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + && \
    cargo build --release --locked -p cli && \
    mkdir /state && \
    target/release/bitnexus --version

# glibc, libgcc, certificates, time zones, and an account `nonroot`; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/bitnexus /usr/local/bin/bitnexus
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/bitnexus/
# A volume takes its owner from here.
COPY --from=build --chown=65532:65532 /state /var/lib/bitnexus
WORKDIR /var/lib/bitnexus
USER 65532:65532
ENV BITNEXUS_DIR=/var/lib/bitnexus API_LISTEN=0.0.0.0:4000 METRICS_LISTEN=0.0.0.0:9464 LOG_FORMAT=json
EXPOSE 4000 9464
# Asks the role that is process 1.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["bitnexus", "health"]
ENTRYPOINT ["bitnexus"]
CMD ["--help"]
