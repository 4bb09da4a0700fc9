# Four images: `make images`, or `docker build --target producer .` (cameras in, no torch), `docker build --target worker .`
# (the detector), `docker build --target serve .` (the HTTP service and the console, no torch) and `docker build --target events .`
# (trackers and webhooks, no torch). It needs BuildKit or Buildah, for the secret `ca`.
# Any Debian with Python 3.11 or newer as `python3`, its venv module and CA certificates will do as base. `make base-image`
# writes the digest of what the tag names today behind it.
ARG BASE=python:3.12-slim-bookworm

# The one pin that the builder needs: other pins may change, and it is not made anew.
# hadolint ignore=DL3006
FROM ${BASE} AS uv-pin
COPY constraints.txt ./
RUN sed -n '/^uv==/,/[^\\]$/p' constraints.txt > /uv.txt

# hadolint ignore=DL3006
FROM ${BASE} AS builder
COPY deploy/with_ca.sh /opt/with_ca
COPY --from=uv-pin /uv.txt /opt/uv.txt
RUN --mount=type=secret,id=ca python3 -m venv /opt/uv \
    && sh /opt/with_ca /opt/uv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --requirement /opt/uv.txt \
    && python3 -m venv --without-pip /venv \
    # The program itself lies beside what it needs, so that a change of it makes one small layer.
    && /venv/bin/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "groundcam.pth").write_text("/app\n")'
ENV PATH=/opt/uv/bin:$PATH VIRTUAL_ENV=/venv UV_NO_CACHE=1 UV_LINK_MODE=copy UV_HTTP_TIMEOUT=180
WORKDIR /build

# What is installed, as two lists: the layers below are made anew when a list changes, not when pyproject.toml does.
FROM builder AS lists
# Another index of torch's packages, such as that of CPU-only wheels; the default ones bring CUDA along.
ARG TORCH_INDEX=
COPY pyproject.toml constraints.txt deploy/list_packages.sh ./
RUN --mount=type=secret,id=ca sh /opt/with_ca sh list_packages.sh producer \
    && sh /opt/with_ca sh list_packages.sh worker \
    && sh /opt/with_ca sh list_packages.sh serve \
    && sh /opt/with_ca sh list_packages.sh events

FROM builder AS program
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY groundcam groundcam
COPY schemas schemas
COPY runtime runtime
COPY producers producers
COPY worker worker
COPY serve serve
COPY events events
RUN --mount=type=secret,id=ca sh /opt/with_ca uv pip install --compile-bytecode --no-deps \
        --build-constraints constraints.txt --require-build-hashes --target /app . \
    && cp LICENSE NOTICE /app/

# hadolint ignore=DL3006
FROM ${BASE} AS final
# What installs or builds has no place in a running container.
RUN find / -xdev \( -name pip -o -name 'pip-*.dist-info' -o -name ensurepip -o -name setuptools -o -name 'setuptools-*.dist-info' \) \
        -path '*/python3*' -prune -exec rm -rf {} + \
    && rm -f /usr/bin/pip* /usr/local/bin/pip* \
    && groupadd --gid 65532 groundcam \
    && useradd --uid 65532 --gid 65532 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin groundcam
# All that is written lies below /tmp: the root may be read-only. On a GPU /tmp must allow what is compiled to be loaded
# (`--tmpfs /tmp:exec`). Mount a volume and set HF_HOME to keep models.
ENV PATH=/app/bin:/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/cache \
    HF_HOME=/tmp/huggingface \
    TORCHINDUCTOR_CACHE_DIR=/tmp/torchinductor \
    TRITON_CACHE_DIR=/tmp/triton \
    MPLCONFIGDIR=/tmp/matplotlib \
    GROUNDCAM_HTTP__HOST=:: \
    GROUNDCAM_HTTP__PORT=8080
WORKDIR /tmp
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"GROUNDCAM_HTTP__PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["groundcam"]
CMD ["--help"]
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM builder AS producer-packages
COPY --from=lists /build/producer.txt ./
RUN --mount=type=secret,id=ca sh /opt/with_ca uv pip install --compile-bytecode --no-deps \
        --require-hashes --requirement producer.txt \
    && /venv/bin/python -c 'import importlib.util, sys; sys.exit("torch is in the producer" if importlib.util.find_spec("torch") else 0)'

FROM final AS producer
COPY --from=producer-packages /venv /venv
COPY --from=program /app /app
# The licences are those of NOTICE: `make notice` writes both.
LABEL org.opencontainers.image.licenses="0BSD AND Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSD-3-Clause AND BSD-3-Clause-Clear AND CC0-1.0 AND GPL-2.0-or-later AND GPL-3.0-or-later WITH GCC-exception-3.1 AND IJG AND ISC AND LGPL-2.0-or-later AND LGPL-2.1-or-later AND LGPL-3.0-or-later AND MIT AND MIT-open-group AND MPL-2.0 AND PSF-2.0 AND Unicode-3.0 AND Unicode-DFS-2016 AND Unlicense AND Zlib AND LicenseRef-base-image" \
      org.opencontainers.image.title="groundcam producer" \
      org.opencontainers.image.description="Puts frames of cameras and files on Apache Kafka."

