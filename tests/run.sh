#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what tests need, builds, runs the tests, and closes with "N passed, N failed".
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
tiers="lint unit relay system"
sums=
again=
left_out=
unsteady=

usage()
{
    cat <<END
usage: tests/run.sh [TIER | FILE]...
       tests/run.sh --long NAME [PART]...
Installs the packages that tests need, builds into build/, and runs the tests.
  TIER         lint, unit, relay or system; all of them when none is named
  FILE         one test file, such as tests/system/test_guest.py
  --long NAME  runs only tests/long/NAME, which takes its time, or only its PARTs: tests with such
               a word in their names
Without root nothing is installed, and the tiers that need root are left out.
END
}

die()
{
    echo "run.sh: $*" >&2
    exit 1
}

is_root()
{
    [ "$(id -u)" = 0 ]
}

is_program()
{
    [ -f "$1" ] && [ -x "$1" ]
}

clean_up()
{
    [ -z "$sums" ] || rm -f "$sums"
    [ -z "$again" ] || rm -f "$again"
}

packages()
{
    if is_root; then
        "$tree/contrib/install-packages.sh" build run test
    elif ! missing=$("$tree/contrib/install-packages.sh" --missing build test); then
        echo "run.sh: not root, so these missing packages are not installed: $missing" >&2
    fi
}

# What root has built, others cannot write to: they get a build directory of their own.
choose_build()
{
    build=${NETRELAY_BUILD:-$tree/build}
    if [ -z "${NETRELAY_BUILD:-}" ] && [ -e "$build" ] && ! [ -w "$build" ]; then
        build=$tree/build-$(id -un)
    fi
    if ! mkdir -p "$build" 2>/dev/null || ! [ -w "$build" ]; then
        die "cannot write to $build; name another build directory in NETRELAY_BUILD"
    fi
    build=$(cd "$build" && pwd)
    NETRELAY_BUILD=$build
    NETRELAY_GUEST=${NETRELAY_GUEST:-$build/guest}
    export NETRELAY_BUILD NETRELAY_GUEST
}

configured_like_ours()
{
    options=$build/meson-info/intro-buildoptions.json
    [ -f "$build/build.ninja" ] && grep -q '"name": "prefix", "value": "/usr"' "$options"
}

# What a step prints is of interest only when it fails.
quietly()
{
    "$@" >"$build/step.log" 2>&1 </dev/null || {
        cat "$build/step.log" >&2
        die "failed: $*"
    }
}

build_all()
{
    if ! configured_like_ours; then
        set -- --prefix=/usr --sysconfdir=/etc --localstatedir=/var
        [ ! -f "$build/build.ninja" ] || set -- --reconfigure "$@"
        quietly meson setup "$build" "$tree" "$@"
    fi
    quietly ninja -C "$build"
}

# What could not be counted has failed.
tally()
{
    "$tree/tests/lib/tally.py" "$sums" "$@" || echo 0 1 0 >>"$sums"
}

# run_files SECONDS FILE...: the names of patterns that match nothing are no files.
run_files()
{
    limit=$1
    shift
    for file in "$@"; do
        ! is_program "$file" || tally run "$limit" "$file"
    done
}

# run_side_by_side COUNT SECONDS FILE...: as run_files, so many at a time, for files that mostly
# wait, for deadlines or guests that boot. One that fails has the machine to itself then, which
# decides, and is named at the end.
run_side_by_side()
{
    count=$1
    limit=$2
    shift 2
    printf '%s\0' "$@" |
        xargs -0 -n 1 -P "$count" "$tree/tests/lib/tally.py" "$sums" beside "$limit" "$again" ||
        echo 0 1 0 >>"$sums"
    while read -r file; do
        echo "-- $file failed beside another one: again, by itself"
        unsteady="$unsteady ${file##*/}"
        run_files "$limit" "$file"
    done <"$again"
    : >"$again"
}

# in_order TIER FIRST...: all files of a tier, those of these names first; a name is test_NAME.py.
in_order()
{
    tier=$1
    shift
    for name in "$@"; do
        echo "$tree/tests/$tier/test_$name.py"
    done
    for file in "$tree/tests/$tier"/test_*.py; do
        name=${file##*/test_}
        case " $* " in
        *" ${name%.py} "*) ;;
        *) echo "$file" ;;
        esac
    done
}

# The longest files first: one of them that began last would be waited for by itself.
run_relay()
{
    # shellcheck disable=SC2046 # a list of words
    run_side_by_side 3 300 $(in_order relay wire loops succession rate datagrams)
}

# Two of them also say how the relay fares under load: each has the machine to itself.
run_system()
{
    set -- bare_forms bare_switch
    alone=$#
    set -- "$@" chaos client restart server lifecycle quickstart udp hook strangers bandwidth
    set -- "$@" package
    # shellcheck disable=SC2046 # a list of words
    set -- $(in_order system "$@")
    while [ "$alone" -gt 0 ]; do
        run_files 900 "$1"
        shift
        alone=$((alone - 1))
    done
    run_side_by_side 4 900 "$@"
}

leave_out()
{
    echo "-- $1: left out, $2"
    left_out="$left_out $1"
}

run_tier()
{
    case $1 in
    lint) run_files 300 "$tree"/tests/lint/* ;;
    unit) tally meson "$build" ;;
    relay) run_relay ;;
    system)
        if is_root; then
            run_system
        else
            leave_out system "it needs root, for namespaces with a libvirtd of their own"
        fi
        ;;
    esac
}

run_named()
{
    case " $tiers " in
    *" $1 "*)
        began=$(date +%s)
        echo "-- $1"
        run_tier "$1"
        echo "-- $1 took $(($(date +%s) - began)) s"
        ;;
    *)
        is_program "$1" || die "there is no tier and no test file '$1'; see --help"
        run_files 900 "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
        ;;
    esac
}

run_long()
{
    file=$tree/tests/long/$1
    shift
    is_program "$file" || file=$file.py
    is_program "$file" || die "there is no ${file%.py}"
    tally run 14400 "$file" "$@"
}

long=
case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
--long)
    [ $# -ge 2 ] || die "--long takes a name; see --help"
    long=$2
    ;;
-*) die "there is no option '$1'; see --help" ;;
esac

packages
choose_build
build_all
sums=$(mktemp)
again=$(mktemp)
trap clean_up EXIT
trap 'exit 1' INT TERM

if [ -n "$long" ]; then
    shift
    run_long "$@"
else
    # shellcheck disable=SC2086 # a list of words
    [ $# -gt 0 ] || set -- $tiers
    for word in "$@"; do
        run_named "$word"
    done
fi
[ -z "$unsteady" ] || echo "-- failed once, beside another file:$unsteady"
[ -z "$left_out" ] || echo "-- left out:$left_out"
"$tree/tests/lib/tally.py" "$sums" print
