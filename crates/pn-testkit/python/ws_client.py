"""Sends numbered messages over one WebSocket and checks that each comes back once and in order.

Ends after --messages, or, with --until, when that file exists. Prints a JSON summary; exits 1 when a
message was lost, doubled or out of order. --say sends one message instead and prints what comes back or how the server
closed; --close is the code with which the client closes.
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
    parser.add_argument("--subprotocol", action="append")
    parser.add_argument("--deflate", action="store_true", help="offer permessage-deflate")
    parser.add_argument("--binary", action="store_true", help="binary messages")
    parser.add_argument("--say", metavar="TEXT")
    parser.add_argument("--close", type=int, default=1000, metavar="CODE")
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


def connect(options):
    settings = {"subprotocols": options.subprotocol, "compression": "deflate" if options.deflate else None}
    return websockets.connect(
        options.url, ssl=tls(options), ping_interval=None, max_size=None, proxy=None, **settings, **place(options)
    )


async def say(connection, options):
    await connection.send(options.say)
    answer = None
    try:
        answer = await asyncio.wait_for(connection.recv(), 20)
        await connection.ping()
        await connection.close(options.close, "as asked")
    except websockets.ConnectionClosed:
        pass
    print(json.dumps({
        "answer": answer,
        "close": connection.close_code,
        "reason": connection.close_reason,
        "subprotocol": connection.subprotocol,
        "extensions": [extension.name for extension in connection.protocol.extensions],
    }), flush=True)


async def count(connection, options):
    sent = received = 0
    in_order = True
    print("connected", file=sys.stderr, flush=True)
    while not os.path.exists(options.until) if options.until else sent < options.messages:
        message = f"{sent} " + "x" * options.size
        message = message.encode() if options.binary else message
        await connection.send(message)
        sent += 1
        answer = await asyncio.wait_for(connection.recv(), 20)
        received += 1
        in_order = in_order and answer == message
        if options.gap:
            await asyncio.sleep(options.gap)
    print(json.dumps({"sent": sent, "received": received, "in_order": in_order}), flush=True)
    return in_order and sent == received


async def main():
    options = parse()
    async with connect(options) as connection:
        if options.say is not None:
            await say(connection, options)
        elif not await count(connection, options):
            sys.exit(1)


asyncio.run(main())
