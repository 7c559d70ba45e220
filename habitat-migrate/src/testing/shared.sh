# Keeps one PostgreSQL server for all processes that hold a lease on it, or removes what killed keepers have left.
#
#   sh shared.sh serve FOLDER IDLE POSTGRES ARGUMENT...
#   sh shared.sh sweep FOLDER...
#   sh shared.sh carry FOLDER
#
# FOLDER/lease is a pipe that this process reads. Whoever uses the server holds it open for writing, and has written a
# line to it, which is empty or a number of seconds, for a longer IDLE; the kernel closes it whatever ends that process. Once nobody holds it, for IDLE seconds on end, it is
# renamed to `shut`. Who then sees `lease` in its place after opening it is counted below, and is waited for; who does
# not see it has to look for another server. So a server never stops under somebody's hands.
#
# FOLDER/copies and FOLDER/drops are pipes for orders that nobody waits for (`orders.rs`), and keep them until `carry` takes them to
# two sessions, whose sockets are its standard input and output. It ends with those; as long as FOLDER/carried is there, it is at work.
#
# Words on standard output: `folder`, `started PID`; it ends when the server does. Standard input says `start` once
# there is something to start, and ends when the starter does; or `begin`, when there is more to do before others may use the server.
# They may when there is the file FOLDER/whole, which `start` makes and otherwise `prepared.sh`. Without it the server is of no use to
# anybody but its starter, and ends with it.

# Ctrl-C is for the tests. PIPE: the reader of our words may be dead when there is still a folder to remove.
trap '' INT TERM HUP PIPE

remove() {
    # A server that somebody killed leaves a segment of shared memory, and this file, which has the segment's number.
    if [ -f "$folder/data/postmaster.pid" ]; then
        segment=$(sed -n '7s/.* //p' "$folder/data/postmaster.pid")
        [ -n "$segment" ] && ipcrm -m "$segment"
    fi
    # A child of a killed process (initdb, cp) may still be writing.
    tries=0
    until rm -rf "$folder" || [ "$tries" -ge 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
} 2>/dev/null

# The folder of all servers goes with the last of them.
leave() {
    remove
    rmdir "${folder%/*}" 2>/dev/null
}

hear() {
    if [ -n "$word" ] && [ "$word" -gt "${idle%.*}" ]; then
        idle=$word
    fi
}

serve() {
    folder=$1
    idle=$2
    shift 2
    mkdir -m 700 "$folder" || exit 1
    mkfifo -m 600 "$folder/lease" "$folder/copies" "$folder/drops" || { leave; exit 1; }
    # Opened for both first: an end of a pipe that is opened alone waits for the other one.
    exec 2>>"$folder/log" 4<>"$folder/lease" 3<"$folder/lease" 8<>"$folder/copies" 9<>"$folder/drops"
    echo folder
    word=
    read -r word
    case $word in
        start) : >"$folder/whole" ;;
        begin) ;;
        *) leave; exit 1 ;;
    esac
    exec </dev/null 4>&-
    "$@" 3<&- 5>&1 8>&- 9>&- >&2 &
    postgres=$!
    echo "started $postgres"
    exec >/dev/null

    while :; do
        while read -r word <&3; do hear; done
        [ -e "$folder/whole" ] || break
        sleep "$idle" 3<&- 8>&- 9>&-
        # Somebody came in the meantime: they may be gone again, and still the time starts anew.
        read -r word <&3 || break
        hear
    done
    mv "$folder/lease" "$folder/shut"
    # Whoever came before it was shut.
    while read -r word <&3; do :; done
    kill -s QUIT "$postgres"
    wait "$postgres"
    leave
}

# Whether the process $1 is the server of this folder, and not one that has got a dead one's number.
is_ours() {
    if [ -d /proc/self ]; then
        arguments=$(tr '\000' ' ' <"/proc/$1/cmdline")
    else
        arguments=$(ps -o args= -p "$1")
    fi
    case $arguments in
        *"$folder/data"*) return 0 ;;
    esac
    return 1
} 2>/dev/null

sweep() {
    for folder; do
        postgres=$(sed -n 1p "$folder/data/postmaster.pid" 2>/dev/null)
        signal=QUIT
        tries=0
        while [ -n "$postgres" ] && is_ours "$postgres" && [ "$tries" -lt 1000 ]; do
            [ "$tries" -eq 500 ] && signal=KILL
            [ $((tries % 500)) -eq 0 ] && kill -s "$signal" "$postgres"
            tries=$((tries + 1))
            sleep 0.01
        done
        remove
    done
}

# Takes what is written to the pipe $1/$2 to the session whose socket is standard input, as long as that lasts.
hand() {
    exec 5<&0
    # The keeper holds the pipe's other end: it has an end when that one ends.
    cat <"$1/$2" >&5 &
    writer=$!
    # What the server answers is nothing to anybody.
    cat <&5 >/dev/null
    kill -s KILL "$writer"
    # The other session may go on, beside one that takes its place.
    rmdir "$1/carried"
} 2>/dev/null

case $1 in
    serve)
        shift
        # What the starter's own starters have left open is not for a process that outlives them all.
        exec 6<&0 3<&- 4<&- 5<&- 7<&- 8<&- 9<&-
        # In the background, with standard input kept: the server's keeper is nobody's child.
        serve "$@" <&6 6<&- &
        ;;
    sweep)
        shift
        sweep "$@"
        ;;
    carry)
        # Somebody else may have been faster.
        mkdir "$2/carried" 2>/dev/null || exit 0
        # What is started in the background has no standard input but one from another descriptor.
        exec 5<&0 6<&1 3<&- 4<&- 7<&- 8<&- 9<&- </dev/null >/dev/null
        # Nobody's children either.
        hand "$2" copies <&5 5<&- 6<&- &
        hand "$2" drops <&6 5<&- 6<&- &
        ;;
esac
