# Postern for the side-by-side mail server benchmark: what the driver needs to start, stop and clean an instance.
# shellcheck shell=bash disable=SC2154 # the driver exports BENCH_* and POSTERN_ROOT

PO_BIN="$POSTERN_ROOT/build/release"

mta_available() { [ -x "$PO_BIN/libexec/postern-master" ]; }
mta_setup() { make -s -C "$POSTERN_ROOT" all >/dev/null && "$POSTERN_ROOT/packaging/create-users" >/dev/null; }
mta_version() { "$PO_BIN/libexec/postern-master" --version; }

po_config() {
	mkdir -p "$BENCH_RUN/log"
	chown postern-log "$BENCH_RUN/log"
	local workers=100
	[ "$BENCH_MODE" = idle ] && workers=$((BENCH_MAXCONN + 50))
	[ "$workers" -gt 10000 ] && workers=10000
	cat >"$BENCH_RUN/postern.conf" <<-EOF
		hostname = mx.$BENCH_DOMAIN
		domains = $BENCH_DOMAIN
		origin = $BENCH_DOMAIN
		queue_directory = $BENCH_RUN/spool/queue
		state_directory = $BENCH_RUN/spool/state
		runtime_directory = $BENCH_RUN/sock
		log_file = $BENCH_RUN/log/mail.log
		aliases =
		min_uid = 1
		message_max_size = 50M
		smtpd_workers_max = $workers
		smtpd_worker_uses = 100000
		connections_per_client_max = 100000
		${PO_EXTRA:-}
	EOF
	if [ "$BENCH_MODE" = relay ]; then
		cat >>"$BENCH_RUN/postern.conf" <<-EOF
			trusted_networks = 127.0.0.0/8
		EOF
	fi
	# content checks are compared like for like: the peers have none
	echo "spam_action = ${PO_SPAM:-off}" >>"$BENCH_RUN/postern.conf"
	{
		echo "[listener smtp]"
		echo "address = 127.0.0.1:$BENCH_PORT"
		[ "$BENCH_MODE" = relay ] && printf '[relay sink]\ndomains = *\nhost = 127.0.0.1:%s\n' "$BENCH_SINK_PORT"
	} >>"$BENCH_RUN/postern.conf"
}

mta_start() {
	po_config
	mkdir -p "$BENCH_RUN/spool"
	ulimit -n 65536
	# PO_WRAP: a program to run it under, such as "strace -ff -c -o DIR/calls" (docs/PERFORMANCE.md)
	${PO_WRAP:-} "$PO_BIN/libexec/postern-master" -c "$BENCH_RUN/postern.conf" >"$BENCH_RUN/log/master.out" 2>&1 &
	echo $! >"$BENCH_RUN/master.pid"
}
mta_stop() {
	local p
	p=$(cat "$BENCH_RUN/master.pid" 2>/dev/null)
	[ -n "$p" ] && kill -TERM "$p" 2>/dev/null
	return 0
}
mta_clean() { rm -rf "$BENCH_RUN/spool" "$BENCH_RUN/log" "$BENCH_RUN/sock" "$BENCH_RUN/master.pid"; }
mta_queue() { find "$BENCH_RUN"/spool/queue/*/new "$BENCH_RUN"/spool/queue/*/cur -type f -size +0 2>/dev/null | wc -l; }
mta_config() { cat "$BENCH_RUN/postern.conf"; }
