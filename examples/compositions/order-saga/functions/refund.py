def handler(event, context):
    print("giving back", event["payment"]["charged"])
