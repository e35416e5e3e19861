"""Gives an ACME account another key (RFC 8555 section 7.3.5), of a kind that the proxy itself never makes.

acme_change_key.py DIRECTORY ROOT KEY ACCOUNT KIND: KEY is the account's key in PEM, KIND is p384, rsa2048 or rsa4096.
Prints the new key as Go programs keep keys: SEC1 or PKCS#1 in PEM.
"""

import json
import sys

import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwcrypto import jwk, jws

ALGORITHMS = {"P-256": "ES256", "P-384": "ES384"}


def public(key):
    return json.loads(key.export_public())


def signed(key, payload, header):
    members = public(key)
    algorithm = ALGORITHMS[members["crv"]] if members["kty"] == "EC" else "RS256"
    token = jws.JWS(json.dumps(payload))
    token.add_signature(key, alg=algorithm, protected=json.dumps({"alg": algorithm, **header}))
    return json.loads(token.serialize())


def bare(key):
    """A public key without the identifier that jwcrypto adds."""
    return {name: value for name, value in public(key).items() if name != "kid"}


def main(directory, root, path, account, kind):
    with open(path, "rb") as file:
        old = jwk.JWK.from_pem(file.read())
    if kind == "p384":
        made = ec.generate_private_key(ec.SECP384R1())
    else:
        made = rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    new = jwk.JWK.from_pem(pem)

    session = requests.Session()
    session.trust_env, session.verify = False, root
    urls = session.get(directory, timeout=20).json()
    nonce = session.head(urls["newNonce"], timeout=20).headers["Replay-Nonce"]
    url = urls["keyChange"]
    inner = signed(new, {"account": account, "oldKey": bare(old)}, {"jwk": bare(new), "url": url})
    outer = signed(old, inner, {"kid": account, "nonce": nonce, "url": url})
    answer = session.post(url, json=outer, headers={"Content-Type": "application/jose+json"}, timeout=20)
    if answer.status_code != 200:
        sys.exit(f"{answer.status_code} {answer.text}")
    print(pem.decode(), end="")


main(*sys.argv[1:])
