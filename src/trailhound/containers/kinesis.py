"""Kinesis and Firehose: a record in base64, as GetRecords gives it and as Lambda is called with it.

`{"kinesis": {"data": ...}}`, `{"SequenceNumber": ..., "Data": ...}`, `{"recordId": ..., "data": ...}`; the last
in `{"deliveryStreamArn": ..., "records": [...]}`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Found, reader

KEYS = ("kinesis", "Data", "data", "deliveryStreamArn")


class _Data(msgspec.Struct):
    data: str


class _Called(msgspec.Struct):
    kinesis: _Data


class _Got(msgspec.Struct):
    SequenceNumber: str
    Data: str


class _Firehose(msgspec.Struct):
    recordId: str  # noqa: N815 - the name in the message
    data: str


class _Delivery(msgspec.Struct):
    deliveryStreamArn: str  # noqa: N815
    records: list[msgspec.Raw]


_read_called, _read_got = reader(_Called), reader(_Got)
_read_firehose, _read_delivery = reader(_Firehose), reader(_Delivery)


def contents(value: bytes) -> Iterator[Found] | None:
    if delivery := _read_delivery(value):
        return map(bytes, delivery.records)
    if called := _read_called(value):
        return iter((called.kinesis.data.encode(),))
    if got := _read_got(value):
        return iter((got.Data.encode(),))
    one = _read_firehose(value)
    return iter((one.data.encode(),)) if one else None
