# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Completion for netrelayctl, from its own table and from the names that are there now. Those names
# are strangers' text: nothing here evaluates them, and every candidate is quoted.

_netrelayctl()
{
    local current=${COMP_WORDS[COMP_CWORD]} candidate
    local -a words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
    local -a place=()

    COMPREPLY=()
    case ${COMP_WORDS[COMP_CWORD-1]} in
    -r | --relay)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames
        ;;
    -x | --xml | -w | --write)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames
        return
        ;;
    --socket)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        compopt -o filenames
        return
        ;;
    esac
    for candidate in "${words[@]}"; do
        case $candidate in
        net-define)
            if [[ $current != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                compopt -o filenames
                return
            fi
            ;;
        --system | --session) place=("$candidate") ;;
        esac
    done
    while IFS= read -r candidate; do
        COMPREPLY+=("$(printf %q "$candidate")")
    done < <("${COMP_WORDS[0]}" "${place[@]}" complete -- "${words[@]}" "$current" 2>/dev/null)
}

complete -F _netrelayctl netrelayctl
