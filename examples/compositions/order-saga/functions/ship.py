class NoSuchAddress(Exception):
    pass


def handler(event, context):
    if not event["address"]:
        raise NoSuchAddress("the parcel has nowhere to go")
    return {"parcel": event["reservation"], "to": event["address"]}
