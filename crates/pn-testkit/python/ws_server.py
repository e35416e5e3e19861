"""A WebSocket server that sends back what it gets. Prints `ready PORT`, and of each connection that ends `closed CODE
REASON` with the client's close code. The message `close CODE REASON` makes it close so itself."""

import argparse
import asyncio

import websockets


async def echo(connection):
    try:
        async for message in connection:
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                return await connection.close(int(code), reason)
            await connection.send(message)
    except websockets.ConnectionClosed:
        # An unusual code is no accident here.
        pass
    finally:
        # In one write: other lines go to the same place.
        print(f"closed {connection.close_code} {connection.close_reason}\n", end="", flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--subprotocol", action="append", help="one that it speaks, first choice first")
    parser.add_argument("--deflate", action="store_true", help="agree to permessage-deflate")
    options = parser.parse_args()
    # Compression would hide in its own framing what the proxy passes on.
    settings = {"compression": "deflate" if options.deflate else None, "subprotocols": options.subprotocol}
    async with websockets.serve(
        echo, "127.0.0.1", options.port, ping_interval=None, max_size=None, **settings
    ) as server:
        print("ready", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
