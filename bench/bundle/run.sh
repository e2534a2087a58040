#!/bin/sh
# What is worth knowing of a machine's Vulkan device, most telling first. It needs no more than POSIX sh, coreutils, grep, sed, tar, gzip.
# bench/README.md says how to get here, and what comes back.
set -u

usage() {
    cat <<'END'
Checks and measures smoe on this machine's Vulkan device, most telling first.

usage: run.sh [-t SECONDS] [-o FOLDER] [-d NUMBER]

  -t SECONDS  when it ends, whatever is left [480]
  -o FOLDER   where the results go; it must not be there yet [results-TIME, beside run.sh]
  -d NUMBER   which device, as bin/smoe-devices lists them [the best]

Bring back FOLDER/results.tar.gz, which has everything, and FOLDER/summary.txt, a page of it. Both are whole after every step:
whenever this is stopped, what was measured is there. A program moe_peer beside run.sh is timed too (bench/README.md).

Exit status: 0; 1 if there is no device, or a step failed or crashed; 2 for a wrong command line, or results that are there already.
END
}

refuse() {
    echo "run.sh: $1" >&2
    exit 2
}

whole() { # TEXT LEAST MOST: a whole number, without zeros before it
    case $1 in '' | 0?* | *[!0-9]* | ???????*) return 1 ;; esac
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

limit=480 out='' device=''
while getopts t:o:d:h option; do
    case $option in
    t)
        whole "$OPTARG" 5 86400 || refuse "-t $OPTARG: must be whole seconds from 5 to 86400"
        limit=$OPTARG
        ;;
    o)
        [ -n "$OPTARG" ] || refuse "-o: must name a folder"
        out=$OPTARG
        ;;
    d)
        whole "$OPTARG" 0 999 || refuse "-d $OPTARG: must be a number of bin/smoe-devices"
        device=$OPTARG
        ;;
    h)
        usage
        exit 0
        ;;
    *) refuse "run.sh -h says what it takes" ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || refuse "$1: run.sh -h says what it takes"

begin=$(date +%s)
deadline=$((begin + limit))
here=$(cd "$(dirname "$0")" && pwd) || exit 2
[ -n "$out" ] || out=$here/results-$(date -u +%Y%m%dT%H%M%SZ)
[ ! -e "$out" ] || refuse "$out: is there already; -o names another folder"
mkdir -p "$out/parts" || refuse "$out: cannot be made; -o names another folder"
out=$(cd "$out" && pwd) || exit 2
# Names of files are relative from here on, so that nothing of the machine's own paths gets into the results.
cd "$here" || exit 2
parts=$out/parts
LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
LC_ALL=C
export LD_LIBRARY_PATH LC_ALL
on=${device:+--device $device}
# The check programs' own words for: no validation layers, one line for each test, this device. And moe_peer's for the first device.
SMOE_TEST_VALIDATION=outside CMOCKA_MESSAGE_OUTPUT=TAP GGML_VK_VISIBLE_DEVICES=${GGML_VK_VISIBLE_DEVICES:-0}
export SMOE_TEST_VALIDATION CMOCKA_MESSAGE_OUTPUT GGML_VK_VISIBLE_DEVICES
[ -z "$device" ] || export SMOE_TEST_DEVICE="$device"

# ---- what is written

say() { # TEXT: into the summary, and on the terminal
    printf '%s\n' "$1" | cut -c 1-150 | tee -a "$out/summary.txt"
}

pack() { # what is there: never half an archive, and no name of a user in it
    tar -C "$out" --owner=0 --group=0 --numeric-owner -czf "$out/.draft" summary.txt parts 2>"$out/.tar" &&
        mv "$out/.draft" "$out/results.tar.gz"
}

first_line() { # PATTERN FILE: what follows the colon in the first line that matches
    sed -n "/$1/{s/^[^:]*:[[:space:]]*//p;q;}" "$2" 2>/dev/null
}

# ---- steps

pass=count ends_by=TERM weights=0 child='' late='' late_count=0 step_status=1 good=0 failed=0 stopped=0
# A step's share of the time grows with what the steps before it have left. It is from 3 to 10 s at the least, so that the first steps of a
# short run come to their ends.
least=$((limit / 12))
[ "$least" -le 10 ] || least=10
[ "$least" -ge 3 ] || least=3

# judge STATUS TOOK MOST: gives $verdict, and counts
judge() {
    case $1 in
    0) verdict=ok good=$((good + 1)) ;;
    124) verdict="STOPPED after $3 s, its share" stopped=$((stopped + 1)) ;;
    *)
        if [ "$1" -eq 137 ] && [ "$2" -ge "$3" ]; then
            verdict="STOPPED after $3 s, its share, by force" stopped=$((stopped + 1))
        elif [ "$1" -gt 128 ]; then
            verdict="CRASHED with signal $(($1 - 128))" failed=$((failed + 1))
        else
            verdict="FAILED with exit status $1" failed=$((failed + 1))
        fi
        ;;
    esac
}

