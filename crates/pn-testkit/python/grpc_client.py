"""Sends numbered messages over one gRPC stream and checks that each comes back once and in order.

Ends after --messages, or, with --until, when that file exists. Prints a JSON summary; exits 1 when a message was lost,
doubled or out of order. --call makes one call of another kind instead and prints its code, details, answers and
trailers; a payload `xN` is N bytes.
"""

import argparse
import json
import os
import queue
import sys
import time

import grpc


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--messages", type=int, default=10)
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between messages")
    parser.add_argument("--until", metavar="FILE", help="go on until this file exists")
    parser.add_argument("--authority", help="the :authority to send, and the name to check over TLS")
    parser.add_argument("--ca", help="trusted roots; with it TLS is spoken")
    parser.add_argument("--call", choices=["Unary", "Count", "Sum", "Fail", "Hang", "Unknown"])
    parser.add_argument("--deadline", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--payload", default="1")
    return parser.parse_args()


def channel(options):
    settings = []
    if options.authority:
        settings.append(("grpc.default_authority", options.authority))
    if not options.ca:
        return grpc.insecure_channel(options.target, settings)
    if options.authority:
        settings.append(("grpc.ssl_target_name_override", options.authority))
    with open(options.ca, "rb") as roots:
        return grpc.secure_channel(options.target, grpc.ssl_channel_credentials(roots.read()), settings)


def payload(options):
    count = options.payload.removeprefix("x")
    return b"x" * int(count) if count != options.payload else count.encode()


def one_call(channel, options):
    path, message, deadline = f"/test.Echo/{options.call}", payload(options), options.deadline
    answers, code, details = [], "OK", ""
    if options.call == "Count":
        call = channel.unary_stream(path)(message, timeout=deadline)
    elif options.call == "Sum":
        call = channel.stream_unary(path).future(iter([message] * 10), timeout=deadline)
    else:
        call = channel.unary_unary(path).future(message, timeout=deadline)
    try:
        came = list(call) if options.call == "Count" else [call.result()]
        answers = [str(len(each)) if len(each) > 1000 else each.decode() for each in came]
    except grpc.RpcError as error:
        code, details = error.code().name, error.details()
    trailers = {key: value if isinstance(value, str) else value.hex() for key, value in call.trailing_metadata()}
    print(json.dumps({"code": code, "details": details, "answers": answers, "trailers": trailers}), flush=True)


def chat(channel, options):
    outgoing = queue.Queue()
    call = channel.stream_stream("/test.Echo/Chat")(iter(outgoing.get, None), timeout=3600)
    sent = received = 0
    in_order = True
    while not os.path.exists(options.until) if options.until else sent < options.messages:
        message = str(sent).encode()
        outgoing.put(message)
        sent += 1
        answer = next(call)
        if received == 0:
            print("connected", file=sys.stderr, flush=True)
        received += 1
        in_order = in_order and answer == message
        if options.gap:
            time.sleep(options.gap)
    outgoing.put(None)
    in_order = in_order and next(call, None) is None
    trailer = dict(call.trailing_metadata()).get("x-end")
    print(json.dumps({"sent": sent, "received": received, "in_order": in_order, "trailer": trailer}), flush=True)
    sys.exit(0 if in_order and sent == received else 1)


def main():
    options = parse()
    with channel(options) as open_channel:
        if options.call:
            one_call(open_channel, options)
        else:
            chat(open_channel, options)


main()
