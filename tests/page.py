"""Serves a results folder under the header that Jenkins sends, lets Chromium draw report.html (that header turns scripts off), prints the text
that a reader sees and writes page.png. Arguments: the browser, the folder. Ends by itself."""

import functools
import http.server
import html.parser
import subprocess
import sys
import tempfile
import threading

HEADER = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'"


class Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Content-Security-Policy", HEADER)
        super().end_headers()

    def log_message(self, *_):
        pass


class Text(html.parser.HTMLParser):
    """The page's text, without what is in <style>."""

    def __init__(self):
        super().__init__()
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, _):
        self.hidden += tag == "style"

    def handle_endtag(self, tag):
        self.hidden -= tag == "style"

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def main():
    browser, folder = sys.argv[1:]
    handler = functools.partial(Handler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/report.html"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--window-size=1100,1600"]
    with tempfile.TemporaryDirectory() as profile:
        common = [browser, *flags, f"--user-data-dir={profile}"]
        subprocess.run([*common, "--screenshot=page.png", url], check=True, timeout=50, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        page = subprocess.run([*common, "--dump-dom", url], check=True, timeout=50, capture_output=True, text=True).stdout
    server.shutdown()
    text = Text()
    text.feed(page)
    print(" ".join(" ".join(text.parts).split()))


main()
