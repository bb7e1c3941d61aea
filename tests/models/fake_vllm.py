"""A fake, not vLLM: a program that stands where a Python with vLLM would, and serves a model that says little.

Asked for versions it tells the one in FAKE_VLLM. Started as the server it keeps its command line and what it was given of its
environment in FAKE_KEPT, and answers until it is ended; with FAKE_BROKEN it ends at once, as vLLM does on a bad folder.
"""

import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def value(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.whole({"data": [{"id": name} for name in names()]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema")
        word = schema and schema["properties"]["word"]["enum"][0]
        text = json.dumps({"word": word}) if schema and "FAKE_DEAF" not in os.environ else "hello"
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        self.whole({"model": asked["model"], "choices": [choice], "usage": {}})

    def whole(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def names() -> list[str]:
    found = [value("--served-model-name")]
    return [*found, json.loads(value("--lora-modules"))["name"]] if "--lora-modules" in sys.argv else found


if __name__ == "__main__":
    if sys.argv[1] == "-c":
        print(os.environ["FAKE_VLLM"])
    elif "FAKE_BROKEN" in os.environ:
        sys.exit("INFO starting\nValueError: no such architecture")
    else:
        kept = {"argv": sys.argv[1:], "environment": dict(os.environ)}
        with open(os.environ["FAKE_KEPT"], "w") as file:
            json.dump(kept, file)
        if ":" in value("--host"):
            ThreadingHTTPServer.address_family = socket.AF_INET6
        ThreadingHTTPServer((value("--host"), int(value("--port"))), Handler).serve_forever(0.02)
