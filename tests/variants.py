"""What runs under what: the policy of the tests, as three tables. Each row has a reason. A row holds for the test or the folder at
its path; where several rows hold for a test, the one with the longest path counts. The lean set is for every change. everything=yes also
has what the lean set leaves out (docs/testing.md)."""
import collections

WIDTHS = {4: '128', 8: '256', 16: '512'}  # lanes of a subgroup: bits of lavapipe's vectors
ALL = (4, 8, 16)
AS_IS = (None,)  # one run; whatever width the environment has
NONE = ()
YES, NO = True, False

# At which subgroup sizes. A test whose outcome cannot depend on lanes runs at one.
Lanes = collections.namedtuple('Lanes', 'path lean everything why')
LANES = (
    Lanes('tests', AS_IS, AS_IS, 'no kernel runs, or none that lanes could change'),
    Lanes('tests/cross', NONE, NONE, 'programs of other systems: scons cross=TRIPLE test'),
    Lanes('tests/analyze', AS_IS, ALL, 'kernels that tests/check has at every size'),
    Lanes('tests/checkpoint', AS_IS, ALL, 'kernels that tests/check has at every size'),
    Lanes('tests/devices', AS_IS, ALL, 'descriptions of devices; few kernels run'),
    Lanes('tests/devices/test_kernels.c', AS_IS, AS_IS, 'opens no device'),
    Lanes('tests/devices/test_selection_page.c', AS_IS, AS_IS, 'opens no device'),
    Lanes('tests/embed', AS_IS, ALL, 'objects and memory of an app; kernels that tests/check has at every size'),
    Lanes('tests/golden', AS_IS, ALL, 'kernels that tests/check has at every size'),
    Lanes('tests/golden/test_refusals.py', AS_IS, AS_IS, 'refused before a kernel runs'),
    Lanes('tests/samples', AS_IS, ALL, 'kernels that tests/check has at every size'),
    Lanes('tests/stress', (8,), ALL, 'whether the program of scons stress finds what it looks for; that runs at every size'),
    Lanes('tests/vision', AS_IS, ALL, 'pictures, files and pages'),
    Lanes('tests/vision/test_check.py', AS_IS, ALL, 'a sample; its one kernel with shuffles has the same loops at every size'),
    Lanes('tests/vision/test_image_damage.c', AS_IS, AS_IS, 'opens no device'),
    Lanes('tests/vision/test_image_resize.c', AS_IS, AS_IS, 'opens no device'),
    Lanes('tests/vision/test_image_threads.c', AS_IS, AS_IS, 'opens no device'),
    Lanes('tests/vision/test_engine.c', AS_IS, ALL, 'a sample; its one kernel with shuffles has the same loops at every size'),
    Lanes('tests/vision/test_engine_failures.c', AS_IS, AS_IS, 'what fails before and after kernels'),
    Lanes('tests/vision/test_report_browser.py', AS_IS, AS_IS, 'how a page looks; test_report has the device make it'),
    Lanes('tests/check', ALL, ALL, 'kernels against the reference: teams, ranks and broadcasts depend on lanes'),
    Lanes('tests/check/test_arguments.c', (8,), (8,), 'refused before a kernel runs'),
    Lanes('tests/check/test_arguments_device.c', (8,), (8,), 'refused before a kernel runs'),
    Lanes('tests/check/test_arguments_forward.c', (8,), (8,), 'refused before a kernel runs'),
    Lanes('tests/check/test_barriers.c', (8,), (8,), 'looks at recorded commands'),
    Lanes('tests/check/test_calibrate.c', (8,), ALL, 'bisection on the host; it counts by routings that test_route has'),
    Lanes('tests/check/test_codes.c', (8,), ALL, 'a weight is decoded alike at every size; test_stages has each type at every one'),
    Lanes('tests/check/test_continuity.c', (8,), ALL, 'its smallest jump, 0.02, is far more than test_stages lets a result be wrong'),
    Lanes('tests/check/test_cooperative.c', (8,), (8,), 'lavapipe lists cooperative matrices at 8 lanes only'),
    Lanes('tests/check/test_cooperative_properties.c', (8,), (8,), 'lavapipe lists cooperative matrices at 8 lanes only'),
    Lanes('tests/check/test_cooperative_scales.c', (8,), (8,), 'lavapipe lists cooperative matrices at 8 lanes only'),
    Lanes('tests/check/test_denormals.c', (8,), ALL, 'a weight is decoded alike at every size'),
    Lanes('tests/check/test_expected.c', (8,), ALL, 'which tiles run is counted; what they compute, test_stages has at every size'),
    Lanes('tests/check/test_lanes.c', (8,), (8,), 'a driver that tells of 32 lanes and runs 8'),
    Lanes('tests/check/test_large.c', (8,), ALL, 'ranges and passes are cut by bytes and rows'),
    Lanes('tests/check/test_layer.c', (8,), (8,), 'rows of test_stages, through device.h'),
    Lanes('tests/check/test_limits.c', (8,), ALL, 'which numbers are NaN; test_stages has limits at every size'),
    Lanes('tests/check/test_masked.c', (4,), ALL, 'most of its kernels have no lanes; those that only this test chooses run at 4 lanes'),
    Lanes('tests/check/test_nonfinite.c', (8,), ALL, 'test_stages has non-finite tokens at every size; these tests vary where they are'),
    Lanes('tests/check/test_ranges.c', (8,), ALL, 'where experts begin; a weight is decoded alike at every size'),
    Lanes('tests/check/test_recording.c', (8,), (8,), 'the order of forwards in a command buffer'),
    Lanes('tests/check/test_scales.c', (8,), ALL, 'a weight is decoded alike at every size; test_stages has each type at every one'),
    Lanes('tests/check/test_scales_upload.c', (8,), ALL, 'what an upload writes; test_stages has each type at every size'),
    Lanes('tests/check/test_threads.c', (8,), (8,), 'what threads share has no lanes'),
    Lanes('tests/check/test_tiers.c', (16,), (4, 16), 'tiles of GPUs, whose subgroups are larger still; test_tuning has 8'),
    Lanes('tests/check/test_totals.c', (8,), ALL, 'adds up integers of reports, in a kernel without subgroups'),
    Lanes('tests/check/test_tuning.c', (8,), (8,), 'the tables that test_tiers has at 4 and 16'),
)

