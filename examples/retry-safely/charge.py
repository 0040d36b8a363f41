"""Charge an order; a stand-in for something that must not happen twice."""


def main(order, amount, *, context):
    print(f"charging {amount} for {order}")
    return {"order": order, "charged": amount, "receipt": context.execution_id}
