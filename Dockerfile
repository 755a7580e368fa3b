# syntax=docker/dockerfile:1
# pgduet alone, configured by PGRST_* variables: docker run -e PGRST_DB_URI=… -p 3000:3000 pgduet

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# For `pgduet --version`: docker build --build-arg SOURCE_COMMIT=$(git rev-parse --short=12 HEAD) .
ARG SOURCE_COMMIT
# The caches keep compiled dependencies from build to build; what is in them does not get into the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin pgduet \
 && cp target/release/pgduet /usr/local/bin/pgduet

FROM debian:bookworm-slim
# To verify the certificate of a database by the system's roots.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/pgduet /usr/local/bin/pgduet
USER 10001:10001
# The admin server, for the health check, probes and Prometheus. It listens where the server does, so that a kubelet reaches
# it. It has no authentication and shows the schema: publish port 3000 alone.
ENV PGRST_ADMIN_SERVER_PORT=3001
EXPOSE 3000 3001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["pgduet", "--ready", "--admin-server-host", "127.0.0.1"]
ENTRYPOINT ["pgduet"]
