"""The price of a basket."""


def main(basket):
    return {"total": sum(item["price"] * item["count"] for item in basket)}
