"""Rule: what the proxy does with the bytes and the connections of a link."""

from dataclasses import dataclass
from typing import Literal

PIECE_SECONDS = 0.05


@dataclass(frozen=True)
class Rule:
    """`up` is from the process to the server, `down` from the server to the process; both may be chosen.

    pass   forward everything
    cut    end connections with a FIN, also new ones at once. In one direction: only its receiver sees the end.
    reset  end connections with a RST, also new ones at once. In one direction: only its receiver sees the end, and
           the other side keeps a half-open connection until the next rule.
    hold   nothing arrives, no byte and no end of a connection, as of a network that drops packets; what was sent
           waits as it would be sent again, and arrives when the rule ends. New connections are accepted and wait.
    slow   what is sent at once arrives `latency` seconds late, and no more than `bytes_per_second` arrive
    split  `after` bytes of the next chunk arrive, which breaks a frame in two; then the link stalls like `hold`, or
           is reset
    """

    kind: Literal["pass", "cut", "reset", "hold", "slow", "split"] = "pass"
    up: bool = True
    down: bool = True
    latency: float = 0
    """Seconds."""
    bytes_per_second: float = 0
    """0 is as fast as can be."""
    after: int = 0
    then: Literal["stall", "reset"] = "stall"

    def piece(self, size: int) -> int:
        """How many of so many waiting bytes go out in one PIECE_SECONDS."""
        return min(size, max(1, int(self.bytes_per_second * PIECE_SECONDS))) if self.bytes_per_second else size


PASS = Rule()
