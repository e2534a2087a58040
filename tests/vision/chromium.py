"""A page in headless Chromium, over the DevTools protocol: what it fetched, what it complained about, where things are and
how they look."""
import base64
import json
import os
import shutil
import subprocess
import tempfile

import pictures

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')


def find():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Chromium:
    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        their_in, ours_out = os.pipe()
        ours_in, their_out = os.pipe()
        # Sanitizers' libraries are preloaded into what is tested, not into a browser.
        env = {name: value for name, value in os.environ.items() if name != 'LD_PRELOAD'}
        self.process = subprocess.Popen(
            ['bash', '-c', 'exec 3<&%d 4>&%d "$@"' % (their_in, their_out), 'bash', find(), '--headless', '--no-sandbox', '--disable-gpu',
             '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run', '--remote-debugging-pipe',
             '--user-data-dir=' + self.profile.name, 'about:blank'],
            pass_fds=(their_in, their_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        os.close(their_in)
        os.close(their_out)
        self.ours_in, self.ours_out, self.last, self.buffer, self.events, self.session = ours_in, ours_out, 0, b'', [], None
        target = next(one for one in self.call('Target.getTargets')['targetInfos'] if one['type'] == 'page')
        self.session = self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(domain + '.enable')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.ours_in)
        os.close(self.ours_out)
        self.profile.cleanup()

    def receive(self):
        while b'\0' not in self.buffer:
            data = os.read(self.ours_in, 1 << 20)
            assert data, 'Chromium ended, with exit status %s' % self.process.wait()
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b'\0')
        return json.loads(message)

    def call(self, method, **parameters):
        self.last += 1
        message = {'id': self.last, 'method': method, 'params': parameters, **({'sessionId': self.session} if self.session else {})}
        os.write(self.ours_out, json.dumps(message).encode() + b'\0')
        while True:
            answer = self.receive()
            if answer.get('id') == self.last:
                assert 'error' not in answer, '%s: %s' % (method, answer['error'])
                return answer['result']
            self.events.append(answer)

    def open(self, path, width=1280, height=6000, dark=False, script=True):
        """Loads a file, in a window that is high enough for nothing to be out of sight."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
        self.call('Emulation.setScriptExecutionDisabled', value=not script)
        self.events.clear()
        self.call('Page.navigate', url='file://' + path)
        while not any(event['method'] == 'Page.loadEventFired' for event in self.events):
            self.events.append(self.receive())
        self.call('Runtime.evaluate', expression='1')  # what the load caused has been said before this is answered

    def requests(self):
        """What the page asked for, but for itself and what lies within it."""
        urls = [event['params']['request']['url'] for event in self.events if event['method'] == 'Network.requestWillBeSent']
        return [url for url in urls[1:] if not url.startswith('data:')]

    def complaints(self):
        found = []
        for event in self.events:
            if event['method'] == 'Log.entryAdded':
                found.append(event['params']['entry']['text'])
            elif event['method'] in ('Runtime.consoleAPICalled', 'Runtime.exceptionThrown'):
                found.append(json.dumps(event['params']))
        return found

    def evaluate(self, expression):
        result = self.call('Runtime.evaluate', expression='JSON.stringify(%s)' % expression)
        assert 'exceptionDetails' not in result, (expression, result)
        return json.loads(result['result']['value'])

    def screenshot(self, x, y, width, height):
        """Pixels of a part of the window: (width, height, bytes [height, width, 3])."""
        clip = {'x': x, 'y': y, 'width': width, 'height': height, 'scale': 1}
        data = self.call('Page.captureScreenshot', format='png', clip=clip)['data']
        return pictures.read_png(base64.b64decode(data))

    def point_at(self, x, y):
        """The mouse, in the window."""
        self.call('Input.dispatchMouseEvent', type='mouseMoved', x=x, y=y)