# What a step printed, for the summary: the lines that PATTERN matches, 12 at most; without any, where it did not go well, the last one.
show() { # PATTERN FILE
    lines=''
    [ -z "$1" ] || lines=$(grep -E -e "$1" "$2" | head -n 12)
    [ -n "$lines" ] || [ "$verdict" = ok ] || lines=$(grep -v '^[[:space:]]*$' "$2" | tail -n 1)
    [ -z "$lines" ] || say "$(printf '%s\n' "$lines" | tr -d '\033' | sed 's/^[[:space:]]*/      /')"
}

# step NAME WEIGHT PATTERN COMMAND...: runs a command into parts/NAME.txt. WEIGHT: its part of the time, against the others'. The first
# pass over the steps only adds up what they weigh.
step() {
    step_name=$1 step_weight=$2 step_pattern=$3
    shift 3
    if [ $pass = count ]; then
        weights=$((weights + step_weight))
        return
    fi
    step_begin=$(date +%s)
    left=$((deadline - step_begin - 3))
    most=$((left * step_weight / weights))
    weights=$((weights - step_weight))
    [ $most -ge $least ] || most=$least
    [ $most -le $left ] || most=$left
    if [ $most -lt 1 ]; then
        late=${late:-$step_name} late_count=$((late_count + 1))
        return
    fi
    # In the background, so that a signal to this script is answered at once. The first timeout is for a program that a driver keeps from
    # ending even when it is killed: the second one would wait for it.
    timeout -s KILL $((most + 4)) timeout -s $ends_by -k 2 $most "$@" >"$parts/$step_name.txt" 2>&1 &
    child=$!
    wait $child 2>/dev/null
    step_status=$?
    child=''
    took=$(($(date +%s) - step_begin))
    judge $step_status $took $most
    say "$(printf '%4d s  %-24s %s' $((step_begin - begin)) "$step_name" "$verdict")"
    show "$step_pattern" "$parts/$step_name.txt"
    pack
}

finish() { # WHY it ended
    [ -z "$late" ] || say "no time was left for $late_count steps, from $late on"
    say "$1 after $(($(date +%s) - begin)) s of $limit: $good good, $failed failed or crashed, $stopped stopped at their share"
    pack || say "no results.tar.gz: $(head -n 1 "$out/.tar"); bring back the folder parts"
    rm -f "$out/.draft" "$out/.tar"
}

interrupted() {
    trap '' HUP INT TERM
    [ -z "$child" ] || kill "$child" 2>/dev/null
    wait
    finish interrupted
    exit 1
}
trap interrupted HUP INT TERM

# ---- what is measured

# check NAME WEIGHT: a check program, which says what is not as it should be, and what this device leaves out
check() {
    step "check_$1" "$2" '^not ok|^# not' "check/test_$1"
}

# A row's time: 0.3 s of the whole 480.
row=$(printf '%d.%03d' $((limit * 300 / 480 / 1000)) $((limit * 300 / 480 % 1000)))

# bench NAME WEIGHT PATTERN ARGUMENT...: the rows, whose JSON is whole after each. SIGINT has smoe-bench sum up those that it has.
bench() {
    bench_name=$1 bench_weight=$2 bench_pattern=$3
    shift 3
    ends_by=INT
    # shellcheck disable=SC2086 # $on is none or two words
    step "$bench_name" "$bench_weight" "$bench_pattern" bin/smoe-bench $on --seconds "$row" --json "$parts/$bench_name.json" "$@"
    ends_by=TERM
}

# presets SUFFIX WEIGHT 'NAME...' [ARGUMENT...]: at every number of tokens, hard and smooth
presets() {
    presets_suffix=$1 presets_weight=$2 presets_names=$3
    shift 3
    for preset in $presets_names; do
        bench "$preset$presets_suffix" "$presets_weight" ' (1|4096) +f16 +hard |WRONG: ' \
            --preset "$preset" --tokens 1,8,64,512,4096 "$@"
    done
}

# tiles PRESET MOST: those of a smooth run for as many experts as may run, MOST; those of a device without subgroup shuffle. No option of
# smoe-bench names a tile.
tiles() {
    bench "$1-for-$2-active" 4 ' f16 +smooth ' --preset "$1" --tokens 64 --weights f16 --no-peak --expected-active "$2"
    bench "$1-without-shuffle" 4 ' f16 +hard ' --preset "$1" --tokens 64 --weights f16 --no-peak --mask 4
}

