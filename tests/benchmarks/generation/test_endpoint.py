"""The endpoint with a real server, `transformers serve`, and a proxy between them that fails on purpose."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from benchmarks.generation.endpoint import Endpoint
from benchmarks.generation.generator import SamplingParams, load_generator
from benchmarks.generation.response import read_completion
from sql_env.errors import GenerationError, PluginError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(memorised):
    """The address of a server with the model of `memorised`."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("transformers")), "serve", str(memorised.folder),
        "--port", str(port), "--device", "cpu",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 240
            while not healthy(port):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
            yield f"http://localhost:{port}/v1"
        finally:
            process.kill()


def healthy(port):
    try:
        return httpx2.get(f"http://localhost:{port}/health").is_success
    except httpx2.TransportError:
        return False


class Proxy:
    """Forwards requests to a server after some faults, and records them."""

    def __init__(self, server, *faults):
        self.server, self.faults = server, deque(faults)
        self.bodies, self.headers = [], []
        self.running = self.most = 0
        self.lock = threading.Lock()

    def fault(self, request):
        """Record a request, and return its fault, if any."""
        with self.lock:
            self.bodies.append(json.loads(request))
            return self.faults.popleft() if self.faults else None

    @contextmanager
    def counted(self):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            yield
        finally:
            with self.lock:
                self.running -= 1


