# A dump of the sample database restores into a fresh one and gives the same
# answers there; reconciling there writes nothing; ids and times go on.
# Tried plainly, and section by section with -j4.
use strict;
use warnings;
use Cwd qw(getcwd);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump_restore');
$node->init(no_data_checksums => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\njit = off\ntimezone = 'UTC'\nmaintenance_work_mem = '128MB'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE first');

my @connect = ('-h', $node->host, '-p', $node->port);
my $data = getcwd() . '/test/data/crm_erp';
my @entities = map { "golden.$_" } qw(category customer order_line product product_version);

# The sample data, reconciled; then a life: a correction, a pin, a change of a
# source, a merge, a record that goes, one that is held.
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connect, '-d', 'first', '-c', 'CREATE EXTENSION ssot',
		'-v', "data=$data", '-f', "$data/load.sql", '-o', '/dev/null', '-f', "$data/declare.sql" ],
	'the sample data is loaded and declared');
$node->safe_psql('first', 'CALL ssot.reconcile_all()');
my $t1 = $node->safe_psql('first', "SELECT max(last_write) FROM ssot.clock");
$node->safe_psql('first', q{
	BEGIN;
	SET LOCAL ssot.reason = 'she called';
	UPDATE golden.customer SET last_name = 'Ångström' WHERE customer_id = 5;
	COMMIT;
	SELECT ssot.pin('golden.customer', '6', 'country', 'DE', 'seen there');
	SELECT ssot.set_authority('golden.product', 'cost', '{crm}', tolerance => 0.5);
	UPDATE bronze.crm_cust_info SET cst_firstname = 'Zacharias' WHERE cst_id = '11003';
	UPDATE bronze.erp_loc_a101 SET cntry = 'Germany' WHERE cid = (SELECT min(cid) FROM bronze.erp_loc_a101);
	DELETE FROM bronze.crm_prd_info WHERE prd_key = (SELECT max(prd_key) FROM bronze.crm_prd_info);
	UPDATE bronze.erp_cust_az12 SET cid = (SELECT min(cid) FROM bronze.erp_cust_az12) WHERE cid = (SELECT max(cid) FROM bronze.erp_cust_az12);
	ALTER TABLE golden.customer ADD CONSTRAINT no_single_names CHECK (first_name <> 'Xenia' OR last_name = 'Zeno');
	UPDATE bronze.crm_cust_info SET cst_firstname = 'Xenia' WHERE cst_id = '11004';
	GRANT SELECT ON golden.customer TO PUBLIC;
});
$node->safe_psql('first', 'CALL ssot.reconcile_all()');
my $t2 = $node->safe_psql('first', "SELECT max(last_write) FROM ssot.clock");
$node->safe_psql('first', "UPDATE golden.customer SET last_name = 'Angstrom' WHERE customer_id = 5");

# Everything that may be asked, as lines of "question: answer".
my @questions = map { my $q = $_; $q } (
	(map {
		my ($name) = /\.(.*)/;
		(   [ "$_", "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $_ AS t" ],
			(map {
				my $part = $_;
				[ "${name}_$part", "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '-') FROM golden_ssot.${name}_$part AS t" ]
			} qw(source source_history history key drift quarantine held)),
			(map { [ "$name as of $_", "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM golden.${name}_at('$_') AS t" ] } $t1, $t2),
			[ "$name through the setting", "SET ssot.as_of = '$t2'; SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM golden_as_of.$name AS t; RESET ssot.as_of" ],
			[ "drift of $name", "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '-') FROM ssot.drift('$_') AS t" ],
			[ "stable until of $name", "SELECT ssot.stable_until('$_')" ])
	} @entities),
	(map { [ "lineage of customer $_", "SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM ssot.lineage('golden.customer', '$_') AS t" ] } 1, 5, 6, 100),
	(map { [ "history of customer $_", "SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM ssot.history('golden.customer', '$_') AS t" ] } 5, 6),
	(map { [ $_, "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '-') FROM ssot.$_ AS t" ] }
	   qw(system entity field source value_map clock merged_id source_state reconcile_run pins quarantine held entity_map)),
	[ 'first instant', "SELECT history_from FROM ssot.entity WHERE entity = 'golden.customer'" ],
	[ 'grants', "SELECT has_table_privilege('public', 'golden.customer', 'SELECT')" ],
	[ 'comments', q{SELECT obj_description('golden.customer'::regclass) || ' ' || obj_description('golden_ssot.customer_source'::regclass)} ],
	[ 'sequences', q{SELECT string_agg(s.schemaname || '.' || s.sequencename || '=' || coalesce(s.last_value::text, '-'), ' ' ORDER BY 1)
	                   FROM pg_sequences AS s WHERE s.schemaname IN ('golden', 'ssot')} ]);

sub answers
{
	my ($db) = @_;
	my $sql = join "\n", map { "SELECT '== $_->[0]';\n$_->[1];" } @questions;
	return $node->safe_psql($db, $sql =~ s/string_agg\(s\.schemaname(.*?)ORDER BY 1\)/string_agg(s.schemaname$1ORDER BY s.schemaname, s.sequencename)/sr);
}

