def handler(event, context):
    return {"id": "job-1", "status": "new", "needs": event["needs"]}
