# What matching does where the machine sets limits: memory that the system refuses,
# workers that are ended or killed in the middle.
use strict;
use warnings;
BEGIN { $ENV{PG_TEST_TIMEOUT_DEFAULT} = 60; }
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('matching');
$node->init(no_data_checksums => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nrestart_after_crash = on\njit = off\nmax_worker_processes = 20\n");
$node->start;

$node->safe_psql('postgres', q{
	CREATE EXTENSION ssot;
	CREATE TABLE person AS
	SELECT 'p' || i AS id, initcap(translate(substr(md5('g' || i % 30011), 1, 5), '0123456789', 'aeioulnrst')) AS given,
	       initcap(translate(substr(md5('f' || i % 50021), 1, 7), '0123456789', 'aeioulnrst')) AS family,
	       to_char(date '1950-01-01' + ('x' || substr(md5('d' || i), 1, 6))::bit(24)::int % 20000, 'YYYY-MM-DD') AS born,
	       substr(md5('e' || i), 1, 9) || '@example.com' AS email, md5('a' || i % 70001) AS note
	FROM generate_series(1, 100000) AS i;
	ANALYZE person;
});
my $match = q{SELECT count(DISTINCT m.cluster) FROM ssot.match('person', '{id}',
	'{"name": {"kind": "person_name", "fields": ["given", "family"]}, "born": "date", "email": "email", "note": "text"}') AS m};
my $expected = $node->safe_psql('postgres', "SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '1GB'; $match");
ok($expected > 90000, "$expected clusters");

# The system gives a backend 55 MB of its own and no more: with maintenance_work_mem
# below that, matching stays within it; with more, it is refused, and no harm is done.
SKIP: {
	skip 'prlimit is not there', 5 if system('prlimit --version >/dev/null 2>&1') != 0;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');
	$psql->query("SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '1GB'");
	is($psql->query($match), $expected, 'without a limit');
	command_ok([ 'prlimit', '--pid', $pid, '--data=55000000:unlimited' ], 'a limit is set');
	is($psql->query($match), '', 'more memory than that is refused');
	like($psql->{stderr}, qr/out of memory/, '... with an error');
	$psql->{stderr} = '';
	$psql->query("SET maintenance_work_mem = '16MB'");
	is($psql->query($match), $expected, 'within maintenance_work_mem it is enough');
	$psql->quit;
}

# A worker that somebody ends, or that is killed.
sub end_worker
{
	my ($signal, $memory) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	$psql->query("SET maintenance_work_mem = '$memory'");
	$psql->{stdin} .= "$match;\n";
	$psql->{run}->pump_nb;
	my $worker = '';
	for (1 .. 300)
	{
		$worker = $node->safe_psql('postgres', q{SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND leader_pid IS NOT NULL});
		last if $worker ne '';
		select(undef, undef, undef, 0.002);
	}
	ok($worker ne '', 'a worker helps');
	kill $signal, $worker;
	return $psql;
}

my $psql = end_worker('TERM', '1GB');
my $said = $psql->query('SELECT 1');
like($psql->{stderr}, qr/due to administrator command|is gone|lost connection to parallel worker/, 'a worker that is ended ends the statement');
$psql->{stderr} = '';
is($psql->query($match), $expected, '... and the session goes on');
$psql->quit;

for my $memory ('1GB', '4MB')
{
	$psql = end_worker('KILL', $memory);
	eval { $psql->query('SELECT 1'); };
	eval { $psql->{run}->kill_kill; };
	ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is up again after a worker was killed');
	is($node->safe_psql('postgres', "SET maintenance_work_mem = '$memory'; $match"), $expected, "... and matches, with $memory");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', '... and no file is left');
}

$node->stop;
done_testing();
