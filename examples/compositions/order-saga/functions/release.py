def handler(event, context):
    print("back on the shelf:", event["reservation"])
