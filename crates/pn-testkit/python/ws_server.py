"""A WebSocket server that sends back what it gets. Prints `ready PORT`."""

import argparse
import asyncio

import websockets


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    # Compression would hide in its own framing what the proxy passes on.
    async with websockets.serve(echo, "127.0.0.1", options.port, compression=None, ping_interval=None) as server:
        print("ready", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
