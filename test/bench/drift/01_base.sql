-- usage: psql -v n=1000000 -v s=1m -f 01_base.sql -f 02_tables.sql
\set ON_ERROR_STOP 1
set max_parallel_workers_per_gather=0;

create table base_:s as
select g::bigint as id,
  'Name '||substr(md5(g::text),1,10)||' '||(g%977)  as name,
  'user'||g||'@example'||(g%50)||'.com' as email,
  '+1'||lpad(((g*7919)%10000000000)::text,10,'0') as phone,
  (((g*37)%1000000)::numeric/100)::numeric(12,2) as amount,
  (array['lead','qualified','proposal','negotiation','won','lost'])[1+g%6] as stage,
  'owner_'||(g%200) as owner,
  timestamptz '2024-01-01'+ (g%31536000)*interval '1 second' as updated_at
from generate_series(1,:n::bigint) g;