@contextmanager
def proxy(server, *faults):
    """A proxy; a fault is a status, a pair of status and headers, or ``close``, ``html`` or ``slow``."""
    state = Proxy(server, *faults)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.headers.append(dict(self.headers))
            fault = state.fault(body)
            if fault == "close":
                self.close_connection = True
            elif fault == "slow":
                time.sleep(2)
            elif fault == "html":
                self.answer(200, b"<html>please log in</html>")
            elif fault is not None:
                status, headers = fault if isinstance(fault, tuple) else (fault, {})
                self.answer(status, b'{"error": "as the test wants it"}', headers)
            else:
                path = self.path.removeprefix("/v1")
                kind = {"Content-Type": "application/json"}
                with (
                    state.counted()
                ):  # ends before the response is sent, because the next request may come then
                    got = httpx2.post(state.server + path, content=body, headers=kind, timeout=240)
                self.answer(got.status_code, got.content)

        def answer(self, status, content, headers=()):
            self.send_response(status)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("localhost", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        state.url = f"http://localhost:{listening.server_port}/v1"
        try:
            yield state
        finally:
            listening.shutdown()
            thread.join()


@contextmanager
def endpoint(memorised, url, **options):
    made = Endpoint(str(memorised.folder), base_url=url, **{"backoff": 0.01, **options})
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def prompts(memorised):
    from sql_env import Scorer
    from sql_env.prompts.prompt import build_prompt

    with Scorer("sql-r1") as scorer:
        form = scorer.rubric.form
        return [build_prompt(task, scorer.executor, form, "compact").messages for task in memorised.tasks]


GREEDY = SamplingParams(max_tokens=120)


def test_greedy_completions(memorised, server, prompts):
    with endpoint(memorised, server, concurrency=3) as made:
        assert sorted(made.complete(prompts, GREEDY)) == [
            (place, [text]) for place, text in enumerate(memorised.completions)
        ]
        assert [place for place, _ in made.complete(prompts, GREEDY, {*range(8)} - {5})] == [5]


def test_the_same_as_in_this_process(memorised, server, prompts):
    here = load_generator("transformers", str(memorised.folder), threads=1)
    with endpoint(memorised, server) as made:
        assert sorted(here.complete(prompts, GREEDY)) == sorted(made.complete(prompts, GREEDY))
    assert here.size(prompts[0]) < made.size(prompts[0])


def test_each_candidate_is_a_request_with_its_own_seed(memorised, server, prompts):
    sampling = SamplingParams(samples=3, temperature=1.5, top_p=0.9, max_tokens=120, seed=7)
    with proxy(server) as between, endpoint(memorised, between.url) as made:
        [(place, texts)] = made.complete(prompts[:1], sampling)
        assert (place, len(texts)) == (0, 3)
        seeds = {body["seed"] for body in between.bodies}
        assert len(seeds) == 3
        assert all((body["temperature"], body["top_p"]) == (1.5, 0.9) for body in between.bodies)
        list(made.complete(prompts[:1], sampling))
        assert {body["seed"] for body in between.bodies[3:]} == seeds


@pytest.mark.parametrize(
    "faults",
    [(500, 503), (429, (429, {"Retry-After": "0"})), ("close", "close"), ("html", 502), (408, 409)],
    ids=str,
)
def test_failed_requests_are_sent_again(faults, memorised, server, prompts):
    with proxy(server, *faults) as between, endpoint(memorised, between.url, concurrency=1) as made:
        assert list(made.complete(prompts[:2], GREEDY)) == [
            (0, memorised.completions[:1]),
            (1, memorised.completions[1:2]),
        ]
    assert len(between.bodies) == 4
    assert between.bodies[0] == between.bodies[1] == between.bodies[2]


def test_a_server_that_takes_too_long(memorised, server, prompts):
    with (
        proxy(server, "slow") as between,
        endpoint(memorised, between.url, timeout=0.5, retries=0) as hasty,
        pytest.raises(GenerationError, match=r"no answer from .* after one try: ReadTimeout"),
    ):
        list(hasty.complete(prompts[:1], GREEDY))


def test_requests_at_the_same_time(memorised, server, prompts):
    with proxy(server) as between, endpoint(memorised, between.url, concurrency=4) as made:
        assert len(list(made.complete(prompts, GREEDY))) == 8
    assert 2 <= between.most <= 4


def test_completions_before_a_failure_are_kept(memorised, server, prompts):
    got = []
    with (
        proxy(server, None, None, 500, 500) as between,
        endpoint(memorised, between.url, concurrency=1, retries=1) as made,
        pytest.raises(GenerationError, match=r"after 2 tries: HTTP 500: .*as the test wants it"),
    ):
        got.extend(made.complete(prompts, GREEDY))
    assert got == [(0, memorised.completions[:1]), (1, memorised.completions[1:2])]
    assert len(between.bodies) == 4


@pytest.mark.parametrize(
    ("status", "message"), [(401, "API key"), (404, "lack its /v1"), (403, "HTTP 403"), (301, "HTTP 301")]
)
def test_permanent_failures_are_not_retried(status, message, memorised, server, prompts):
    with (
        proxy(server, status) as between,
        endpoint(memorised, between.url, concurrency=1) as made,
        pytest.raises(GenerationError, match=message),
    ):
        list(made.complete(prompts, GREEDY))
    assert len(between.bodies) == 1


def test_a_refused_prompt_does_not_stop_the_others(memorised, server, prompts):
    got = []
    with (
        proxy(server, None, 400) as between,
        endpoint(memorised, between.url, concurrency=1) as made,
        pytest.raises(GenerationError, match="1 requests were refused; prompt 1: HTTP 400"),
    ):
        got.extend(made.complete(prompts, GREEDY))
    assert [place for place, _ in got] == [0, 2, 3, 4, 5, 6, 7]
    assert len(between.bodies) == 8


def test_a_server_that_is_not_there(memorised, prompts):
    with (
        endpoint(memorised, "http://localhost:9/v1", retries=2) as made,
        pytest.raises(GenerationError, match=r"no answer from http://localhost:9/v1 after 3 tries: Connect"),
    ):
        list(made.complete(prompts, GREEDY))


def test_key_and_further_fields(memorised, server, prompts, monkeypatch):
    monkeypatch.setenv("MY_KEY", "not for the record")
    extra = {"max_tokens": None, "chat_template_kwargs": {"thinking": False}}
    with (
        proxy(server) as between,
        endpoint(memorised, between.url, api_key_variable="MY_KEY", extra_body=extra) as made,
    ):
        list(made.complete(prompts[:1], GREEDY))
        assert "not for the record" not in json.dumps([made.settings, made.environment])
    assert between.headers[0]["Authorization"] == "Bearer not for the record"
    assert "max_tokens" not in between.bodies[0]
    assert between.bodies[0]["chat_template_kwargs"] == {"thinking": False}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "<think>a</think>b"}, "<think>a</think>b"),
        ({"content": None}, ""),
        ({"content": "b", "reasoning_content": " a\n"}, "<think>\na\n</think>\nb"),
        ({"content": "b", "reasoning": "a"}, "<think>\na\n</think>\nb"),
        ({"content": "<think>x</think>b", "reasoning": "a"}, "<think>x</think>b"),
        ({"content": "b", "reasoning_content": ""}, "b"),
    ],
)
def test_reasoning_in_a_field_of_its_own(message, text):
    """The forms in the documentation of vLLM, SGLang, llama.cpp and DeepSeek."""
    assert read_completion(json.dumps({"choices": [{"message": message}]}).encode()) == text


