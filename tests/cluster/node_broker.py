"""The tests' Apache Kafka, at an address that pods reach."""

from groundcam.devkafka.broker import EmbeddedBroker

PODS, SASL = "PODS", "SASL"
USER, PASSWORD = "worker", "right1234"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


class NodeBroker(EmbeddedBroker):
    """Listens for pods at `host`, without a login and with one; its own affairs stay on loopback."""

    def __init__(self, host: str) -> None:
        properties = {
            "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": f'{_LOGIN} required user_{USER}="{PASSWORD}";',
        }
        super().__init__(listeners={PODS: "PLAINTEXT", SASL: "SASL_PLAINTEXT"}, properties=properties, say=print)
        self._host = host

    def addresses(self, listener: str) -> str:
        return super().addresses(listener).replace("127.0.0.1", self._host if listener in (PODS, SASL) else "127.0.0.1")

    def _settings(self, node: int) -> dict[str, str]:
        settings = super()._settings(node)
        for name in (PODS, SASL):
            for key in ("listeners", "advertised.listeners"):
                settings[key] = settings[key].replace(f"{name}://127.0.0.1:", f"{name}://{self._host}:")
        return settings
