class CardRefused(Exception):
    pass


def handler(event, context):
    if event["card"] == "expired":
        raise CardRefused("the card has expired")
    return {"charged": 20 * event["count"]}