# With sanitizers, once: they see the code of the host and not the shaders'.
Sanitized = collections.namedtuple('Sanitized', 'path lean everything why')
SANITIZED = (
    Sanitized('tests', YES, YES, 'code of the host'),
    Sanitized('tests/build', NO, NO, 'runs scons and compilers'),
    Sanitized('tests/bundle', NO, NO, 'programs of a build without sanitizers'),
    Sanitized('tests/cross', NO, NO, 'another compiler'),
    Sanitized('tests/drivers', NO, NO, 'runs programs of this build without sanitizers'),
    Sanitized('tests/headers', NO, NO, 'compiles'),
    Sanitized('tests/style', NO, NO, 'reads'),
    Sanitized('tests/symbols/test_symbols.py', NO, NO, 'reads'),
    Sanitized('tests/bench/test_bench_report_browser.py', NO, NO, 'how a page looks; test_bench_report has the tool make it'),
    Sanitized('tests/vision/test_report_browser.py', NO, NO, 'how a page looks; test_report has the tool make it'),
    Sanitized('tests/stress', NO, YES, 'host code of tests/check'),
    Sanitized('tests/check/test_barriers.c', NO, YES, 'host code of test_recording'),
    Sanitized('tests/check/test_codes.c', NO, YES, 'host code of test_scales: only numbers are new'),
    Sanitized('tests/check/test_continuity.c', NO, YES, 'host code of test_layer: only numbers are new'),
    Sanitized('tests/check/test_denormals.c', NO, YES, 'host code of test_layer: only numbers are new'),
    Sanitized('tests/check/test_expected.c', NO, YES, 'host code of test_stages; tests/unit has the selection'),
    Sanitized('tests/check/test_limits.c', NO, YES, 'host code of test_layer: only numbers are new'),
    Sanitized('tests/check/test_masked.c', NO, YES, 'host code of test_layer; tests/unit has selection with capabilities masked'),
    Sanitized('tests/check/test_nonfinite.c', NO, YES, 'host code of test_layer: only numbers are new'),
    Sanitized('tests/check/test_properties.c', NO, YES, 'host code of test_layer: only numbers are new'),
    Sanitized('tests/check/test_random_input.c', NO, YES, 'host code of test_stages: only numbers are new'),
    Sanitized('tests/check/test_stages.c', NO, YES, 'host code of test_layer and test_recording'),
    Sanitized('tests/check/test_tiers.c', NO, YES, 'host code of test_layer and test_large; tests/devices has selection as other devices'),
    Sanitized('tests/check/test_tuning.c', NO, YES, 'host code of test_layer; tests/unit has the tables of tiles'),
)

