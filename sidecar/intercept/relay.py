"""A WebSocket between agent and provider: the handshake's answer as the provider gave it, then byte for byte.

Compression, masks, pings and close codes are the two ends' own business; the frames are only counted.
"""

import time

from sidecar.errors import UpstreamBroken
from sidecar.exchange import Exchange, Response
from sidecar.intercept.incoming import AgentSide
from sidecar.intercept.outgoing import own_fields, status_line
from sidecar.intercept.splice import Splice
from sidecar.websocket import TRAFFIC, SocketTraffic


async def relay(side: AgentSide, exchange: Exchange, response: Response, *, told: bool) -> None:
    """Relay until both ends have closed.

    Raises:
        UpstreamBroken: the provider broke off without a close frame.
        ConnectionError: the agent did.
    """
    tunnel = response.tunnel
    assert tunnel is not None
    traffic = SocketTraffic()
    exchange.notes.put(TRAFFIC, traffic)
    head = status_line(response.status, response.reason) + response.headers.block
    side.write(head + (own_fields(exchange, response.answered_by) if told else b"") + b"\r\n")
    transport, sent_early = side.take_over()
    splice = Splice(on_agent_bytes=traffic.from_agent.feed, on_provider_bytes=traffic.from_provider.feed)
    splice.provider.attach(tunnel.transport, tunnel.rest)
    splice.agent.attach(transport, sent_early)
    try:
        await splice.done
    finally:
        splice.abort()
        traffic.provider_bytes = splice.provider.received_bytes
        for record in exchange.notes.attempts:
            if record.status == response.status:  # others have been tried, and may have been after it
                record.ended = time.monotonic()
                record.body_bytes = traffic.provider_bytes
        traffic.agent_bytes = splice.agent.received_bytes
    if traffic.close_code is None:
        if splice.first_lost is splice.agent:
            raise ConnectionResetError("the agent left without a close frame")
        raise UpstreamBroken("the provider closed the socket without a close frame", begun=True)
