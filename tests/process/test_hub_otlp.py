"""OpenTelemetry at the edge: every path, errors in OTLP's form, the second port, and what gRPC gets."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections.abc import Iterator
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import pytest

from beacon.contract.limits import BODY_MAX
from beacon.contract.otlp import PATHS
from beacon.web.http2 import PREFACE
from tests.edge import Hub, behind, free_port, head, run, send_raw
from tests.processes import Answer, short_home, wait_for

ENCODINGS = ("application/json", "application/x-protobuf")


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with short_home() as home, Hub(home, BEACON_OTLP_PORT=str(free_port())) as process:
        wait_for(lambda: process.ask("GET", "/health").json["otlp_port"], "the second port")
        yield process


def otlp_port(hub: Hub) -> int:
    port: int = hub.ask("GET", "/health").json["otlp_port"]
    return port


def post(path: str, body: bytes = b"{}", *fields: str, content_type: str = "application/json") -> bytes:
    return head("POST", path, f"content-type: {content_type}", f"content-length: {len(body)}", *fields) + body


def check_status(answer: Answer, status: int, code: int, encoding: str, said: str) -> None:
    """Fails unless `answer` is a google.rpc.Status in `encoding`."""
    assert (answer.status, answer.headers["content-type"]) == (status, encoding), answer.body
    if encoding == "application/json":
        assert set(answer.json) == {"code", "message"}
        assert answer.json["code"] == code
        assert said in answer.json["message"]
    else:
        assert answer.body[:3] == bytes((8, code, 0x12))
        assert said.encode() in answer.body
    assert ("retry-after" in answer.headers) == (status == 503)


INGEST_PATHS = sorted(path.decode() for path in PATHS if b"metrics" not in path)
METRICS_PATHS = sorted(path.decode() for path in PATHS if b"metrics" in path)


def test_every_path_goes_to_ingest_untouched_on_both_ports(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            for port in (hub.port, otlp_port(hub)):
                for path in INGEST_PATHS:
                    body = gzip.compress(b"\x0a\x00")
                    fields = ("content-encoding: gzip", "x-more: 1")
                    got = await send_raw(port, post(path, body, *fields, content_type="application/x-protobuf"))
                    assert got.status == 200
                    seen = next(request for request in reversed(ingest.seen) if request.method == "POST")
                    assert (seen.method, seen.target, seen.body) == ("POST", path, body)
                    assert seen.header("content-type") == "application/x-protobuf"
                    assert seen.header("content-encoding") == "gzip"
            assert sum(request.method == "POST" for request in ingest.seen) == 2 * len(INGEST_PATHS)

    run(test)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_without_ingest_an_exporter_is_told_to_come_again(hub: Hub, encoding: str) -> None:
    async def test() -> None:
        sent = [send_raw(hub.port, post(path, content_type=encoding)) for path in INGEST_PATHS]
        for got in await asyncio.gather(*sent):
            check_status(got, 503, 14, encoding, "ingest")
            assert int(got.headers["retry-after"]) >= 1

    run(test)


def test_spans_wait_for_an_ingest_that_is_being_restarted(hub: Hub) -> None:
    async def test() -> None:
        sending = asyncio.create_task(send_raw(hub.port, post("/v1/traces")))
        await asyncio.sleep(0)
        async with behind(hub, "ingest") as ingest:
            assert (await sending).status == 200
            assert len(ingest.seen) == 1

    run(test)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_refusals_of_the_edge_come_in_the_encoding_of_the_request(hub: Hub, encoding: str) -> None:
    async def test() -> None:
        for port in (hub.port, otlp_port(hub)):
            announced = head("POST", "/v1/traces", f"content-type: {encoding}", f"content-length: {BODY_MAX + 1}")
            check_status(await send_raw(port, announced), 413, 8, encoding, "limit")
            foreign = post("/v1/logs", b"{}", "origin: http://evil.example", content_type=encoding)
            check_status(await send_raw(port, foreign), 403, 7, encoding, "BEACON_CORS_ORIGINS")
            rebound = head("POST", "/", f"content-type: {encoding}", "content-length: 0", host="rebound.example")
            check_status(await send_raw(port, rebound), 403, 7, encoding, "BEACON_ALLOWED_HOSTS")
            both = post("/v1/traces", b"", "transfer-encoding: gzip", content_type=encoding)
            refused = await send_raw(port, both)
            assert refused.status == 400

    run(test)


def test_with_a_token_both_ports_ask_for_it() -> None:
    with short_home() as home, Hub(home, BEACON_TOKEN="s3cret", BEACON_OTLP_PORT=str(free_port())) as hub:
        given = {"authorization": "Bearer s3cret"}
        second = wait_for(lambda: hub.ask("GET", "/health", headers=given).json["otlp_port"], "the second port")

        async def test() -> None:
            for port in (hub.port, second):
                got = await send_raw(port, post("/v1/traces"))
                check_status(got, 401, 16, "application/json", "BEACON_TOKEN")
                assert got.headers["www-authenticate"] == "Bearer"
                metrics = post("/v1/metrics", b"{}", "authorization: Bearer s3cret")
                assert (await send_raw(port, metrics)).status == 200

        run(test)


def test_other_methods_and_kinds_of_bodies(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest"), behind(hub, "query"):
            for path in ("/v1/logs", "/v1/metrics", "/v1/otlp/traces"):
                got = await send_raw(hub.port, head("GET", path))
                assert (got.status, got.headers["allow"]) == (405, "POST")
            got = await send_raw(hub.port, post("/v1/metrics", content_type="text/xml"))
            assert (got.status, got.headers["content-type"]) == (415, "text/plain; charset=utf-8")
            assert b"application/x-protobuf" in got.body

    run(test)


# ---------------------------------------------------------------- metrics


def test_metrics_are_taken_and_dropped_whatever_is_down(hub: Hub) -> None:
    async def test() -> None:
        for port in (hub.port, otlp_port(hub)):
            for path in METRICS_PATHS:
                got = await send_raw(port, post(path, b'{"resourceMetrics": []}'))
                assert (got.status, got.headers["content-type"], got.body) == (200, "application/json", b"{}")
                zipped = post(path, gzip.compress(b"m" * 9_000), "content-encoding: gzip", content_type=ENCODINGS[1])
                got = await send_raw(port, zipped)
                assert (got.status, got.headers["content-type"], got.body) == (200, ENCODINGS[1], b"")

    run(test)


def test_metrics_end_at_the_limit_announced_or_not(hub: Hub) -> None:
    async def test() -> None:
        announced = head("POST", "/v1/metrics", "content-type: application/json", f"content-length: {BODY_MAX + 1}")
        check_status(await send_raw(hub.port, announced), 413, 8, "application/json", "limit")
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(head("POST", "/v1/metrics", f"content-type: {ENCODINGS[1]}", "transfer-encoding: chunked"))
        piece = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        for _ in range(BODY_MAX // 0x100000 + 1):
            writer.write(piece)
            await writer.drain()
        assert b" 413 " in await reader.readline()
        writer.close()

    run(test)


# ---------------------------------------------------------------- the second port


def test_the_second_port_serves_nothing_else_and_says_where_beacon_is(hub: Hub) -> None:
    async def test() -> None:
        port = otlp_port(hub)
        for method, path in (("GET", "/v1/spans/x"), ("POST", "/v1/spans"), ("GET", "/health"), ("GET", "/docs"),
                             ("DELETE", "/v1/settings"), ("GET", "/ws/live")):  # fmt: skip
            got = await send_raw(port, head(method, path, "content-length: 0"))
            assert got.status == 404
            assert f"http://127.0.0.1:{hub.port}" in got.json["detail"]
        for method, path in (("GET", "/"), ("GET", "/v1/traces"), ("DELETE", "/v1/traces")):
            got = await send_raw(port, head(method, path, "content-length: 0"))
            assert (got.status, got.headers["allow"]) == (405, "POST")
            assert f"http://127.0.0.1:{hub.port}" in got.json["detail"]
        handshake = head("GET", "/ws/live", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13",
                         "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==")  # fmt: skip
        assert (await send_raw(port, handshake)).status == 404
        foreign = await send_raw(port, head("GET", "/", host="rebound.example"))
        assert foreign.status == 403

    run(test)


def test_pages_of_this_machine_may_post_there_after_asking(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest"):
            for port in (hub.port, otlp_port(hub)):
                for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
                    asks = ("origin: http://localhost:3000", "access-control-request-method: POST")
                    got = await send_raw(port, head("OPTIONS", path, *asks))
                    assert got.status == 204
                    assert got.headers["access-control-allow-origin"] == "http://localhost:3000"
                    got = await send_raw(port, post(path, b"{}", "origin: http://localhost:3000"))
                    assert got.status == 200
                    assert got.headers["access-control-allow-origin"] == "http://localhost:3000"
                    foreign = ("origin: http://evil.example", "access-control-request-method: POST")
                    assert (await send_raw(port, head("OPTIONS", path, *foreign))).status == 403

    run(test)


def test_a_taken_second_port_is_one_line_in_the_log_and_no_failed_start() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with short_home() as home, Hub(home, BEACON_OTLP_PORT=str(port)) as hub:
            assert hub.ask("GET", "/health").json["otlp_port"] is None
            wait_for(lambda: f"port {port} is taken by" in hub.log.read_text(), "the line in the log")
            said = [line for line in hub.log.read_text().splitlines() if str(port) in line]
            assert len(said) == 1
            assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{hub.port}" in said[0]
            assert hub.ask("POST", "/v1/metrics", {}).status == 200
            assert "Traceback" not in hub.log.read_text()


def test_a_second_port_that_becomes_free_in_time_is_taken() -> None:
    with socket.socket() as predecessor, short_home() as home:
        predecessor.bind(("127.0.0.1", 0))
        predecessor.listen()
        port = predecessor.getsockname()[1]
        with Hub(home, BEACON_OTLP_PORT=str(port)) as hub:
            assert hub.ask("GET", "/health").json["otlp_port"] is None
            predecessor.close()
            wait_for(lambda: hub.ask("GET", "/health").json["otlp_port"] == port, "the second port")
            assert hub.end() == 0
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_switched_off_there_is_none(tmp_path: object) -> None:
    with short_home() as home, Hub(home, BEACON_OTLP_PORT="off") as hub:
        assert hub.ask("GET", "/health").json["otlp_port"] is None
        assert "OpenTelemetry" not in hub.log.read_text()


# ---------------------------------------------------------------- gRPC


class Grpc:
    """A client that speaks HTTP/2 as gRPC's do. grpcio itself is 15 MB of C++ for the same frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.ended: dict[int, dict[str, str]] = {}
        self.closed = False

    async def call(
        self, body: bytes = b"\x00\x00\x00\x00\x00", content_type: str = "application/grpc"
    ) -> dict[str, str]:
        """The header fields a call is answered with; its body may be larger than the window."""
        stream = self.h2.get_next_available_stream_id()
        fields = [
            (":method", "POST"), (":scheme", "http"), (":authority", "localhost"),
            (":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
            ("content-type", content_type), ("te", "trailers"), ("user-agent", "OTel-OTLP-Exporter/1.0 grpc-test"),
        ]  # fmt: skip
        self.h2.send_headers(stream, fields)
        await self.flush()
        while body:
            size = min(len(body), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if not size:
                await self.receive()
                continue
            self.h2.send_data(stream, body[:size], end_stream=size == len(body))
            body = body[size:]
            await self.flush()
        while stream not in self.ended:
            await self.receive()
        return self.ended[stream]

    async def receive(self) -> None:
        data = await self.reader.read(65536)
        assert data, "the connection ended"
        headers: dict[int, dict[str, str]] = getattr(self, "headers", {})
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                headers[event.stream_id] = {str(k): str(v) for k, v in event.headers}
            elif isinstance(event, h2.events.StreamEnded):
                self.ended[event.stream_id] = headers[event.stream_id]
        self.headers = headers
        await self.flush()

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()


async def connect_grpc(port: int, *, in_pieces: bool = False) -> Grpc:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = Grpc(reader, writer)
    client.h2.initiate_connection()
    opening = client.h2.data_to_send()
    if in_pieces:
        for byte in opening:
            writer.write(bytes([byte]))
            await writer.drain()
    else:
        writer.write(opening)
    return client


def test_grpc_is_told_which_setting_to_change(hub: Hub) -> None:
    async def test() -> None:
        for port in (hub.port, otlp_port(hub)):
            client = await connect_grpc(port, in_pieces=True)
            for size in (5, 300_000):  # the second needs leave to go on
                got = await client.call(bytes(size))
                assert got[":status"] == "200"
                assert got["content-type"] == "application/grpc"
                assert got["grpc-status"] == "12"
                assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in unquote(got["grpc-message"])
                assert "OTEL_EXPORTER_OTLP_ENDPOINT" in unquote(got["grpc-message"])
                assert got["grpc-message"].isascii()
            other = await client.call(b"{}", "application/json")
            assert other[":status"] == "505"
            client.writer.close()
        said = [line for line in hub.log.read_text().splitlines() if "gRPC" in line]
        assert len(said) == 1, "once a minute at most"
        assert "WARNING" in said[0]
        assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in said[0]
        assert "OTel-OTLP-Exporter/1.0 grpc-test" in said[0]

    run(test)


def test_what_only_begins_as_http2_does_harm_to_nobody(hub: Hub) -> None:
    async def test() -> None:
        # what begins alike is waited for, and then read as what it is
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        for byte in post("/v1/metrics"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert b" 200 " in await reader.readline()
        writer.close()
        settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        for rubbish in (
            b"PRI * HTTP/2.0\r\n\r\nXX",
            PREFACE + settings + b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x",  # DATA of no stream
            PREFACE + settings + b"\xff" * 200_000,  # a frame of 16 MB
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(rubbish)
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 10)  # answered or not, it is ended
            writer.close()
        assert hub.ask("GET", "/openapi.json").status == 200
        assert "Traceback" not in hub.log.read_text()

    run(test)


def test_a_stop_does_not_wait_for_grpc() -> None:
    with short_home() as home, Hub(home) as hub:

        async def test() -> None:
            client = await connect_grpc(hub.port)
            await client.call()
            ending = asyncio.create_task(asyncio.to_thread(hub.end))
            assert await asyncio.wait_for(ending, 3) == 0
            client.writer.close()

        run(test)
        assert "ERROR" not in hub.log.read_text()


def test_a_client_that_never_reads_costs_a_bounded_buffer(hub: Hub) -> None:
    async def test() -> None:
        client = await connect_grpc(hub.port)
        fields = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/a")]
        # literal fields, so that one block of headers does for every stream
        block = b"".join(b"\x00%c%b%c%b" % (len(k), k.encode(), len(v), v.encode()) for k, v in fields)
        block += b"\x00\x0ccontent-type\x10application/grpc"
        frame = len(block).to_bytes(3, "big") + b"\x01\x05"  # HEADERS, with END_STREAM and END_HEADERS

        async def flood() -> None:
            for stream in range(1, 2**22, 2):
                client.writer.write(frame + stream.to_bytes(4, "big") + block)
                await client.writer.drain()

        with pytest.raises(ConnectionError):
            await flood()
        client.writer.close()
        assert hub.ask("GET", "/openapi.json").status == 200

    run(test)