# Which of the drivers of tests/drivers, under the newest validation layer. The lean set has each lavapipe at one subgroup size: those of
# the three drivers are 4, 8 and 16. The tests whose only size is another one are left out there.
LAVAPIPE_22, LAVAPIPE_26, SWIFTSHADER = 'lavapipe-22', 'lavapipe-26', 'swiftshader'
DRIVERS = {LAVAPIPE_22: 16, LAVAPIPE_26: 8, SWIFTSHADER: None}  # its lanes in the lean set; SwiftShader has 4, and no choice
EVERY, OTHERS = tuple(DRIVERS), (LAVAPIPE_26, SWIFTSHADER)
Driven = collections.namedtuple('Driven', 'path lean everything why')
DRIVEN = (
    Driven('tests', NONE, NONE, 'no device, or not for its sake'),
    Driven('tests/check', EVERY, EVERY, 'kernels, and hazards between them'),
    Driven('tests/check/test_arguments.c', (LAVAPIPE_26,), EVERY, 'refused before a kernel runs: once under the newest layer'),
    Driven('tests/check/test_arguments_device.c', (LAVAPIPE_26,), EVERY, 'refused before a kernel runs: once under the newest layer'),
    Driven('tests/check/test_arguments_forward.c', (LAVAPIPE_26,), EVERY, 'refused before a kernel runs: once under the newest layer'),
    Driven('tests/check/test_barriers.c', NONE, EVERY, 'looks at recorded commands, which no driver sees'),
    Driven('tests/check/test_calibrate.c', NONE, EVERY, 'bisection on the host; it counts by routings that test_route has'),
    Driven('tests/check/test_codes.c', (LAVAPIPE_26,), EVERY, 'types that test_scales has on each driver'),
    Driven('tests/check/test_continuity.c', NONE, EVERY, 'its smallest jump, 0.02, is far more than test_stages lets a result be wrong'),
    Driven('tests/check/test_expected.c', NONE, EVERY, 'tiles of test_stages'),
    Driven('tests/check/test_layer.c', NONE, EVERY, 'rows of test_stages'),
    Driven('tests/check/test_masked.c', NONE, EVERY, 'kernels that test_tiers has with everything masked, and with subgroups only'),
    Driven('tests/check/test_ranges.c', (LAVAPIPE_26,), EVERY, 'ranges, which test_large has: once under the newest layer'),
    Driven('tests/check/test_threads.c', NONE, EVERY, 'kernels of test_stages; the thread sanitizer looks for what is threads\' own'),
    Driven('tests/check/test_tuning.c', (LAVAPIPE_26,), EVERY, 'tables of test_tiers, which is not at the size of this driver'),
    Driven('tests/devices', OTHERS, EVERY, 'what a driver says of itself; lavapipe 22.3 has said it to the system\'s tests'),
    Driven('tests/devices/test_kernels.c', NONE, NONE, 'opens no device'),
    Driven('tests/devices/test_selection_page.c', NONE, NONE, 'opens no device'),
    Driven('tests/embed', OTHERS, EVERY, 'objects, features and failures; lavapipe 22.3 has been through them'),
    Driven('tests/embed/test_context_cache.c', (LAVAPIPE_26,), EVERY, 'what a driver may see of a cache: once under the newest layer'),
    Driven('tests/embed/test_device_faults.c', (LAVAPIPE_26,), EVERY, 'failures that no driver has made: once under the newest layer'),
    Driven('tests/embed/test_device_memory.c', (LAVAPIPE_26,), EVERY, 'memory as the tests describe it: once under the newest layer'),
    Driven('tests/embed/test_failures.c', (LAVAPIPE_26,), EVERY, 'failures that no driver has made: once under the newest layer'),
    Driven('tests/golden', (LAVAPIPE_26,), EVERY, 'kernels of tests/check; the newest driver has the files too'),
    Driven('tests/golden/test_refusals.py', NONE, NONE, 'refused before a kernel runs'),
    Driven('tests/analyze', NONE, EVERY, 'kernels of tests/check, and few of its own'),
    Driven('tests/checkpoint', NONE, EVERY, 'kernels of tests/check'),
    Driven('tests/samples', NONE, EVERY, 'kernels of tests/check'),
    Driven('tests/stress', NONE, EVERY, 'whether a program finds what it looks for; scons stress driver=NAME runs it on one'),
    Driven('tests/vision', NONE, EVERY, 'kernels of tests/check, and few of its own'),
    Driven('tests/vision/test_image_damage.c', NONE, NONE, 'opens no device'),
    Driven('tests/vision/test_image_resize.c', NONE, NONE, 'opens no device'),
    Driven('tests/vision/test_image_threads.c', NONE, NONE, 'opens no device'),
    Driven('tests/vision/test_engine.c', (LAVAPIPE_26,), EVERY, 'hazards between runs: under the layer that looks into shaders'),
    Driven('tests/vision/test_engine_failures.c', NONE, EVERY, 'failures that no driver has made'),
    Driven('tests/vision/test_report_browser.py', NONE, NONE, 'how a page looks; test_report has the device make it'),
)

