"""The program of `scons stress` finds nothing in good layers, and finds each thing that it looks for: a wrong y, a wrong report, other
bits the second time, other bits in a reversed batch."""
import itertools
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

PROGRAM = tap.BUILD + '/tests/stress/stress'
COUNTS = re.compile(r'^(\d+) plans, (\d+) pairs of plan and values, (\d+) tokens, (\d+) excused as ambiguous, (\d+) failures$',
                    re.MULTILINE)
# Few pairs of few plans: compiling is nearly all of the time. The first token of the first pair must not be an excused one.
FEW = ('--seed', '1', '--seconds', '600', '--values', '4')


def finds_nothing():
    plans, pairs, tokens, _, failures = map(int, COUNTS.search(tap.outputs(PROGRAM, *FEW, '--pairs', '8')[0]).groups())
    assert (plans, pairs, failures) == (2, 8, 0) and tokens >= pairs


def finds(spoil, message):
    def test():
        output, messages = tap.outputs(PROGRAM, '--seed', '1', '--plan', '0', '--values', '4', '--spoil', spoil, status=1)
        assert re.search(r'^FAILED: stress: seed=1 plan=0$', output, re.MULTILINE), output
        assert message in messages and 'SMOE_TEST_SEED=' in messages and 'plan 0 of seed 1, the device' in messages, messages
    return test


def pairs_are_repeated():
    """The same seed gives the same layers: what a failure says can be run again."""
    one, two = (tap.outputs(PROGRAM, '--seed', '1', '--plan', '0', '--values', '4')[0] for _ in range(2))
    assert one == two and COUNTS.search(one)


# What has no meaning together (docs/routing.md, 6): these pairs must not be drawn, every other one must.
ILLEGAL = {('gate=softmax', 'divisor=floor'), ('gate=softmax', 'divisor=addend'), ('experts=plain', 'shared=limited')}


def every_legal_pair_is_drawn():
    plans = [line.split() for line in tap.outputs(PROGRAM, '--seed', '1', '--list', '3000')[0].splitlines()]
    choices = [sorted({plan[i] for plan in plans}) for i in range(len(plans[0]))]
    assert [len(words) for words in choices] == [2, 4, 4, 4, 2, 3, 4], choices
    drawn = {pair for plan in plans for pair in itertools.combinations(plan, 2)}
    wanted = {pair for one, other in itertools.combinations(choices, 2) for pair in itertools.product(one, other)} - ILLEGAL
    assert drawn == wanted, (wanted - drawn, drawn - wanted)


tap.run([every_legal_pair_is_drawn, finds_nothing,
         ('finds_a_wrong_y', finds('y', '... in y of token')),
         ('finds_a_wrong_report', finds('report', '... in the report of token')),
         ('finds_other_bits_the_second_time', finds('again', ', the second time')),
         ('finds_other_bits_in_a_reversed_batch', finds('reversed', ', in the reversed batch')),
         pairs_are_repeated])
