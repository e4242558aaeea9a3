"""ARNs, partitions, dated names, masks, addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailhound.vocab.aws import Arn, address, is_mask, parse_arn, partition_of, principal_arn, service_of, undated


def test_arn_is_taken_apart_once_per_colon():
    assert parse_arn("arn:aws:logs:r:1:log-group:/g:*") == Arn("aws", "logs", "r", "1", "log-group:/g:*")


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:s3", "i-0abc", "urn:aws:s3:::b", "ARN:aws:s3:::b"])
def test_no_arn(text):
    assert parse_arn(text) is None
    assert principal_arn(text) == text


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:iam::1:user/a/b", "arn:aws:iam::1:user/b"),
        ("arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/X", "arn:aws:iam::1:role/X"),
        ("arn:aws-us-gov:sts::1:assumed-role/r/s", "arn:aws-us-gov:iam::1:role/r"),
        ("arn:aws:sts::1:assumed-role/r", "arn:aws:iam::1:role/r"),
        ("arn:aws:sts::1:federated-user/f", "arn:aws:sts::1:federated-user/f"),
        ("arn:aws:iam::1:root", "arn:aws:iam::1:root"),
    ],
)
def test_principal_has_neither_path_nor_session(arn, principal):
    assert principal_arn(arn) == principal
    assert principal_arn(principal) == principal


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("us-iso-east-1", "aws-iso"),
     ("us-isob-east-1", "aws-iso-b"), ("eusc-de-east-1", "aws-eusc"), ("", "aws"), (None, "aws")],
)  # fmt: skip
def test_partition_of_a_region(region, partition):
    assert partition_of(region) == partition


def test_dated_operations():
    assert undated("UpdateFunctionCode20150331v2") == "UpdateFunctionCode"
    assert undated("CreateDistribution2020_05_31") == "CreateDistribution"
    assert undated("GetObject") == "GetObject"


def test_service_of_an_event_source():
    assert (service_of("ec2.amazonaws.com"), service_of(None)) == ("ec2", "")


def test_masks_are_no_names():
    assert is_mask("HIDDEN_DUE_TO_SECURITY_REASONS")
    assert is_mask("AKIA****************")
    assert not is_mask("alice")


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_ipv4_is_mapped_into_ipv6(ip):
    text, digits = address(str(ip)) or ("", "")
    assert text == str(ip)
    assert ipaddress.IPv6Address(int(digits, 16)).ipv4_mapped == ip


@settings(deadline=None)
@given(st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None))
def test_ipv6_is_canonical_whatever_its_writing(ip):
    assert address(ip.exploded.upper()) == address(str(ip)) == (str(ip), f"{int(ip):032x}")


@settings(deadline=None)
@given(st.lists(st.ip_addresses(), min_size=2, max_size=8))
def test_digits_sort_as_the_addresses_do(ips):
    mapped = [int(ipaddress.IPv6Address(f"::ffff:{ip}")) if ip.version == 4 else int(ip) for ip in ips]
    found = [address(str(ip)) for ip in ips]
    assert [int(digits, 16) for _, digits in filter(None, found)] == mapped


@pytest.mark.parametrize(
    "text", ["", "AWS Internal", "1.2.3", "1.2.3.4.5", "999.1.1.1", "1.2.3.4/8", "fe80::1%eth0", "١.2.3.4"]
)
def test_no_address(text):
    assert address(text) is None
