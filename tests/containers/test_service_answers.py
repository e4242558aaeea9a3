"""Wrappings as servers write them over HTTP, not as these tests think they do."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.containers.test_wrappings import RECORDS, found_in
from tests.sources.cloud import Cloud, running

EXPECTED = [text.encode() for text in RECORDS]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running() as cloud:
        yield cloud


def saved(answer: Any) -> bytes:
    """As `aws ... --output json > file` saves it."""
    return json.dumps(answer, indent=4, default=str).encode()


def test_cloudwatch_logs(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="trail")
    logs.create_log_stream(logGroupName="trail", logStreamName="s")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": text} for number, text in enumerate(RECORDS)]
    logs.put_log_events(logGroupName="trail", logStreamName="s", logEvents=events)
    assert found_in(saved(logs.filter_log_events(logGroupName="trail"))) == EXPECTED
    assert found_in(saved(logs.get_log_events(logGroupName="trail", logStreamName="s", startFromHead=True))) == EXPECTED
    query = logs.start_query(
        logGroupName="trail",
        startTime=now // 1000 - 60,
        endTime=now // 1000 + 60,
        queryString="fields @timestamp, @message",
    )
    answer = logs.get_query_results(queryId=query["queryId"])
    assert sorted(map(str, found_in(saved(answer)))) == sorted(map(str, EXPECTED))


def test_sns_into_sqs(cloud: Cloud) -> None:
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    for text in RECORDS:
        sns.publish(TopicArn=topic, Message=text)
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    assert sorted(map(str, found_in(saved(answer)))) == sorted(map(str, EXPECTED))


def test_kinesis(cloud: Cloud) -> None:
    kinesis = cloud.client("kinesis")
    kinesis.create_stream(StreamName="k", ShardCount=1)
    for text in RECORDS:
        kinesis.put_record(StreamName="k", Data=text.encode(), PartitionKey="p")
    shard = kinesis.describe_stream(StreamName="k")["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="k", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    answer = kinesis.get_records(ShardIterator=iterator["ShardIterator"])
    for one in answer["Records"]:  # boto3 decodes what the command line leaves as it is
        one["Data"] = base64.b64encode(one["Data"]).decode()
    assert found_in(saved(answer)) == EXPECTED


def test_s3_events_of_a_queue(cloud: Cloud) -> None:
    s3, sqs = cloud.client("s3"), cloud.client("sqs")
    s3.create_bucket(Bucket="logs-of-trail")
    queue = sqs.create_queue(QueueName="n")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_notification_configuration(
        Bucket="logs-of-trail",
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    s3.put_object(Bucket="logs-of-trail", Key="AWSLogs/a b.json.gz", Body=b"x")
    items = found_in(saved(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)))
    reasons = sorted(item[1] for item in items if not isinstance(item, bytes))
    assert reasons == ["control_message", "s3_notification"]
    assert any("s3://logs-of-trail/AWSLogs/a b.json.gz" in str(item) for item in items)
