# samssl in a container: docs/containers.md
#
#   docker build -t samssl .                              # for the CPU
#   docker build -t samssl --build-arg BUILD=cuda .       # for NVIDIA GPUs
FROM python:3.11-slim

# cpu: the small build of PyTorch, in the versions of constraints-cpu.txt; cuda: the one that PyPI carries.
ARG BUILD=cpu

ENV PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1 \
    LC_ALL=C.UTF-8 \
    MPLCONFIGDIR=/tmp/matplotlib

WORKDIR /opt/samssl
COPY pyproject.toml README.md LICENSE constraints-cpu.txt ./
COPY samssl_cli samssl_cli

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN case "$BUILD" in \
      cpu) export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; pip install -c constraints-cpu.txt . ;; \
      cuda) pip install . ;; \
      *) echo "BUILD=$BUILD: expected cpu or cuda" >&2; exit 1 ;; \
    esac \
    && useradd --create-home --uid 1000 samssl \
    && mkdir /work \
    && chown samssl:samssl /work

USER 1000:1000
WORKDIR /work

# As process 1 samssl itself gets the signals of `docker stop`, saves its state and ends with 143.
STOPSIGNAL SIGTERM
ENTRYPOINT ["samssl"]
CMD ["--help"]
