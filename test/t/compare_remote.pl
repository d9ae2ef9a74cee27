# ssot.compare with a table on another server fetches few rows, and its answer is
# that of comparing two local tables: any type of key, rows that are missing on
# either side, that come twice, or have no key; and it fetches all of them, with
# the same answer, where the other server cannot hash them.
use strict;
use warnings;
use Cwd qw(getcwd);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $far = PostgreSQL::Test::Cluster->new('far');
my $node = PostgreSQL::Test::Cluster->new('near');
for ($far, $node)
{
	$_->init(no_data_checksums => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
	$_->append_conf('postgresql.conf', "fsync = off\njit = off\ntimezone = 'UTC'\n");
	$_->start;
}

# What passes between the two is counted.
my $count = PostgreSQL::Test::Utils::tempdir . '/bytes';
my $between = PostgreSQL::Test::Utils::tempdir_short;
my $counter = fork();
if ($counter == 0)
{
	exec(getcwd() . '/test/count_bytes', "$between/.s.PGSQL.1", $far->host . '/.s.PGSQL.' . $far->port, $count);
	die "count_bytes: $!";
}
END { my $status = $?; kill 'TERM', $counter if $counter; $? = $status; }
for (1 .. 100) { last if -s $count; usleep(50_000); }

# A connection is counted when it has ended.
sub bytes_so_far
{
	my $bytes = slurp_file($count);
	for (my $last = -1; $last != $bytes;)
	{
		$last = $bytes;
		usleep(100_000);
		$bytes = slurp_file($count);
	}
	return $bytes;
}

sub bytes_of
{
	my ($sql) = @_;
	my $before = bytes_so_far();
	my $answer = $node->safe_psql('postgres', $sql);
	return ($answer, bytes_so_far() - $before);
}

$node->safe_psql('postgres', qq{
	CREATE EXTENSION ssot;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$between', port '1', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER far;
	CREATE SCHEMA far;
});

# Makes the table "name" here as "left_<name>" and there as "<name>", and the same
# here as "right_<name>"; both from SQL over the same rows.
sub make
{
	my ($name, $left, $right, $import) = @_;
	my $there = "CREATE TABLE $name AS $right";
	$far->safe_psql('postgres', $there);
	$node->safe_psql('postgres', "CREATE TABLE left_$name AS $left; CREATE TABLE right_$name AS $right;");
	$node->safe_psql('postgres', $import // "IMPORT FOREIGN SCHEMA public LIMIT TO ($name) FROM SERVER far INTO far");
}

# All that is different, in order; the same from here and from there.
sub answer_of
{
	my ($left, $right, $key, $columns) = @_;
	my $more = defined $columns ? ", columns => '$columns'" : '';
	return "SELECT string_agg(c::text, E'\\n' ORDER BY c::text COLLATE \"C\") FROM ssot.compare('$left', '$right', key => '$key'$more) AS c";
}

sub same
{
	my ($name, $key, $differences, $at_most, $columns) = @_;
	my $expected = $node->safe_psql('postgres', answer_of("left_$name", "right_$name", $key, $columns));
	my ($answer, $bytes) = bytes_of(answer_of("left_$name", "far.$name", $key, $columns));
	my $n = () = $expected =~ /^\(/mg;
	is($n, $differences, "$name: $differences differences");
	is($answer, $expected, "$name: the same answer as between local tables");
	my $mirrored = $node->safe_psql('postgres', answer_of("far.$name", "left_$name", $key, $columns));
	is($mirrored, $node->safe_psql('postgres', answer_of("right_$name", "left_$name", $key, $columns)), "$name: and with the sides exchanged");
	cmp_ok($bytes, '<=', $at_most, "$name: $bytes bytes are at most $at_most") if defined $at_most;
	return $bytes;
}

# ---- few rows are fetched ------------------------------------------------------

my $rows = q{SELECT i AS id, 'name ' || md5(i::text) AS name, 'ann' || i || '@example.org' AS email, i * 1.25 AS amount,
	'owner ' || i % 100 AS owner, timestamptz '2026-01-01' + i * interval '1 second' AS changed FROM generate_series(1, 50000) AS i};
sub changed { return "SELECT id, name, CASE WHEN $_[0] THEN 'x' || email ELSE email END AS email, amount, owner, changed FROM ($rows) AS r" }
make('clustered', $rows, changed('id BETWEEN 20001 AND 20050'));
make('scattered', $rows, changed('id % 1000 = 7'));
make('everything', $rows, changed('true'));
make('nothing', $rows, changed('false'));
my (undef, $all) = bytes_of('SELECT count(f::text) FROM far.clustered AS f');
cmp_ok($all, '>', 4_500_000, "all rows are $all bytes");
same('nothing', '{id}', 0, 70_000);
same('clustered', '{id}', 50, 100_000);
same('scattered', '{id}', 50, 500_000);
same('everything', '{id}', 50000);

# Larger ones are divided more than once.
my $wide = "SELECT id, (SELECT string_agg(md5(id::text || k), '') FROM generate_series(1, 50) AS k) AS name FROM ($rows) AS r WHERE id <= 20000";
make('wide', $wide, "SELECT id, CASE WHEN id % 50 = 3 THEN 'x' || name ELSE name END AS name FROM ($wide) AS w");
$node->safe_psql('postgres', 'ANALYZE left_wide');
(undef, $all) = bytes_of('SELECT count(f::text) FROM far.wide AS f');
same('wide', '{id}', 400, $all / 20);

# ---- keys of any kind ------------------------------------------------------------

make('texts', "SELECT 'Ä' || id AS key, name, email FROM ($rows) AS r WHERE id <= 20000",
	"SELECT 'Ä' || id AS key, name, CASE WHEN id % 1000 = 0 THEN NULL ELSE email END AS email FROM ($rows) AS r WHERE id <= 20000");
same('texts', '{key}', 20, 500_000);
make('pairs', "SELECT id / 100 AS a, (id % 100)::text AS b, name FROM ($rows) AS r WHERE id <= 20000",
	"SELECT id / 100 AS a, (id % 100)::text AS b, name || CASE WHEN id IN (7, 15000) THEN '!' ELSE '' END AS name FROM ($rows) AS r WHERE id <= 20000");
same('pairs', '{a,b}', 2, 300_000);
make('uuids', "SELECT md5(id::text)::uuid AS key, name FROM ($rows) AS r WHERE id <= 20000",
	"SELECT md5(id::text)::uuid AS key, name FROM ($rows) AS r WHERE id BETWEEN 3 AND 20001");
same('uuids', '{key}', 3, 300_000);

# Far apart, negative, twice, without a key, in one relation only.
my $extremes = 'SELECT * FROM (VALUES (-9223372036854775808), (-1), (0), (1), (9223372036854775807)) AS v (id), (VALUES (%s)) AS w (name)';
make('extremes', sprintf($extremes, "'a'"), sprintf($extremes, "'a'") . ' WHERE id <> -1');
same('extremes', '{id}', 1);
make('negative', 'SELECT -i::smallint AS id, i AS n FROM generate_series(1, 3000) AS i',
	'SELECT -i::smallint AS id, i + (i = 2999)::int AS n FROM generate_series(1, 3000) AS i');
same('negative', '{id}', 1, 60_000);
make('copies', "SELECT nullif(id, 5) AS id, name FROM ($rows) AS r WHERE id <= 3000 UNION ALL VALUES (9, 'again'), (NULL, 'x')",
	"SELECT nullif(id, 6) AS id, name FROM ($rows) AS r WHERE id <= 3001 UNION ALL VALUES (10, 'again'), (10, 'third'), (NULL, 'x')");
same('copies', '{id}', 9);
make('swapped', 'SELECT i AS id, i / 2 AS a, i % 7 AS b FROM generate_series(1, 2000) AS i',
	'SELECT i AS id, CASE WHEN i IN (10, 11) THEN 5 + i - 10 ELSE i / 2 END AS a, CASE WHEN i = 20 THEN 10 ELSE i % 7 END AS b FROM generate_series(1, 2000) AS i');
same('swapped', '{id}', 2);
make('empty', "SELECT id, name FROM ($rows) AS r WHERE id < 4", "SELECT id, name FROM ($rows) AS r WHERE false");
same('empty', '{id}', 3);

# Two servers' tables, and some columns only.
is((bytes_of(answer_of('far.clustered', 'far.scattered', '{id}')))[0],
	$node->safe_psql('postgres', answer_of('right_clustered', 'right_scattered', '{id}')), 'two foreign tables are compared');
same('scattered', '{id}', 0, 70_000, '{name,amount}');

# ---- values of any type ----------------------------------------------------------

my $types = q{SELECT i AS id, i %% 2 = 0 AS yes, i::smallint AS s, i::real AS r, i / 3.0::float8 AS d, (i * 1.5)::numeric(9,2) AS n,
	('a' || i)::varchar(9) AS v, ('a' || i)::char(9) AS c, date '2026-01-01' + i AS born, timestamp '2026-01-01' + i * interval '1 hour' AS t,
	timestamptz '2026-01-01' + i * interval '1 hour' AS tz, time '00:00' + i * interval '1 second' AS tt, i * interval '1 minute' AS iv,
	ARRAY[i, NULL] AS ints, ARRAY['b' || i] AS texts, jsonb_build_object('i', i) AS j, md5(i::text)::uuid AS u, inet '10.0.0.0' + i AS ip
	FROM generate_series(1, 500) AS i WHERE %s
	UNION ALL SELECT 0, NULL, NULL, 'NaN', '-Infinity', 'NaN', NULL, NULL, '-infinity', 'infinity', '-infinity', NULL, NULL, NULL, '{}', NULL, NULL, NULL
	UNION ALL SELECT -1, NULL, NULL, 'NaN', '-0', 'NaN', '', '', 'infinity', '-infinity', 'infinity', NULL, NULL, NULL, '{}', NULL, NULL, NULL};
make('types', sprintf($types, 'true'), sprintf($types, 'true'));
same('types', '{id}', 0, 40_000);
my @columns = qw(yes s r d n v c born t tz tt iv ints texts j u ip);
my $other = 'SELECT id, ' . join(', ', map { "CASE WHEN id = " . (10 + $_ * 10) . " THEN (SELECT $columns[$_] FROM right_types WHERE id = 1) ELSE $columns[$_] END AS $columns[$_]" } 0 .. $#columns);
$node->safe_psql('postgres', "CREATE TABLE left_values_ AS $other FROM right_types; CREATE VIEW right_values_ AS SELECT * FROM right_types");
$far->safe_psql('postgres', 'CREATE VIEW values_ AS SELECT * FROM types');
$node->safe_psql('postgres', 'IMPORT FOREIGN SCHEMA public LIMIT TO (values_) FROM SERVER far INTO far');
# (CASE id 10 and 160 have the parity of 1 or not: "yes" of id 10 differs.)
same('values_', '{id}', scalar(@columns), 60_000);

# Equal values that are not the same bytes.
make('equal', "SELECT i AS id, 1.0::numeric AS n, 'a '::char(5) AS c, '1 day'::interval AS iv, '-0'::float8 AS d FROM generate_series(1, 5) AS i",
	"SELECT i AS id, 1.00::numeric AS n, 'a'::char(5) AS c, '24 hours'::interval AS iv, '0'::float8 AS d FROM generate_series(1, 5) AS i");
same('equal', '{id}', 0);
# Columns of different types are compared as SQL unites them.
$far->safe_psql('postgres', 'CREATE TABLE united AS SELECT i::int AS id, i::smallint AS n, i::text::varchar(9) AS v FROM generate_series(1, 300) AS i');
$node->safe_psql('postgres', q{
	CREATE TABLE left_united AS SELECT i::bigint AS id, i + 0.0 + (i = 7)::int AS n, i::text AS v FROM generate_series(1, 300) AS i;
	CREATE TABLE right_united AS SELECT i::int AS id, i::smallint AS n, i::text::varchar(9) AS v FROM generate_series(1, 300) AS i;
	IMPORT FOREIGN SCHEMA public LIMIT TO (united) FROM SERVER far INTO far});
same('united', '{id}', 1);

# ---- where the other server cannot hash, rows are fetched -------------------------

make('unhashed', 'SELECT i AS id, point(i, i)::text::json AS p FROM generate_series(1, 0) AS i UNION ALL SELECT i, to_json(i) FROM generate_series(1, 200) AS i',
	'SELECT i AS id, to_json(i + (i = 5)::int) AS p FROM generate_series(1, 200) AS i');
same('unhashed', '{id}', 1);
my $moods = "CREATE TYPE mood AS ENUM ('fine', 'sad')";
$_->safe_psql('postgres', $moods) for $far, $node;
make('enums', "SELECT i AS id, 'fine'::mood AS m FROM generate_series(1, 200) AS i", "SELECT i AS id, CASE WHEN i = 9 THEN 'sad' ELSE 'fine' END::mood AS m FROM generate_series(1, 200) AS i");
same('enums', '{id}', 1);
# Over there the columns have other types than the foreign table says.
$far->safe_psql('postgres', "CREATE TABLE said AS SELECT i::text AS id, i::text AS n FROM generate_series(1, 200) AS i");
$node->safe_psql('postgres', q{
	CREATE TABLE left_said AS SELECT i AS id, i AS n FROM generate_series(1, 201) AS i;
	CREATE TABLE right_said AS SELECT i AS id, i AS n FROM generate_series(1, 200) AS i;
	CREATE FOREIGN TABLE far.said (id int, n int) SERVER far OPTIONS (schema_name 'public')});
same('said', '{id}', 1);
$node->safe_psql('postgres', "CREATE VIEW far.view AS SELECT * FROM far.clustered; CREATE VIEW left_view AS SELECT * FROM left_clustered; CREATE VIEW right_view AS SELECT * FROM right_clustered");
same('view', '{id}', 50);

# ---- the caller's rights ----------------------------------------------------------

$node->safe_psql('postgres', 'CREATE ROLE nobody_special; GRANT USAGE ON SCHEMA far TO nobody_special; GRANT SELECT ON left_clustered TO nobody_special');
my ($status, $out, $err) = $node->psql('postgres', "SET ROLE nobody_special; SELECT * FROM ssot.compare('left_clustered', 'far.clustered', key => '{id}')");
like($err, qr/permission denied for foreign table clustered/, 'who may not read the foreign table is refused');
$far->stop;
($status, $out, $err) = $node->psql('postgres', "SELECT * FROM ssot.compare('left_clustered', 'far.clustered', key => '{id}')");
like($err, qr/could not connect to server/, 'a server that is away is an error');

$node->stop;
done_testing();
