class OutOfStock(Exception):
    pass


STOCK = {"lamp": 3, "chair": 0}


def handler(event, context):
    if STOCK.get(event["item"], 0) < event["count"]:
        raise OutOfStock(f"no {event['item']} left")
    return f"{event['count']} x {event['item']}"
