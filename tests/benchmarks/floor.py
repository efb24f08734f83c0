"""The floor: a streaming reverse proxy on aiohttp, as one would write it who knows aiohttp well and wants no more.

    python -m tests.benchmarks.floor PORT CA_FILE NAME=ORIGIN…

Both bodies stream, connections are pooled, content codings pass untouched; no router, no access log, uvloop.
"""

import asyncio
import ssl
import sys

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"} | {
    "proxy-authenticate",
    "proxy-authorization",
}


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP)


async def main(port: int, ca_file: str, origins: dict[str, str]) -> None:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=ssl.create_default_context(cafile=ca_file))
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    ) as session:

        async def proxy(request: web.BaseRequest) -> web.StreamResponse:
            name, _, rest = request.raw_path[1:].partition("/")
            async with session.request(
                request.method,
                URL(f"{origins[name]}/{rest}", encoded=True),
                headers=end_to_end(request.headers),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
            ) as answer:
                response = web.StreamResponse(
                    status=answer.status, reason=answer.reason, headers=end_to_end(answer.headers)
                )
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(proxy, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], dict(pair.split("=", 1) for pair in sys.argv[3:])))
