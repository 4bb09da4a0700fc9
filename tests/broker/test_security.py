"""SASL and TLS on Apache Kafka: what is right works, what is wrong is told as what it is."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from conftest import Start, Wait, make_topics
from footage import video
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam_runtime.kafka.connect import ATTEMPT_S
from groundcam_runtime.kafka.errors import RefusedError, UnreachableError
from groundcam_runtime.kafka.oauth import ClientCredentialsToken
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.settings import KafkaSettings, SettingError

pytestmark = pytest.mark.broker

LOGIN = "org.apache.kafka.common.security."
PLAIN = {"sasl_mechanism": "PLAIN", "sasl_username": "worker"}
SCRAM = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "alice"}


@dataclass(frozen=True)
class Guarded:
    broker: EmbeddedBroker
    folder: Path

    def partitions(self, listener: str, **settings: Any) -> dict[str, int]:
        admin = TopicAdmin(KafkaSettings(bootstrap_servers=self.broker.addresses(listener), **settings))
        try:
            return admin.partitions()
        finally:
            admin.close()


def write_pem(certificate: trustme.LeafCert, path: Path) -> None:
    """Key (PKCS 8, as Kafka wants it) and chain in one file."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(pem + b"".join(link.bytes() for link in certificate.cert_chain_pems))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A broker with every kind of listener."""
    folder = tmp_path_factory.mktemp("secrets")
    authority, stranger = trustme.CA(), trustme.CA()
    write_pem(authority.issue_cert("127.0.0.1", "localhost"), folder / "server.pem")
    write_pem(authority.issue_cert("client@groundcam"), folder / "client.pem")
    write_pem(stranger.issue_cert("client@groundcam"), folder / "strange-client.pem")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    stranger.cert_pem.write_to_path(str(folder / "strange-ca.pem"))
    (folder / "password").write_text("p@ss word/1\n")
    now = int(time.time())
    (folder / "token").write_text(_unsecured_token({"sub": "worker", "iat": now, "exp": now + 3600}))
    (folder / "bad-token").write_text("nonsense")
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "server.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.mtls.ssl.client.auth": "required",
    }
    for name in ("sasl", "saslssl"):
        prefix = f"listener.name.{name}."
        properties |= {
            f"{prefix}sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
            f"{prefix}plain.sasl.jaas.config": LOGIN + 'plain.PlainLoginModule required user_worker="p@ss word/1";',
            f"{prefix}scram-sha-512.sasl.jaas.config": LOGIN + "scram.ScramLoginModule required;",
            f"{prefix}oauthbearer.sasl.jaas.config": LOGIN
            + 'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x";',
        }
    listeners = {"SASL": "SASL_PLAINTEXT", "TLS": "SSL", "MTLS": "SSL", "SASLSSL": "SASL_SSL"}
    scram = ("--add-scram", "SCRAM-SHA-512=[name=alice,password=secret]")
    with EmbeddedBroker(listeners=listeners, properties=properties, format_options=scram) as broker:
        yield Guarded(broker, folder)


def _unsecured_token(claims: dict[str, Any]) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)
    ]
    return ".".join([*parts, ""])


def test_every_right_login_works(guarded: Guarded) -> None:
    folder, ca = guarded.folder, {"tls_ca_file": guarded.folder / "ca.pem"}
    plain = {"security_protocol": "SASL_PLAINTEXT"}
    guarded.partitions("SASL", **plain, **PLAIN, sasl_password_file=folder / "password")
    guarded.partitions("SASL", **plain, **SCRAM, sasl_password="secret")
    guarded.partitions("SASL", **plain, sasl_mechanism="OAUTHBEARER", oauth_token_file=folder / "token")
    guarded.partitions("TLS", security_protocol="SSL", **ca)
    guarded.partitions("MTLS", security_protocol="SSL", **ca, tls_cert_file=folder / "client.pem")
    guarded.partitions("SASLSSL", security_protocol="SASL_SSL", **ca, **SCRAM, sasl_password="secret")


