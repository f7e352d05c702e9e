# Training, retraining, archives and Dask workers. Context: the repository's root.
# No digest, so that a build takes the fixes of Debian and Python that the tag has by then.
FROM python:3.11-slim-bookworm AS build
# Where pip finds torch for the CPU; empty: PyPI's, which brings CUDA along.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /app
COPY pyproject.toml constraints.txt LICENSE NOTICE ./
# Versions, not hashes: pip takes no project in its own folder together with hashes, and the wheels differ by platform.
RUN python -c "import pathlib, tomllib; names = tomllib.loads(pathlib.Path('pyproject.toml').read_text())['tool']['setuptools']['packages']; [pathlib.Path(name.replace('.', '/')).mkdir(parents=True, exist_ok=True) for name in names]" \
    && touch README.md \
    && python -m venv /opt/raincell \
    && /opt/raincell/bin/pip install --no-cache-dir --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --editable '.[cpu,training]' \
    && /opt/raincell/bin/pip uninstall --yes pip
COPY radar radar
COPY models models
COPY training training
COPY service service
RUN python -m compileall -q radar models training service

FROM python:3.11-slim-bookworm
ARG VERSION=0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="raincell-training" \
      org.opencontainers.image.description="Training, retraining and archives of radar frames" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
RUN useradd --system --uid 10001 raincell \
    && install --directory --owner 10001 /archive /models /verification
COPY --from=build /opt/raincell /opt/raincell
COPY --from=build /app /app
WORKDIR /app
USER 10001
ENV PATH=/opt/raincell/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    RAINCELL_COMMIT=$COMMIT HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
# A batch job is healthy while it runs; the scheduler has a check of its own.
HEALTHCHECK NONE
CMD ["python", "-m", "training", "--help"]
