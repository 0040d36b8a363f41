"""Answers with what it was asked."""

import http.server
import json
import os
import time


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if isinstance(value, dict):
            print(value["n"], flush=True)
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
        status = 500 if value == "fail" else 200
        body = json.dumps({"value": value, "id": self.headers["X-Funcflow-Execution-Id"]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Echo).serve_forever()
