"""Calls that fail, by Python's gRPC client: with one answer and with a stream of them, messages as bytes.

usage: failures.py ADDRESS    prints one JSON object, what the client made of each; the Rust test judges it
"""

import json
import sys

import grpc

(address,) = sys.argv[1:]
SECONDS = 30


def filter_of(text):
    """A request that has this in its field `filter`, which is number 4."""
    data = text.encode()
    length, rest = bytearray(), len(data)
    while rest >= 0x80:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes([4 << 3 | 2]) + bytes(length) + data


def reason(error):
    """The reason in google.rpc.ErrorInfo, which is the first text of it after the type's name."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    _, _, info = details.partition(b"type.googleapis.com/google.rpc.ErrorInfo")
    # Tag and length of the value, then tag and length of the reason.
    at = info.find(b"\n")
    return info[at + 2 : at + 2 + info[at + 1]].decode() if info else ""


def outcome(call):
    try:
        call()
        return "OK"
    except grpc.RpcError as error:
        return f"{error.code().name} {reason(error)}"


def messages(channel, kind, path, count):
    """A call with so many messages of a method that takes one."""
    requests = (b"" for _ in range(count))
    if kind == "unary":
        return channel.stream_unary(path)(requests, timeout=SECONDS)
    return list(channel.stream_stream(path)(requests, timeout=SECONDS))


def calls(channel, kind):
    def unary(path, message=b"", **options):
        return channel.unary_unary(path)(message, timeout=SECONDS, **options)

    def stream(path, message=b"", **options):
        return list(channel.unary_stream(path)(message, timeout=SECONDS, **options))

    call = {"unary": unary, "stream": stream}[kind]
    verb, other = {"unary": ("List", "Stream"), "stream": ("Stream", "List")}[kind]
    books = "/api.v1.BooksService"
    return {
        "fine": outcome(lambda: call(f"{books}/{verb}Books")),
        "tooLarge": outcome(lambda: call(f"{books}/{verb}Books", filter_of("x" * (6 << 20)))),
        "compression": outcome(lambda: call(f"{books}/{verb}Books", filter_of("title=eq." + "x" * 4096), compression=grpc.Compression.Deflate)),
        "method": outcome(lambda: call(f"{books}/Burn", filter_of("x" * (1 << 20)))),
        "service": outcome(lambda: call(f"/api.v1.ScrollsService/{verb}Scrolls")),
        "kind": outcome(lambda: call(f"{books}/{other}Books")),
        "none": outcome(lambda: messages(channel, kind, f"{books}/{verb}Books", 0)),
        "one": outcome(lambda: messages(channel, kind, f"{books}/{verb}Books", 1)),
        "two": outcome(lambda: messages(channel, kind, f"{books}/{verb}Books", 2)),
        "noneOfHealth": outcome(lambda: messages(channel, "unary", "/grpc.health.v1.Health/Check", 0)),
        "twoOfHealth": outcome(lambda: messages(channel, "unary", "/grpc.health.v1.Health/Check", 2)),
        "unauthenticated": outcome(lambda: call(f"/api.v1.LoansService/{verb}Loans")),
        "token": outcome(lambda: call(f"/api.v1.LoansService/{verb}Loans", filter_of("x" * (1 << 20)), metadata=[("authorization", "Bearer x.y.z")])),
        "argument": outcome(lambda: call(f"{books}/{verb}Books", filter_of("title"))),
    }


with grpc.insecure_channel(address) as channel:
    print(json.dumps({kind: calls(channel, kind) for kind in ["unary", "stream"]}))