@pytest.mark.parametrize(
    "content", ["", "<html>", "[" * 100_000, "3", "{}", '{"choices": []}', '{"choices": [3]}']
)
def test_responses_without_completion(content):
    assert read_completion(content.encode()) is None


def test_mistakes():
    for wrong in ({"base_url": "localhost:8000"}, {"base_url": "http://a", "concurrency": 0}):
        with pytest.raises(GenerationError):
            Endpoint("m", **wrong)
    with pytest.raises(PluginError, match=r"generator 'openai': .*batch"):
        load_generator("openai", "m", base_url="http://a/v1", batch=3)
    with pytest.raises(PluginError, match="Did you mean 'openai'"):
        load_generator("openia", "m")
    made = Endpoint("m", base_url="https://me:secret@example.org/v1/")
    assert made.settings == {"model": "m", "base_url": "https://example.org/v1"}
    made.close()


def command(memorised, url, out, *more):
    return [
        sys.executable, "-m", "benchmarks.evaluate", "--benchmark", "jsonl",
        "--param", f"path={memorised.questions}", "--model", str(memorised.folder), "--base-url", url,
        "--template", "compact", "--max-tokens", "120", "--workers", "1", "--out", str(out), *more,
    ]  # fmt: skip


def test_a_failed_run_is_resumed(memorised, server, tmp_path):
    """A missing completion is not a wrong one: it is requested again, and no other is."""
    with proxy(server, None, None, None, 503, 503) as between:
        run = command(memorised, between.url, tmp_path, "--concurrency", "1", "--retries", "1")
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "error: no answer from" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "summary.json").exists()
        assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 3
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(between.bodies) == 3 + 2 + 5
    check(memorised, tmp_path)


def test_a_killed_run_is_resumed(memorised, server, tmp_path):
    with proxy(server) as between:
        run = command(memorised, between.url, tmp_path, "--concurrency", "2")
        predictions = tmp_path / "predictions.jsonl"
        with subprocess.Popen(run, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            until = time.monotonic() + 240
            while not (predictions.exists() and predictions.read_bytes().count(b"\n") >= 3):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.001)
            os.kill(process.pid, signal.SIGKILL)
        kept = predictions.read_bytes().count(b"\n")
        assert 3 <= kept < 8
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert 8 <= len(between.bodies) <= 8 + 3  # requests that ran at the kill are sent again
    check(memorised, tmp_path)


def check(memorised, folder):
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    assert [item["completion"] for item in items] == memorised.completions
    assert [item["correct"] for item in items] == memorised.correct
    assert [item["status"] for item in items] == ["ok"] * 7 + ["malformed"]
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert len({row["task_id"] for row in rows}) == len(rows) == 8
