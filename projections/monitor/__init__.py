"""The running system as its processes tell of it over HTTP; `monitor.Monitor` asks, `picture` is what one sees."""