# Where the newest validation layer is wrong: the dispatches of a layer's ranges of experts write rows of their own, in turns, of one buffer
# (src/objects/record_experts.c), and the layer judges by what their descriptors cover. Tests with such layers go without these messages.
RANGES = {'VK_LAYER_MESSAGE_ID_FILTER': 'SYNC-HAZARD-WRITE-AFTER-WRITE'}
WITH_RANGES = ('tests/check/test_cooperative_scales.c', 'tests/check/test_large.c', 'tests/check/test_ranges.c', 'tests/check/test_tiers.c',
               'tests/stress/test_stress.py')
RANGES_NOTE = ('note: VK_LAYER_MESSAGE_ID_FILTER: ranges of experts write rows of their own side by side, which the validation layer takes '
               'for write-after-write hazards')


def find_row(table, path):
    return max((row for row in table if path == row.path or path.startswith(row.path + '/')), key=lambda row: len(row.path))


def find_lanes(path, driver, sanitized, everything):
    """driver: one of DRIVERS, '' for the system's."""
    def choose(table):
        row = find_row(table, path)
        return row.everything if everything else row.lean
    lanes = choose(LANES)
    if sanitized:
        return AS_IS if lanes and choose(SANITIZED) else NONE
    if not driver:
        return lanes
    if not lanes or driver not in choose(DRIVEN):
        return NONE
    own = DRIVERS[driver]
    if own is None:
        return AS_IS
    return lanes if everything else (own,) if own in lanes or lanes == AS_IS else NONE


def find(path, driver='', sanitized=False, everything=False):
    """The environments of a test, one after another."""
    found = [{'LP_NATIVE_VECTOR_WIDTH': WIDTHS[lanes]} if lanes else {} for lanes in find_lanes(path, driver, sanitized, everything)]
    return [{**variant, **RANGES} for variant in found] if driver and path in WITH_RANGES else found


def note(variant):
    return RANGES_NOTE if RANGES.items() <= variant.items() else ''
