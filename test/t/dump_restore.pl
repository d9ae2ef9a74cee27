# A dump of the sample database restores into a fresh one and gives the same
# answers there; reconciling there writes nothing; ids and times go on. Tried
# plainly, with -j4 at once and section by section, by schema, data only, and
# with --clean over a database in use.
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
	SELECT ssot.merge('golden.customer', '10', '11', 'one household');
	SELECT ssot.merge('golden.customer', '12', '13');
	SELECT ssot.unmerge('golden.customer', '13', 'they are two');
	SELECT ssot.retire('golden.customer', '14', 'asked to be forgotten');
	SELECT ssot.add_blank_word('keine angabe');
	SELECT ssot.set_reading('golden.customer', 'crm_cust_info', 'capture');
	UPDATE bronze.crm_cust_info SET cst_firstname = 'Ydelle' WHERE cst_id = '11020';
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
	   qw(system entity field source value_map clock merged_id link_decision moved_reference retirement blank_word source_state
	   reconcile_run pins quarantine held entity_map)),
	# whatever the extension keeps, now and in later releases
	[ 'all tables', q{SELECT string_agg(t::regclass || ' ' || (xpath('/row/v/text()', query_to_xml(
	        format('SELECT coalesce(md5(string_agg(x::text, chr(10) ORDER BY x::text COLLATE "C")), chr(45)) AS v FROM %s AS x WHERE %s', t::regclass,
	               coalesce(nullif(regexp_replace(c, '^ *WHERE', '', 'i'), ''), 'true')), false, true, '')))[1]::text, E'\n' ORDER BY t::regclass::text)
	   FROM pg_extension, unnest(extconfig, extcondition) AS u (t, c) WHERE extname = 'ssot' AND t IN (SELECT oid FROM pg_class WHERE relkind = 'r')} ],
	[ 'a merged id', "SELECT ssot.resolve_id('golden.customer', '11')" ],
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

# Every row version of every table that a run may write. (A relation with capture
# was made anew by the restore: the first run reads it whole, and notes that.)
my $versions = q{
	SELECT string_agg(c.oid::regclass || ' ' || (xpath('/row/v/text()', query_to_xml(
	           format('SELECT coalesce(md5(string_agg(xmin || '':'' || ctid, '','' ORDER BY ctid)), ''-'') AS v FROM %s', c.oid::regclass),
	           false, true, '')))[1]::text, E'\n' ORDER BY c.oid::regclass::text)
	  FROM pg_class AS c
	 WHERE c.relkind = 'r' AND (c.relnamespace IN ('golden'::regnamespace, 'golden_ssot'::regnamespace)
	    OR c.oid IN ('ssot.clock'::regclass, 'ssot.merged_id'::regclass));
	SELECT string_agg((to_jsonb(s) - 'full_at' - 'shape')::text, E'\n' ORDER BY source_id) FROM ssot.source_state AS s};

