"""The price of a basket, with a discount from ten pieces on."""


def main(basket):
    total = sum(item["price"] * item["count"] for item in basket)
    pieces = sum(item["count"] for item in basket)
    return {"total": round(total * 0.9, 2) if pieces >= 10 else total}
