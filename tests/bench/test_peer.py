"""bench/peer.py: a stand-in for the other program, which has smoe-bench make its y; what both documents hold, and that smoe-bench reads
them. No time is judged."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

PROGRAM = tap.BUILD + '/bin/smoe-bench'
CASES = ('5,2,7,9,3,f32', '8,2,16,8,1,f16')
SCALED = {'q4_0': 'q4', 'q8_0': 'q8', 'mxfp4': 'mxfp4'}
# As bench/peer.py calls it: Vulkan0 E k D H T TYPE GATE SECONDS DUMP. The times are 250, 150, 200 us, again and again.
STAND_IN = """#!%s
import os, subprocess, sys
_, backend, e, k, d, h, t, weights, gate, seconds, dump = sys.argv
if (backend, gate) != ('Vulkan0', 'late') or os.environ['GGML_VK_VISIBLE_DEVICES'] != '0':
    sys.exit('called otherwise')
if weights == 'f16' and os.path.exists(%r):
    sys.exit('no float16 here')
shape = ','.join((e, k, d, h, t)) + ',gated'
weights = %r.get(weights, weights)
subprocess.check_call([%r, '--shape', shape, '--weights', weights, '--hard', '--no-peak', '--repeat', '1', '--peer-data', '--dump', dump],
                      stdout=subprocess.DEVNULL)
with open(%r, 'a+') as file:
    file.seek(0)
    count = len(file.read())
    file.write('.')
print('median %%g us min %%g us' %% ((250, 150, 200)[count %% 3], 100))
"""


def run_peer(folder, *arguments, status=0):
    text = STAND_IN % (sys.executable, folder + '/without', SCALED, os.path.abspath(PROGRAM), folder + '/count')
    peer = tap.script(folder, 'moe_peer', text)
    command = [sys.executable, 'bench/peer.py', '--peer', peer, '--smoe', PROGRAM, '--alternations', '3', '--seconds', '0.05', *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert run.returncode == status, (run.returncode, run.stdout, run.stderr)
    return run.stdout


def both_documents_have_the_same_rows():
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = folder + '/ours.json', folder + '/theirs.json'
        text = run_peer(folder, '--json', ours, '--peer-json=' + theirs, '--peer-version', 'd99724f', '--case', CASES[0], '--case',
                        CASES[1])
        rows = [[cell.strip() for cell in line.strip('|\n').split('|')] for line in text.splitlines()[2:]]
        assert [row[:3] for row in rows] == [['5, 2, 7, 9', '3', 'f32'], ['8, 2, 16, 8', '1', 'f16']], text
        assert all(row[3] == '0.1 (0.2)' and float(row[6]) == 0 for row in rows), text
        documents = []
        for path in (ours, theirs):
            with open(path, encoding='utf-8') as file:
                documents.append(json.load(file))
            assert folder not in json.dumps(documents[-1]), 'a path is in the document'
            line = documents[-1]['run']['command_line']
            assert line[:4] == ['--peer', 'FILE', '--smoe', 'FILE'] and line[8:11] == ['--json', 'FILE', '--peer-json=FILE'], line
        assert [document['program']['name'] for document in documents] == ['smoe-bench', 'ggml-vulkan'], documents
        assert documents[1]['program']['version'] == 'd99724f' and all(document['run']['finished'] for document in documents), documents
        for one, other in zip(*(document['rows'] for document in documents)):
            assert {**one, 'hard': 0} == {**other, 'hard': 0} and one['kind'] == 'layer', (one, other)
            assert other['hard']['samples_ns'] == [250000, 150000, 200000], other
            assert other['hard']['host_ns'] == {'min': 100000, 'p10': 160000, 'median': 200000, 'p90': 240000, 'max': 250000}, other
            assert one['hard']['flop'] == other['hard']['flop'] and 'device_ns' not in one['hard'], one
        said = tap.outputs(PROGRAM, 'compare', ours, theirs)[0]
        assert 'ggml-vulkan d99724f' in said and 'the 2 that all have' in said, said
        tap.outputs(PROGRAM, 'report', ours, theirs, '--html', folder + '/page.html')


def what_the_peer_refuses_is_left_out():
    with tempfile.TemporaryDirectory() as folder:
        open(folder + '/without', 'w').close()
        text = run_peer(folder, '--json', folder + '/ours.json', '--case', CASES[1], '--case', CASES[0], status=1)
        assert 'exit status 1: no float16 here' in text, text
        with open(folder + '/ours.json', encoding='utf-8') as file:
            document = json.load(file)
        assert [row['weights'] for row in document['rows']] == ['f32'] and not os.path.exists(folder + '/theirs.json'), document


def types_with_scales_have_the_peers_names():
    with tempfile.TemporaryDirectory() as folder:
        arguments = [word for name in SCALED for word in ('--case', '8,2,64,96,3,' + name)]
        text = run_peer(folder, '--json', folder + '/ours.json', '--peer-json', folder + '/theirs.json', *arguments)
        assert [line.split('|')[3].strip() for line in text.splitlines()[2:]] == list(SCALED), text
        assert all(line.split('|')[7].strip() == '0.0e+00' for line in text.splitlines()[2:]), text
        for name in ('ours', 'theirs'):
            with open('%s/%s.json' % (folder, name), encoding='utf-8') as file:
                rows = json.load(file)['rows']
            assert [row['weights'] for row in rows] == list(SCALED.values()), rows
            for row in rows:
                one = row['hard']
                assert abs(one['ns_per_file_byte'] * one['file_bytes'] / one['host_ns']['median'] - 1) < 1e-9, one


def cases_that_cannot_be_are_refused():
    for case in ('8,2,16,8,1', '8,2,16,8,1,q5_0', '8,2,16,8,1,q4', '8,2,x,8,1,f16', '8,2,16,8,1,f16,f16'):
        run = subprocess.run([sys.executable, 'bench/peer.py', '--peer', 'none', '--case', case], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, universal_newlines=True)
        assert run.returncode == 2 and 'must be E,k,D,H,T,TYPE' in run.stderr.splitlines()[-1] and not run.stdout, (case, run.stderr)


tap.run([both_documents_have_the_same_rows, types_with_scales_have_the_peers_names, cases_that_cannot_be_are_refused,
         what_the_peer_refuses_is_left_out])
