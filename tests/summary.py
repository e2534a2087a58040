"""What the runner says of time: how much is left, which files were slow, and what each kind of test took."""
import json
import os
import shutil
import time

SLOWEST = 8


def read_durations(path):
    try:
        with open(path, encoding='utf-8') as file:
            return {label: float(seconds) for label, seconds in json.load(file).items()}
    except (OSError, ValueError, TypeError, AttributeError):  # the first run, or somebody's edit
        return {}


class Durations:
    """Wall seconds of each test file when it last ran, kept in the build's folder. What this build has not run yet is taken to last as long
    as in the release build, or else as the same file in another environment."""

    def __init__(self, build, release):
        self.path = os.path.join(build, 'tests', 'durations.json')
        self.own = read_durations(self.path)
        self.known = {**read_durations(os.path.join(release, 'tests', 'durations.json')), **self.own}
        self.by_path = {}
        for label, seconds in self.known.items():
            path = label.split()[0]
            self.by_path[path] = max(seconds, self.by_path.get(path, 0.0))

    def expect(self, run):
        """None where nothing is known of its file."""
        return self.known.get(run.label, self.by_path.get(run.path))

    def longest_first(self, runs):
        """The longest run comes first, so that no long one is left for the end. Unknown ones come before it: they may be longer."""
        def key(run):
            expected = self.expect(run)
            return (expected is not None, -(expected or 0.0))
        return sorted(runs, key=key)

    def keep(self, runs):
        """Writes the seconds of all tests whose files still exist. The file is replaced whole, since another run may be reading it."""
        kept = {label: seconds for label, seconds in self.own.items() if os.path.exists(label.split()[0])}
        kept.update((run.label, round(run.seconds, 1)) for run in runs)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        new = '%s.%d' % (self.path, os.getpid())
        with open(new, 'w', encoding='utf-8') as file:
            json.dump(kept, file, indent=0, sort_keys=True)
        os.replace(new, self.path)


class StatusLine:
    """The last line of a terminal; nothing of it goes anywhere else."""

    def __init__(self, stream, runs, durations, jobs):
        self.stream, self.runs, self.durations, self.jobs = stream, runs, durations, jobs
        self.is_terminal, self.shown = stream.isatty(), 0

    def clear(self):
        if self.shown:
            self.stream.write('\r%s\r' % (' ' * self.shown))
            self.shown = 0

    def show(self):
        if not self.is_terminal:
            return
        self.clear()
        text = self.text()[:shutil.get_terminal_size().columns - 1]
        self.stream.write(text)
        self.stream.flush()
        self.shown = len(text)

    def print(self, text):
        """A line above it."""
        self.clear()
        print(text, file=self.stream, flush=True)

    def text(self):
        finished = [run for run in self.runs if run.finished]
        left = self.seconds_left(finished)
        return '%d of %d test files%s' % (len(finished), len(self.runs), '' if left is None else ', %s left' % describe(left))

    def seconds_left(self, finished):
        """None while nothing is known. A file that nobody has seen lasts as long as the mean of this run so far."""
        mean = sum(run.seconds for run in finished) / len(finished) if finished else None
        left, now = [0.0], time.monotonic()
        for run in self.runs:
            if not run.finished:
                expected = self.durations.expect(run)
                expected = mean if expected is None else expected
                if expected is None:
                    return None
                left.append(max(0.0, expected - (now - run.begin if run.begin else 0.0)))
        return max(max(left), sum(left) / self.jobs)


def describe(seconds):
    return 'about %d min' % round(seconds / 60) if seconds >= 90 else 'about %d s' % seconds


def slowest(runs):
    yield 'slowest files, in seconds of wall and of processor:'
    for run in sorted(runs, key=lambda run: -run.seconds)[:SLOWEST]:
        yield '%10.1f %9.1f  %s' % (run.seconds, run.cpu, run.label)


def by_kind(runs):
    kinds = {}
    for run in runs:
        kind = run.path.split('/')[1]
        kinds[kind] = kinds.get(kind, 0.0) + run.cpu
    total = sum(kinds.values())
    yield 'seconds of processor by kind:'
    for kind, seconds in sorted(kinds.items(), key=lambda item: -item[1]):
        yield '%10.1f %7.0f %%  %s' % (seconds, 100 * seconds / total if total else 0, kind)
    yield '%10.1f           all' % total
