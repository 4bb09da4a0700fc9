"""What can be wrong with bytes that claim to be a message.

SchemaError                   this message cannot be read; `field` says where
 +- UnsupportedVersionError   it was written by a newer, incompatible major version
"""


class SchemaError(ValueError):
    """A message that breaks the contract. `field` is a dotted path, or "" for the message as a whole."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}" if field else reason)


class UnsupportedVersionError(SchemaError):
    """The message's major version is not one that this version reads."""
