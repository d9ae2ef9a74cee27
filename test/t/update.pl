# The update path: a database with version OLD of the extension and a life behind
# it is updated to NEW, goes on, and then has the same catalogue as one where NEW
# was installed at once, object by object. NEW is made here from the install
# script as it is: a column, a table, new and changed and dropped functions, a
# view with one more column, another policy; its update script is the one that
# test/upgrade writes, with an ALTER by hand. Update scripts of releases, where
# there are some, are tried in the same way.
use strict;
use warnings;
use Cwd qw(getcwd);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A server of our own, whose extension folder can be written.
my $copy = PostgreSQL::Test::Utils::tempdir . '/server';
my $pg_config = $ENV{PG_CONFIG};
my ($bin) = map { chomp(my $x = $_); $x } qx($pg_config --bindir);
my ($share) = map { chomp(my $x = $_); $x } qx($pg_config --sharedir);
my ($lib) = map { chomp(my $x = $_); $x } qx($pg_config --pkglibdir);
my $root = '';
for (split m{/}, $bin) { last if index("$share/", "$root$_/") != 0 || index("$lib/", "$root$_/") != 0; $root .= "$_/"; }
for my $from ($bin, $share, $lib)
{
	my $to = $copy . '/' . substr($from, length $root);
	system('mkdir', '-p', $to) == 0 && system('cp', '-aL', "$from/.", $to) == 0 or die "cannot copy $from";
}
my $extension = $copy . '/' . substr($share, length $root) . '/extension';
(my $install_path = $copy . '/' . substr($bin, length $root)) =~ s{/bin$}{};

my ($old) = slurp_file("$extension/ssot.control") =~ /^default_version = '([^']+)'/m;
(my $new = $old) =~ s/(\d+)$/$1 + 1/e;

# ---- the next release ------------------------------------------------------------

