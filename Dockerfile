# The images of operator and worker.
#
#   docker build --target operator -t sluice/sluice-operator:0.1.0 .
#   docker build --target worker   -t sluice/sluice-worker:0.1.0 .
#
# Both base images are arguments, so that a mirror, or images made by hand, can be used where Docker Hub cannot be reached. The
# final images take from BASE_IMAGE only what they find there: the libraries that a binary needs come from the build stage, so
# `scratch` will do.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm
ARG BASE_IMAGE=scratch

FROM ${BUILD_IMAGE} AS build
RUN command -v cmake >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends build-essential \
      clang cmake pkg-config libcurl4-openssl-dev libsasl2-dev libssl-dev libzstd-dev zlib1g-dev ca-certificates; }
WORKDIR /sluice
COPY . .
RUN cargo build --release --locked -p operator -p worker
# What each image holds: its binary, the libraries that it needs, the certificate authorities, and a user without rights.
RUN for name in operator worker; do \
      root=/image/$name; binary=target/release/sluice-$name; \
      mkdir -p $root/etc/ssl/certs $root/usr/local/bin && mkdir -m 1777 $root/tmp; \
      install $binary $root/usr/local/bin/; \
      ldd $binary | grep -o '/[^ ]*' | sort -u | xargs -I{} cp -L --parents {} $root/; \
      cp /etc/ssl/certs/ca-certificates.crt $root/etc/ssl/certs/; \
      printf 'root:x:0:0::/:\nnonroot:x:65532:65532::/:\n' >$root/etc/passwd; \
      printf 'root:x:0:\nnonroot:x:65532:\n' >$root/etc/group; \
      printf 'hosts: files dns\n' >$root/etc/nsswitch.conf; \
    done

FROM ${BASE_IMAGE} AS operator
COPY --from=build /image/operator/ /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/sluice-operator"]

FROM ${BASE_IMAGE} AS worker
COPY --from=build /image/worker/ /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/sluice-worker"]
