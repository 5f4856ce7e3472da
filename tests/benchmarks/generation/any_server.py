"""A server that answers with any bytes."""

import json
import socket
import threading
from contextlib import suppress


def respond(content, status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def complete(text):
    return respond(json.dumps({"choices": [{"message": {"content": text}}]}).encode())


class Server:
    """Answers one connection after the other with the next of its answers, and the last one for good."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        self.closed = threading.Event()
        self.socket = socket.create_server(("localhost", 0))
        self.url = f"http://localhost:{self.socket.getsockname()[1]}/v1"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection, suppress(OSError):
                if self.closed.is_set():
                    return
                self.requests.append(read_request(connection))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    answer(connection, self.closed)
                else:
                    connection.sendall(answer)

    def close(self):
        self.closed.set()
        with suppress(OSError):
            socket.create_connection(self.socket.getsockname()[:2]).close()
        self.thread.join()
        self.socket.close()


def read_request(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head.decode(), body