# Every row version of every table that a run may write.
my $versions = q{
	SELECT string_agg(c.oid::regclass || ' ' || (xpath('/row/v/text()', query_to_xml(
	           format('SELECT coalesce(md5(string_agg(xmin || '':'' || ctid, '','' ORDER BY ctid)), ''-'') AS v FROM %s', c.oid::regclass),
	           false, true, '')))[1]::text, E'\n' ORDER BY c.oid::regclass::text)
	  FROM pg_class AS c
	 WHERE c.relkind = 'r' AND (c.relnamespace IN ('golden'::regnamespace, 'golden_ssot'::regnamespace)
	    OR c.oid IN ('ssot.clock'::regclass, 'ssot.source_state'::regclass, 'ssot.merged_id'::regclass))};

sub check_restored
{
	my ($db, $expected) = @_;
	my $answers = answers($db);
	if (!is($answers, $expected, "$db: the same answers"))
	{
		my @got = split /\n/, $answers;
		my @want = split /\n/, $expected;
		for (0 .. $#want) { diag("$got[$_]  <>  $want[$_] after $want[$_ - 1]") if $got[$_] ne $want[$_]; }
	}
	my $before = $node->safe_psql($db, $versions);
	my $run = $node->safe_psql($db, 'SELECT max(run_id) FROM ssot.reconcile_run');
	$node->safe_psql($db, 'CALL ssot.reconcile_all()');
	is($node->safe_psql($db, "SELECT DISTINCT status FROM ssot.reconcile_run WHERE run_id > $run"), 'nothing to do',
		"$db: reconciling there has nothing to do");
	is($node->safe_psql($db, $versions), $before, "$db: and writes nothing");
	$node->safe_psql($db, 'CALL ssot.reconcile_all("full" => true)');
	is($node->safe_psql($db, $versions), $before, "$db: not even a full one");
	is($node->safe_psql($db, join ' UNION ALL ', map { "SELECT count(*) FROM ssot.verify_drift('$_')" } @entities),
		join("\n", (0) x @entities), "$db: verification agrees");
}

my $expected = answers('first');
like($expected, qr/she called/, 'the answers tell of the correction');
is($node->safe_psql('first', 'SELECT count(*) > 0 FROM golden_ssot.customer_held'), 't', 'something is held');
is($node->safe_psql('first', 'SELECT count(*) > 0 FROM golden.product WHERE retired_at IS NOT NULL'), 't', 'something has retired');

my $dir = PostgreSQL::Test::Utils::tempdir;
my @copies = ([ 'plain', 'plainly' ], [ 'sections', 'by section' ]);
$node->safe_psql('postgres', "CREATE DATABASE $_->[0]") for @copies;

command_ok([ 'pg_dump', @connect, '-f', "$dir/plain.sql", 'first' ], 'dumped plainly');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connect, '-o', '/dev/null', '-d', 'plain', '-f', "$dir/plain.sql" ], 'restored plainly');
check_restored('plain', $expected);

command_ok([ 'pg_dump', @connect, '-Fd', '-j4', '-Z1', '-f', "$dir/jobs", 'first' ], 'dumped with -j4');
# The data itself is loaded by one job: foreign keys between the extension's
# tables are in force from CREATE EXTENSION on, so the order counts.
for my $section ('pre-data', 'data', 'post-data')
{
	command_ok([ 'pg_restore', @connect, "--section=$section", $section eq 'data' ? () : '-j4', '--exit-on-error', '-d', 'sections', "$dir/jobs" ], "restored $section");
}
check_restored('sections', $expected);

# Life goes on in the copy: times only grow, ids are not used again, people
# can correct, sources can change, a pin can be released.
my $life = $node->safe_psql('plain', q{
	SELECT ssot.stable_until('golden.customer') AS before \gset
	SELECT max(customer_id) AS top FROM golden.customer \gset
	INSERT INTO bronze.crm_cust_info VALUES ('99999', 'AW00099999', 'New', 'Comer', 'S', 'M', '2026-01-01');
	SELECT golden_changed FROM ssot.reconcile('golden.customer') WHERE source = '(golden)';
	SELECT customer_id > :top FROM golden.customer WHERE crm_number = 99999;
	SELECT ssot.stable_until('golden.customer') > :'before';
	UPDATE golden.customer SET first_name = 'Newer' WHERE crm_number = 99999;
	SELECT count(*) FROM ssot.pins WHERE value = 'Newer';
	SELECT ssot.unpin('golden.customer', '6', 'country');
	SELECT count(*) FROM ssot.pins WHERE id = '6';
});
is($life, "1\nt\nt\n1\n1\n0", 'life goes on in the copy');
($node->psql('plain', 'DELETE FROM golden.customer WHERE customer_id = 5'))[0] == 0
  ? fail('golden records cannot be deleted there either') : pass('golden records cannot be deleted there either');

$node->stop;
done_testing();
