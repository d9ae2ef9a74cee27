-- questions.sql: all that may be asked of life.sql, with all answers. What is
-- printed must be the same wherever it is asked.
\set ON_ERROR_STOP 1
\pset format unaligned
\pset pager off
SET timezone = 'UTC';
SELECT at AS first FROM trade.instant WHERE name = 'first' \gset
SELECT at AS second FROM trade.instant WHERE name = 'second' \gset

\echo == what must be nothing
SELECT * FROM ssot.verify_publications();
SELECT * FROM ssot.verify_dictionary();
\echo == views, now and then
SELECT format('SELECT %L AS view, t.* FROM %I.%I AS t ORDER BY t::text COLLATE "C"', viewname, schemaname, viewname)
  FROM pg_views WHERE schemaname IN ('metrics', 'metrics_as_of') ORDER BY schemaname, viewname COLLATE "C" \gexec
SET ssot.as_of = :'first';
SELECT format('SELECT %L AS view, t.* FROM %I.%I AS t ORDER BY t::text COLLATE "C"', viewname, schemaname, viewname)
  FROM pg_views WHERE schemaname = 'metrics_as_of' ORDER BY viewname COLLATE "C" \gexec
RESET ssot.as_of;
\echo == views: columns, comments
SELECT c.oid::regclass, obj_description(c.oid, 'pg_class'), string_agg(format('%s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)), E'\n' ORDER BY a.attnum)
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relnamespace::regnamespace::text IN ('metrics', 'metrics_as_of') GROUP BY c.oid ORDER BY c.oid::regclass::text COLLATE "C";
\echo == metrics, by all means
SELECT * FROM ssot.metric('trade pipeline', by => '{country,quarter}') ORDER BY slice::text COLLATE "C";
SELECT * FROM ssot.metric('trade pipeline', as_of => :'first', by => '{group}') ORDER BY slice::text COLLATE "C";
SELECT * FROM ssot.metric('trade pipeline', as_of => :'second', variant => 'finance');
SELECT * FROM ssot.metric('trade pipeline', system => 'trade erp');
SELECT * FROM ssot.metric('trade pipeline', system => 'trade crm', as_of => :'first');
SELECT * FROM ssot.metric('trade deals', version => 1) UNION ALL SELECT * FROM ssot.metric('trade deals', version => 2);
SELECT * FROM ssot.metric('trade win rate', by => '{country}') ORDER BY slice::text COLLATE "C";
SELECT * FROM ssot.metric('trade lost', as_of => :'first');
SELECT * FROM ssot.metric('trade waiting', version => 1);
\echo == why numbers differ
SELECT * FROM ssot.explain_difference('trade pipeline', 'trade crm', 'trade erp');
SELECT * FROM ssot.explain_difference('trade pipeline', 'trade crm', 'trade erp', method => 'shapley', right_variant => 'finance');
SELECT e.* FROM (SELECT min(publication_id) AS id FROM ssot.publication WHERE metric = 'trade pipeline') AS p, ssot.explain_difference('trade pipeline', 'publication:' || p.id, 'golden') AS e;
SELECT e.* FROM (SELECT min(figure_id) AS id FROM ssot.reported_figure) AS f, ssot.explain_difference('trade pipeline', 'figure:' || f.id, 'golden') AS e;
\echo == numbers given out
SELECT * FROM ssot.publication ORDER BY publication_id;
SELECT * FROM ssot.restatements() ORDER BY publication_id;
SELECT * FROM ssot.reported_figure ORDER BY figure_id;
SELECT * FROM ssot.compare_figures() ORDER BY figure_id;
SELECT * FROM ssot.metric_snapshot AS s ORDER BY s::text COLLATE "C";
SELECT * FROM ssot.anomalies() AS a ORDER BY a::text COLLATE "C";
\echo == the dictionary
SELECT * FROM ssot.dictionary AS d ORDER BY d.definition, d.variant, d.version;
SELECT * FROM ssot.decertified AS d ORDER BY d.definition, d.variant, d.version;
SELECT * FROM ssot.definition_version AS v ORDER BY v.definition, v.variant, v.version;
SELECT * FROM ssot.signature AS s ORDER BY s::text COLLATE "C";
SELECT * FROM ssot.used_definition AS u ORDER BY u::text COLLATE "C";
SELECT * FROM ssot.calendar ORDER BY calendar;
SELECT definition, variant, version FROM ssot.search_dictionary('signed');
SELECT * FROM ssot.diff_definition('trade customer', 1, 2);
SELECT * FROM ssot.diff_definition('trade deals', 1, 2);
SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d WHERE d.adrelid = 'ssot.publication'::regclass;