sub check_restored
{
	my ($db, $expected) = @_;
	my $answers = answers($db);
	if (!is($answers, $expected, "$db: the same answers: golden, as-of, drift, lineage, history, pins, decisions, runs, sequences"))
	{
		my @got = split /\n/, $answers;
		my @want = split /\n/, $expected;
		for (1 .. $#want) { diag(($got[$_] // '') . "  <>  $want[$_] after $want[$_ - 1]") if ($got[$_] // '') ne $want[$_]; }
	}
	my $before = $node->safe_psql($db, $versions);
	my $run = $node->safe_psql($db, 'SELECT max(run_id) FROM ssot.reconcile_run');
	$node->safe_psql($db, 'CALL ssot.reconcile_all()');
	is($node->safe_psql($db, "SELECT DISTINCT status FROM ssot.reconcile_run WHERE run_id > $run"), 'nothing to do',
		"$db: reconciling there has nothing to do");
	is($node->safe_psql($db, $versions), $before, "$db: and writes nothing");
	is($node->safe_psql($db, join ' UNION ALL ', map { "SELECT count(*) FROM ssot.verify_drift('$_')" } @entities),
		join("\n", (0) x @entities), "$db: verification agrees");
	my ($status, undef, $stderr) = $node->psql($db, 'DELETE FROM golden.customer WHERE customer_id = 5');
	isnt($status, 0, "$db: golden records cannot be deleted");
	($status, undef, $stderr) = $node->psql($db, 'DROP TABLE golden.order_line');
	like($stderr, qr/is a registered entity/, "$db: entities are guarded");
}

my $expected = answers('first');
like($expected, qr/she called/, 'the answers tell of the correction');
is($node->safe_psql('first', 'SELECT count(*) > 0 FROM golden_ssot.customer_held'), 't', 'something is held');
is($node->safe_psql('first', 'SELECT count(*) > 0 FROM golden.product WHERE retired_at IS NOT NULL'), 't', 'something has retired');

my $dir = PostgreSQL::Test::Utils::tempdir;
my @dump = ('pg_dump', @connect);
my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connect, '-o', '/dev/null');
my @restore = ('pg_restore', @connect, '--exit-on-error');

sub fresh
{
	my ($db) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	return ('-d', $db);
}

# ---- plain -----------------------------------------------------------------------

command_ok([ @dump, '-f', "$dir/plain.sql", 'first' ], 'dumped plainly');
command_ok([ @psql, fresh('plain'), '-f', "$dir/plain.sql" ], 'restored plainly');
check_restored('plain', $expected);
my $before = $node->safe_psql('plain', $versions);
$node->safe_psql('plain', 'CALL ssot.reconcile_all("full" => true)');
is($node->safe_psql('plain', $versions), $before, 'plain: even a full run writes nothing');

# ---- in parallel -----------------------------------------------------------------

command_ok([ @dump, '-Fc', '-f', "$dir/custom", 'first' ], 'dumped in the custom format');
command_ok([ @restore, '-j4', fresh('parallel'), "$dir/custom" ], 'pg_restore -j4 restores all of it at once');
check_restored('parallel', $expected);

# Whatever the order: the tables of the extension one by one, last first.
my @sections = fresh('sections');
command_ok([ @restore, '--section=pre-data', '-j4', @sections, "$dir/custom" ], 'restored the section pre-data');
my ($list) = run_command([ 'pg_restore', '--section=data', '-l', "$dir/custom" ]);
my @data = grep { /^\d+;/ } split /\n/, $list;
PostgreSQL::Test::Utils::append_to_file("$dir/reversed", join("\n", reverse @data) . "\n");
cmp_ok(scalar(@data), '>', 50, 'there is data');
command_ok([ @restore, '-L', "$dir/reversed", @sections, "$dir/custom" ], 'restored the section data in reversed order');
command_ok([ @restore, '--section=post-data', '-j4', @sections, "$dir/custom" ], 'restored the section post-data');
check_restored('sections', $expected);

# ---- by schema -------------------------------------------------------------------

command_ok([ @dump, '-Fd', '-j2', '-Z1', '-f', "$dir/schemas", '-e', 'ssot', map({ ('-n', $_) } qw(ssot golden golden_ssot golden_as_of bronze)), 'first' ],
	'dumped by schema, with the extension');
command_ok([ @restore, '-j4', fresh('schemas'), "$dir/schemas" ], 'restored by schema');
check_restored('schemas', $expected);

# Golden records and companions alone are ordinary tables: to be read, where
# there is no ssot; and with it, until they are registered, not to be written.
command_ok([ @dump, '-Fc', '-f', "$dir/tables", '-n', 'golden', '-n', 'golden_ssot', 'first' ], 'dumped two schemas without the extension');
my $tables = q{SELECT (SELECT md5(string_agg(c::text, ',' ORDER BY customer_id)) FROM golden.customer AS c),
                      (SELECT md5(string_agg(h::text, ',' ORDER BY h::text)) FROM golden_ssot.customer_history AS h)};
