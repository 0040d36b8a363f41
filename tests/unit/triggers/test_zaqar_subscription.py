"""What Zaqar posts to subscribers; the real one does it in ``tests/integration/sources``."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow import conf
from funcflow.events import BadEvent
from funcflow.triggers import base
from funcflow.triggers.zaqar_subscription import ZaqarSubscriptionSource, confirmation

ASKED: dict[str, Any] = {
    "Message_Type": "SubscriptionConfirmation",
    "Message": "You have chosen to subscribe to the queue: orders",
    "WSGISubscribeURL": "http://169.254.169.254/latest",
    "URL-Signature": "6a63d63242ebd18c3518871dda6fdcb6273db2672c599bf985469241e9a1c799",
    "URL-Methods": "PUT",
    "URL-Paths": "/v2/queues/orders/subscriptions/5760c9fb3990b42e8b7c20bd/confirm",
    "URL-Expires": "2026-11-21T12:00:00",
    "X-Project-ID": "51be2c72393e457ebf0a22a668e10a64",
    "SubscribeBody": {"confirmed": True},
    "UnsubscribeBody": {"confirmed": False},
}


def test_zaqar_gets_back_what_it_signed_wherever_the_message_points_to() -> None:
    path, headers = confirmation(ASKED, "orders")
    assert path == ASKED["URL-Paths"]
    assert headers.pop("Client-ID")
    assert headers == {name: ASKED[name] for name in headers}
    assert "169.254" not in str(headers)


@pytest.mark.parametrize(
    "changes",
    [
        {"URL-Paths": "/v2/queues/other/subscriptions/1/confirm"},
        {"URL-Paths": "/v2/queues/orders/subscriptions/1/confirm/../../messages"},
        {"URL-Paths": ["/v2/queues/orders/subscriptions/1/confirm"]},
        {"URL-Signature": "a\r\nX-Roles: admin"},
        {"URL-Expires": None},
    ],
)
def test_other_messages_confirm_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(BadEvent):
        confirmation({**ASKED, **changes}, "orders")


def test_wrong_configurations() -> None:
    settings = conf.load(openstack={"zaqar_url": "http://zaqar"})
    assert ZaqarSubscriptionSource.check({"queue": "orders"}, settings) == {"queue": "orders"}
    for told in ({}, {"queue": "a b"}, {"queue": "orders", "ttl": 1}):
        with pytest.raises(base.BadSource):
            ZaqarSubscriptionSource.check(told, settings)
    with pytest.raises(base.BadSource, match="no cloud"):
        ZaqarSubscriptionSource.check({"queue": "orders"}, conf.load())