my $script = slurp_file("$extension/ssot--$old.sql");
# Replaces what must be there.
sub change
{
	my ($from, $to) = @_;
	my $at = index($script, $from);
	die "the install script has no: $from" if $at < 0;
	substr($script, $at, length $from) = $to;
}
sub take_out
{
	my ($pattern) = @_;
	$script =~ s/$pattern// or die "the install script has no: $pattern";
}
change("    created_by    text NOT NULL,\n    UNIQUE (entity, source)\n", "    created_by    text NOT NULL,\n    colour        text DEFAULT 'grey',\n    UNIQUE (entity, source)\n");
change("-- end of I.2\n", q{COMMENT ON COLUMN ssot.source.colour IS 'Its colour on charts';
CREATE SEQUENCE ssot.note_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.note_seq', '');
COMMENT ON SEQUENCE ssot.note_seq IS 'Numbers of notes';
CREATE TABLE ssot.note (
    note_id bigint PRIMARY KEY DEFAULT nextval('ssot.note_seq'),
    entity  text NOT NULL,
    note    text NOT NULL CHECK (note <> ';')
);
SELECT pg_catalog.pg_extension_config_dump('ssot.note', '');
COMMENT ON TABLE ssot.note IS 'Notes; about entities';
COMMENT ON COLUMN ssot.note.note_id IS 'Its number';
COMMENT ON COLUMN ssot.note.entity IS 'The entity';
COMMENT ON COLUMN ssot.note.note IS 'What it says';
-- end of I.2
});
change("-- end of II.2\n", q{CREATE TRIGGER note_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('note', 'entity');
CREATE FUNCTION ssot.notes(entity regclass, OUT note_id bigint, OUT note text) RETURNS SETOF record
    LANGUAGE sql STABLE
    AS $$ SELECT n.note_id, n.note FROM ssot.note AS n WHERE n.entity OPERATOR(pg_catalog.=) $1::pg_catalog.text; $$;
COMMENT ON FUNCTION ssot.notes(regclass) IS 'Notes about an entity';
-- end of II.2
});
# one more argument, another result, another body, and gone
change('CREATE FUNCTION ssot.resolve_id(', 'CREATE FUNCTION ssot.resolve_id(strict boolean, ');
change('COMMENT ON FUNCTION ssot.resolve_id(', 'COMMENT ON FUNCTION ssot.resolve_id(boolean, ');
change('OUT differences bigint, OUT first_seen timestamptz)', 'OUT differences bigint, OUT first_seen timestamptz, OUT asked timestamptz)');
change("SELECT d.system, d.field, d.kind, d.category, pg_catalog.count(*), pg_catalog.min(d.first_seen)\n", "SELECT d.system, d.field, d.kind, d.category, pg_catalog.count(*), pg_catalog.min(d.first_seen), pg_catalog.now()\n");
change("       a.usename::text AS run_by\n", "       a.usename::text AS run_by,\n       a.datname::text AS database\n");
change("COMMENT ON COLUMN ssot.progress.run_by", "COMMENT ON COLUMN ssot.progress.database IS 'Database';\nCOMMENT ON COLUMN ssot.progress.run_by");
take_out(qr/^CREATE FUNCTION ssot\.is_lei\(.*?;\n/ms);
take_out(qr/^COMMENT ON FUNCTION ssot\.is_lei\(.*?;\n/ms);
change('CREATE POLICY reader ON ssot.merged_id FOR SELECT USING (', "CREATE POLICY reader ON ssot.merged_id FOR SELECT USING (true AND\n");
change("COMMENT ON EVENT TRIGGER ssot_ddl_ends IS 'Makes", "COMMENT ON EVENT TRIGGER ssot_ddl_ends IS 'It makes");
PostgreSQL::Test::Utils::append_to_file("$extension/ssot--$new.sql", $script);

my $upgrade = getcwd() . '/test/upgrade';
my ($out, $err) = run_command([ $upgrade, $old, $new, $extension ]);
like($err, qr/^upgrade: by hand: is new or differs: CREATE TABLE ssot\.source/, 'test/upgrade says what is to be written by hand');
is(scalar(() = $err =~ /by hand/g), 1, 'and nothing else');
my $update = "$extension/ssot--$old--$new.sql";
my $written = slurp_file($update);
$written =~ s/^-- by hand\n.*?^-- end by hand$/-- by hand\nALTER TABLE ssot.source ADD COLUMN colour text DEFAULT 'grey';\n-- end by hand/ms;
unlink $update;
PostgreSQL::Test::Utils::append_to_file($update, $written);
run_command([ $upgrade, $old, $new, $extension ]);
is(slurp_file($update), $written, 'what was written by hand is kept when it runs again');

my $node = PostgreSQL::Test::Cluster->new('update', install_path => $install_path);
$node->init(no_data_checksums => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\njit = off\ntimezone = 'UTC'\n");
$node->start;

# All that an extension made, with everything that can be told of it.
my $catalogue = q{
	CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
	 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'ssot';
	CREATE TEMP VIEW grants AS
	SELECT oid, string_agg(g::text, ' ' ORDER BY g::text COLLATE "C") AS granted
	  FROM (SELECT c.oid, a.grantee::regrole::text || ':' || a.privilege_type AS g FROM pg_class AS c, aclexplode(coalesce(relacl, acldefault('r', relowner))) AS a
	         UNION ALL SELECT p.oid, a.grantee::regrole::text || ':' || a.privilege_type FROM pg_proc AS p, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a) AS x
	 GROUP BY oid;
	SELECT pg_describe_object(m.classid, m.objid, 0) || ' | ' || coalesce(obj_description(m.objid, c.relname), '') FROM member AS m JOIN pg_class AS c ON c.oid = m.classid
	UNION ALL SELECT p.oid::regprocedure::text || ' | ' || CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE '' END || ' | ' || p.prorettype::regtype::text || ' | ' || p.procost || ' ' || p.prorows || ' | ' || g.granted
	  FROM pg_proc AS p JOIN member AS m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass JOIN grants AS g USING (oid)
	UNION ALL SELECT c.oid::regclass::text || ' column ' || row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
	          || ' ' || a.attcollation::regcollation::text || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' | ' || coalesce(col_description(c.oid, a.attnum), '')
	  FROM pg_class AS c JOIN member AS m ON m.objid = c.oid OR (m.objid = c.reltype AND m.classid = 'pg_type'::regclass) JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	  LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
	UNION ALL SELECT c.oid::regclass::text || ' is ' || c.relkind::text || c.relrowsecurity || coalesce(c.reloptions::text, '') || ' | ' || g.granted || CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) ELSE '' END
	  FROM pg_class AS c JOIN member AS m ON m.objid = c.oid AND m.classid = 'pg_class'::regclass JOIN grants AS g USING (oid)
	UNION ALL SELECT conrelid::regclass::text || ' constraint ' || conname || ' ' || pg_get_constraintdef(c.oid) FROM pg_constraint AS c JOIN member AS m ON m.objid = conrelid
	UNION ALL SELECT i.indrelid::regclass::text || ' index ' || pg_get_indexdef(indexrelid) FROM pg_index AS i JOIN member AS m ON m.objid = indrelid
	UNION ALL SELECT tgrelid::regclass::text || ' trigger ' || pg_get_triggerdef(t.oid) || tgenabled::text FROM pg_trigger AS t JOIN member AS m ON m.objid = tgrelid
	UNION ALL SELECT polrelid::regclass::text || ' policy ' || polname || polcmd::text || pg_get_expr(polqual, polrelid) || coalesce(obj_description(p.oid, 'pg_policy'), '') FROM pg_policy AS p JOIN member AS m ON m.objid = polrelid
	UNION ALL SELECT evtname || ' ' || evtevent || ' ' || evtfoid::regproc::text || evtenabled::text || coalesce(evttags::text, '') FROM pg_event_trigger
	UNION ALL SELECT 'sequence ' || seqrelid::regclass::text || ' ' || seqtypid::regtype::text || ' ' || seqstart || ' ' || seqincrement || ' ' || seqmax FROM pg_sequence AS s JOIN member AS m ON m.objid = seqrelid
	UNION ALL SELECT 'dumped ' || t::regclass::text || ' ' || c FROM pg_extension, unnest(extconfig, extcondition) AS u (t, c) WHERE extname = 'ssot'
	UNION ALL SELECT 'extension ' || extversion FROM pg_extension WHERE extname = 'ssot'
	UNION ALL SELECT 'initially ' || pg_describe_object(i.classoid, i.objoid, i.objsubid) || ' ' || i.privtype::text || ' '
	          || (SELECT string_agg(a.grantee::regrole::text || ':' || a.privilege_type, ' ' ORDER BY a.grantee::regrole::text COLLATE "C", a.privilege_type) FROM aclexplode(i.initprivs) AS a)
	  FROM pg_init_privs AS i JOIN member AS m ON (m.classid, m.objid) = (i.classoid, i.objoid)
	ORDER BY 1};

my $life = q{
	CREATE SCHEMA golden;
	CREATE TABLE golden.customer (
		customer_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
		name text NOT NULL, email text CHECK (ssot.is_email(email)), score integer);
	CREATE TABLE crm AS SELECT i AS id, 'n' || i AS name, 'e' || i || '@x.org' AS email, i AS score FROM generate_series(1, 200) AS i;
	SELECT ssot.create_system('crm', owner => 'sales');
	SELECT ssot.register_entity('golden.customer', canonical_system => 'crm', owner => 'sales');
	SELECT ssot.create_source('golden.customer', 'crm', 'crm', key => 'id',
		fields => '{"name": "name", "email": "email", "score": "score"}');
	CALL ssot.reconcile_all();
	UPDATE golden.customer SET email = 'pinned@x.org' WHERE name = 'n7';
	SELECT ssot.merge('golden.customer', '1', '2');
	SELECT ssot.grant_reader('golden.customer', 'reader');
	GRANT EXECUTE ON FUNCTION ssot.reconcile(regclass, boolean, boolean) TO reader;
	REVOKE SELECT ON ssot.entity FROM PUBLIC};
my $answers = q{
	SELECT 'drift', md5(string_agg(d::text, E'\n' ORDER BY d::text)) FROM ssot.drift('golden.customer') AS d
	UNION ALL SELECT 'as of', md5(string_agg(c::text, E'\n' ORDER BY c.customer_id)) FROM golden.customer_at((SELECT min(valid_from) FROM golden_ssot.customer_history)) AS c
	UNION ALL SELECT 'view', md5(string_agg(c::text, E'\n' ORDER BY c.customer_id)) FROM golden_as_of.customer AS c
	UNION ALL SELECT 'history', string_agg(h::text, E'\n' ORDER BY h::text) FROM ssot.history('golden.customer', '7') AS h
	UNION ALL SELECT 'pins', string_agg(p::text, E'\n') FROM ssot.pins AS p
	UNION ALL SELECT 'grants', (SELECT has_function_privilege('reader', 'ssot.reconcile(regclass, boolean, boolean)', 'EXECUTE'))::text
	UNION ALL SELECT 'revoked', (SELECT has_table_privilege('reader', 'ssot.entity', 'SELECT'))::text};

$node->safe_psql('postgres', 'CREATE ROLE reader');
my $n = 0;

# Updates a database from one version to another and compares it with a new one.
sub try
{
	my ($from, $to) = @_;
	my ($updated, $fresh) = ('updated' . ++$n, "fresh$n");
	$node->safe_psql('postgres', "CREATE DATABASE $_") for $updated, $fresh;
	$node->safe_psql($updated, "CREATE EXTENSION ssot VERSION '$from'");
	$node->safe_psql($updated, $life);
	my $before = $node->safe_psql($updated, $answers);
	$node->safe_psql($updated, "ALTER EXTENSION ssot UPDATE TO '$to'");
	is($node->safe_psql($updated, $answers), $before, "$from to $to: the same answers, grants and revokes after the update");
	$node->safe_psql($updated, 'CALL ssot.reconcile_all()');
	is($node->safe_psql($updated, 'SELECT status FROM ssot.reconcile_run ORDER BY run_id DESC LIMIT 1'), 'nothing to do', "$from to $to: a run has nothing to do");
	is($node->safe_psql($updated, q{
		UPDATE golden.customer SET email = 'new@x.org' WHERE name = 'n9';
		ALTER TABLE golden.customer RENAME COLUMN email TO mail;
		INSERT INTO crm VALUES (999, 'newcomer', 'c@x.org', 1);
		SELECT value FROM ssot.pins WHERE field = 'mail' ORDER BY 1;
		SELECT golden_changed FROM ssot.reconcile('golden.customer') WHERE source = '(golden)';}),
		"new\@x.org\npinned\@x.org\n1", "$from to $to: life goes on");
	my ($status, undef, $stderr) = $node->psql($updated, 'DROP TABLE golden.customer');
	like($stderr, qr/is a registered entity/, "$from to $to: entities are guarded");
	$node->safe_psql($updated, q{
		GRANT SELECT ON ssot.entity TO PUBLIC;
		SELECT ssot.revoke_reader('golden.customer', 'reader');
		REVOKE EXECUTE ON FUNCTION ssot.reconcile(regclass, boolean, boolean) FROM reader});
	$node->safe_psql($fresh, "CREATE EXTENSION ssot VERSION '$to'");
	my ($got, $want) = map { $node->safe_psql($_, $catalogue) } $updated, $fresh;
	cmp_ok(length $want, '>', 50_000, "$from to $to: there is a catalogue to compare");
	if (!ok($got eq $want, "$from to $to: the updated database has the same catalogue as a new one"))
	{
		my %got = map { $_ => 1 } split /\n/, $got;
		my %want = map { $_ => 1 } split /\n/, $want;
		diag("only updated: $_") for grep { !$want{$_} } sort keys %got;
		diag("only new: $_") for grep { !$got{$_} } sort keys %want;
	}
	return ($updated, $fresh);
}

my ($updated) = try($old, $new);
is($node->safe_psql($updated, q{
	INSERT INTO ssot.note (entity, note) VALUES ('golden.customer', 'good');
	ALTER TABLE golden.customer RENAME TO client;
	SELECT note FROM ssot.notes('golden.client');
	SELECT colour FROM ssot.source WHERE source = 'crm';
	SELECT count(*) FROM pg_proc WHERE proname = 'is_lei'}), "good\ngrey\n0", 'what is new works, what is gone is gone');

# A dump of the updated database restores, with what is new in it.
my $dir = PostgreSQL::Test::Utils::tempdir;
my @connect = ('-h', $node->host, '-p', $node->port);
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_dump', @connect, '-Fc', '-f', "$dir/dump", $updated ], 'the updated database is dumped');
PostgreSQL::Test::Utils::append_to_file("$extension/ssot.control", "default_version = '$new'\n");
$node->command_ok([ 'pg_restore', @connect, '-j4', '--exit-on-error', '-d', 'copy', "$dir/dump" ], 'and restored where the new release is the default');
is($node->safe_psql('copy', q{SELECT note FROM ssot.notes('golden.client'); SELECT extversion FROM pg_extension WHERE extname = 'ssot'}), "good\n$new", 'with all that is in it');

# Update scripts of releases.
for my $file (glob "$extension/ssot--*--*.sql")
{
	my ($from, $to) = $file =~ /ssot--(.*?)--(.*?)\.sql$/;
	try($from, $to) if $to ne $new && -e "$extension/ssot--$from.sql" && -e "$extension/ssot--$to.sql";
}

$node->stop;
done_testing();
