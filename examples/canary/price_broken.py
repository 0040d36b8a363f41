"""The price of a basket, by somebody in a hurry: not every item has a weight."""


def main(basket):
    return {"total": sum(item["price"] * item["weight"] for item in basket)}
