"""Event files as TensorBoard reads them, written without TensorFlow: records framed with checksums, of messages in the protobuf wire format.

Record: length (8 bytes), masked CRC-32C of it, the message, masked CRC-32C of it; little endian. The messages are those of TensorFlow's
`event.proto`, `summary.proto`, `tensor.proto`, and of its plug-ins.
"""

import itertools
import os
import socket
import struct
import time
import zlib

import numpy as np

_count = itertools.count()


def _table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


_CRC = tuple(_table())


def crc32c(data):
    """The CRC-32C (Castagnoli) of bytes; RFC 3720, appendix B.4.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def record(data):
    """One message in its frame."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data):
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


# -- messages -----------------------------------------------------------------------------------------------------------------------------


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(*fields):
    """(number, value) pairs in the wire format: integers, floats (as double), texts, bytes, `float32`s and lists of doubles."""
    out = []
    for number, value in fields:
        if isinstance(value, (bool, int)):
            out.append(varint(number << 3) + varint(int(value)))
        elif isinstance(value, np.float32):
            out.append(varint(number << 3 | 5) + struct.pack("<f", value))
        elif isinstance(value, float):
            out.append(varint(number << 3 | 1) + struct.pack("<d", value))
        else:
            data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else struct.pack(f"<{len(value)}d", *value)
            out.append(varint(number << 3 | 2) + varint(len(data)) + data)
    return b"".join(out)


class EventWriter:
    """Writes one event file into a folder.

    Args:
        folder: made where it is not there.

    Each method takes a tag, the values and the step.
    """

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        now = time.time()
        self.path = os.path.join(folder, f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}.{next(_count)}.v2")
        self._file = open(self.path, "xb")
        self._event((3, "brain.Event:2"), step=0)

    def _event(self, *fields, step):
        self._file.write(record(message((1, time.time()), (2, int(step)), *fields)))

    def _value(self, tag, step, *fields):
        self._event((5, message((1, message((1, tag), *fields)))), step=step)

    def scalar(self, tag, value, step):
        """A number."""
        self._value(tag, step, (2, np.float32(value)))

    def histogram(self, tag, values, step):
        """The distribution of an array's values, in 30 equal parts; those that are not finite are left out."""
        values = np.asarray(values, "float64").ravel()
        values = values[np.isfinite(values)]
        if not values.size:
            return
        counts, edges = np.histogram(values, 30)
        fields = (1, values.min()), (2, values.max()), (3, float(values.size)), (4, values.sum()), (5, np.square(values).sum())
        self._value(tag, step, (5, message(*((n, float(v)) for n, v in fields), (6, edges[1:].tolist()), (7, counts.astype(float).tolist()))))

    def image(self, tag, pixels, step):
        """A picture: (height, width, 1 or 3) of uint8."""
        height, width, channels = pixels.shape
        self._value(tag, step, (4, message((1, height), (2, width), (3, channels), (4, png(pixels)))))

    def text(self, tag, text, step, plugin="text", content=b""):
        """A text, for the plug-in that shows it."""
        tensor = message((1, 7), (2, b""), (8, text))
        self._value(tag, step, (9, message((1, message((1, plugin), (2, content))), (4, 2))), (8, tensor))

    def flush(self):
        self._file.flush()

    def close(self):
        self._file.close()


def png(pixels):
    """Pixels (height, width, 1 or 3) of uint8 as a PNG file. Source: ISO/IEC 15948."""
    height, width, channels = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), "uint8"), pixels.reshape(height, -1)], 1)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
