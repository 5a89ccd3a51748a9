"""One tool at work, as a process of its own. All are started, sent a job, timed and measured in the same way."""

import json
import os
import queue
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB = 1 << 20
# After it a tool is taken to hang.
MAX_SECONDS = 900


class Failed(Exception):
    """A tool has ended otherwise than it should."""


class Tool:
    """A process that prints a line when it is ready, is given its job as a line of JSON, and prints a line when it is done."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.line()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.kill()
            raise Failed(f"{self.process.args}: {self.process.communicate()[1][-2000:]}")
        return line

    def work(self, job):
        """Does a job; the seconds that it took."""
        begun = time.perf_counter()
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        self.line()
        return time.perf_counter() - begun

    def end(self):
        """The CPU seconds of the process, its start included, and its peak memory in MiB."""
        return ended(self.process)


def ended(process):
    """VmHWM is read, and not ru_maxrss: that of a new process begins with the memory of whoever has started it."""
    with open(f"/proc/{process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()
    return usage.ru_utime + usage.ru_stime, peak


class Function:
    """The real `bootstrap`, with Lambda's side of the Runtime API in front of it (Lambda developer guide, "Using the Lambda
    runtime API for custom runtimes")."""

    def __init__(self, command, environment, preexec=None):
        self.events, self.answers, self.ready = queue.Queue(), queue.Queue(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        lambdas = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "unload-header",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
        }
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            command, env={**environment, **lambdas}, stdout=subprocess.DEVNULL, preexec_fn=preexec
        )
        if not self.ready.wait(60):
            self.process.kill()
            raise Failed(f"{command} has not asked for an event within 60 s")
        self.seconds_to_start = time.perf_counter() - begun

    def work(self, event):
        begun = time.perf_counter()
        self.events.put(event)
        how, answer = self.answers.get(timeout=MAX_SECONDS)
        seconds = time.perf_counter() - begun
        if how != "response":
            raise Failed(answer)
        self.answer = answer
        return seconds

    def end(self):
        measured = ended(self.process)
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()
        return measured

    def handler(self):
        function = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Two small writes would wait for each other's acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    pass  # The process was ended.

            def do_GET(self):
                function.ready.set()
                event = function.events.get()
                if event is None:
                    self.close_connection = True
                    return
                body = json.dumps(event).encode()
                deadline = int((time.time() + MAX_SECONDS) * 1000)
                self.answer(200, body, {
                    "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:unload-header",
                })

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                function.answers.put((self.path.rsplit("/", 1)[1], body))
                self.answer(202, b"", {})

            def answer(self, status, body, headers):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_):
                pass

        return Handler
