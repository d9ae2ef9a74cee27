# What others read through: psql, JDBC and ODBC show columns, types, comments, keys
# and values as they are; the setting ssot.as_of in a connection string gives the
# past, and a misspelt one gives nothing.
use strict;
use warnings;
use DBI;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The drivers speak TCP only.
my $node = PostgreSQL::Test::Cluster->new('clients');
$node->init(no_data_checksums => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8', '-U', 'postgres' ]);
$node->append_conf('postgresql.conf', "fsync = off\njit = off\ntimezone = 'UTC'\nlisten_addresses = '127.0.0.1'\n");
$node->start;
my $port = $node->port;
$ENV{PGUSER} = 'postgres';
$node->safe_psql('postgres', 'CREATE DATABASE ssot');
$node->safe_psql('ssot', 'CREATE EXTENSION ssot');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $port, '-d', 'ssot',
		'-o', '/dev/null', '-f', 'test/clients/warehouse.sql' ], 'the warehouse is built');
my $time = $node->safe_psql('ssot', q{SELECT to_char(ssot.stable_until('golden.deal') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')});
$node->safe_psql('ssot', q{
	UPDATE bronze.crm_deal SET amount = 7.01, changed = '2026-11-01' WHERE id = '2';
	CALL ssot.reconcile_all()});

# In all of schema ssot and in all that is generated there is no relation and, but
# for what the user's tables do not explain, no column without a comment, and no
# column of a type that says nothing.
my $generated = q{('ssot', 'metrics', 'metrics_as_of', 'golden_as_of', 'golden_ssot')};
is($node->safe_psql('ssot', qq{
	SELECT c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod)
	  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	  JOIN pg_type AS t ON t.oid = a.atttypid
	 WHERE c.relkind IN ('r', 'v') AND c.relnamespace::regnamespace::text IN $generated
	   AND (t.typtype = 'p' OR obj_description(c.oid, 'pg_class') IS NULL
	        OR (c.relnamespace <> 'golden_as_of'::regnamespace AND col_description(c.oid, a.attnum) IS NULL))}),
	'', 'every generated relation and column has a comment and a type');

# ---- psql ------------------------------------------------------------------------

my $described = $node->safe_psql('ssot', '\d+ metrics.pipeline_by_month');
like($described, qr/^month\|date\|.*Dimension "month" of metric "pipeline"$/m, 'psql: a dimension and its comment');
like($described, qr/^value\|numeric\|.*Open contract value$/m, 'psql: the value says what the metric is');
like($described, qr/^freshness\|jsonb\|.*Per system, through when its data is complete$/m, 'psql: freshness');
like($node->safe_psql('ssot', '\dv+ metrics.pipeline:finance'),
	qr/^metrics\|pipeline:finance\|view\|postgres\|.*\|The same without renewals \(definition v1\)$/m, 'psql: the view of a variant');

# ---- JDBC ------------------------------------------------------------------------

my %jdbc;
my ($out, $err) = run_command([ 'java', '-cp', '/usr/share/java/*', 'test/clients/Client.java',
		"jdbc:postgresql://127.0.0.1:$port/ssot", $time ]);
is($err, '', 'JDBC: the client has no complaint');
for (split /\n/, $out)
{
	my ($question, $answer) = /^(.*?): (.*)$/ or next;
	$jdbc{$question} = defined $jdbc{$question} ? "$jdbc{$question}, then $answer" : $answer;
}
my $set = 'Since when this version of the record is believed; set by ssot';
my %expected = (
	'table metrics.pipeline' => 'Open contract value (definition v1)',
	'table metrics.pipeline:finance' => 'The same without renewals (definition v1)',
	'table metrics.pipeline_by_month' => 'Open contract value (definition v1, by month)',
	'column metrics.pipeline_by_month.month' => 'date, Dimension "month" of metric "pipeline"',
	'column metrics.pipeline_by_month.value' => 'numeric, Open contract value',
	'column metrics.pipeline_by_month.as_of' => 'timestamptz, The time whose belief this is',
	'column metrics.pipeline_by_month.version' => 'int4, Version of the definition',
	'column metrics.pipeline_by_month.unit' => 'text, What the number counts',
	'column metrics.pipeline_by_month.freshness' => 'jsonb, Per system, through when its data is complete',
	'column metrics.pipeline_by_month.label' => 'text, The number as a person would say it',
	'column golden_as_of.deal.stage' => 'varchar, null',
	'column golden_as_of.deal.amount' => 'numeric(18,2), Contract value',
	'column golden_as_of.deal.valid_from' => "timestamptz, $set",
	'column golden.account.name' => 'text, Legal name as invoiced',
	'column golden.account.valid_from' => "timestamptz, $set",
	'primary key' => 'deal_id',
	'foreign key' => 'account_id to golden.account.account_id',
	(map { my ($question, $answer) = @$_; ($question => "$answer, then $answer") }    # as text, and as binary
		[ 'value', '1234567890123456.78' ],
		[ 'unit, version', 'USD 1' ],
		[ 'as_of', 'true' ],
		[ 'freshness', 'jsonb {"crm": "2026-10-01T12:00:00+00:00", "erp": "2026-09-01T12:00:00+00:00"}' ],
		[ 'metric', '"ssot"."metric_value" 1234567890123456.78 USD pipeline v1 @' ]),
	'a metric as a parameter' => 'true 0.00 USD pipeline v1 @',
	'no value' => 'null null "" nothing v1 @',
	'two definitions' => '42804 ERROR: the two numbers differ in their variant: "" and "finance"',
	'too early' => 'SS003 ERROR: the history of "golden.deal" does not reach back to 2001-01-01 00:00:00+00',
	(map { ("eight times $_" => 'the same, prepared') }
		'SELECT * FROM metrics.pipeline_by_month ORDER BY month',
		'SELECT * FROM metrics."mean deal"',
		q{SELECT slice, value, as_of, freshness, borrowed FROM ssot.metric('pipeline', by => '{country,month}')},
		q{SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp')},
		'SELECT * FROM golden_as_of.deal ORDER BY deal_id',
		'SELECT * FROM ssot.dictionary ORDER BY definition, variant',
		'SELECT * FROM ssot.entity_map ORDER BY entity'),
	'now and then, prepared' => '1234567890123463.79 1234567890123456.88 1234567890123463.79 1234567890123456.88',
	'then, asked with a parameter' => '1234567890123456.88',
	'seven at a time SELECT * FROM golden.deal' => '1002',
	'seven at a time SELECT * FROM golden_as_of.deal' => '1002',
	'seven at a time SELECT * FROM golden_ssot.deal_source' => '1003',
	'seven at a time SELECT * FROM metrics.pipeline_by_month' => '2',
	q{seven at a time SELECT * FROM ssot.drift('golden.deal')} => '1',
	'seven at a time SELECT * FROM ssot.verify_publications()' => '0',
	'then' => '1234567890123456.88',
	'then, records' => '0.10',
	q{then, today's records} => '7.01',
	q{then, today's metric} => qq{55000 ERROR: the view of metric "pipeline" shows the present, but ssot.as_of is set to "$time"},
	'wrong ssot.asof=' => '42704 ERROR: there is no setting "ssot.asof"',
	'wrong ssot.as_of=last\ week' => '22023 ERROR: invalid value for the setting ssot.as_of: "last week"',
	'again' => '42704 ERROR: there is no setting "ssot.asof", then ' .
	  '55000 ERROR: the view of metric "pipeline" shows the present, but ssot.as_of is set to "last week"');
is($jdbc{$_}, $expected{$_}, "JDBC: $_") foreach sort keys %expected;
like($jdbc{'column metrics.pipeline_by_month.metric'}, qr/^"ssot"."metric_value", The number as a value that knows what it is/, 'JDBC: the type of a metric');
like($jdbc{'read only'}, qr/^25006 /, 'JDBC: a read-only connection publishes nothing');

# ---- ODBC ------------------------------------------------------------------------

sub odbc
{
	my ($more) = @_;
	my $handle = DBI->connect("dbi:ODBC:Driver=PostgreSQL Unicode;Server=127.0.0.1;Port=$port;Database=ssot;Uid=postgres;$more",
		'', '', { RaiseError => 1, PrintError => 0 });
	$handle->{LongReadLen} = 100_000;
	return $handle;
}

sub refused
{
	my ($handle, $sql) = @_;
	return eval { $handle->selectrow_arrayref($sql); 1 } ? 'not refused' : $@;
}

# MaxVarcharSize: types that the driver does not know, jsonb and ssot.metric_value
# among them, are texts of 255 characters otherwise.
my $handle = odbc('MaxVarcharSize=8190');
sub types
{
	my ($schema, $table) = @_;
	return { map { $_->{COLUMN_NAME} => $_->{TYPE_NAME} . ($_->{TYPE_NAME} eq 'numeric' ? "($_->{COLUMN_SIZE},$_->{DECIMAL_DIGITS})" : '') }
		  @{ $handle->column_info('', $schema, $table, '%')->fetchall_arrayref({}) } };
}
is_deeply(types('metrics', 'pipeline_by_month'),
	{ month => 'date', value => 'numeric(28,6)', metric => 'metric_value', as_of => 'timestamptz', definition => 'text', variant => 'text',
		version => 'int4', unit => 'text', freshness => 'jsonb', label => 'text' }, 'ODBC: columns of a metric');
is_deeply(types('golden_as_of', 'deal'),
	{ deal_id => 'int8', account_id => 'int8', stage => 'varchar', renewal => 'bool', amount => 'numeric(18,2)', signed => 'date',
		valid_from => 'timestamptz', retired_at => 'timestamptz' }, 'ODBC: columns of a view of the past');
is_deeply([ sort map { "$_->{TABLE_NAME} $_->{TABLE_TYPE}" } @{ $handle->table_info('', 'metrics', 'pipeline%', undef)->fetchall_arrayref({}) } ],
	[ map { "$_ VIEW" } qw(pipeline pipeline:finance pipeline_by_country pipeline_by_month pipeline_by_renewal) ], 'ODBC: views of metrics');
is_deeply([ map { $_->{COLUMN_NAME} } @{ $handle->primary_key_info('', 'golden', 'deal')->fetchall_arrayref({}) } ], ['deal_id'], 'ODBC: the primary key');
is_deeply([ map { "$_->{FKCOLUMN_NAME} to $_->{PKTABLE_SCHEM}.$_->{PKTABLE_NAME}.$_->{PKCOLUMN_NAME}" }
		@{ $handle->foreign_key_info('', '', '', '', 'golden', 'deal')->fetchall_arrayref({}) } ],
	['account_id to golden.account.account_id'], 'ODBC: a foreign key');

my $row = $handle->selectrow_hashref('SELECT * FROM metrics.pipeline_by_country WHERE country = ?', undef, 'US');
is($row->{value}, '1234567890123456.78', 'ODBC: the value, exact');
is($row->{freshness}, '{"crm": "2026-10-01T12:00:00+00:00", "erp": "2026-09-01T12:00:00+00:00"}', 'ODBC: freshness');
like($row->{metric}, qr/^1234567890123456\.78 USD pipeline v1 @ /, 'ODBC: the value that knows what it is');
is($row->{label}, $node->safe_psql('ssot', q{SELECT label FROM metrics.pipeline_by_country WHERE country = 'US'}), 'ODBC: the label');
is($handle->selectrow_array('SELECT m.metric - ? FROM metrics.pipeline AS m', undef, $handle->selectrow_array('SELECT metric FROM metrics.pipeline'))
	  =~ s/@.*//r, '0.00 USD pipeline v1 ', 'ODBC: a metric as a parameter');
is_deeply($handle->selectall_arrayref(q{SELECT axis, contribution FROM ssot.explain_difference('pipeline', 'crm', 'erp') ORDER BY axis, contribution}),
	[ map { [ split /\|/ ] } split /\n/, $node->safe_psql('ssot',
			q{SELECT axis, contribution FROM ssot.explain_difference('pipeline', 'crm', 'erp') ORDER BY axis, contribution}) ],
	'ODBC: why two systems differ');
is(scalar(@{ $handle->selectall_arrayref('SELECT * FROM golden.deal') }), 1002, 'ODBC: all golden records');

# Twelve systems: freshness is longer than 255 characters.
$node->safe_psql('ssot', q{
	DO $$ BEGIN
		FOR n IN 1 .. 10 LOOP
			PERFORM ssot.create_system('subsidiary ' || n, owner => 'them');
			EXECUTE format('CREATE TABLE bronze.deal%s AS SELECT no, crm, amount, changed FROM bronze.erp_deal', n);
			PERFORM ssot.create_source('golden.deal', 'subsidiary ' || n, 'bronze.deal' || n, key => 'no',
				links => '{"crm": "crm"}', updated_at => 'changed', fields => '{"amount": "amount"}');
		END LOOP;
	END $$;
	SELECT ssot.reconcile('golden.deal')});
my $long = $node->safe_psql('ssot', 'SELECT freshness FROM metrics.deals');
cmp_ok(length $long, '>', 255, 'a long freshness');
is($handle->selectrow_array('SELECT freshness FROM metrics.deals'), $long, 'ODBC: comes out whole with MaxVarcharSize');
$handle->disconnect;

foreach my $how ("ConnSettings={SET ssot.as_of = '$time'}", "pqopt={options='-c ssot.as_of=$time'}")
{
	$handle = odbc($how);
	is($handle->selectrow_array('SELECT value FROM metrics_as_of.pipeline'), '1234567890123456.88', "ODBC: then, by $how");
	is($handle->selectrow_array('SELECT amount FROM golden_as_of.deal WHERE renewal = true'), '0.10', 'ODBC: then, records');
	like(refused($handle, 'SELECT value FROM metrics.pipeline'), qr/shows the present, but ssot\.as_of is set/, q{ODBC: then, today's metric});
	$handle->disconnect;
}
foreach my $how ("ConnSettings={SET ssot.asof = '$time'}", "pqopt={options='-c ssot.asof=$time'}")
{
	$handle = odbc($how);
	like(refused($handle, "SELECT value FROM $_.pipeline"), qr/there is no setting "ssot\.asof"/, "ODBC: $how, $_") foreach qw(metrics_as_of metrics);
	$handle->disconnect;
}

$node->stop;
done_testing();
