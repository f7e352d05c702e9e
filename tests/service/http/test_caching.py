"""What may be kept, and when nothing has changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.requests import Request

from service.http.caching import entity_tag, unchanged, validators
from service.routes.run_answer import until_next_run
from tests.service.runs_made import END, made_run

TAG, MODIFIED = '"abc"', END


def asking(**headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": named})


@pytest.mark.parametrize("value", ['"abc"', '"x", "abc"', 'W/"abc"', "*", ' "abc" ,"y"'])
def test_a_known_tag_is_unchanged(value: str) -> None:
    assert unchanged(asking(if_none_match=value), TAG, MODIFIED)


@pytest.mark.parametrize("value", ['"abd"', "abc", "", '"', '"ab"c"'])
def test_another_tag_is_not_whatever_its_time_says(value: str) -> None:
    asked = asking(if_none_match=value, if_modified_since="Wed, 01 Jan 2098 00:00:00 GMT")
    assert not unchanged(asked, TAG, MODIFIED)


@pytest.mark.parametrize(
    ("since", "same"),
    [
        ("Wed, 16 Aug 2017 01:15:00 GMT", True),
        ("Wed, 16 Aug 2017 01:14:59 GMT", False),
        ("yesterday", False),
        ("Wed, 99 Aug 2017 01:14:59 GMT", False),
        ("", False),
    ],
)
def test_without_a_tag_the_time_counts(since: str, same: bool) -> None:
    assert unchanged(asking(if_modified_since=since), TAG, MODIFIED) is same
    assert not unchanged(asking(), TAG, MODIFIED)


def test_tags_are_strong_and_tell_answers_apart() -> None:
    tags = {entity_tag("run", None, (5,)), entity_tag("run", None, (10,)), entity_tag("run", "degraded", (5,))}
    assert len(tags) == 3
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
    assert entity_tag("run", slice(1, 2)) == entity_tag("run", slice(1, 2))


def test_validators_are_http_dates() -> None:
    headers = validators(TAG, END + timedelta(microseconds=9))
    assert headers == {"ETag": TAG, "Accept-Ranges": "bytes", "Last-Modified": "Wed, 16 Aug 2017 01:15:00 GMT"}


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(0, 300), (100, 200), (299, 5), (-4000, 300), (1077, 3), (1080, 5), (4000, 5)],  # its end is after 1080 seconds
)
def test_the_latest_run_may_be_kept_until_the_next_is_expected(seconds: int, age: int) -> None:
    run = made_run().run
    assert until_next_run(run, run.made_at + timedelta(seconds=seconds)) == age
