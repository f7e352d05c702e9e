# The service on the CPU: no torch, no CUDA.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
# The dependencies change less often than the code, so they are a layer of their own.
RUN python -c "import pathlib, tomllib; names = tomllib.loads(pathlib.Path('pyproject.toml').read_text())['tool']['setuptools']['packages']; [pathlib.Path(name.replace('.', '/')).mkdir(parents=True, exist_ok=True) for name in names]" \
    && python -m venv /opt/raincell \
    && /opt/raincell/bin/pip install --no-cache-dir --constraint constraints.txt --editable '.[cpu]'
COPY radar radar
COPY models models
COPY training training
COPY service service

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="raincell" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 raincell && install --directory --owner 10001 /verification
COPY --from=build /opt/raincell /opt/raincell
COPY --from=build /app /app
WORKDIR /app
USER 10001
ENV PATH=/opt/raincell/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 RAINCELL_HOST=0.0.0.0 RAINCELL_LOG_FORMAT=json
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python", "-m", "service", "run"]
