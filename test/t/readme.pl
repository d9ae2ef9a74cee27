# A new user reads README.md and copies: every SQL example in it runs as printed,
# from installing to uninstalling, in one database, in the order of the page
# (installing comes first), and so do the dumps. What the quick start says it prints it prints.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGUSER} = 'postgres';
my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init(no_data_checksums => 1, extra => [ '--locale=C.UTF-8', '--encoding=UTF8', '-U', 'postgres' ]);
$node->append_conf('postgresql.conf', "fsync = off\njit = off\ntimezone = 'UTC'\n"
	. "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'warehouse'\ncron.use_background_workers = on\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE warehouse');
$node->safe_psql('warehouse', 'CREATE EXTENSION pg_cron');

# The page, as sections with their blocks: [language, text].
my @sections;
my ($title, $language, $block);
foreach my $line (split /\n/, slurp_file('README.md'))
{
	if (defined $language)
	{
		if ($line =~ /^```/)
		{
			push @{ $sections[-1]{blocks} }, [ $language, $block ];
			undef $language;
		}
		else { $block .= "$line\n"; }
	}
	elsif ($line =~ /^```(\w*)/) { ($language, $block) = ($1, ''); }
	elsif ($line =~ /^## (.*)/) { push @sections, { title => $1, blocks => [] }; }
}
my %section = map { $_->{title} => $_ } @sections;
my @order = ($section{Installing}, grep { $_->{title} ne 'Installing' } @sections);

sub run_block
{
	my ($sql, @options) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/block.sql";
	open my $handle, '>', $file or die "$file: $!";
	print $handle $sql;
	close $handle;
	return run_command([ 'psql', '-X', '-q', @options, '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port,
			'-d', 'warehouse', '-f', $file ]);
}

# What ends in a way of its own, and how.
my %ends = (
	'CALL ssot.watch_all();' => qr/canceling statement due to statement timeout/,
	'DROP EXTENSION ssot;' => qr/cannot drop extension ssot because other objects depend on it/);

# Lines of a shell block: a command, and in the remark another that takes its file.
# (pg_cron exists in one database of a cluster; a copy does without.)
sub copy_database
{
	my ($sh) = @_;
	my $in = 'cd ' . PostgreSQL::Test::Utils::tempdir . ' && PGHOST=' . $node->host . ' PGPORT=' . $node->port . ' ';
	foreach my $line (grep { /^pg_dump/ } split /\n/, $sh)
	{
		my ($command, $and) = $line =~ /^(.*?)\s+#(?: and: (.*))?/;
		command_ok([ 'sh', '-c', "$in$command" ], $command);
		next unless defined $and;
		$node->safe_psql('postgres', 'CREATE DATABASE copy');
		run_command([ 'sh', '-c', "$in$and >/dev/null" ]);
		my $all = "SELECT (SELECT string_agg(c::text, ',' ORDER BY customer_id) FROM golden.customer AS c), (SELECT value FROM metrics.pipeline),
			(SELECT count(*) FROM ssot.verify_drift('golden.customer')), (SELECT string_agg(p.value, ',') FROM ssot.pins AS p)";
		is($node->safe_psql('copy', $all), $node->safe_psql('warehouse', $all), "$and: the copy has all of it");
		$node->safe_psql('postgres', 'DROP DATABASE copy');
	}
}

my $blocks = 0;
foreach my $section (@order)
{
	my $n = 0;
	copy_database($_->[1]) foreach grep { $_->[0] eq 'sh' && $_->[1] =~ /^pg_dump/m } @{ $section->{blocks} };
	foreach my $block (grep { $_->[0] eq 'sql' } @{ $section->{blocks} })
	{
		my $sql = $block->[1];
		my $name = $section->{title} . ($n++ ? " $n" : '');
		my @last;
		foreach my $statement (keys %ends)
		{
			push @last, $statement if $sql =~ s/^\Q$statement\E.*\n//m;
		}
		my ($out, $err) = run_block($sql, $section->{title} eq 'Quick start' ? ('-A') : ());
		unlike($err, qr/ERROR|FATAL/, "$name runs as printed") or diag("$sql\n$err");
		$section->{out} .= $out;
		foreach my $statement (@last)
		{
			($out, $err) = run_block("SET statement_timeout = '1s';\n$statement\n");
			like($err, $ends{$statement}, "$name: $statement ends as it must");
		}
		$blocks++;
	}
}
cmp_ok($blocks, '>', 8, 'the page has examples');

# The quick start's output: cells, a header with its rows; what stands far to the
# right explains.
my ($printed) = map { $_->[1] } grep { $_->[0] eq '' } @{ $section{'Quick start'}{blocks} };
my $rows = 0;
foreach my $line (grep { /\|/ } split /\n/, $printed)
{
	my @cells = split /\|/, $line, -1;
	$cells[-1] =~ s/\S\K\s{4,}\S.*//;
	s/^\s+|\s+$//g foreach @cells;
	my $row = join '|', @cells;
	like("\n$section{'Quick start'}{out}", qr/\n\Q$row\E\n/, "the quick start prints $row");
	$rows++;
}
cmp_ok($rows, '>', 10, 'it says what it prints');

$node->stop;
done_testing();
