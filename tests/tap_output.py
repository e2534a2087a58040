"""What a test's output says: TAP, as run.py describes it, with what cmocka makes of it."""
import re

PLAN = re.compile(r'^1\.\.(\d+)')
RESULT = re.compile(r'^(not )?ok\b[ \d]*(?:- )?(.*)$')
SKIP = re.compile(r'# SKIP\b', re.IGNORECASE)


class Verdict:
    """passed: how many; failed and skipped: a text for each."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, not_ok, name, lines_since):
        """One result, and the lines printed since the one before."""
        if SKIP.search(name):
            before, after = (part.strip(' -') for part in SKIP.split(name, 1))
            # cmocka: `not ok 3 # SKIP name`, the reason being what the test printed; others: `ok 3 - name # SKIP reason`.
            name, reason = (before, after) if before else (after, ' '.join(lines_since))
            if reason:
                self.skipped.append('%s: %s' % (name, reason))
            else:
                self.failed.append('%s: skipped without a printed reason' % name)
        elif not_ok:
            self.failed.append(name)
        else:
            self.passed += 1

    def end(self, planned, status):
        seen = self.passed + len(self.failed) + len(self.skipped)
        if not planned and not seen:
            self.failed.append('no test ran: %s' % (status or 'no TAP in its output'))
        elif seen < planned:
            self.failed.append('ended after %d of %d tests: %s' % (seen, planned, status or 'no error'))
        elif status and not self.failed:
            self.failed.append(status)


def judge(output, status):
    """status: how the program ended, '' where nothing is wrong with that."""
    verdict, planned, lines_since = Verdict(), 0, []
    for line in output.splitlines():
        plan, result = PLAN.match(line), RESULT.match(line)
        if plan:
            planned += int(plan.group(1))
        elif result:
            verdict.add(result.group(1), result.group(2), lines_since)
            lines_since = []
        elif line.strip() and not line.startswith('#'):
            lines_since.append(line.strip())
    verdict.end(planned, status)
    return verdict