my $whole = $node->safe_psql('first', $tables);
command_ok([ @restore, fresh('tables'), '--section=pre-data', '--section=data', "$dir/tables" ], 'restored where there is no extension');
is($node->safe_psql('tables', $tables), $whole, 'tables: golden records and history are there');
$node->safe_psql('tables', "UPDATE golden.customer SET last_name = 'X' WHERE customer_id = 5");
pass('tables: they are ordinary tables');

my @visitors = fresh('visitors');
$node->safe_psql('visitors', 'CREATE EXTENSION ssot');
command_ok([ @restore, @visitors, "$dir/tables" ], 'restored where the extension is, which does not know them');
is($node->safe_psql('visitors', $tables), $whole, 'visitors: golden records and history are there');
for my $write ("UPDATE golden.customer SET last_name = 'X' WHERE customer_id = 5", "SELECT ssot.reconcile('golden.customer')",
	"SELECT count(*) FROM ssot.drift('golden.customer')", 'SELECT count(*) FROM golden.customer_at(now())')
{
	my ($status, undef, $stderr) = $node->psql('visitors', $write);
	like($stderr, qr/"golden.customer" is not a registered entity/, "visitors: $write is refused");
}

# ---- data only -------------------------------------------------------------------

command_ok([ @dump, '--schema-only', '-f', "$dir/schema.sql", 'first' ], 'dumped the schema alone');
command_ok([ @dump, '--data-only', '-Fc', '-f', "$dir/data", 'first' ], 'dumped the data alone');
command_ok([ @psql, fresh('data'), '-f', "$dir/schema.sql" ], 'restored the schema alone');
is($node->safe_psql('data', 'SELECT count(*) FROM ssot.entity'), '0', 'data: nothing is declared there yet');
command_fails_like([ @restore, '-d', 'data', '-n', 'golden', "$dir/data" ],
	qr/cannot restore data into "golden\.\w+" while its triggers are in force.*HINT:.*--disable-triggers/s,
	'without --disable-triggers golden records are refused, with a hint');
command_ok([ @restore, '--disable-triggers', '-d', 'data', "$dir/data" ], 'restored the data with --disable-triggers');
check_restored('data', $expected);

# ---- over a database in use ------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE used TEMPLATE first');
$node->safe_psql('used', q{
	DELETE FROM bronze.crm_cust_info WHERE cst_id = '11010';
	UPDATE golden.customer SET last_name = 'Other' WHERE customer_id = 20;
	CALL ssot.reconcile_all();
	ALTER TABLE golden.customer DROP COLUMN marital_status});
command_ok([ @dump, '--clean', '--if-exists', '-f', "$dir/clean.sql", 'first' ], 'dumped with --clean --if-exists');
command_ok([ @psql, '-d', 'used', '-f', "$dir/clean.sql" ], 'restored over a database in use');
check_restored('used', $expected);
command_ok([ @psql, fresh('unused'), '-f', "$dir/clean.sql" ], 'and into an empty one');
is(answers('unused'), $expected, 'unused: the same answers');

# Capture goes on in the copy: a change there is noted, and read alone.
is($node->safe_psql('plain', q{
	UPDATE bronze.crm_cust_info SET cst_firstname = 'Zoe' WHERE cst_id = '11021';
	SELECT count(*) FROM ssot.change_queue;
	SELECT rows_read FROM ssot.reconcile('golden.customer') WHERE source = 'crm_cust_info'}), "1\n1", 'capture goes on in the copy');

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
my $numbers = q{SELECT nextval('ssot.run_id_seq'), nextval('ssot.source_id_seq'), nextval('ssot.link_decision_id_seq'), nextval('ssot.link_operation_seq')};
is($node->safe_psql('data', $numbers), $node->safe_psql('unused', $numbers) =~ s/^(\d+)/$1 + 5/er, 'no sequence goes back: numbers go on where the original stood, five runs later');

$node->stop;
done_testing();
