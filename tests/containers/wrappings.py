"""Each wrapping, written as its maker writes it: record texts in, the bytes a user holds out."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

Wrap = Callable[[list[str]], bytes]


def log_event(text: str, number: int) -> dict[str, Any]:
    return {"id": str(10**20 + number), "timestamp": 1700000000000 + number, "message": text}


def subscription(texts: list[str]) -> dict[str, Any]:
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "trail",
        "logStream": "111122223333_CloudTrail_us-east-1",
        "subscriptionFilters": ["all"],
        "logEvents": [log_event(text, number) for number, text in enumerate(texts)],
    }


def zipped(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


def lookup_event(text: str) -> dict[str, Any]:
    return {
        "EventId": "e",
        "EventName": "n",
        "ReadOnly": "true",
        "EventTime": 1700000000.0,
        "EventSource": "s",
        "Username": "u",
        "Resources": [{"ResourceType": "AWS::S3::Bucket", "ResourceName": "b"}],
        "CloudTrailEvent": text,
    }


def bridge(text: str) -> str:
    head = '{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.iam","resources":[],"detail":'
    return head + text + "}"


def notification(message: str) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": message}


def sqs_message(body: str) -> dict[str, Any]:
    return {"MessageId": "m", "ReceiptHandle": "r", "MD5OfBody": "d", "Body": body}


def hit(source: str) -> str:
    return f'{{"_index":"logs","_id":"1","_score":1.0,"_source":{source}}}'


def insights_row(text: str) -> list[dict[str, str]]:
    return [{"field": "@timestamp", "value": "2024-01-01"}, {"field": "@message", "value": text}]


def table(header: list[str], rows: list[list[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def ndjson(values: list[Any]) -> bytes:
    return b"".join(dump(value) + b"\n" for value in values)


def listed(texts: list[str]) -> str:
    return ",".join(texts)


WRAPPINGS: dict[str, Wrap] = {
    "records": lambda t: f'{{"Records":[{listed(t)}]}}'.encode(),
    "records_laid_out": lambda t: ('{\n  "Records" : [\n    ' + ",\n    ".join(t) + "\n  ]\n}\n").encode(),
    "records_other_name": lambda t: dump({"cloudtrail": "X"}).replace(b'"X"', f"[{listed(t)}]".encode()),
    "array": lambda t: f"[{listed(t)}]".encode(),
    "lines": lambda t: "".join(f"{text}\n" for text in t).encode(),
    "objects": lambda t: "".join(t).encode(),
    "utf16_le": lambda t: b"\xff\xfe" + f'{{"Records":[{listed(t)}]}}'.encode("utf-16-le"),
    "utf16_be_bare": lambda t: f'{{"Records":[{listed(t)}]}}'.encode("utf-16-be"),
    "lookup_events": lambda t: dump({"Events": [lookup_event(x) for x in t], "NextToken": "x"}),
    "lookup_events_lines": lambda t: ndjson([lookup_event(x) for x in t]),
    "lookup_events_array": lambda t: dump([lookup_event(x) for x in t]),
    "subscription": lambda t: dump(subscription(t)),
    "firehose": lambda t: b"".join(dump(subscription([x])) for x in t),
    "awslogs": lambda t: dump({"awslogs": {"data": zipped(subscription(t))}}),
    "base64_lines": lambda t: "".join(f"{zipped(subscription([x]))}\n" for x in t).encode(),
    "kinesis_lambda": lambda t: dump(
        {"Records": [{"kinesis": {"data": zipped(subscription([x]))}, "eventSource": "aws:kinesis"} for x in t]}
    ),
    "kinesis_get": lambda t: dump(
        {"Records": [{"SequenceNumber": "1", "Data": base64.b64encode(x.encode()).decode()} for x in t]}
    ),
    "firehose_lambda": lambda t: dump(
        {"deliveryStreamArn": "a", "records": [{"recordId": "1", "data": zipped(subscription([x]))} for x in t]}
    ),
    "filter_log_events": lambda t: dump(
        {"events": [{"logStreamName": "s", **log_event(x, n)} for n, x in enumerate(t)], "searchedLogStreams": [{}]}
    ),
    "log_events_lines": lambda t: ndjson([log_event(x, n) for n, x in enumerate(t)]),
    "export_task": lambda t: "".join(f"2024-01-01T00:00:00.000Z {x}\n" for x in t).encode(),
    "logs_tail": lambda t: "".join(f"2024-01-01T00:00:00.000000+00:00 1_CloudTrail_r {x}\n" for x in t).encode(),
    "logs_query": lambda t: dump(
        {"results": [insights_row(x) for x in t], "statistics": {"a": 1.0}, "status": "Complete"}
    ),
    "lake_query": lambda t: dump(
        {"QueryStatus": "FINISHED", "QueryResultRows": [[{"eventID": "1"}, {"eventJson": x}] for x in t]}
    ),
    "event_bridge": lambda t: "\n".join(map(bridge, t)).encode(),
    "event_bridge_run_together": lambda t: "".join(map(bridge, t)).encode(),
    "sns": lambda t: ndjson([notification(bridge(x)) for x in t]),
    "sns_lambda": lambda t: dump({"Records": [{"EventSource": "aws:sns", "Sns": notification(x)} for x in t]}),
    "sqs": lambda t: dump({"Messages": [sqs_message(x) for x in t]}),
    "sqs_sns_event_bridge": lambda t: dump({"Messages": [sqs_message(json.dumps(notification(bridge(x)))) for x in t]}),
    "sqs_lambda": lambda t: dump({"Records": [{"messageId": "1", "body": x, "eventSource": "aws:sqs"} for x in t]}),
    "elastic": lambda t: (
        '{"took":3,"timed_out":false,"_shards":{"total":1},"hits":{"total":{"value":1,"relation":"eq"},"max_score":1.0,"hits":['
        + listed([hit(x) for x in t])
        + "]}}"
    ).encode(),
    "elastic_original": lambda t: ndjson([{"_source": {"event": {"original": x}, "@timestamp": "t"}} for x in t]),
    "elastic_flat": lambda t: ndjson([{"@timestamp": "t", "event.original": x} for x in t]),
    "splunk": lambda t: ndjson([{"preview": False, "offset": n, "result": {"_raw": x}} for n, x in enumerate(t)]),
    "splunk_page": lambda t: dump({"preview": False, "init_offset": 0, "results": [{"_raw": x} for x in t]}),
    "splunk_csv": lambda t: table(["_time", "host", "_raw"], [["1", "h", x] for x in t]),
    "lake_csv": lambda t: table(["eventID", "eventJson"], [["1", x] for x in t]),
    "semicolons": lambda t: table(["id", "event.original"], [["1", x] for x in t], ";"),
    "log_analytics": lambda t: dump(
        {"tables": [{"name": "PrimaryResult", "columns": [{"name": "RawData"}], "rows": [[x] for x in t]}]}
    ),
    "message": lambda t: ndjson([{"@version": "1", "host": "h", "message": x} for x in t]),
    "message_capital": lambda t: ndjson([{"Message": x} for x in t]),
    "ocsf": lambda t: ndjson(
        [{"class_uid": 6003, "metadata": {"product": {"name": "CloudTrail"}}, "raw_data": x} for x in t]
    ),
}