FROM builder AS serve-packages
COPY --from=lists /build/serve.txt ./
RUN --mount=type=secret,id=ca sh /opt/with_ca uv pip install --compile-bytecode --no-deps \
        --require-hashes --requirement serve.txt \
    && /venv/bin/python -c 'import importlib.util, sys; sys.exit("torch is in the service" if importlib.util.find_spec("torch") else 0)'

# It listens on loopback until it is told who may ask: GROUNDCAM_SERVE__HOST with GROUNDCAM_SERVE__KEYS_FILE or __OPEN.
FROM final AS serve
COPY --from=serve-packages /venv /venv
COPY --from=program /app /app
EXPOSE 8000
LABEL org.opencontainers.image.licenses="0BSD AND Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSD-3-Clause AND CC0-1.0 AND GPL-3.0-or-later WITH GCC-exception-3.1 AND IJG AND ISC AND LGPL-2.1-or-later AND libpng-2.0 AND libtiff AND MIT AND MPL-2.0 AND OpenSSL AND PSF-2.0 AND Unicode-3.0 AND Unicode-DFS-2016 AND Unlicense AND Zlib AND LicenseRef-base-image AND LicenseRef-Intel-Simplified-Software-License" \
      org.opencontainers.image.title="groundcam serve" \
      org.opencontainers.image.description="Serves Grounding DINO over HTTP, in front of workers on Apache Kafka."

FROM builder AS events-packages
COPY --from=lists /build/events.txt ./
RUN --mount=type=secret,id=ca sh /opt/with_ca uv pip install --compile-bytecode --no-deps \
        --require-hashes --requirement events.txt \
    && /venv/bin/python -c 'import importlib.util, sys; sys.exit("torch is beside the tracker" if importlib.util.find_spec("torch") else 0)'

FROM final AS events
COPY --from=events-packages /venv /venv
COPY --from=program /app /app
LABEL org.opencontainers.image.licenses="0BSD AND Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSD-3-Clause AND CC0-1.0 AND GPL-3.0-or-later WITH GCC-exception-3.1 AND IJG AND ISC AND LGPL-2.1-or-later AND libpng-2.0 AND libtiff AND MIT AND MPL-2.0 AND OpenSSL AND PSF-2.0 AND Unicode-3.0 AND Unicode-DFS-2016 AND Unlicense AND Zlib AND LicenseRef-base-image AND LicenseRef-Intel-Simplified-Software-License" \
      org.opencontainers.image.title="groundcam events" \
      org.opencontainers.image.description="Follows objects through detections on Apache Kafka, and tells of their lives."

FROM builder AS worker-packages
ARG TORCH_INDEX=
COPY --from=lists /build/worker.txt /build/worker-other.txt ./
# Libraries that only a linker reads are 180 MB.
RUN --mount=type=secret,id=ca sh /opt/with_ca uv pip install --compile-bytecode --no-deps \
        --require-hashes --requirement worker.txt \
    && if [ -s worker-other.txt ]; then \
        sh /opt/with_ca uv pip install --compile-bytecode --no-deps --requirement worker-other.txt \
            --index "${TORCH_INDEX}" --index-strategy unsafe-best-match; \
    fi \
    && find /venv -name '*.a' -delete
# Triton compiles one C file at its first use on a GPU. It is compiled here instead, so that the image needs no
# compiler: see deploy/triton-cc. Versions are the base's own: it is its compiler.
COPY deploy/triton-cc deploy/build_triton_driver.sh /opt/
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && sh /opt/build_triton_driver.sh /venv

FROM final AS worker
COPY --from=worker-packages /venv /venv
COPY --from=program /app /app
ENV CC=/venv/triton/triton-cc
LABEL org.opencontainers.image.licenses="0BSD AND Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSD-3-Clause AND BSL-1.0 AND CC0-1.0 AND CNRI-Python AND FTL AND GPL-3.0-or-later WITH GCC-exception-3.1 AND IJG AND ISC AND LGPL-2.1-or-later AND LGPL-3.0-only AND libpng-2.0 AND libtiff AND MIT AND MIT-CMU AND MIT-open-group AND MPL-2.0 AND NCSA AND OpenSSL AND PSF-2.0 AND Unicode-3.0 AND Unicode-DFS-2016 AND Unlicense AND Zlib AND LicenseRef-base-image AND LicenseRef-Intel-Simplified-Software-License AND LicenseRef-NVIDIA-Proprietary" \
      org.opencontainers.image.title="groundcam worker" \
      org.opencontainers.image.description="Answers questions about frames on Apache Kafka with Grounding DINO."
