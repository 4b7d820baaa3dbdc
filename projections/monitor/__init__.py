"""The state of the running system, asked of its processes over HTTP: `monitor` asks, `snapshot` is the answer."""
