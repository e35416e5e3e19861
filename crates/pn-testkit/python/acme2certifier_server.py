"""acme2certifier, a CA with renewal information, profiles and dns-persist-01, in FOLDER, over TLS.

usage: acme2certifier_server.py FOLDER CERTIFICATE KEY OPTIONS
OPTIONS is JSON: port, resolver (an address; its port is 53), profiles, renewal (what goes into [Renewalinfo]).
Prints "order JSON" for every order that comes in, and "ready PORT" once it listens. Its root is FOLDER/root.pem.
"""

import base64
import datetime
import json
import os
import socketserver
import ssl
import sys
from wsgiref.simple_server import WSGIServer, make_server

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CONFIGURATION = """
[Nonce]
nonce_check_disable: False
[CAhandler]
handler_module: acme2certifier.cahandlers.openssl_ca_handler
issuing_ca_key: {folder}/ca.key
issuing_ca_cert: {folder}/root.pem
ca_cert_chain_list: []
issuing_ca_crl: {folder}/ca.crl
cert_validity_days: 30
cert_save_path: {folder}/certs
[DBhandler]
handler: wsgi
dbfile: {folder}/acme_srv.db
[Directory]
caaidentities: ["authority.example"]
[Challenge]
dns_persist_01_support: True
dns_persist_allow_policy_wildcard: True
challenge_validation_timeout: 5
[Order]
profiles: {profiles}
[Renewalinfo]
{renewal}
[DEFAULT]
dns_server_list: ["{resolver}"]
"""


def make_ca(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme2certifier root")])
    now = datetime.datetime.now(datetime.timezone.utc)
    first, last = now - datetime.timedelta(days=2), now + datetime.timedelta(days=3650)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    root = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), first, last)
    root = root.add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True)
    root = root.add_extension(identifier, False).sign(key, hashes.SHA256())
    crl = x509.CertificateRevocationListBuilder(name, now, last).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for file, content in [("ca.key", secret), ("root.pem", root.public_bytes(pem)), ("ca.crl", crl.public_bytes(pem))]:
        with open(os.path.join(folder, file), "wb") as out:
            out.write(content)
    os.makedirs(os.path.join(folder, "certs"))


def configure(folder, options):
    renewal = "\n".join(f"{name}: {value}" for name, value in options["renewal"].items())
    profiles = json.dumps(options["profiles"])
    text = CONFIGURATION.format(folder=folder, profiles=profiles, renewal=renewal, resolver=options["resolver"])
    path = os.path.join(folder, "acme_srv.cfg")
    with open(path, "w") as out:
        out.write(text)
    os.environ["ACME_SRV_CONFIGFILE"] = path
    os.environ["ACME2CERTIFIER_BASE_DIR"] = folder


class Body:
    """What was read already, as a file."""

    def __init__(self, content):
        self.content = content

    def read(self, _=None):
        content, self.content = self.content, b""
        return content


def tell(body):
    payload = json.loads(body)["payload"]
    order = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    print("order " + json.dumps(order, separators=(",", ":")), flush=True)


def serve(certificate, key, port):
    # It reads its configuration when it is imported.
    from acme2certifier.share import acme2certifier_wsgi as wsgi

    def application(environ, start_response):
        environ["wsgi.url_scheme"] = "https"
        if environ["PATH_INFO"].endswith("/neworders"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            tell(body)
            environ["wsgi.input"] = Body(body)
        return wsgi.application(environ, start_response)

    class Server(socketserver.ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = make_server("127.0.0.1", port, application, Server, wsgi.get_handler_cls())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(f"ready {port}", flush=True)
    server.serve_forever()


folder, certificate, key, options = sys.argv[1:]
options = json.loads(options)
make_ca(folder)
configure(folder, options)
serve(certificate, key, options["port"])
