"""Where a webhook is sent to: the internet over https, unless a setting allows more; one request, in its time."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from ordersaga.webhooks.destination import Destination, DestinationRefused, Guard
from ordersaga.webhooks.post import MAX_ANSWER, EndpointAnswer, EndpointSilent, post
from ordersaga.webhooks.schedule import LONGEST_RETRY_AFTER, SCHEDULE, pause_after
from ordersaga.webhooks.signing import signed_headers
from tests.support.webhook_receiver import Receiver, receiving
from tests.support.webhooks import settings

STRICT = Guard(settings(webhook_allow="", webhook_http=False))
INTERNAL = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[fec0::1]",
    "[5f00::1]",
]


@pytest.mark.parametrize("host", INTERNAL)
def test_an_address_that_is_not_on_the_internet_is_refused(host: str) -> None:
    with pytest.raises(DestinationRefused, match="not an address on the internet"):
        STRICT.check(f"https://{host}/hooks")


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1"])
def test_a_name_that_resolves_to_such_an_address_is_refused_when_it_is_looked_up(host: str) -> None:
    destination = STRICT.check(f"https://{host}/hooks")
    with pytest.raises(DestinationRefused, match="WEBHOOK_ALLOW"):
        STRICT.resolve(destination)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example/", "WEBHOOK_HTTP"),
        ("ftp://hooks.example/", "https://host/path"),
        ("https:///hooks", "https://host/path"),
        ("https://me:secret@hooks.example/", "neither a user"),
        ("https://hooks.example/#part", "fragment"),
        ("https://hooks.example:99999/", "not a URL"),
        ("https://hooks..example/", "not a URL"),
        (f"https://{'h' * 64}.example/", "not a URL"),
        ("https://hooks.example/a b", "escaped"),
        ("https://hooks.example/\r\nX: y", "escaped"),
        ("https://h\u00f6oks.example/", "escaped"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(DestinationRefused, match=reason):
        STRICT.check(url)


def test_public_addresses_pass_and_others_if_the_setting_names_their_host_or_network() -> None:
    assert STRICT.check("https://93.184.215.14:8443/a?b=c") == Destination("https", "93.184.215.14", 8443, "/a?b=c")
    assert STRICT.check("https://[2606:2800:21f:cb07::1]").host_header == "[2606:2800:21f:cb07::1]"
    guard = Guard(settings(webhook_allow="localhost, 10.1.0.0/16 ::1"))
    assert guard.resolve(guard.check("http://localhost/"))
    assert guard.check("http://10.1.2.3/").host == "10.1.2.3"
    with pytest.raises(DestinationRefused):
        guard.check("http://10.2.0.1/")
    with pytest.raises(ValueError, match=r"10\.1\.0\.0/99 is neither a host nor a network"):
        Guard(settings(webhook_allow="10.1.0.0/99"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def send(url: str, seconds: float = 5, context: ssl.SSLContext | None = None) -> EndpointAnswer:
    destination = Destination.parse(url)
    return post(destination, ["127.0.0.1"], {}, b"{}", seconds, context or ssl.create_default_context())


def test_a_redirect_is_not_followed_and_proxies_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    receiver.answering = lambda _: 307
    receiver.headers = {"Location": f"{receiver.url}/elsewhere"}
    assert send(receiver.url).status == 307
    assert [got.path for got in receiver.got] == ["/"]


def test_of_an_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.body = b"\xff\0" * 1_000_000
    receiver.answering = lambda _: 400
    assert len(send(receiver.url).text) == MAX_ANSWER // 2


def test_an_endpoint_that_answers_a_byte_at_a_time_is_cut_off_when_the_time_is_over() -> None:
    """A timeout of the socket would begin anew with each byte."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not ended.wait(0.02):
                connection.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: drip(server.accept()[0]), daemon=True).start()
        with pytest.raises(EndpointSilent, match=r"within 0\.3 s"):
            send(f"http://127.0.0.1:{server.getsockname()[1]}", 0.3)
    ended.set()


def test_an_endpoint_that_is_not_there_gives_the_reason() -> None:
    with pytest.raises(EndpointSilent, match="ConnectionRefusedError"):
        send("http://hooks.example:1")


def certificate(directory: Path, *names: str) -> Path:
    """A self-signed certificate for these names, with its key, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return file


def test_the_certificate_is_checked_for_the_name_while_the_connection_goes_to_the_resolved_address(
    tmp_path: Path,
) -> None:
    file = certificate(tmp_path, "hooks.example")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    trusting = ssl.create_default_context(cafile=str(file))
    with receiving(server) as receiver:
        port = receiver.url.rpartition(":")[2]
        assert send(f"https://hooks.example:{port}/", context=trusting).status == 204
        assert receiver.got[0].headers["host"] == f"hooks.example:{port}"
        with pytest.raises(EndpointSilent, match=r"not valid for 'other\.example'"):
            send(f"https://other.example:{port}/", context=trusting)
        with pytest.raises(EndpointSilent, match="self-signed"):
            send(f"https://hooks.example:{port}/")
        assert len(receiver.got) == 1


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of Standard Webhooks."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"test": 2432232314}'
    when = datetime.fromtimestamp(1614265330, UTC)
    assert Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", when, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_both_secrets_sign_and_a_receiver_accepts_either() -> None:
    secrets = ["whsec_" + "A" * 44, "whsec_" + "B" * 44]
    headers = signed_headers(secrets, uuid4(), "{}", datetime.now(UTC), "text")
    assert headers["Content-Type"] == "application/json"
    for secret in secrets:
        assert Webhook(secret).verify("{}", headers) == {}


def test_ten_attempts_are_spread_over_three_days_and_an_endpoint_may_ask_for_a_longer_pause() -> None:
    pauses = [pause_after(number) for number in range(1, 11)]
    assert pauses[-1] is None
    spread = sum(pause for pause in pauses if pause)
    assert timedelta(days=3) < timedelta(seconds=sum(SCHEDULE)) <= timedelta(seconds=spread) < timedelta(days=4)
    assert pause_after(1, "600") == 600
    assert pause_after(1, "9999999999") == LONGEST_RETRY_AFTER
    assert (pause_after(1, "Wed, 21 Oct 2026 07:28:00 GMT") or 0) < 6
