"""An HTTP server between the binding and a node that treats chosen requests badly."""

import json
import threading
import time
import urllib.request
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Proxy:
    """``bad["eth_sendRawTransaction"].append("lose")``: the next such request reaches the node, its answer nobody."""

    def __init__(self, node_url):
        self.node_url, self.bad, self.seen = node_url, {}, []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                proxy.handle(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *args):
                """Keeps the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def misbehave(self, method, *ways):
        self.bad.setdefault(method, deque()).extend(ways)

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def forward(self, body):
        request = urllib.request.Request(self.node_url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def handle(self, handler, body):
        request = json.loads(body)
        method = request["method"]
        self.seen.append(method)
        ways = self.bad.get(method)
        way = ways.popleft() if ways else None
        status, answer = 200, None
        match way:
            case "drop":  # it never reaches the node
                handler.close_connection = True
                return
            case "lose":  # the answer never reaches us
                self.forward(body)
                handler.close_connection = True
                return
            case "duplicate":  # the node gets it twice; we get its second answer
                self.forward(body)
            case "delay":
                time.sleep(0.7)
            case "error page":
                status, answer = 500, b"<html>out of order</html>"
            case "page":
                answer = b"<html>hello</html>"
            case "busy":
                answer = json.dumps(
                    {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32005, "message": "limit exceeded"}}
                ).encode()
            case "nonsense":
                answer = b'{"jsonrpc": "2.0"}'
            case "nothing":
                answer = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": None}).encode()
        answer = answer if answer is not None else self.forward(body)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        if way == "cut":  # the connection breaks in the middle of the answer
            answer = answer[: len(answer) // 2]
            handler.close_connection = True
        handler.wfile.write(answer)
