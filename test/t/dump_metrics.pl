# A dictionary with all that hangs on it (test/data/metrics/life.sql) is dumped and
# restored, into the same cluster and into one where a role is missing: the same
# answers to everything (questions.sql), published numbers are still true, what was
# signed stays signed and what was decertified stays so; and life goes on: the next
# numbers follow, signatures are given, periods are closed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGUSER} = 'postgres';

sub cluster
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(no_data_checksums => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8', '-U', 'postgres' ]);
	$node->append_conf('postgresql.conf', "fsync = off\njit = off\ntimezone = 'UTC'\n");
	$node->start;
	return $node;
}

sub connect_to
{
	my ($node) = @_;
	return ('-h', $node->host, '-p', $node->port);
}

# All answers, as text.
sub answers
{
	my ($node, $db) = @_;
	my ($out, $err) = run_command([ 'psql', '-X', '-q', connect_to($node), '-d', $db, '-f', 'test/data/metrics/questions.sql' ]);
	is($err, '', "$db: every question is answered");
	return $out;
}

sub same_answers
{
	my ($got, $want, $what) = @_;
	return if is($got, $want, $what);
	my @got = split /\n/, $got;
	my @want = split /\n/, $want;
	for (0 .. $#want) { diag(($got[$_] // '') . "  <>  $want[$_]") if ($got[$_] // '') ne $want[$_]; }
}

my $home = cluster('home');
$home->safe_psql('postgres', 'CREATE DATABASE first');
$home->safe_psql('first', 'CREATE EXTENSION ssot');
command_ok([ 'psql', '-X', '-q', connect_to($home), '-d', 'first', '-o', '/dev/null', '-f', 'test/data/metrics/life.sql' ], 'a life is lived');

my $grants = q{
	SELECT c.oid::regclass::text, a.grantee::regrole, a.privilege_type, NULL
	  FROM pg_class AS c, aclexplode(c.relacl) AS a
	 WHERE c.relnamespace::regnamespace::text IN ('trade', 'metrics', 'metrics_as_of') AND a.grantee <> c.relowner
	 UNION ALL
	SELECT t.attrelid::regclass::text, a.grantee::regrole, a.privilege_type, t.attname
	  FROM pg_attribute AS t, aclexplode(t.attacl) AS a WHERE t.attrelid::regclass::text LIKE 'trade.%'
	 ORDER BY 1, 2, 3, 4};
my $expected = answers($home, 'first');
my $granted = $home->safe_psql('first', $grants);
like($expected, qr/a late contract/, 'the answers tell of a restatement');
like($expected, qr/was status, is lower\(status\)/, 'and of what was decertified');
like($granted, qr/^metrics\."trade deals"\|metric_reader\|SELECT/m, 'a reader may read');
is($home->safe_psql('first', 'SELECT count(*) FROM ssot.verify_publications() UNION ALL SELECT count(*) FROM ssot.verify_dictionary()'), "0\n0", 'all is true');

# What happens after a restore; the same in every copy.
sub check_life
{
	my ($node, $db) = @_;
	my $last = q{(SELECT max(publication_id) FROM ssot.publication)};

	is($node->safe_psql($db, q{
		SET client_min_messages = warning;
		SELECT max(publication_id) AS publication FROM ssot.publication \gset
		SELECT max(figure_id) AS figure FROM ssot.reported_figure \gset
		SELECT max(variant_id) AS variant FROM ssot.definition_version \gset
		SELECT ssot.publish('trade deals', reason => 'after') - :publication;
		SELECT ssot.report_figure('trade deals', 'trade bi', 1, now()) - :figure;
		SELECT ssot.create_metric('trade deals', from_entity => 'trade.deal', measure => 'count(*)', filter => 'amount > 2', unit => 'deals',
		    dimensions => '{"country": "account.country"}');
		SELECT ssot.create_definition('trade new', description => 'A new word');
		SELECT variant_id - :variant FROM ssot.definition_version WHERE definition = 'trade new';
		SELECT ssot.close_period('2026-10', '{trade deals}') > 0;
		SELECT version FROM metrics."trade deals";
		}), "1\n1\n3\n1\n1\nt\n3", "$db: numbers go on, the present version counts");
	my ($status, $out, $err) = $node->psql($db, q{SELECT ssot.close_period('2026-Q3')});
	like($err, qr/closed/, "$db: a closed period stays closed");
	is($node->safe_psql($db, q{
		SELECT to_regclass('metrics."trade waiting"');
		SET SESSION AUTHORIZATION metric_bob;
		SELECT ssot.sign('trade waiting', 1);
		SELECT ssot.sign('trade customer', 2);
		RESET SESSION AUTHORIZATION;
		SELECT value > 0 FROM metrics."trade waiting";
		SELECT string_agg(version || ' ' || state || ' ' || in_force, ', ' ORDER BY version) FROM ssot.dictionary WHERE definition = 'trade customer'
		}), "\napproved\napproved\nt\n1 deprecated false, 2 approved true", "$db: signing goes on where it was");
	is($node->safe_psql($db, q{
		SET SESSION AUTHORIZATION metric_reader;
		SELECT value > 0 FROM metrics."trade pipeline";
		SELECT count(*) FROM metrics."trade deals_by_country"}), "t\n1", "$db: a reader reads");
	($status, $out, $err) = $node->psql($db, q{SET SESSION AUTHORIZATION metric_reader; SELECT * FROM metrics."trade year"});
	like($err, qr/permission denied for view trade year/, "$db: and what was not granted is refused");
	is($node->safe_psql($db, q{
		UPDATE trade_bronze.crm_deal SET amount = amount + 5, changed = '2026-11-30' WHERE id = 'd30';
		CALL ssot.reconcile_all();
		SELECT ssot.unmerge('trade.account', '3', 'two after all') IS NOT NULL;
		SELECT count(*) FROM ssot.verify_publications();
		SELECT count(*) FROM ssot.verify_dictionary()}), "t\n0\n0", "$db: later changes leave published numbers true");
	$node->safe_psql($db, q{UPDATE trade_ssot.deal_history SET amount = amount + 1 WHERE deal_id = 29});
	isnt($node->safe_psql($db, 'SELECT count(*) FROM ssot.verify_publications()'), '0', "$db: changes by force are found");
	$node->safe_psql($db, q{UPDATE ssot.definition_version SET description = 'mine' WHERE definition = 'trade sale'});
	is($node->safe_psql($db, 'SELECT definition FROM ssot.verify_dictionary()'), 'trade sale', "$db: here, too");
}

my $dir = PostgreSQL::Test::Utils::tempdir;
my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null');

# ---- into the same cluster -------------------------------------------------------

command_ok([ 'pg_dump', connect_to($home), '-f', "$dir/plain.sql", 'first' ], 'dumped plainly');
command_ok([ 'pg_dump', connect_to($home), '-Fc', '-f', "$dir/custom", 'first' ], 'dumped in the custom format');
$home->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(plain parallel sections);
command_ok([ @psql, connect_to($home), '-d', 'plain', '-f', "$dir/plain.sql" ], 'restored plainly');
command_ok([ 'pg_restore', connect_to($home), '--exit-on-error', '-j4', '-d', 'parallel', "$dir/custom" ], 'restored with -j4');
command_ok([ 'pg_restore', connect_to($home), '--exit-on-error', "--section=$_", '-j2', '-d', 'sections', "$dir/custom" ], "restored the section $_")
  foreach qw(pre-data data post-data);
foreach my $db (qw(plain parallel sections))
{
	same_answers(answers($home, $db), $expected, "$db: the same answers");
	is($home->safe_psql($db, $grants), $granted, "$db: the same grants");
}
check_life($home, 'plain');
check_life($home, 'sections');

# ---- into another cluster, where a role is missing -------------------------------

my $abroad = cluster('abroad');
my ($roles) = run_command([ 'pg_dumpall', connect_to($home), '--roles-only' ]);
PostgreSQL::Test::Utils::append_to_file("$dir/roles.sql", join("\n", grep { !/metric_gone|ROLE postgres/ } split /\n/, $roles) . "\n");
command_ok([ @psql, connect_to($abroad), '-d', 'postgres', '-f', "$dir/roles.sql" ], 'most roles are made');
$abroad->safe_psql('postgres', 'CREATE DATABASE moved');
my ($out, $err) = run_command([ 'pg_restore', connect_to($abroad), '-j2', '-d', 'moved', "$dir/custom" ]);
my @errors = grep { /^pg_restore: error:/ } split /\n/, $err;
is(scalar(grep { !/role "metric_gone" does not exist/ } @errors), 0, 'restored; nothing is missing but grants to who is not there') or diag($err);
cmp_ok(scalar(@errors), '>', 0, 'and they are missing');
same_answers(answers($abroad, 'moved'), $expected, 'moved: the same answers, signatures of who is gone among them');
is($abroad->safe_psql('moved', $grants), join("\n", grep { !/\|metric_gone\|/ } split /\n/, $granted), 'moved: the same grants otherwise');
is($abroad->safe_psql('moved', q{SELECT ssot.create_definition('trade contract', description => 'A superuser takes over what the missing wrote')}),
	'2', 'moved: a word of the missing can be continued');
check_life($abroad, 'moved');

$abroad->stop;
$home->stop;
done_testing();
