# Takes data folders with a template to the cache and back. ENTRY is a folder in the cache, DATA the data folder of a server; the
# file WHOLE is there when others may use the server.
#
#   sh prepared.sh put ENTRY DATA WHOLE POSTGRES ARGUMENT...
#   sh prepared.sh fill ENTRY DATA WHOLE
#   sh prepared.sh whole WHOLE
#
# ENTRY/ready/first is what a server needs to start, ENTRY/ready/base has the databases' folders, and ENTRY/ready/late what sessions
# have to find out otherwise (pg_internal.init) and a server removes when it starts.
# https://www.postgresql.org/docs/current/storage-file-layout.html

umask 077

# Copies the folders of databases in two parts side by side.
databases() {
    one= other= turn=
    cd "$1" || exit 1
    for each in *; do
        if [ "$turn" ]; then one="$one $each" turn=; else other="$other $each" turn=other; fi
    done
    cp -R $one "$2/" &
    half=$!
    cp -R $other "$2/" && wait "$half"
}

# The server has written everything and has nothing to do, so its files are what they would be after a crash in this moment.
copy() {
    made=$1/made data=$2
    mkdir "$made" "$made/first" "$made/first/base" && cd "$data" || exit 1
    set --
    for each in *; do
        [ "$each" = base ] || [ "$each" = postmaster.pid ] || set -- "$@" "$each"
    done
    cp -R "$@" "$made/first/" && databases "$data/base" "$made/first/base"
}

# What recovers such files is a server for a single user, which ends when there is no more input.
# https://www.postgresql.org/docs/current/app-postgres.html
finish() {
    made=$1/made postgres=$2
    shift 2
    cd "$made/first" && mkdir ../late ../late/base || exit 1
    for each in global base/*; do
        mkdir "../late/$each"
        [ ! -e "$each/pg_internal.init" ] || mv "$each/pg_internal.init" "../late/$each/" || exit 1
    done
    "$postgres" --single -D "$made/first" "$@" postgres || exit 1
    # As from every new data folder.
    rm -f postmaster.opts global/pg_internal.init base/*/pg_internal.init base/*/*_fsm base/*/*_vm
    mv base .. && mkdir base && mv "$made" "${made%/*}/ready"
}

case $1 in
    put)
        # What the starter's own starters have left open is not for what goes on behind it.
        exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
        entry=$2 data=$3 whole=$4
        shift 4
        (copy "$entry" "$data")
        copied=$?
        : >"$whole" || exit 1
        # Nobody waits for the rest. What fails takes up no room.
        { [ "$copied" -eq 0 ] && (finish "$entry" "$@") || rm -rf "$entry"/*; } &
        ;;
    fill)
        # When this much is there a server can start. The folders of databases are copied while it does, and are needed when it
        # accepts connections, of which standard input tells by a line.
        cp -R "$2/ready/first" "$3" || { rm -rf "$3"; exit 1; }
        echo begin &&
            (databases "$2/ready/base" "$3/base") &&
            read -r word && cp -R "$2/ready/late/." "$3/" && : >"$4"
        ;;
    whole)
        : >"$2"
        ;;
esac
