"""Stands for a message: whoever gets it answers with the token."""


def handler(event, context):
    print("to", event["to"], "because", event["because"])
    print(event["token"])