# types NAME WEIGHT PRESET TYPES: weights with scales beside float16's, all with as many experts as fit
types() {
    bench "$1" "$2" ' (1|512) +[a-z0-9_]+ +hard |WRONG: ' --preset "$3" --tokens 1,32,512 --weights "$4" --hard --fit
}

# peer E,k,D,H T PEER OUR: moe_peer and smoe-bench with the same numbers in the same layer. PEER, OUR: what both call the weights' type
peer() {
    peer_shape=$1 peer_tokens=$2 peer_type=$3 our_type=$4
    for alternation in 1 2; do
        peer_name=peer-$(echo "$peer_shape,$peer_tokens,$peer_type,$alternation" | tr , -)
        # shellcheck disable=SC2046 # one word for each number
        step "$peer_name-other" 2 median ./moe_peer Vulkan0 $(echo "$peer_shape,$peer_tokens" | tr , ' ') "$peer_type" late "$row" /dev/null
        bench "$peer_name-smoe" 2 " $our_type +hard " --shape "$peer_shape,$peer_tokens,gated" --weights "$our_type" --hard --no-peak \
            --peer-data
    done
}

# shellcheck disable=SC2086 # $on is none or two words
all_steps() {
    step devices 5 '^[0-9]+:|^  driver ' bin/smoe-devices
    if [ $pass = run ] && [ "$step_status" -eq 0 ] && ! grep -q '^[0-9]*:' "$parts/devices.txt"; then
        say "no Vulkan device: is there a driver, and does the loader find it? (VK_DRIVER_FILES)"
        failed=1
        return
    fi
    step capabilities 3 '' bin/smoe-devices $on --json "$parts/device.json"

    step golden 16 'FAILED|refused' bin/smoe-run $on --check golden/*.safetensors
    check cooperative 12
    check layer 10
    check masked 12
    check tiers 12

    bench peaks 8 '^  [a-z][a-z0-9_]+ .*(/s|ns) |^  (matrix|dot|fma).*not measured' --preset tiny --weights f32

    presets -mixed 20 olmoe --mixed-precision
    presets '' 25 'olmoe gmoe-s16 qwen3-30b-a3b'
    types types-of-4-bits 25 qwen3-30b-a3b f16,mxfp4,q4,nvfp4,iq4,iq4_xs,q4_min,q4_zero,q4_k
    types types-of-8-bits 25 qwen3-30b-a3b f16,q8,fp8,q8_min,q8_zero,q8_k,q6_k,q8_rows,fp8_rows
    types deepseek-v3-types 15 deepseek-v3 f16,fp8
    presets -mixed 20 'gmoe-s16 qwen3-30b-a3b gpt-oss-20b' --mixed-precision
    presets '' 20 'gpt-oss-20b moonlight-16b ling-mini-2.0 switch-base-16'
    tiles olmoe 12
    tiles gmoe-s16 6
    bench route 8 ' hard ' --route --experts 64,256 --top-k 8 --tokens 1,512,8192

    step digits 4 '^accuracy' bin/smoe-digits $on --all --model models/digits.safetensors --data models/digits-images.safetensors
    step classifiers 8 'largest error' bin/smoe-classify $on --repeat 20 \
        --check models/check_smooth.safetensors --check models/check_cosine.safetensors \
        --check models/gmoe_smooth_top2.safetensors --check models/gmoe_cosine_top1.safetensors
    # VK_KHR_pipeline_executable_properties of the driver that is here, as tests/drivers/collect.py reads them.
    step statistics 15 '"unusable"' check/compile shaders/*.spv

    if [ -x moe_peer ]; then
        for tokens in 1 32 512; do
            peer 128,8,512,256 $tokens f16 f16
            peer 8,2,1024,2048 $tokens f16 f16
            for pair in q4_0:q4 q8_0:q8 mxfp4:mxfp4; do peer 8,2,1024,2048 $tokens ${pair%:*} ${pair#*:}; done
        done
    fi

    for name in properties stages continuity nonfinite cooperative_properties route calibrate totals denormals; do check $name 6; done
    step embed 2 '' bin/smoe-embed
    step analyze 4 '' bin/smoe-analyze volume $on
    presets -mixed 15 'moonlight-16b ling-mini-2.0 switch-base-16' --mixed-precision
    presets '' 20 deepseek-v3
}

tee -a "$out/summary.txt" <about.txt
say "$(date -u +%Y-%m-%dT%H:%M:%SZ), $(uname -srm)"
say "$(first_line '^model name' /proc/cpuinfo), $(first_line '^MemTotal' /proc/meminfo) of memory"
all_steps
pass=run
all_steps
finish ended
[ $failed -eq 0 ]