@pytest.mark.parametrize(
    ("listener", "settings", "says"),
    [
        ("SASL", {"security_protocol": "SASL_PLAINTEXT", **PLAIN, "sasl_password": "wrong1"}, "refused user 'worker'"),
        ("SASL", {"security_protocol": "SASL_PLAINTEXT", **SCRAM, "sasl_password": "wrong1"}, "refused user 'alice'"),
        (
            "SASL",
            {
                "security_protocol": "SASL_PLAINTEXT",
                **SCRAM,
                "sasl_password": "secret",
                "sasl_mechanism": "SCRAM-SHA-256",
            },
            "does not offer kafka.sasl_mechanism SCRAM-SHA-256",  # said by the broker, or told by its hanging up
        ),
        (
            "SASL",
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER", "oauth_token_file": "bad-token"},
            "refused the token",
        ),
        ("TLS", {"security_protocol": "SSL", "tls_ca_file": "strange-ca.pem"}, "not trusted.*kafka.tls_ca_file"),
        ("TLS", {"security_protocol": "SSL"}, "not trusted.*kafka.tls_ca_file"),
        ("MTLS", {"security_protocol": "SSL", "tls_ca_file": "ca.pem"}, "client certificate.*kafka.tls_cert_file"),
        (
            "MTLS",
            {"security_protocol": "SSL", "tls_ca_file": "ca.pem", "tls_cert_file": "strange-client.pem"},
            "client certificate.*kafka.tls_cert_file",
        ),
        ("PLAINTEXT", {"security_protocol": "SSL", "tls_ca_file": "ca.pem"}, "does not speak TLS"),
    ],
)
def test_a_refusal_is_told_as_what_it_is(guarded: Guarded, listener: str, settings: dict[str, str], says: str) -> None:
    """kafka-python says "Unable to bootstrap" after 30 s for all of these."""
    full = {name: guarded.folder / value if name.endswith("_file") else value for name, value in settings.items()}
    started = time.monotonic()
    with pytest.raises(RefusedError, match=says) as refused:
        guarded.partitions(listener, **full)
    assert time.monotonic() - started < 10 + ATTEMPT_S  # connect_timeout_s, and the attempt under way
    assert "wrong1" not in str(refused.value)


@pytest.mark.parametrize("listener", ["TLS", "SASL"])
def test_another_protocol_is_hinted_at(guarded: Guarded, listener: str) -> None:
    with pytest.raises(UnreachableError, match="does it speak PLAINTEXT"):
        guarded.partitions(listener, connect_timeout_s=3)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"tls_ca_file": "token"}, "kafka.tls_ca_file.*no PEM"),
        ({"tls_ca_file": "missing"}, "kafka.tls_ca_file: there is no file"),
        ({"tls_ca_file": "ca.pem", "tls_cert_file": "ca.pem"}, "kafka.tls_cert_file"),
    ],
)
def test_a_bad_file_names_its_setting(guarded: Guarded, settings: dict[str, str], names: str) -> None:
    full = {name: guarded.folder / value for name, value in settings.items()}
    with pytest.raises(SettingError, match=names):
        guarded.partitions("TLS", security_protocol="SSL", **full)


def test_the_whole_path_over_sasl_and_tls(guarded: Guarded, start: Start, wait: Wait) -> None:
    kafka = make_topics(
        KafkaSettings(
            bootstrap_servers=guarded.broker.addresses("SASLSSL"),
            topic_prefix="secure.",
            security_protocol="SASL_SSL",
            sasl_password_file=guarded.folder / "password",
            tls_ca_file=guarded.folder / "ca.pem",
            **PLAIN,
        )
    )
    start(kafka, "work", "--model", "fake", "--question", "person", "--max-age-s", "0")
    watcher = start(kafka, "watch", "--json", "--from-beginning")
    producer = start(kafka, "produce", "--camera", f"gate={video('carphone_pristine.mp4')}", "--fps", "10")
    assert producer.process.wait(60) == 0, producer.log
    wait(lambda: totals(audit(kafka)).published > 20 and totals(audit(kafka)).missing == 0, 60, "all answers")
    wait(lambda: len(watcher.out.splitlines()) == totals(audit(kafka)).detected, 30, "the watcher")


def test_a_wrong_password_ends_a_worker_with_one_sentence(guarded: Guarded, start: Start) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=guarded.broker.addresses("SASL"),
        security_protocol="SASL_PLAINTEXT",
        sasl_password="hunter2222",
        **PLAIN,
    )
    worker = start(kafka, "work", "--model", "fake", "--question", "person")
    assert worker.process.wait(60) == 3
    assert worker.log.strip().splitlines()[-1].startswith("groundcam: Kafka at 127.0.0.1")
    assert "refused user 'worker'" in worker.log
    assert "hunter2222" not in worker.log


def test_a_token_comes_from_an_endpoint_and_is_kept_until_it_ends(tmp_path: Path) -> None:
    asked: list[bytes] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"access_token": f"token-{len(asked)}", "expires_in": 3600}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    (tmp_path / "secret").write_text("s3cr3t\n")
    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        provider = ClientCredentialsToken(
            KafkaSettings(
                security_protocol="SASL_SSL",
                sasl_mechanism="OAUTHBEARER",
                oauth_token_url=f"http://127.0.0.1:{server.server_port}/token",
                oauth_client_id="groundcam",
                oauth_client_secret_file=tmp_path / "secret",
                oauth_scope="kafka",
            )
        )
        assert [provider.token(), provider.token()] == ["token-1", "token-1"]
        server.shutdown()
    assert asked == [b"grant_type=client_credentials&client_id=groundcam&client_secret=s3cr3t&scope=kafka"]
