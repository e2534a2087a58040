"""smoe-classify's probabilities: calibrated where the model says how, and unsure where none is large enough."""
import os
import re
import shutil

from answers import GOLDEN, NAMES, blocks_of, classify, make_picture, named_model, path_of, run, softmax, unsure_of  # first
import tap
import tensor_file

COUNT = 9


def made():
    return [make_picture(path_of('%d.png' % seed), seed) for seed in range(COUNT)]


def between(numbers):
    """A bound of four digits in the middle of the numbers, and which of them are below."""
    numbers = sorted(numbers)
    bound = round((numbers[len(numbers) // 2 - 1] + numbers[len(numbers) // 2]) / 2, 4)
    assert min(abs(number - bound) for number in numbers) > 1e-5, numbers
    return bound


def probabilities_follow_the_temperature():
    paths = made()
    for temperature in (0.25, 1.7, 20):
        model = named_model(temperature=str(temperature))
        rows, (output, messages) = classify(paths, '--model', model), run('--model', model, *paths)
        for (path, block), logits in zip(blocks_of(output).items(), rows):
            right = softmax(logits, temperature)
            order = sorted(range(10), key=lambda c: -right[c])[:5]
            assert [name for name, _, _ in block] == [NAMES[c] for c in order], (path, block, right)
            assert all(abs(percent - 100 * right[c]) < 0.006 for (_, percent, _), c in zip(block, order)), (block, right)
        assert rows == classify(paths, '--model', named_model()), 'the temperature changed the logits'
        assert 'calibrated' not in output and not unsure_of(output) and not messages, output


def what_it_says_when_it_is_unsure():
    paths, temperature = made(), 1.7
    largest = [max(softmax(row, temperature)) for row in classify(paths, '--model', named_model())]
    bound = between(largest)
    model = named_model(temperature=str(temperature), unsure_below=str(bound))
    output, _ = run('--model', model, *paths)
    said = unsure_of(output)
    assert list(said) == [path for path, number in zip(paths, largest) if number < bound] and len(blocks_of(output)) == COUNT, output
    assert set(said.values()) == {'unsure: none of its 10 classes reaches %g %%' % (100 * bound)}, said
    assert re.search('^unsure of %d of %d pictures$' % (len(said), COUNT), output, re.MULTILINE), output
    always, never = (run('--model', named_model(unsure_below=text), *paths)[0] for text in ('1', '1e-9'))
    assert list(unsure_of(always)) == paths and not unsure_of(never), always


def what_it_knows():
    path = made()[0]
    for model, knows, end in ((named_model(), ': ' + ', '.join(NAMES), '; the probabilities are not calibrated'), (GOLDEN, '', None),
                              (named_model(temperature='2'), None, 'jay'), (named_model(temperature='2', unsure_below='0.625'), None,
                                                                            'jay; unsure below 62.5 %')):
        first, second = run('--model', model, path)[0].splitlines()[:2]
        assert first.startswith(os.path.basename(model) + ' on ') and len(first) > len(os.path.basename(model)) + 4, first
        assert second.startswith('10 classes' + (knows or '')) and second.endswith(end or 'calibrated'), second


def what_out_keeps():
    """What a script needs to make the same of the logits."""
    path, out = made()[0], path_of('kept.safetensors')
    for more in ({}, {'temperature': '1.75'}, {'temperature': '1.75', 'unsure_below': '0.5'}):
        run('--model', named_model(**more), '--out', out, path)
        metadata = tensor_file.read(out)[1]
        assert {key: text for key, text in metadata.items() if key != 'paths'} == {'fit': 'crop', **more}, metadata
    run('--model', GOLDEN, '--fit', 'pad', '--out', out, path)
    assert tensor_file.read(out)[1]['fit'] == 'pad'


def folders_of_classes():
    """How many are unsure, and how many of the others are right."""
    top, paths = path_of('folders'), made()
    rows = [softmax(row) for row in classify(paths, '--model', named_model())]
    right = [number % 3 > 0 for number in range(COUNT)]
    for path, row, good in zip(paths, rows, right):
        name = NAMES[(row.index(max(row)) + (0 if good else 1)) % 10]
        os.makedirs(os.path.join(top, name), exist_ok=True)
        shutil.copy(path, os.path.join(top, name))
    bound = between([max(row) for row in rows])
    unsure = [max(row) < bound for row in rows]
    sure, sure_right = COUNT - sum(unsure), sum(r and not u for r, u in zip(right, unsure))
    expected = 'unsure of %d of %d pictures, %d of them right; accuracy of the others %.4f (%d of %d)' % (
        sum(unsure), COUNT, sum(right) - sure_right, sure_right / sure, sure_right, sure)
    lines = run('--model', named_model(unsure_below=str(bound)), '--batch', top)[0].splitlines()
    assert lines[-2] == expected and lines[-1].startswith('accuracy %.4f ' % (sum(right) / COUNT)), (lines, expected)
    lines = run('--model', named_model(unsure_below='1'), '--batch', top)[0].splitlines()
    assert lines[-2] == 'unsure of %d of %d pictures, %d of them right' % (COUNT, COUNT, sum(right)), lines
    assert 'unsure' not in run('--model', named_model(), '--batch', top)[0]


tap.run([probabilities_follow_the_temperature, what_it_says_when_it_is_unsure, what_it_knows, what_out_keeps, folders_of_classes])
