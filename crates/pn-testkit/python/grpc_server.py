"""A gRPC server without generated code: messages are plain bytes. Prints `ready PORT`.

/test.Echo/Unary sends back its message, /test.Echo/Count answers N messages, /test.Echo/Chat sends back each message
of a stream as it comes, /test.Echo/Sum adds up how long they are; every call ends with the trailer `x-end: done`.
/test.Echo/Fail ends with RESOURCE_EXHAUSTED and a trailer of bytes; /test.Echo/Hang never ends by itself, and what
became of it is printed as `hang ended, SECONDS left`.
Health is served as grpc.health.v1; with --not-serving it says so. SIGUSR1 makes it say so from then on, SIGUSR2 the
opposite. --service adds a service of that name to the answers of health, --name is put before the answers of Unary.
"""

import argparse
import signal
import threading
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


def unary(name):
    def answer(request, context):
        end(context)
        return name.encode() + request

    return answer


def count(request, context):
    end(context)
    for number in range(int(request)):
        yield str(number).encode()


def chat(requests, context):
    end(context)
    for request in requests:
        yield request


def total(requests, context):
    end(context)
    return str(sum(len(request) for request in requests)).encode()


def fail(request, context):
    context.set_trailing_metadata((("x-end", "done"), ("x-why-bin", bytes(range(256)))))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more, as asked")


def hang(request, context):
    left = context.time_remaining()
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()
    print("hang ended,", "none" if left is None else round(left), "left", flush=True)
    return request


def end(context):
    context.set_trailing_metadata((("x-end", "done"),))


def credentials(options):
    with open(options.key, "rb") as key, open(options.cert, "rb") as certificate:
        return grpc.ssl_server_credentials([(key.read(), certificate.read())])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--not-serving", action="store_true")
    parser.add_argument("--service", default="")
    parser.add_argument("--name", default="")
    options = parser.parse_args()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {
        "Unary": grpc.unary_unary_rpc_method_handler(unary(options.name)),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Sum": grpc.stream_unary_rpc_method_handler(total),
        "Hang": grpc.unary_unary_rpc_method_handler(hang),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    })])
    servicer = health.HealthServicer()
    kinds = health_pb2.HealthCheckResponse
    tell = lambda state: lambda *_: [servicer.set(name, state) for name in {"", options.service}]
    tell(kinds.NOT_SERVING if options.not_serving else kinds.SERVING)()
    signal.signal(signal.SIGUSR1, tell(kinds.NOT_SERVING))
    signal.signal(signal.SIGUSR2, tell(kinds.SERVING))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    address = f"127.0.0.1:{options.port}"
    if options.cert:
        port = server.add_secure_port(address, credentials(options))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print("ready", port, flush=True)
    server.wait_for_termination()


main()
