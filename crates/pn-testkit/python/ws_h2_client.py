"""A WebSocket over one stream of HTTP/2 (RFC 8441), by the h2 library: sends numbered messages over TLS and checks that
each comes back once and in order, then closes. Prints a JSON summary; exits 1 when something is missing.
"""

import argparse
import json
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("connect", metavar="HOST:PORT")
    parser.add_argument("--host", required=True, help=":authority, and the name to check")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--messages", type=int, default=10)
    parser.add_argument("--size", type=int, default=0, help="bytes added to each message")
    return parser.parse_args()


class Tunnel:
    def __init__(self, options):
        context = ssl.create_default_context(cafile=options.ca)
        context.set_alpn_protocols(["h2"])
        host, port = options.connect.rsplit(":", 1)
        self.socket = context.wrap_socket(socket.create_connection((host, int(port)), 20), server_hostname=options.host)
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.reader, self.frames = StreamReader(), []
        self.parser = self.parse()
        self.status, self.ended = None, False
        self.http.initiate_connection()
        self.flush()
        while not self.http.remote_settings.enable_connect_protocol:
            self.receive()
        self.stream = self.http.get_next_available_stream_id()
        self.http.send_headers(self.stream, [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"),
            (":authority", options.host), ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"),
        ])
        self.flush()
        while self.status is None:
            self.receive()

    def flush(self):
        self.socket.sendall(self.http.data_to_send())

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection has ended")
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.status = dict(event.headers)[":status"]
            elif isinstance(event, h2.events.DataReceived):
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.reader.feed_data(event.data)
                self.take()
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                self.ended = True
        self.flush()

    def parse(self):
        while True:
            frame = yield from Frame.parse(self.reader.read_exact, mask=False)
            self.frames.append(frame)

    def take(self):
        next(self.parser)

    def send(self, opcode, payload):
        data = Frame(opcode, payload).serialize(mask=True)
        while data:
            room = min(self.http.local_flow_control_window(self.stream), self.http.max_outbound_frame_size)
            if room:
                self.http.send_data(self.stream, data[:room])
                data = data[room:]
                self.flush()
            else:
                self.receive()

    def next(self):
        while not self.frames:
            self.receive()
        return self.frames.pop(0)


def main():
    options = parse()
    tunnel = Tunnel(options)
    received = 0
    for number in range(options.messages):
        message = f"{number} ".encode() + b"x" * options.size
        tunnel.send(Opcode.BINARY, message)
        answer = tunnel.next()
        while not answer.fin:
            part = tunnel.next()
            answer = Frame(answer.opcode, answer.data + part.data, part.fin)
        received += answer.opcode == Opcode.BINARY and answer.data == message
    tunnel.send(Opcode.CLOSE, Close(4001, "enough").serialize())
    close = Close.parse(tunnel.next().data)
    while not tunnel.ended:
        tunnel.receive()
    print(json.dumps({"status": tunnel.status, "received": received, "close": close.code}), flush=True)
    sys.exit(0 if received == options.messages else 1)


main()
