"""No file calls one that calls it back, however far round: of the objects of the libraries and the programs, as nm lists them."""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

FOLDERS = ('src', 'bench', 'samples')


def sources():
    """Each C file, and its object."""
    left_out = [] if os.path.exists(tap.BUILD + '/bin/smoe-window') else ['samples/window']  # where GLFW was not found
    for top in FOLDERS:
        for folder, _, names in sorted(os.walk(top)):
            for name in sorted(names if folder not in left_out else ()):
                if name.endswith('.c') and not name.endswith('_windows.c'):  # no object without cross=
                    path = os.path.join(folder, name)
                    yield path, '%s/obj/%s.o' % (tap.BUILD, path[:-2])


def symbols(objects):
    """Object -> names that it defines, and names that it needs."""
    found = {path: (set(), set()) for path in objects}
    for line in tap.command('nm', '-g', '-P', '-A', *objects).splitlines():
        path, symbol = line.split(': ', 1)
        name, kind = symbol.split()[:2]
        if kind not in 'vw':
            found[path][kind == 'U'].add(name)
    return found


def graph_of(objects):
    """File -> other file -> the names that it takes from it. Programs have names in common: a file's own folder comes first."""
    by_object = symbols([path_of_object for _, path_of_object in objects])
    found = {path: by_object[path_of_object] for path, path_of_object in objects}
    owners = collections.defaultdict(list)
    for path, (defined, _) in found.items():
        for name in defined:
            owners[name].append(path)
    graph = {path: collections.defaultdict(list) for path in found}
    for path, (_, needed) in found.items():
        for name in sorted(needed):
            near = [owner for owner in owners[name] if os.path.dirname(owner) == os.path.dirname(path)]
            for owner in near or (owners[name] if len(owners[name]) == 1 else []):
                graph[path][owner].append(name)
    return graph


def reachable(graph, start):
    seen, waiting = set(), list(graph[start])
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += graph[path]
    return seen


def circles(graph):
    """Every call that is part of a circle."""
    reach = {path: reachable(graph, path) for path in graph}
    return ['%s takes %s from %s, which leads back' % (path, ', '.join(names), other)
            for path in graph for other, names in graph[path].items() if path in reach[other]]


def no_circles():
    if tap.CROSS:
        raise tap.Skip('the same files as without cross=')
    objects = list(sources())
    missing = [path for path, path_of_object in objects if not os.path.exists(path_of_object)]
    assert objects and not missing, 'not built: %s' % missing
    found = circles(graph_of(objects))
    assert not found, '\n'.join(found)


def circles_are_found():
    """Among three files round and one beside, and none where the calls only meet again."""
    calls = {'a': ['b'], 'b': ['c'], 'c': ['a', 'd'], 'd': []}
    graph = {path: {other: ['f'] for other in others} for path, others in calls.items()}
    assert [line.split()[0] for line in circles(graph)] == ['a', 'b', 'c'], circles(graph)
    assert not circles({'a': {'b': ['f'], 'c': ['g']}, 'b': {'d': ['h']}, 'c': {'d': ['h']}, 'd': {}})


tap.run([no_circles, circles_are_found])
