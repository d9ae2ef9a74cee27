# lib.sh: which server the fuzz tests run on. That of test/fuzz/server if it is
# there and no other is named.
fuzz_server=${SSOT_FUZZ_SERVER:-/tmp/ssot-fuzz-server}
if [ -z "${PG_CONFIG:-}" ] && [ -x "$fuzz_server/bin/pg_config" ]; then
	export PG_CONFIG="$fuzz_server/bin/pg_config"
fi
if [ -z "${PG_CONFIG:-}" ]; then
	echo "$(basename "$0"): no server with assertions: run test/fuzz/server first, or set PG_CONFIG" >&2
	exit 1
fi
