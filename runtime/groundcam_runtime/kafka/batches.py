"""Read every record that a broker gives, whoever wrote it, within bounded memory: the client's reader, mended.

A broker checks no header's name and no size of what it does not unpack. kafka-python raises for a name that is not
UTF-8, at every poll for ever; and it unpacks a megabyte of zeros to gigabytes. Here such a name is kept as bytes, and
what cannot be read at all is replaced by one record at the end of its batch that says so: whoever reads goes on behind
it, and counts it among the messages that are no messages. A null in a header survives being read and sent again.

The client has no public way to any of this: importing this file changes what it makes of a batch.
"""

import gzip
import io
import logging
from typing import Any

import kafka.record.default_records
import kafka.record.legacy_records
import kafka.record.memory_records
import lz4.frame
import snappy
import zstandard
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.util import decode_varint

from groundcam_runtime.records import NO_VALUE, ForeignName
from groundcam_runtime.recurring import Recurring

MAX_UNPACKED_BYTES = 32 * 1024 * 1024
"""Of one compressed batch: twice the largest message that is read (limits.MAX_FRAME_BYTES)."""
XERIAL = b"\x82SNAPPY\x00"
XERIAL_HEADER_BYTES = 16
BLOCK_LENGTH_BYTES = 4

recurring = Recurring(logging.getLogger(__name__))


class TooLargeError(ValueError):
    """A batch unpacks to more than MAX_UNPACKED_BYTES."""

    def __init__(self) -> None:
        super().__init__(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")


class _LenientText(bytearray):
    """A piece of a record that is decoded whatever is in it."""

    def decode(self, *_encoding: object, **_named: object) -> str:
        raw = bytes(self)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return ForeignName.of(raw)


class _LenientRecord(bytearray):
    """One record, whose pieces are decoded leniently."""

    def __getitem__(self, place: Any) -> Any:
        piece = super().__getitem__(place)
        return _LenientText(piece) if isinstance(place, slice) else piece


class ReadableBatch(DefaultRecordBatch):  # type: ignore[misc] # kafka-python has no types
    """A batch that raises for nothing but a wrong checksum, which may be right at the next fetch."""

    def __init__(self, buffer: Any) -> None:
        super().__init__(buffer)
        self._buffer: bytearray
        self._pos: int
        self._ended = False
        self._last_read = self.base_offset - 1

    def __iter__(self) -> Any:
        try:
            return super().__iter__()
        except Exception as error:  # noqa: BLE001 - each codec has errors of its own
            return iter(self._in_place_of_the_rest(error))

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        try:
            record = super().__next__()
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this batch
            self._ended = True
            rest = self._in_place_of_the_rest(error)
            if not rest:
                raise StopIteration from None
            return rest[0]
        self._last_read = record.offset
        return record

    next = __next__

    def _read_msg(self, *arguments: Any) -> Any:
        try:
            return super()._read_msg(*arguments)
        except UnicodeDecodeError:
            return self._read_leniently()

    def _read_leniently(self) -> Any:
        """Read one record whose headers' names are not UTF-8; the client has moved on from no byte of it yet."""
        whole, begin = self._buffer, self._pos
        length, at = decode_varint(whole, begin)
        self._buffer, self._pos = _LenientRecord(whole[begin : at + length]), 0
        try:
            record = super()._read_msg()
        finally:
            self._buffer, self._pos = whole, begin
        self._pos = at + length
        return record

    def _in_place_of_the_rest(self, error: Exception) -> list[Any]:
        """Return one record for what cannot be read, or none where all that there is was read."""
        if self.is_control_batch:
            raise error
        if self._last_read >= self.last_offset:
            return []
        first, why = self._last_read + 1, f"{type(error).__name__}: {error}"[:300]
        recurring.error(
            type(error).__name__,
            "records at offsets %d to %d cannot be read, and are passed over as one bad message: %s",
            first, self.last_offset, why, offset=first,
        )  # fmt: skip
        text = f"groundcam: the records at offsets {first} to {self.last_offset} cannot be read ({why})".encode()
        time_ms = max(0, self.max_timestamp)
        return [DefaultRecord(len(text), self.last_offset, time_ms, self.timestamp_type, None, text, [])]


class NullableHeaders(DefaultRecordBatchBuilder):  # type: ignore[misc] # kafka-python has no types
    """Writes a header without a value as one, which the client's `send` takes for a mistake."""

    __slots__ = ()

    def append(self, offset: int, timestamp: Any, key: Any, value: Any, headers: Any, **more: Any) -> Any:
        """As the client has it."""
        as_sent = [(name, None if content is NO_VALUE else content) for name, content in headers]
        return super().append(offset, timestamp, key, value, as_sent, **more)


def gunzip(data: Any) -> bytes:
    """Unpack gzip. Raises TooLargeError, OSError, EOFError, zlib.error."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
        return _bounded(unpacked)


def unpack_zstandard(data: bytes) -> bytes:
    """Unpack Zstandard. Raises TooLargeError, zstandard.ZstdError."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as unpacked:
        return _bounded(unpacked)


def unpack_lz4(data: bytes) -> bytes:
    """Unpack LZ4 frames. Raises TooLargeError, RuntimeError, EOFError."""
    with lz4.frame.open(io.BytesIO(data)) as unpacked:
        return _bounded(unpacked)


def unpack_snappy(data: bytes) -> bytes:
    """Unpack Snappy, whole or in the blocks of xerial's Java library. Raises TooLargeError, ValueError."""
    if not data.startswith(XERIAL):
        return _snappy_block(data, MAX_UNPACKED_BYTES)
    unpacked, at = bytearray(), XERIAL_HEADER_BYTES
    while at < len(data):
        begin = at + BLOCK_LENGTH_BYTES
        length = int.from_bytes(data[at:begin], signed=True)
        if length <= 0 or begin + length > len(data):
            raise ValueError(f"a Snappy block is {length} bytes long")
        unpacked += _snappy_block(data[begin : begin + length], MAX_UNPACKED_BYTES - len(unpacked))
        at = begin + length
    return bytes(unpacked)


def _snappy_block(data: bytes, most: int) -> bytes:
    """Unpack one block, which begins with its unpacked length: seven bits a byte, the lowest first."""
    length = 0
    for place, byte in enumerate(data[:5]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    if length > most:
        raise TooLargeError
    return bytes(snappy.decompress(data))


def _bounded(unpacked: Any) -> bytes:
    """Read to the end, unless that is too far."""
    content: bytes = unpacked.read(MAX_UNPACKED_BYTES + 1)
    if len(content) > MAX_UNPACKED_BYTES:
        raise TooLargeError
    return content


kafka.record.memory_records.DefaultRecordBatch = ReadableBatch
kafka.record.memory_records.DefaultRecordBatchBuilder = NullableHeaders
for _reader in (kafka.record.default_records, kafka.record.legacy_records):
    _reader.gzip_decode, _reader.snappy_decode = gunzip, unpack_snappy
    _reader.lz4_decode = unpack_lz4
kafka.record.default_records.zstd_decode = unpack_zstandard
