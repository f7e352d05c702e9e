# The service on the CPU: no torch, no CUDA. Context: the repository's root.
# No digest, so that a build takes the fixes of Debian and Python that the tag has by then.
FROM python:3.11-slim-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY pyproject.toml constraints.txt docker/slim.sh LICENSE NOTICE ./
# The dependencies change less often than the code, so they are a layer of their own.
# Versions, not hashes: pip takes no project in its own folder together with hashes, and the wheels differ by platform.
RUN python -c "import pathlib, tomllib; names = tomllib.loads(pathlib.Path('pyproject.toml').read_text())['tool']['setuptools']['packages']; [pathlib.Path(name.replace('.', '/')).mkdir(parents=True, exist_ok=True) for name in names]" \
    && touch README.md \
    && python -m venv /opt/raincell \
    && /opt/raincell/bin/pip install --no-cache-dir --constraint constraints.txt --editable '.[cpu]' \
    && /opt/raincell/bin/pip uninstall --yes pip setuptools \
    && sh slim.sh /opt/raincell \
    && rm slim.sh
COPY radar radar
COPY models models
COPY training training
COPY service service
# The root file system is read-only at run time: what is compiled is compiled here.
RUN python -m compileall -q radar models training service

FROM python:3.11-slim-bookworm
ARG VERSION=0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="raincell-service" \
      org.opencontainers.image.description="Rain nowcasts over HTTP, on the CPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
# Volumes take their owner from these folders.
RUN useradd --system --uid 10001 raincell \
    && install --directory --owner 10001 /archive /grafana-secret /models /secrets /verification
COPY --from=build /opt/raincell /opt/raincell
COPY --from=build /app /app
WORKDIR /app
USER 10001
ENV PATH=/opt/raincell/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    RAINCELL_COMMIT=$COMMIT RAINCELL_HOST=0.0.0.0 RAINCELL_LOG_FORMAT=json
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=10s --start-period=180s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=9)"]
CMD ["python", "-m", "service", "run"]
