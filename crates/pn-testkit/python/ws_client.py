"""Sends numbered messages over one WebSocket and checks that each comes back once and in order.

Ends after --messages, or, with --until, when that file exists. Prints a JSON summary; exits 1 when a
message was lost, doubled or out of order.
"""

import argparse
import asyncio
import json
import os
import ssl
import sys

import websockets


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--messages", type=int, default=10)
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between messages")
    parser.add_argument("--until", metavar="FILE", help="go on until this file exists")
    parser.add_argument("--size", type=int, default=0, help="bytes added to each message")
    parser.add_argument("--connect", metavar="HOST:PORT", help="where to connect, whatever the URL says")
    parser.add_argument("--ca", help="trusted roots; without it none are checked")
    return parser.parse_args()


def tls(options):
    if not options.url.startswith("wss:"):
        return None
    context = ssl.create_default_context(cafile=options.ca)
    if not options.ca:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def place(options):
    if not options.connect:
        return {}
    host, port = options.connect.rsplit(":", 1)
    return {"host": host, "port": int(port)}


async def main():
    options = parse()
    sent = received = 0
    in_order = True
    async with websockets.connect(
        options.url, ssl=tls(options), compression=None, ping_interval=None, proxy=None, **place(options)
    ) as connection:
        print("connected", file=sys.stderr, flush=True)
        while not os.path.exists(options.until) if options.until else sent < options.messages:
            message = f"{sent} " + "x" * options.size
            await connection.send(message)
            sent += 1
            answer = await asyncio.wait_for(connection.recv(), 20)
            received += 1
            in_order = in_order and answer == message
            if options.gap:
                await asyncio.sleep(options.gap)
    print(json.dumps({"sent": sent, "received": received, "in_order": in_order}), flush=True)
    sys.exit(0 if in_order and sent == received else 1)


asyncio.run(main())
