# Keeps one PostgreSQL server for as long as the process that started it lives.
#
#   sh supervisor.sh FOLDER POSTGRES ARGUMENT...
#
# Standard input is a pipe whose other end only that process holds, so it ends when the process does, whatever ended
# it. Words on it: `start`, then names of signals for the server; `start` again once the server has exited.
# HABITAT_END_SIGNAL is the one that ends it then; QUIT, which PostgreSQL takes for `at once`, if there is none.
# Words on standard output: `folder`, `started PID`, `exited STATUS`.

# Ctrl-C is for the tests. PIPE: the reader of our words may be dead when there is still a folder to remove.
trap '' INT TERM HUP PIPE

folder=$1
shift
mkdir -m 700 "$folder" || exit 1
exec 2>>"$folder/log" 3<&0
echo folder

word=
read -r word <&3
while [ "$word" = start ]; do
    "$@" </dev/null >>"$folder/log" 2>&1 3<&- &
    postgres=$!
    echo "started $postgres"
    (
        while read -r word <&3; do
            [ "$word" = start ] && exit 0
            kill -s "$word" "$postgres"
        done
        kill -s "${HABITAT_END_SIGNAL:-QUIT}" "$postgres"
        exit 1
    ) &
    commands=$!
    wait "$postgres"
    echo "exited $?"
    wait "$commands" || word=end
done

# A server that somebody killed leaves a segment of shared memory, and this file, which has the segment's number.
if [ -f "$folder/data/postmaster.pid" ]; then
    segment=$(sed -n '7s/.* //p' "$folder/data/postmaster.pid")
    [ -n "$segment" ] && ipcrm -m "$segment"
fi

# A child of the killed process (initdb, cp) may still be writing.
tries=0
until rm -rf "$folder" 2>/dev/null || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
